//! The one task that owns the agent's core: it feeds it and does what it says, and decides nothing.
use std::collections::BTreeSet;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use interrex_core::agent::{Agent, AgentInput, AgentOutput, Connection, Deed, DriverStatus, Link};
use interrex_core::{Ack, Generation, Heartbeat, ServerId};
use interrex_wire::pb;
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use crate::clock::Clock;
use crate::copy::Copying;
use crate::driver::Driver;
use crate::failure::Failure;
use crate::folder::{Cluster, hex};
use crate::journal::{Entry, Event, Journal};
use crate::link::{Links, Word};
use crate::save::{Save, Saver};

/// How often the core is told that time passes.
const STEP: Duration = Duration::from_millis(10);
/// Answers of the driver that wait for the loop; the core asks again for what is lost.
const ENDS_MAX: usize = 16;

/// All that the loop has to do with.
pub(crate) struct Node {
    pub(crate) core: Agent,
    pub(crate) server: ServerId,
    /// The cluster of the folder, then of the first reply.
    pub(crate) cluster: Option<Cluster>,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal>,
    pub(crate) driver: Box<dyn Driver>,
    pub(crate) copying: Copying,
    pub(crate) links: Links,
    pub(crate) saver: Saver,
    /// How many coordinators are configured.
    pub(crate) count: usize,
    /// Links at whose other end another cluster answered.
    pub(crate) foreign: BTreeSet<Link>,
    /// Links of which it was logged that they cannot be reached.
    pub(crate) unreachable: BTreeSet<Link>,
}

impl Node {
    /// Runs until `stop` is there. A10: nothing is said to anybody then.
    ///
    /// # Errors
    ///
    /// `wrong_cluster`, and only before a majority was ever reached: what records goes on.
    pub(crate) async fn run(
        mut self,
        mut words: mpsc::Receiver<Word>,
        stop: impl Future<Output = ()>,
    ) -> Result<(), Failure> {
        let mut steps = tokio::time::interval(STEP);
        steps.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut status = self.driver.status();
        self.copying.belongs(self.cluster.map(|cluster| cluster.id));
        let (found, mut ends) = mpsc::channel(ENDS_MAX);
        tokio::pin!(stop);
        let ended = loop {
            let input = tokio::select! {
                () = &mut stop => break Ok(()),
                Some(word) = words.recv() => match self.hear(word) {
                    Ok(Some(input)) => input,
                    Ok(None) => continue,
                    Err(failure) => break Err(failure),
                },
                Some(ended) = ends.recv() => AgentInput::Ended(ended),
                Ok(()) = status.changed() => self.read(&mut status),
                Ok(()) = self.copying.status.changed() => self.copies(),
                Some(copy) = self.copying.erased.recv() => AgentInput::Erased(vec![copy]),
                _ = steps.tick() => AgentInput::Step { dice: rand::random() },
            };
            for output in self.core.handle(input, (self.clock)().moment()) {
                self.obey(output, &found);
            }
        };
        drop(self.links);
        let (driver, copying) = (self.driver, self.copying);
        let stopped = tokio::task::spawn_blocking(move || {
            driver.stop();
            drop(copying);
        });
        if stopped.await.is_err() {
            tracing::error!("the driver panicked while it stopped");
        }
        ended
    }

    fn hear(&mut self, word: Word) -> Result<Option<AgentInput>, Failure> {
        match word {
            Word::Opened(connection) => Ok(Some(AgentInput::Opened(connection))),
            Word::Closed(connection, why) => {
                let coordinator = self.links.address(connection);
                if self.unreachable.insert(connection.link) {
                    tracing::warn!(%coordinator, %why, "not connected; trying again");
                } else {
                    tracing::debug!(%coordinator, %why, "not connected; trying again");
                }
                if why.contains(REFUSED_US) {
                    self.foreign.insert(connection.link);
                    if self.is_elsewhere() {
                        let ours = self.cluster.map(|ours| hex(&ours.id)).unwrap_or_default();
                        return Err(wrong_cluster(coordinator, "another", &ours));
                    }
                }
                Ok(Some(AgentInput::Closed(connection)))
            }
            Word::Reply(via, reply) => {
                if !self.is_ours(via, &reply)? {
                    self.links.close(via);
                    return Ok(Some(AgentInput::Closed(via)));
                }
                Ok(self.acknowledged(via, *reply))
            }
        }
    }

    fn acknowledged(&mut self, via: Connection, reply: pb::Reply) -> Option<AgentInput> {
        let ack = reply.ack?;
        match Ack::try_from(ack) {
            Ok(ack) => {
                if self.unreachable.remove(&via.link) {
                    let coordinator = self.links.address(via);
                    tracing::info!(%coordinator, "connected");
                }
                Some(AgentInput::Ack { via, ack })
            }
            Err(why) => {
                let coordinator = self.links.address(via);
                tracing::error!(%coordinator, %why, "an acknowledgement cannot be understood");
                None
            }
        }
    }

