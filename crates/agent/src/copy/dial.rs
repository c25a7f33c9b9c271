//! Dialling another agent: mutual TLS, and it must be the server that the assignment names.
use interrex_client::identity::{Connector, Role, Security};
use interrex_core::{Address, CopyId, ServerId};
use interrex_wire::limits::MATERIAL_MESSAGE_MAX;
use interrex_wire::material::Frame;
use interrex_wire::pb;
use interrex_wire::pb::material_client::MaterialClient;
use std::time::Duration;
use tokio_stream::StreamExt;
use tonic::transport::Endpoint;

use super::line::{ALIVE, Line, WINDOWS, said};

/// How long it may take until the other end has taken the exchange up.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is dialled, by whom, and about what.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) address: Address,
    pub(super) other: ServerId,
    pub(super) cluster: [u8; 16],
    pub(super) server: ServerId,
    pub(super) copy: CopyId,
    /// Frames that may be on their way out.
    pub(super) room: usize,
}

impl Call {
    /// Connects, and says hello.
    ///
    /// # Errors
    ///
    /// Nobody answers, somebody else does, or it refuses.
    pub(super) async fn dial(self, security: &Security) -> Result<Line, String> {
        match tokio::time::timeout(PATIENCE, self.connect(security)).await {
            Ok(dialled) => dialled,
            Err(_) => Err(format!("no answer within {PATIENCE:?}")),
        }
    }

    async fn connect(self, security: &Security) -> Result<Line, String> {
        let other = Some(self.other.as_str());
        let connector = Connector::new(security, Role::Agent, other);
        let connector = connector.map_err(|why| why.to_string())?;
        let endpoint = Endpoint::from_shared(format!("http://{}", self.address));
        let endpoint = endpoint
            .map_err(|why| root_cause(&why))?
            .connect_timeout(PATIENCE)
            .initial_stream_window_size(WINDOWS.0)
            .initial_connection_window_size(WINDOWS.1)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .keep_alive_while_idle(true);
        let channel = endpoint.connect_with_connector(connector).await;
        let mut client = MaterialClient::new(channel.map_err(|why| root_cause(&why))?)
            .max_decoding_message_size(MATERIAL_MESSAGE_MAX)
            .max_encoding_message_size(MATERIAL_MESSAGE_MAX);
        let (to, out) = Line::outgoing(self.room);
        let (cluster, server, copy) = (self.cluster, self.server, self.copy);
        to.try_send(Frame::Hello { cluster, server, copy }).map_err(|why| why.to_string())?;
        let out = out.map(|frame| pb::MaterialFrame::from(&frame));
        let answer = client.exchange(out).await.map_err(|status| said(&status))?;
        Ok(Line::new(to, answer.into_inner()))
    }
}

/// tonic says "transport error" and keeps the reason behind it.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
