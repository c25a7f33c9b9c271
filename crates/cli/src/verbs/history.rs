//! `interrex history`: an event a line, from living coordinators or a stopped one's folder.
use std::path::PathBuf;

use clap::Args;
use interrex_client::history::{BadHistory, LiveChain, Renderer, read_folder, read_people};
use interrex_client::views::{EventLine, Status};
use interrex_core::Entry;
use interrex_wire::pb::View;
use interrex_wire::segment::{Body, Frame, Head, Place};

use crate::args::{Global, Output};
use crate::failure::Failure;
use crate::output;

#[derive(Args)]
pub(crate) struct History {
    /// First revision
    #[arg(long, value_name = "REV", default_value_t = 1)]
    from: u64,
    /// Last revision
    #[arg(long, value_name = "REV")]
    to: Option<u64>,
    /// Go on with what comes
    #[arg(short = 'f', long, conflicts_with_all = ["to", "data"])]
    follow: bool,
    /// Folder of a stopped coordinator
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

impl History {
    pub(crate) async fn run(self, global: &Global) -> Result<u8, Failure> {
        let mut lines = Vec::new();
        match &self.data {
            Some(data) => {
                let mut renderer = Renderer::new(read_people(data));
                let mut before: Option<Head> = None;
                let mut failed = None;
                let read = read_folder(data, |frame| {
                    let prev = before.replace(frame.after.head).unwrap_or(frame.after.head);
                    let shown = self.wants(frame.after.revision.0);
                    let made = render(&mut renderer, frame, &prev)?;
                    if shown {
                        failed = made
                            .iter()
                            .try_for_each(|line| self.print(global, line, &mut lines))
                            .err();
                    }
                    Ok(())
                });
                if let Some(failed) = failed {
                    return Err(failed);
                }
                read?;
            }
            None => self.live(global, &mut lines).await?,
        }
        if global.output == Output::Json {
            output::document(&lines)?;
        }
        Ok(0)
    }

    async fn live(&self, global: &Global, lines: &mut Vec<EventLine>) -> Result<(), Failure> {
        let client = global.client()?;
        let mut request = global.read(View::Status, "");
        // To follow takes no leader: whoever answers tells what it has.
        request.stale |= self.follow;
        let status: Status = client.read(&request).await?;
        let (to, only) = self.end(global, &status);
        // The head before the first record wanted is that of the record before it.
        let first = self.from.saturating_sub(1).max(1);
        if to.is_some_and(|to| to < self.from) {
            return Ok(());
        }
        let mut frames = client.history(first, to.unwrap_or(0), self.follow, only);
        let cluster = uuid::Uuid::parse_str(&status.cluster).ok().filter(|_| first == 1);
        let begin = |cluster: uuid::Uuid| LiveChain::from_genesis(cluster.as_bytes());
        let mut chain = cluster.map_or_else(LiveChain::from_the_middle, begin);
        let mut renderer = Renderer::default();
        let mut seen = 0;
        while let Some(reply) = frames.next().await? {
            renderer.learn(&reply.people);
            for frame in &reply.frames {
                // After a reconnection a coordinator may begin with what was seen.
                if frame.revision > 0 && frame.revision <= seen {
                    continue;
                }
                seen = seen.max(frame.revision);
                let mut made = Vec::new();
                chain.enter(frame, |before: Option<Place>, frame| {
                    let prev = before.map_or(frame.after.head, |place| place.head);
                    made = render(&mut renderer, frame, &prev)?;
                    Ok(())
                })?;
                let wanted = made.iter().filter(|line| self.wants(line.revision));
                wanted.into_iter().try_for_each(|line| self.print(global, line, lines))?;
            }
            if !self.follow && to.is_some_and(|to| seen >= to) {
                break;
            }
        }
        Ok(())
    }

    /// How far to read, so that all that was decided before this call is in it, and where.
    fn end(&self, global: &Global, status: &Status) -> (Option<u64>, Option<String>) {
        if self.follow || global.stale {
            return (self.to, None);
        }
        let leader = status.coordinators.iter().find(|c| Some(&c.name) == status.leader.as_ref());
        let address = leader.and_then(|leader| leader.address.clone());
        let newest = status.revision;
        (Some(self.to.map_or(newest, |to| to.min(newest))), address)
    }

    fn wants(&self, revision: u64) -> bool {
        revision >= self.from && self.to.is_none_or(|to| revision <= to)
    }

    fn print(
        &self,
        global: &Global,
        line: &EventLine,
        all: &mut Vec<EventLine>,
    ) -> Result<(), Failure> {
        match global.output {
            Output::Json if !self.follow => {
                all.push(line.clone());
                Ok(())
            }
            Output::Json | Output::Jsonl => output::document(line),
            Output::Table | Output::Wide => {
                let data = serde_json::Value::Object(line.data.clone());
                let subject = serde_json::Value::Object(line.subject.clone());
                output::line(&format!(
                    "{:>8}.{:<3} {}  {:<20} {}  by {}  {}{}",
                    line.revision,
                    line.n,
                    line.at,
                    line.kind,
                    output::shown(&subject),
                    line.actor,
                    output::shown(&data),
                    if line.reason.is_empty() {
                        String::new()
                    } else {
                        format!("  ({})", line.reason)
                    },
                ))
            }
        }
    }
}

/// Lines of a record; none of other entries, from which names are learnt.
fn render(
    renderer: &mut Renderer,
    frame: &Frame<'_>,
    prev: &Head,
) -> Result<Vec<EventLine>, BadHistory> {
    let revision = frame.after.revision.0;
    let entry = frame
        .entry()
        .map_err(|malformed| BadHistory::Broken { revision, what: malformed.to_string() })?;
    Ok(match (entry, frame.body) {
        (Entry::Decision(decision), Body::Decision(_)) => {
            renderer.lines(revision, &decision, prev, &frame.after.head)
        }
        (Entry::Members(members), _) => {
            renderer.learn_members(&members);
            Vec::new()
        }
        (Entry::Decision(_) | Entry::Blank, _) => Vec::new(),
    })
}
