//! The one task that owns the core, and so the state: a thread of its own. It drains heartbeats,
//! then steps on a 10 ms grid; what has arrived meanwhile is handled together, and what comes out
//! is carried out in order. Deliberately absent: every rule (core), and everything that waits for a
//! network or a disk (`raft`, `peers`, `api`).
mod handle;
mod line;
mod outputs;

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, OnceLock};

use interrex_core::coordinator::Coordinator;
use interrex_core::coordinator::io::{Identity, Input, Output, Ticket};
use interrex_core::{DutyStatus, Entry, LogIndex, Mono, Revision, ServerId, State};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use handle::{Asked, NodeHandle};
use handle::{FromAgent, Message};
pub(crate) use line::AgentLine;

use crate::clock::Clock;
use crate::history::History;
use crate::log::feed::Notice;
use crate::metrics::Metrics;
use crate::peers::Deliveries;
use crate::raft::Consensus;
use outputs::Desk;

/// Heartbeats that may wait; more, and the reading of agents' connections waits.
const BEATS_MAX: usize = 16_384;
/// Messages of peers and callers that may wait.
const MESSAGES_MAX: usize = 8_192;
/// Taken at once, so that a flood of one kind delays no other for long.
const BATCH_MAX: usize = 1_024;

/// What the shell shows of the core without asking the task.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) applied: LogIndex,
    pub(crate) revision: Revision,
    pub(crate) level: u32,
    pub(crate) leads: bool,
    /// P6.
    pub(crate) ready: bool,
    /// Commands that wait for their answer.
    pub(crate) waiting: usize,
}

/// What changes seldom: whoever waits for it is not woken by each decision.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) level: u32,
    /// P6.
    pub(crate) ready: bool,
}

/// What a query of the API sees.
pub(crate) struct View<'a> {
    pub(crate) core: &'a Coordinator,
    /// What each server last told this member of its duties.
    pub(crate) told: &'a BTreeMap<ServerId, Vec<DutyStatus>>,
    /// When this member last heard of a leader.
    pub(crate) ticked: Mono,
}

/// The task's own things.
struct Node {
    core: Coordinator,
    clock: Clock,
    desk: Desk,
    told: BTreeMap<ServerId, Vec<DutyStatus>>,
    ticked: Mono,
    outputs: Vec<Output>,
    tickets: u64,
    seen: watch::Sender<Seen>,
    gate: watch::Sender<Gate>,
}

/// What the task listens to.
struct Ears {
    beats: mpsc::Receiver<FromAgent>,
    messages: mpsc::Receiver<Message>,
    notices: mpsc::UnboundedReceiver<Notice>,
}

/// All that a node is started with.
pub(crate) struct Start {
    pub(crate) identity: Identity,
    pub(crate) state: State,
    pub(crate) clock: Clock,
    pub(crate) history: History,
    pub(crate) deliveries: Deliveries,
    pub(crate) notices: mpsc::UnboundedReceiver<Notice>,
    /// Filled once Raft is built: that waits for this task to take what is applied.
    pub(crate) consensus: Arc<OnceLock<Arc<Consensus>>>,
    pub(crate) metrics: Metrics,
    pub(crate) stop: CancellationToken,
}

/// Starts the thread. It ends with `stop`.
///
/// # Errors
///
/// The system gives no thread.
pub(crate) fn start(start: Start) -> io::Result<NodeHandle> {
    let (beats_in, beats) = mpsc::channel(BEATS_MAX);
    let (messages_in, messages) = mpsc::channel(MESSAGES_MAX);
    let core = Coordinator::start(start.identity, start.state, start.clock.moment());
    let (seen, gate) = (watch::Sender::new(seen(&core, 0)), watch::Sender::new(gate(&core)));
    let handle = NodeHandle::new(beats_in, messages_in, seen.subscribe(), gate.subscribe());
    let desk =
        Desk::new(start.history, start.deliveries, start.consensus, handle.clone(), start.metrics);
    let mut node = Node {
        core,
        clock: start.clock,
        desk,
        told: BTreeMap::new(),
        ticked: Mono::default(),
        outputs: Vec::new(),
        tickets: 0,
        seen,
        gate,
    };
    let mut ears = Ears { beats, messages, notices: start.notices };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    std::thread::Builder::new().name("node".into()).spawn(move || {
        runtime.block_on(async {
            while let Some(woken) = ears.next(&start.stop).await {
                node.turn(woken, &mut ears);
            }
        });
    })?;
    Ok(handle)
}

