//! The client against coordinators that behave badly in agreed ways: what it sends again, under
//! which id, and what it says came of it.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "in a test, a panic is the report"
)]
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use interrex_client::client::{LEADER, Seen, Settings, Wish, new_operation};
use interrex_client::identity::{AcceptLimits, Acceptor, Callers, Security};
use interrex_client::{Client, Error};
use interrex_core::Command;
use interrex_wire::pb;
use interrex_wire::pb::operators_server::{Operators, OperatorsServer};
use tokio::net::TcpListener;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

/// How one call is answered.
#[derive(Clone)]
enum Answer {
    Done,
    Refused(&'static str, bool),
    Unknown,
    /// Not the leader; perhaps names it.
    Follower(Option<String>),
    Silence,
    Denied,
}

#[derive(Clone, Default)]
struct Fake {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<pb::CommandRequest>>>,
}

type Replies<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl Operators for Fake {
    type JudgeManyStream = Replies<pb::CommandReply>;
    type WatchStream = Replies<pb::ReadReply>;
    type HistoryStream = Replies<pb::HistoryReply>;

    async fn judge(
        &self,
        request: Request<pb::CommandRequest>,
    ) -> Result<Response<pb::CommandReply>, Status> {
        let request = request.into_inner();
        let operation = request.operation.clone();
        self.asked.lock().unwrap().push(request);
        let answer = self.answers.lock().unwrap().pop_front().unwrap_or(Answer::Done);
        let reply =
            pb::CommandReply { revision: 7, operations: 6, operation, ..Default::default() };
        match answer {
            Answer::Done => {
                let events = vec!["noted".to_owned()];
                Ok(Response::new(pb::CommandReply { events, recorded: true, ..reply }))
            }
            Answer::Refused(code, recorded) => {
                let refused = pb::Refused { code: code.to_owned(), ..Default::default() };
                let refused = Some(refused);
                Ok(Response::new(pb::CommandReply { refused, recorded, ..reply }))
            }
            Answer::Unknown => Ok(Response::new(pb::CommandReply { unknown: true, ..reply })),
            Answer::Follower(leader) => {
                let mut status = Status::unavailable("does not lead");
                if let Some(leader) = leader {
                    status.metadata_mut().insert(LEADER, leader.parse().unwrap());
                }
                Err(status)
            }
            Answer::Silence => std::future::pending().await,
            Answer::Denied => Err(Status::permission_denied("a viewer may not")),
        }
    }

    async fn judge_many(
        &self,
        _: Request<Streaming<pb::CommandRequest>>,
    ) -> Result<Response<Self::JudgeManyStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn read(&self, _: Request<pb::ReadRequest>) -> Result<Response<pb::ReadReply>, Status> {
        let json = br#"{"api":1,"cluster":"x","revision":5,"operations":5,"chain":"","leader":null,
            "term":1,"quorum":true,"stale":true,"age_ms":1,"automation":"auto","level":1,
            "coordinators":[],"counts":{"recorders":{},"servers":{}},"problems":[],"new":true}"#;
        let json = json.to_vec().into();
        Ok(Response::new(pb::ReadReply { json, revision: 5, age_ms: 1 }))
    }

    async fn watch(
        &self,
        _: Request<pb::ReadRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn history(
        &self,
        _: Request<pb::HistoryRequest>,
    ) -> Result<Response<Self::HistoryStream>, Status> {
        Err(Status::unimplemented("not here"))
    }

    async fn step_down(
        &self,
        _: Request<pb::StepDownRequest>,
    ) -> Result<Response<pb::StepDownReply>, Status> {
        Err(Status::failed_precondition("would_lose_quorum: no other voter"))
    }
}

impl Fake {
    /// Serves; its address.
    async fn start(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (limits, security) = (AcceptLimits::default(), Security::Insecure);
        let incoming = Acceptor::start(listener, &security, Callers::MustBeKnown, limits).unwrap();
        let address = incoming.address().to_string();
        let service = OperatorsServer::new(self.clone());
        let server = tonic::transport::Server::builder().add_service(service);
        tokio::spawn(server.serve_with_incoming(incoming));
        address
    }

    fn answering(answers: &[Answer]) -> Self {
        let fake = Self::default();
        fake.answers.lock().unwrap().extend(answers.iter().cloned());
        fake
    }

