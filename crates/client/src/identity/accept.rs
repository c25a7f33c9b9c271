//! The accepting side: connections with a proven peer, for tonic (as a stream) and for axum (by
//! [`Acceptor::accept`]). Handshakes run beside each other, are limited in time, and connections
//! in number, so that a slow or wild caller keeps nobody else out for long.
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::Stream;
use tonic::transport::server::Connected;

use super::{BadIdentity, Callers, PeerIdentity, Security};

/// How much a listener takes.
#[derive(Clone, Copy, Debug)]
pub struct AcceptLimits {
    /// Connections at once, handshakes included; more wait in the kernel's queue.
    pub connections: usize,
    /// A handshake that takes longer is dropped.
    pub handshake: Duration,
}

/// Who is at the other end: in a request's extensions by tonic.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// Null only if the connection was already broken.
    pub address: Option<SocketAddr>,
    /// None without TLS, or of an unknown caller where those may come.
    pub identity: Option<PeerIdentity>,
}

/// A connection and who is at its other end.
#[derive(Debug)]
pub struct Peered {
    stream: Either,
    peer: Peer,
    _permit: OwnedSemaphorePermit,
}

#[derive(Debug)]
enum Either {
    Tls(Box<TlsStream<TcpStream>>),
    Plain(TcpStream),
}

/// Hands out connections whose handshake is done. Ends its loop when it is dropped.
#[derive(Debug)]
pub struct Acceptor {
    ready: mpsc::Receiver<Peered>,
    address: SocketAddr,
    accepting: tokio::task::AbortHandle,
}

impl Default for AcceptLimits {
    /// 4,096 connections (a thousand agents, and as many again), 5 s for a handshake.
    fn default() -> Self {
        Self { connections: 4_096, handshake: Duration::from_secs(5) }
    }
}

impl Acceptor {
    /// Begins to accept. Must be called within a tokio runtime.
    ///
    /// # Errors
    ///
    /// A listener without TLS that is not on loopback, or unusable TLS files.
    pub fn start(
        listener: TcpListener,
        security: &Security,
        callers: Callers,
        limits: AcceptLimits,
    ) -> Result<Self, BadIdentity> {
        let address = listener
            .local_addr()
            .map_err(|why| BadIdentity::Argument(format!("the listener has no address: {why}")))?;
        security.check_address(address)?;
        let tls = match security {
            Security::Tls(folder) => {
                Some(TlsAcceptor::from(Arc::new(folder.server_config(callers)?)))
            }
            Security::Insecure => None,
        };
        let (done, ready) = mpsc::channel(64);
        let accepting = tokio::spawn(accept_all(listener, tls, limits, done)).abort_handle();
        Ok(Self { ready, address, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next connection whose handshake is done; None once the accept loop has ended.
    pub async fn accept(&mut self) -> Option<Peered> {
        self.ready.recv().await
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// For `tonic::transport::Server::serve_with_incoming`.
impl Stream for Acceptor {
    type Item = io::Result<Peered>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().ready.poll_recv(context).map(|peered| peered.map(Ok))
    }
}

async fn accept_all(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    limits: AcceptLimits,
    done: mpsc::Sender<Peered>,
) {
    let slots = Arc::new(Semaphore::new(limits.connections));
    loop {
        let Ok(permit) = slots.clone().acquire_owned().await else { return };
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: others end meanwhile.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, done) = (tls.clone(), done.clone());
        tokio::spawn(async move {
            let shaken = shake(stream, tls, permit);
            match tokio::time::timeout(limits.handshake, shaken).await {
                Ok(Ok(peered)) => _ = done.send(peered).await,
                Ok(Err(error)) => tracing::warn!(%address, %error, "refused a connection"),
                Err(_) => tracing::warn!(%address, "refused a connection: handshake too slow"),
            }
        });
    }
}

async fn shake(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    permit: OwnedSemaphorePermit,
) -> io::Result<Peered> {
    stream.set_nodelay(true)?;
    let address = stream.peer_addr().ok();
    let Some(tls) = tls else {
        let peer = Peer { address, identity: None };
        return Ok(Peered { stream: Either::Plain(stream), peer, _permit: permit });
    };
    let stream = tls.accept(stream).await?;
    let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
    let identity = shown.and_then(|own| PeerIdentity::of_certificate(own));
    let peer = Peer { address, identity };
    Ok(Peered { stream: Either::Tls(Box::new(stream)), peer, _permit: permit })
}

impl Peered {
    /// Who is at the other end.
    pub fn peer(&self) -> Peer {
        self.peer
    }
}

impl Connected for Peered {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer
    }
}

impl AsyncRead for Peered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Either::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Either::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Peered {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().stream {
            Either::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Either::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Either::Tls(stream) => Pin::new(stream).poll_flush(context),
            Either::Plain(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().stream {
            Either::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Either::Plain(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
