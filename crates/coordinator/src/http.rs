//! Health and metrics over plain HTTP: for probes, load balancers and Prometheus. Says nothing that
//! needs an identity.
use std::io;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::api::Shared;
use crate::metrics::Looked;

/// Prometheus' text format, as `prometheus-client` writes it.
const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the coordinator stops.
///
/// # Errors
///
/// The listener broke.
pub(crate) async fn serve(shared: Arc<Shared>, listener: TcpListener) -> io::Result<()> {
    let stop = shared.stop.clone();
    let routes = Router::new()
        .route("/healthz", get(async || (StatusCode::OK, "ok\n")))
        .route("/readyz", get(ready))
        .route("/leaderz", get(leader))
        .route("/metrics", get(metrics))
        .with_state(shared);
    axum::serve(listener, routes).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// P6: false until the first answer is in force.
async fn ready(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match shared.node.seen().borrow().ready && shared.consensus.standing().leader.is_some() {
        true => (StatusCode::OK, "ready\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

async fn leader(State(shared): State<Arc<Shared>>) -> (StatusCode, &'static str) {
    match leads(&shared) {
        true => (StatusCode::OK, "leader\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not the leader\n"),
    }
}

async fn metrics(State(shared): State<Arc<Shared>>) -> impl IntoResponse {
    let looked = shared.node.query(|inside| {
        let fleet = inside.core.state().fleet.document();
        let silent = inside.core.silence();
        let silent = silent.filter(|(server, long)| *long >= fleet.timeout(*server).silence());
        Looked { silent: silent.count(), queue: inside.core.state().queue.iter().count() }
    });
    let looked = looked.await.unwrap_or_default();
    let seen = *shared.node.seen().borrow();
    let text = shared.metrics.text(seen, &shared.consensus.standing(), leads(&shared), looked);
    ([(header::CONTENT_TYPE, METRICS)], text)
}

fn leads(shared: &Shared) -> bool {
    shared.consensus.standing().leader == Some(shared.circle.id)
}
