//! Writes a note, safely: `cargo run -p interrex-client --example note -- 127.0.0.1:7401
//! TLS_FOLDER`. What an unknown outcome means, and what to do then, is at the end.
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use interrex_client::client::{Seen, Settings, Wish, new_operation};
use interrex_client::identity::{Security, TlsFolder};
use interrex_client::{Client, Error};
use interrex_core::Command;

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
    let (key, text) = ("example".to_owned(), "hello".to_owned());
    let mut wish = Wish {
        operation: new_operation(),
        seen: Seen::New,
        reason: "an example".to_owned(),
        ticket: String::new(),
        dry_run: false,
        command: Command::Note { key, text, expect: None },
    };
    loop {
        match client.change(&wish).await {
            Ok(changed) => {
                println!("written in revision {}", changed.revision);
                return Ok(());
            }
            // Perhaps written: the same id again is never done twice.
            Err(Error::Unknown { seen: Some(seen), .. }) => wish.seen = Seen::Before(seen),
            Err(error) => return Err(error),
        }
    }
}