    fn ids(&self) -> Vec<Vec<u8>> {
        self.asked.lock().unwrap().iter().map(|request| request.operation.to_vec()).collect()
    }
}

fn client(endpoints: Vec<String>, timeout: Duration) -> Client {
    Client::new(Settings { endpoints, security: Security::Insecure, timeout }).unwrap()
}

fn wish(seen: Seen) -> Wish {
    Wish {
        operation: new_operation(),
        seen,
        reason: String::new(),
        ticket: String::new(),
        dry_run: false,
        command: Command::Note { key: "k".into(), text: "t".into(), expect: None },
    }
}

const SHORT: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(20);

#[tokio::test]
async fn it_follows_the_leader_that_a_follower_names() {
    let leader = Fake::default();
    let at = leader.start().await;
    let follower = Fake::answering(&[Answer::Follower(Some(at))]);
    let client = client(vec![follower.start().await], LONG);
    assert_eq!(client.change(&wish(Seen::New)).await.unwrap().events, ["noted"]);
    assert_eq!(client.change(&wish(Seen::New)).await.unwrap().revision, 7);
    assert_eq!((follower.ids().len(), leader.ids().len()), (1, 2), "it stays with the leader");
    assert_eq!(leader.asked.lock().unwrap()[0].seen, Some(5), "O1: read before it was sent");
    assert_eq!(leader.asked.lock().unwrap()[1].seen, Some(6), "learnt from the answer");
}

#[tokio::test]
async fn what_was_not_answered_is_asked_again_under_the_same_id() {
    let fake = Fake::answering(&[Answer::Unknown, Answer::Follower(None), Answer::Done]);
    let client = client(vec![fake.start().await], LONG);
    client.change(&wish(Seen::New)).await.unwrap();
    let ids = fake.ids();
    assert_eq!(ids.len(), 3);
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
}

#[tokio::test]
async fn no_answer_in_time_is_unknown_and_nothing_sent_is_unavailable() {
    let fake = Fake::answering(&[Answer::Silence, Answer::Silence]);
    let silent = client(vec![fake.start().await], SHORT);
    let wish_ = wish(Seen::New);
    let error = silent.change(&wish_).await.unwrap_err();
    assert_eq!(error.exit(), 6, "{error}");
    let seen = if let Error::Unknown { seen, .. } = error { seen } else { None };
    assert_eq!(seen, Some(5));

    let follower = Fake::answering(&vec![Answer::Follower(None); 100]);
    let leaderless = client(vec![follower.start().await], SHORT);
    assert_eq!(leaderless.change(&wish(Seen::New)).await.unwrap_err().exit(), 4);
    let nobody = client(vec!["127.0.0.1:1".to_owned()], SHORT);
    assert_eq!(nobody.change(&wish(Seen::New)).await.unwrap_err().exit(), 4);
}

/// O4: such a refusal speaks for its own attempt only.
#[tokio::test]
async fn a_refusal_that_is_not_recorded_counts_only_for_an_id_never_sent_before() {
    for code in ["rate_limited", "disk_full"] {
        let fresh = Fake::answering(&[Answer::Refused(code, false)]);
        let error = client(vec![fresh.start().await], LONG).change(&wish(Seen::New)).await;
        assert_eq!(error.unwrap_err().code(), code);

        let limited = vec![Answer::Refused(code, false); 100];
        let sent = Fake::answering(&[&[Answer::Unknown][..], &limited].concat());
        let error = client(vec![sent.start().await], SHORT).change(&wish(Seen::New)).await;
        assert_eq!(error.unwrap_err().exit(), 6, "{code} after an attempt without answer");

        let given = Fake::answering(&limited);
        let error = client(vec![given.start().await], SHORT).change(&wish(Seen::Before(3))).await;
        assert_eq!(error.unwrap_err().exit(), 6, "{code} of an id that was sent before");
    }
}

#[tokio::test]
async fn a_recorded_refusal_and_a_denial_end_it() {
    let cases = [
        (Answer::Refused("stale_note", true), 1, "stale_note"),
        (Answer::Refused("rate_limited", true), 1, "rate_limited"),
        (Answer::Denied, 5, "denied"),
    ];
    for (answer, exit, code) in cases {
        let fake = Fake::answering(&[Answer::Unknown, answer]);
        let error = client(vec![fake.start().await], LONG).change(&wish(Seen::New)).await;
        let error = error.unwrap_err();
        assert_eq!((error.exit(), error.code()), (exit, code), "{error}");
    }
}

#[tokio::test]
async fn an_id_whose_number_is_lost_is_only_asked_for() {
    let fake = Fake::answering(&[Answer::Unknown]);
    let error = client(vec![fake.start().await], LONG).change(&wish(Seen::Lost)).await;
    assert_eq!(error.unwrap_err().exit(), 6);
    assert_eq!(fake.asked.lock().unwrap()[0].seen, None);
    assert_eq!(fake.ids().len(), 1);
}

#[tokio::test]
async fn a_refusal_names_its_code() {
    let fake = Fake::default();
    let error = client(vec![fake.start().await], LONG).step_down().await.unwrap_err();
    assert_eq!((error.code(), error.to_string().as_str()), ("would_lose_quorum", "no other voter"));
}