fn seen(core: &Coordinator, waiting: usize) -> Seen {
    let state = core.state();
    Seen {
        applied: state.applied,
        revision: state.revision,
        level: state.level.0,
        leads: core.leads(),
        ready: core.ready(),
        waiting,
    }
}

fn gate(core: &Coordinator) -> Gate {
    Gate { level: core.state().level.0, ready: core.ready() }
}

/// What woke the task.
enum Woken {
    Agent(FromAgent),
    Message(Message),
    Notice(Notice),
}

impl Ears {
    async fn next(&mut self, stop: &CancellationToken) -> Option<Woken> {
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            Some(beat) = self.beats.recv() => Some(Woken::Agent(beat)),
            Some(notice) = self.notices.recv() => Some(Woken::Notice(notice)),
            Some(message) = self.messages.recv() => Some(Woken::Message(message)),
            else => None,
        }
    }
}

impl Node {
    /// Handles what woke the task and all that waits beside it, then carries out what came of it:
    /// so many waiting commands go into one decision.
    fn turn(&mut self, woken: Woken, ears: &mut Ears) {
        let mut step = false;
        match woken {
            Woken::Agent(agent) => step |= self.agent(agent),
            Woken::Message(message) => self.message(message),
            Woken::Notice(notice) => self.notice(notice),
        }
        for _ in 0..BATCH_MAX {
            let Ok(notice) = ears.notices.try_recv() else { break };
            self.notice(notice);
        }
        for _ in 0..BATCH_MAX {
            let Ok(message) = ears.messages.try_recv() else { break };
            self.message(message);
        }
        // P1: the step comes after the heartbeats that arrived before it.
        while let Ok(agent) = ears.beats.try_recv() {
            step |= self.agent(agent);
        }
        if step {
            self.handle(Input::Step);
        }
        self.flush();
    }

    fn handle(&mut self, input: Input) {
        let mut outputs = self.core.handle(input, self.clock.moment());
        self.outputs.append(&mut outputs);
    }

    /// True if it was the grid.
    fn agent(&mut self, agent: FromAgent) -> bool {
        match agent {
            FromAgent::Grid => true,
            FromAgent::Beat { beat, line } => {
                self.desk.attend(beat.server, line);
                self.told.insert(beat.server, beat.duties.clone());
                self.handle(Input::Heartbeat(beat));
                false
            }
        }
    }

    fn message(&mut self, message: Message) {
        match message {
            Message::Input(input) => {
                if matches!(input, Input::Tick(_)) {
                    self.ticked = self.clock.mono();
                }
                if matches!(input, Input::Follows { leader: Some(_), .. }) {
                    self.desk.elected();
                }
                self.handle(input);
            }
            Message::Query(query) => {
                let Self { core, told, ticked, .. } = self;
                query(&View { core, told, ticked: *ticked });
            }
            Message::Ask(Asked { request, person, dry_run, reply }) => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                self.desk.expect(ticket, person, reply);
                self.handle(Input::Request { ticket, request, dry_run });
            }
        }
    }

    fn notice(&mut self, notice: Notice) {
        match notice {
            Notice::Committed(committed) => {
                let (index, term) = (committed.index, committed.term);
                let before = self.core.state().revision;
                let decision = match &committed.entry {
                    Entry::Decision(decision) => Some(decision.clone()),
                    Entry::Blank | Entry::Members(_) => None,
                };
                self.handle(Input::Applied { index, entry: committed.entry });
                let after = self.core.state().revision;
                if let Some(decision) = decision {
                    self.desk.decided(term, (after != before).then_some(after), &decision);
                }
            }
            Notice::MembersAppended { index, seen } => {
                self.handle(Input::MembersAppended(index));
                // M2: only now may the entry be acknowledged.
                drop(seen);
            }
            Notice::Truncated { last_kept } => self.handle(Input::Truncated { last_kept }),
        }
    }

    /// Carries out, in order. What goes to ourselves is handled at once.
    fn flush(&mut self) {
        while !self.outputs.is_empty() {
            for output in std::mem::take(&mut self.outputs) {
                if let Some(input) = self.desk.carry_out(output) {
                    self.handle(input);
                }
            }
        }
        let now = seen(&self.core, self.desk.waiting());
        self.seen.send_if_modified(|last| std::mem::replace(last, now) != now);
        let gate = gate(&self.core);
        self.gate.send_if_modified(|last| std::mem::replace(last, gate) != gate);
    }
}
