//! A connection between two agents, as both ends use it: frames in both directions, in order. Which
//! of them dialled is not seen here.
use std::pin::Pin;
use std::time::Duration;

use interrex_wire::material::Frame;
use interrex_wire::pb;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::Status;

/// Chunks of material on their way out: memory stays flat.
pub(crate) const ANSWERS_MAX: usize = 4;
/// Questions on their way out; more than a plan ever has open, so that asking never waits.
pub(crate) const QUESTIONS_MAX: usize = 512;
/// Bytes on their way in that are not taken yet, in one exchange and in one connection.
pub(crate) const WINDOWS: (u32, u32) = (2 << 20, 4 << 20);
/// An idle connection is asked for a sign of life this often, and given this long for it.
pub(crate) const ALIVE: Duration = Duration::from_secs(5);

/// Frames that come in; what is wrong is said as text, and ends the line.
type Frames = Pin<Box<dyn Stream<Item = Result<Frame, String>> + Send>>;

/// One end of an exchange.
pub(crate) struct Line {
    to: mpsc::Sender<Frame>,
    from: Frames,
}

/// The other half of [`Line::to`]: what tonic sends.
pub(crate) type Outgoing = ReceiverStream<Frame>;

impl Line {
    /// A channel for what goes out, and the stream of it.
    pub(crate) fn outgoing(room: usize) -> (mpsc::Sender<Frame>, Outgoing) {
        let (to, out) = mpsc::channel(room);
        (to, ReceiverStream::new(out))
    }

    /// Joins both directions.
    pub(crate) fn new(
        to: mpsc::Sender<Frame>,
        from: impl Stream<Item = Result<pb::MaterialFrame, Status>> + Send + 'static,
    ) -> Self {
        let read = |frame: Result<pb::MaterialFrame, Status>| match frame {
            Ok(frame) => Frame::try_from(frame).map_err(|bad| bad.to_string()),
            Err(status) => Err(said(&status)),
        };
        Self { to, from: Box::pin(from.map(read)) }
    }

    /// Waits for the next frame.
    ///
    /// # Errors
    ///
    /// The line is over: this is why.
    pub(crate) async fn next(&mut self) -> Result<Frame, String> {
        self.from.next().await.unwrap_or_else(|| Err("the other end has left".to_owned()))
    }

    /// Sends a frame, when there is room for it.
    ///
    /// # Errors
    ///
    /// The line is over.
    pub(crate) async fn send(&self, frame: Frame) -> Result<(), String> {
        self.to.send(frame).await.map_err(|_| "the other end has left".to_owned())
    }

    /// Sends a frame now.
    ///
    /// # Errors
    ///
    /// The line is over, or no more goes into it.
    pub(crate) fn ask(&self, frame: Frame) -> Result<(), String> {
        self.to.try_send(frame).map_err(|why| why.to_string())
    }

    /// True once nobody listens to what is sent.
    pub(crate) fn is_closed(&self) -> bool {
        self.to.is_closed()
    }
}

/// What the other end's gRPC says, for people.
pub(crate) fn said(status: &Status) -> String {
    format!("{}: {}", status.code(), status.message())
}
