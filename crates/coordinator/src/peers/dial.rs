//! How one member dials another: lazily, with signs of life on idle connections, and nobody but
//! the coordinator of that name at the other end. What is said there is not known here.
use std::time::Duration;

use interrex_client::identity::{BadIdentity, Connector, Role, Security};
use tonic::transport::{Channel, Endpoint};

/// A dial takes no longer than a leader's absence is tolerated.
const CONNECT_MAX: Duration = Duration::from_millis(300);
/// An idle connection is asked for a sign of life this often, and given this long for it.
const ALIVE: Duration = Duration::from_secs(1);

/// Makes channels to members.
#[derive(Clone)]
pub(crate) struct Dialer {
    security: Security,
}

impl Dialer {
    /// # Errors
    ///
    /// Unusable TLS files.
    pub(crate) fn new(security: Security) -> Result<Self, BadIdentity> {
        Connector::new(&security, Role::Coordinator, None)?;
        Ok(Self { security })
    }

    /// A channel to the member `name` at `address` (`host:port`) that dials when it is first used.
    /// Where that cannot be dialled, the first call says so.
    pub(super) fn channel(&self, name: &str, address: &str) -> Channel {
        let endpoint = Endpoint::from_shared(format!("http://{address}"))
            .unwrap_or_else(|_| Endpoint::from_static("http://address.invalid:1"))
            .connect_timeout(CONNECT_MAX)
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(ALIVE)
            .keep_alive_while_idle(true)
            .initial_stream_window_size(1 << 20)
            .initial_connection_window_size(4 << 20);
        match Connector::new(&self.security, Role::Coordinator, Some(name)) {
            Ok(connector) => endpoint.connect_with_connector_lazy(connector),
            // Was looked at in `new`.
            Err(_) => endpoint.connect_lazy(),
        }
    }
}
