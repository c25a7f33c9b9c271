//! The dialling side: a connector for tonic's `Endpoint::connect_with_connector(_lazy)` that looks
//! who answers. Every identity of the CA can serve TLS; only a coordinator may answer as one.
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::Uri;
use tower::Service;

use super::{BadIdentity, PeerIdentity, Role, Security};

/// A connection as tonic wants it.
pub type Dialed = TokioIo<Box<dyn Duplex>>;

/// Bytes in both directions.
pub trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Duplex for T {}

/// Connects to one kind of peer.
#[derive(Clone)]
pub struct Connector {
    tls: Option<TlsConnector>,
    role: Role,
    name: Option<String>,
}

/// Who answered is somebody else. Correct the address or the identities.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} answers as {is}, not as {wanted}; correct the address, or issue its identity anew"
)]
#[expect(missing_docs, reason = "the message names every field")]
pub struct WrongPeer {
    pub address: String,
    pub is: String,
    pub wanted: String,
}

impl Connector {
    /// For peers of `role`; of one `name` where only that one will do.
    ///
    /// # Errors
    ///
    /// Unusable TLS files.
    pub fn new(security: &Security, role: Role, name: Option<&str>) -> Result<Self, BadIdentity> {
        let tls = match security {
            Security::Tls(folder) => Some(TlsConnector::from(Arc::new(folder.client_config()?))),
            Security::Insecure => None,
        };
        Ok(Self { tls, role, name: name.map(str::to_owned) })
    }

    async fn dial(self, uri: Uri) -> io::Result<Dialed> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, what.to_owned());
        let host = uri.host().ok_or_else(|| invalid("an address without a host"))?;
        let port = uri.port_u16().ok_or_else(|| invalid("an address without a port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else {
            let remote = stream.peer_addr()?;
            Security::Insecure.check_address(remote).map_err(io::Error::other)?;
            return Ok(TokioIo::new(Box::new(stream)));
        };
        let server = ServerName::try_from(host.to_owned())
            .map_err(|_| invalid("a host that is neither a DNS name nor an IP address"))?;
        let stream = tls.connect(server, stream).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let peer = shown.and_then(|own| PeerIdentity::of_certificate(own));
        self.check(&format!("{host}:{port}"), peer).map_err(io::Error::other)?;
        Ok(TokioIo::new(Box::new(stream)))
    }

    fn check(&self, address: &str, peer: Option<PeerIdentity>) -> Result<(), WrongPeer> {
        let named =
            |peer: PeerIdentity| self.name.as_deref().is_none_or(|name| peer.name.as_str() == name);
        if peer.is_some_and(|peer| peer.role == self.role && named(peer)) {
            return Ok(());
        }
        let is = peer.map_or_else(|| "nobody that we know".to_owned(), |peer| peer.to_string());
        let wanted = format!("{}/{}", self.role, self.name.as_deref().unwrap_or("NAME"));
        Err(WrongPeer { address: address.to_owned(), is, wanted })
    }
}

impl Service<Uri> for Connector {
    type Response = Dialed;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Dialed>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        Box::pin(self.clone().dial(uri))
    }
}
