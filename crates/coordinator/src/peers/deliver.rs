//! Ticks, reports and answers on their way to the other members: one stream to each, of which only
//! the newest of each kind waits. What is lost is sent again by the next tick.
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use interrex_core::{Answer, CoordinatorId, Report, Tick};
use interrex_wire::pb::{self, peer_frame::Body};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use super::line::{BACKOFF, Line};
use super::{Circle, Dialer};

/// A stream to each member, opened when something is first sent there.
pub(crate) struct Deliveries {
    circle: Arc<Circle>,
    dialer: Dialer,
    runtime: tokio::runtime::Handle,
    outboxes: BTreeMap<CoordinatorId, (Arc<Outbox>, AbortOnDropHandle<()>)>,
}

/// The newest of each kind that waits for one member.
#[derive(Default)]
struct Outbox {
    waiting: Mutex<Waiting>,
    changed: Notify,
}

#[derive(Default)]
struct Waiting {
    tick: Option<Tick>,
    report: Option<Report>,
    answer: Option<Answer>,
}

impl Deliveries {
    /// Streams run on `runtime`.
    pub(crate) fn new(
        circle: Arc<Circle>,
        dialer: Dialer,
        runtime: tokio::runtime::Handle,
    ) -> Self {
        Self { circle, dialer, runtime, outboxes: BTreeMap::new() }
    }

    /// This member.
    pub(crate) fn own(&self) -> CoordinatorId {
        self.circle.id
    }

    /// To every other member.
    pub(crate) fn tick(&mut self, tick: Tick) {
        let (members, own) = (self.circle.members(), self.own());
        for id in members.into_keys().map(CoordinatorId).filter(|id| *id != own) {
            self.put(id, |waiting| waiting.tick = Some(tick));
        }
    }

    pub(crate) fn report(&mut self, to: CoordinatorId, report: Report) {
        self.put(to, |waiting| waiting.report = Some(report));
    }

    pub(crate) fn answer(&mut self, to: CoordinatorId, answer: Answer) {
        self.put(to, |waiting| waiting.answer = Some(answer));
    }

    /// Who is no member (any more) gets nothing.
    fn put(&mut self, to: CoordinatorId, change: impl FnOnce(&mut Waiting)) {
        if !self.outboxes.contains_key(&to) {
            let Some(member) = self.circle.members().remove(&to.0) else { return };
            let outbox = Arc::new(Outbox::default());
            let line = Line::new(&self.dialer, &member.name, &member.addr);
            let task = keep_open(Arc::clone(&self.circle), to, line, Arc::clone(&outbox));
            let task = AbortOnDropHandle::new(self.runtime.spawn(task));
            self.outboxes.insert(to, (outbox, task));
        }
        if let Some((outbox, _)) = self.outboxes.get(&to) {
            change(&mut outbox.waiting.lock().unwrap_or_else(PoisonError::into_inner));
            outbox.changed.notify_one();
        }
    }
}

impl Outbox {
    /// The next thing to send: answers first, for they set leases free.
    async fn next(&self) -> Body {
        loop {
            if let Some(body) = self.take() {
                return body;
            }
            self.changed.notified().await;
        }
    }

    fn take(&self) -> Option<Body> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(answer) = waiting.answer.take() {
            return Some(Body::Answer(pb::Answer::from(&answer)));
        }
        if let Some(tick) = waiting.tick.take() {
            return Some(Body::Tick(pb::Tick::from(&tick)));
        }
        waiting.report.take().map(|report| Body::Report(pb::Report::from(&report)))
    }
}

/// Opens the stream again whenever it ends.
async fn keep_open(circle: Arc<Circle>, to: CoordinatorId, line: Line, outbox: Arc<Outbox>) {
    let (mut rest, longest) = BACKOFF;
    loop {
        let envelope = circle.envelope(to.0);
        let frames = futures::stream::unfold(Arc::clone(&outbox), move |outbox| {
            let envelope = Some(envelope.clone());
            async move {
                let body = Some(outbox.next().await);
                Some((pb::PeerFrame { envelope, body }, outbox))
            }
        });
        // Answered only when the other side ends the stream.
        let ended = line.client().deliver(frames).await;
        if let Err(status) = ended {
            tracing::debug!(to = to.0, why = status.message(), "stream to member ended");
        }
        line.renew();
        tokio::time::sleep(rest).await;
        rest = (rest * 2).min(longest);
    }
}