    /// A majority is of another cluster, and no majority of ours was ever heard by this process.
    fn is_elsewhere(&self) -> bool {
        !self.core.is_ready() && 2 * self.foreign.len() > self.count
    }

    /// Anything of another cluster or a lower generation is refused (PROTOCOL section 3).
    fn is_ours(&mut self, via: Connection, reply: &pb::Reply) -> Result<bool, Failure> {
        let coordinator = self.links.address(via).to_owned();
        let Ok(id) = <[u8; 16]>::try_from(reply.cluster.as_slice()) else {
            tracing::error!(%coordinator, "a reply names no cluster; refused");
            return Ok(false);
        };
        let theirs = Cluster { id, generation: Generation(reply.generation) };
        let Some(ours) = self.cluster else {
            self.belongs(theirs);
            return Ok(true);
        };
        if ours.id != id {
            self.foreign.insert(via.link);
            let (ours, theirs) = (hex(&ours.id), hex(&id));
            tracing::error!(%coordinator, %theirs, %ours, "belongs to another cluster; refused");
            if self.is_elsewhere() {
                return Err(wrong_cluster(&coordinator, &theirs, &ours));
            }
            return Ok(false);
        }
        self.foreign.remove(&via.link);
        if theirs.generation < ours.generation {
            let (theirs, ours) = (theirs.generation, ours.generation);
            tracing::error!(%coordinator, %theirs, %ours, "an older generation; refused");
            return Ok(false);
        }
        if theirs != ours {
            self.belongs(theirs);
            if self.core.is_ready() {
                self.saver.save(Save::Belongs(theirs));
            }
        }
        Ok(true)
    }

    fn obey(&mut self, output: AgentOutput, found: &mpsc::Sender<Vec<interrex_core::EndedTenure>>) {
        match output {
            AgentOutput::Beat(heartbeat) => self.beat(&heartbeat),
            AgentOutput::Connect(connection) => {
                self.links.connect(connection, self.core.connect_timeout());
            }
            AgentOutput::Close(connection) => self.links.close(connection),
            AgentOutput::Wishes(wishes) => self.driver.run(wishes),
            AgentOutput::Did { deed, recorder, epoch, lease_end } => {
                let event = match deed {
                    Deed::Acts => Event::Act,
                    Deed::LeaseEnds => Event::LeaseEnd,
                    Deed::DropsAddresses => Event::DropAddresses,
                    Deed::Releases => Event::Release,
                };
                tracing::info!(%recorder, %epoch, ?event, "duty");
                self.journal.write(&Entry {
                    at: (self.clock)(),
                    recorder,
                    epoch,
                    event,
                    channel: None,
                    file: None,
                    blake3: None,
                    lease_end,
                    unfenced: None,
                });
            }
            AgentOutput::FindEnds(tenures) => {
                let found = found.clone();
                let answer = move |ended| drop(found.try_send(ended));
                self.driver.find_ends(tenures, Box::new(answer));
            }
            AgentOutput::Copies(duties) => self.copying.assign(duties),
            AgentOutput::Remember(duties) => self.saver.save(Save::Remember(duties)),
            AgentOutput::Ready => self.ready(),
            AgentOutput::Alone => {
                tracing::warn!(
                    "no majority of coordinators was reached: recording what this server last recorded, without addresses"
                );
            }
        }
    }

    fn beat(&self, heartbeat: &Heartbeat) {
        let cluster = self.cluster;
        self.links.beat(pb::Beat {
            cluster: cluster.map_or_else(Vec::new, |cluster| cluster.id.to_vec()),
            generation: cluster.map_or(0, |cluster| cluster.generation.0),
            heartbeat: Some(heartbeat.into()),
        });
    }

    fn belongs(&mut self, cluster: Cluster) {
        self.cluster = Some(cluster);
        self.copying.belongs(Some(cluster.id));
    }

    /// What the driver does. What it still records is not copied yet.
    fn read(&self, status: &mut watch::Receiver<Vec<DriverStatus>>) -> AgentInput {
        let status = status.borrow_and_update().clone();
        self.copying.recording(status.iter().map(|one| (one.recorder, one.epoch)).collect());
        AgentInput::Status(status)
    }

    fn copies(&mut self) -> AgentInput {
        AgentInput::Copies(self.copying.status.borrow_and_update().clone())
    }

    /// CONTRACT: one line on standard output, for who started us. Nobody may listen any longer.
    fn ready(&self) {
        if let Some(cluster) = self.cluster {
            self.saver.save(Save::Belongs(cluster));
        }
        tracing::info!(server = %self.server, "a majority of coordinators has answered");
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, "ready {}", self.server).and_then(|()| out.flush());
    }
}

/// How a coordinator refuses an agent of another cluster before it says anything else.
const REFUSED_US: &str = "wrong_cluster: ";

fn wrong_cluster(coordinator: &str, theirs: &str, ours: &str) -> Failure {
    Failure::refused(
        "wrong_cluster",
        format!("{coordinator} and others are of cluster {theirs}, this agent belongs to {ours}"),
        "correct --coordinators; to move this server to that cluster for good, move identity.json out of its data folder first",
    )
}
