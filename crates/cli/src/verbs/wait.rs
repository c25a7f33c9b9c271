//! `interrex wait`: watches, does not poll.
use clap::Args;
use interrex_wire::pb::View;
use serde_json::Value;

use crate::args::Global;
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct Wait {
    /// recorder/NAME, server/NAME or copy/ID
    #[arg(value_name = "recorder/NAME|server/NAME|copy/ID")]
    what: String,
    /// A field of `get`, with dots inside of objects
    #[arg(long = "for", value_name = "FIELD=VALUE")]
    wanted: String,
}

impl Wait {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let usage = |message: String| {
            Failure::usage(&message, "as in `interrex wait server/srv-1 --for health=ok`")
        };
        let (view, name) = match self.what.split_once('/') {
            Some(("recorder", name)) => (View::Recorders, name),
            Some(("server", name)) => (View::Servers, name),
            Some(("copy", id)) => (View::Copies, id),
            Some(_) | None => return Err(usage(format!("{:?} is none of these", self.what))),
        };
        let Some((field, value)) = self.wanted.split_once('=') else {
            return Err(usage(format!("{:?} is not FIELD=VALUE", self.wanted)));
        };
        let pointer = format!("/{}", field.replace('.', "/"));
        let client = global.client()?;
        let mut watch = client.watch(global.read(view, name));
        let arrives = async {
            loop {
                let document: Value = watch.next().await?;
                let Some(item) = document.pointer("/items/0") else { continue };
                let Some(found) = item.pointer(&pointer) else {
                    return Err(usage(format!("{} has no field {field:?}", self.what)));
                };
                if is(found, value) {
                    return Ok(item.clone());
                }
            }
        };
        match tokio::time::timeout(global.timeout, arrives).await {
            Ok(item) => {
                let item = item?;
                if global.output.is_json() {
                    output::document(&item)?;
                } else {
                    output::line(&format!("{} {field}={value}", self.what))?;
                }
                Ok(0)
            }
            Err(_) => Err(Failure::no(
                "not_in_time",
                format!("{} had not {field}={value} within {:?}", self.what, global.timeout),
                "see `interrex status`",
            )),
        }
    }
}

fn is(found: &Value, wanted: &str) -> bool {
    // Numbers, booleans and null as JSON writes them.
    let text = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    text == wanted
}
