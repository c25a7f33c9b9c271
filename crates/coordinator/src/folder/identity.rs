//! Who this member is, as its disk has it: drawn or assigned once, then kept for ever.
use interrex_core::name::Name;
use interrex_core::{CoordinatorId, Generation};
use serde::{Deserialize, Serialize};

use super::FolderError;
use crate::log::types::ClusterId;

/// A member that has a place in a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeIdentity {
    /// As in `--name`.
    pub name: Name,
    /// What Raft calls its node id. Never reused.
    pub id: CoordinatorId,
    /// Drawn at the founding.
    pub cluster: ClusterId,
    /// Counts forced new beginnings (M7); 1 from the founding on.
    pub generation: Generation,
    /// Those of `--initial`, this member included, in name order: their ids are their places,
    /// from 1. Empty for a member that joined later.
    pub founders: Vec<Founder>,
}

/// One of `--initial`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// As in its `--name`.
    pub name: Name,
    /// Where members reach it, `host:port`.
    pub address: String,
    /// It has noted the cluster id on its own disk, and told us so. From then on an empty disk
    /// under its name is a lost one.
    pub confirmed: bool,
}

/// The JSON of `identity`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    name: String,
    id: u64,
    cluster: String,
    generation: u64,
    founders: Vec<StoredFounder>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredFounder {
    name: String,
    address: String,
    confirmed: bool,
}

impl NodeIdentity {
    /// As stored.
    pub(super) fn to_json(&self) -> String {
        let founder = |founder: &Founder| StoredFounder {
            name: founder.name.to_string(),
            address: founder.address.clone(),
            confirmed: founder.confirmed,
        };
        let stored = Stored {
            name: self.name.to_string(),
            id: self.id.0,
            cluster: format!("{:032x}", u128::from_be_bytes(self.cluster)),
            generation: self.generation.0,
            founders: self.founders.iter().map(founder).collect(),
        };
        serde_json::to_string_pretty(&stored).unwrap_or_default()
    }

    /// From what was stored in the file `what`.
    pub(super) fn from_json(what: &str, text: &str) -> Result<Self, FolderError> {
        let bad = |error: String| FolderError::corrupt(what, error);
        let stored: Stored = serde_json::from_str(text).map_err(|e| bad(e.to_string()))?;
        let name = |text: &str| text.parse::<Name>().map_err(|e| bad(e.to_string()));
        let founder = |founder: StoredFounder| {
            let StoredFounder { name: text, address, confirmed } = founder;
            Ok(Founder { name: name(&text)?, address, confirmed })
        };
        let cluster = u128::from_str_radix(&stored.cluster, 16).map_err(|e| bad(e.to_string()))?;
        Ok(Self {
            name: name(&stored.name)?,
            id: CoordinatorId(stored.id),
            cluster: cluster.to_be_bytes(),
            generation: Generation(stored.generation),
            founders: stored.founders.into_iter().map(founder).collect::<Result<_, _>>()?,
        })
    }
}
