//! No other member can be reached.
use std::io;

use interrex_coordinator::history::SnapshotHandle;
use interrex_coordinator::log::types::{Cfg, MemberNode};
use openraft::alias::{SnapshotOf, VoteOf};
use openraft::errors::{RPCError, ReplicationClosed, StreamingError, Unreachable};
use openraft::network::RPCOption;
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, SnapshotResponse, VoteRequest, VoteResponse,
};
use openraft::{OptionalSend, RaftNetworkFactory, RaftNetworkV2};

pub(crate) struct Nobody;

fn unreachable() -> Unreachable<Cfg> {
    Unreachable::new(&io::Error::other("nobody is there"))
}

impl RaftNetworkFactory<Cfg> for Nobody {
    type Network = Nobody;

    async fn new_client(&mut self, _: u64, _: &MemberNode) -> Nobody {
        Nobody
    }
}

impl RaftNetworkV2<Cfg> for Nobody {
    type SnapshotData = SnapshotHandle;

    async fn append_entries(
        &mut self,
        _: AppendEntriesRequest<Cfg>,
        _: RPCOption,
    ) -> Result<AppendEntriesResponse<Cfg>, RPCError<Cfg>> {
        Err(RPCError::Unreachable(unreachable()))
    }

    async fn vote(
        &mut self,
        _: VoteRequest<Cfg>,
        _: RPCOption,
    ) -> Result<VoteResponse<Cfg>, RPCError<Cfg>> {
        Err(RPCError::Unreachable(unreachable()))
    }

    async fn full_snapshot(
        &mut self,
        _: VoteOf<Cfg>,
        _: SnapshotOf<Cfg, SnapshotHandle>,
        _: impl std::future::Future<Output = ReplicationClosed> + OptionalSend + 'static,
        _: RPCOption,
    ) -> Result<SnapshotResponse<Cfg>, StreamingError<Cfg>> {
        Err(StreamingError::Unreachable(unreachable()))
    }
}
