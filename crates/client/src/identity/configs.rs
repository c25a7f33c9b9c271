//! rustls, set up: TLS 1.3 only, both ends by certificates of the cluster's CA.
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::server::{ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, ServerConfig};

use super::{BadIdentity, TlsFolder, provider};

/// Whether a server asks its callers who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callers {
    /// Each must show a certificate of the CA.
    MustBeKnown,
    /// A certificate is looked at if there is one: probes and metrics.
    MayBeUnknown,
}

/// What gRPC speaks.
const ALPN_H2: &[u8] = b"h2";
/// What probes and metrics speak.
const ALPN_HTTP1: &[u8] = b"http/1.1";

impl TlsFolder {
    /// For a server: gRPC if callers must be known, otherwise HTTP of either version.
    ///
    /// # Errors
    ///
    /// [`BadIdentity::Argument`]: rustls finds the files unusable after all.
    pub fn server_config(&self, callers: Callers) -> Result<ServerConfig, BadIdentity> {
        let verifier = WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider());
        let verifier = match callers {
            Callers::MustBeKnown => verifier,
            Callers::MayBeUnknown => verifier.allow_unauthenticated(),
        };
        let verifier = verifier.build().map_err(unusable)?;
        let own: Arc<dyn ResolvesServerCert> = Arc::new(SingleCertAndKey::from(self.key.clone()));
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(own);
        config.alpn_protocols = match callers {
            Callers::MustBeKnown => vec![ALPN_H2.to_vec()],
            Callers::MayBeUnknown => vec![ALPN_HTTP1.to_vec(), ALPN_H2.to_vec()],
        };
        Ok(config)
    }

    /// For a gRPC client.
    ///
    /// # Errors
    ///
    /// [`BadIdentity::Argument`]: rustls finds the files unusable after all.
    pub fn client_config(&self) -> Result<ClientConfig, BadIdentity> {
        let own: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(self.key.clone()));
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .with_root_certificates(self.roots.clone())
            .with_client_cert_resolver(own);
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        Ok(config)
    }
}

fn unusable(why: impl std::fmt::Display) -> BadIdentity {
    BadIdentity::Argument(format!("the TLS folder cannot be used: {why}"))
}
