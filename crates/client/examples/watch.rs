//! Watches the recorders and says what changes: `cargo run -p interrex-client --example watch --
//! 127.0.0.1:7401 TLS_FOLDER`.
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interrex_client::client::{Read, Settings};
use interrex_client::identity::{Security, TlsFolder};
use interrex_client::views::{List, Recorder, word};
use interrex_client::{Client, Error};
use interrex_wire::pb::View;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let mut args = std::env::args().skip(1);
    let endpoint = args.next().unwrap_or_else(|| "127.0.0.1:7401".to_owned());
    let security = match args.next() {
        Some(folder) => Security::Tls(Arc::new(TlsFolder::load(Path::new(&folder))?)),
        None => Security::Insecure,
    };
    let timeout = Duration::from_secs(10);
    let client = Client::new(Settings { endpoints: vec![endpoint], security, timeout })?;
    let mut watch = client.watch(Read::all(View::Recorders));
    let mut before = BTreeMap::new();
    loop {
        let list: List<Recorder> = watch.next().await?;
        for item in list.items {
            let now = (word(&item.state), item.holder.unwrap_or_default());
            if before.insert(item.name.clone(), now.clone()).as_ref() != Some(&now) {
                println!("revision {}: {} is {} on {:?}", list.revision, item.name, now.0, now.1);
            }
        }
    }
}
