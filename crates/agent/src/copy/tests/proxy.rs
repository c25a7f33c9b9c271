//! Something between two agents that counts what the source sends, and can be cut.
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use interrex_core::Address;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(super) struct Proxy {
    pub(super) address: Address,
    sent: Arc<AtomicU64>,
    cuts: watch::Sender<u64>,
}

impl Proxy {
    /// Leads to `to`, until it is dropped.
    pub(super) async fn to(to: &Address) -> Self {
        let to: SocketAddr = to.as_str().parse().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string().parse().unwrap();
        let (cuts, cut) = watch::channel(0);
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        tokio::spawn(async move {
            while let Ok((here, _)) = listener.accept().await {
                let (count, mut cut) = (Arc::clone(&count), cut.clone());
                tokio::spawn(async move {
                    let Ok(there) = TcpStream::connect(to).await else { return };
                    cut.borrow_and_update();
                    tokio::select! {
                        _ = cut.changed() => {}
                        () = join(here, there, &count) => {}
                    }
                });
            }
        });
        Self { address, sent, cuts }
    }

    /// Bytes that the source has sent so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Ends every connection.
    pub(super) fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn join(here: TcpStream, there: TcpStream, count: &AtomicU64) {
    let ((mut from, mut back), (mut source, mut to)) = (here.into_split(), there.into_split());
    let asks = tokio::io::copy(&mut from, &mut to);
    let answers = async {
        let mut block = vec![0; 64 << 10];
        while let Ok(read) = source.read(&mut block).await {
            count.fetch_add(read as u64, Ordering::Relaxed);
            if read == 0 || back.write_all(&block[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::select! {
        _ = asks => {}
        () = answers => {}
    }
}
