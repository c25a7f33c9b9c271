//! Who may read (WT-16): with real identities, each stranger refused for its own reason.
use interrex_client::identity::{IssueRequest, Role, TlsFolder, create_ca, issue};
use interrex_core::ServerId;

use super::dial::Call;
use super::*;

fn identity(ca: &Path, role: Role, name: &str) -> Security {
    let out = ca.join(format!("{role}-{name}"));
    let request = IssueRequest {
        role,
        name: name.parse().unwrap(),
        hosts: vec!["127.0.0.1".into()],
        days: 1,
    };
    issue(ca, &request, &out).unwrap();
    Security::Tls(Arc::new(TlsFolder::load(&out).unwrap()))
}

fn server(name: &str) -> ServerId {
    name.parse().unwrap()
}

/// What `who` hears that asks for copy 4 in the name of `says`.
async fn refusal(address: &Address, who: &Security, says: &str, cluster: [u8; 16]) -> String {
    let (other, server, copy) = (server("srv-3"), server(says), CopyId(4));
    let call = Call { address: address.clone(), other, cluster, server, copy, room: 4 };
    let dialled = call.dial(who).await;
    dialled.err().unwrap_or_else(|| panic!("{says} was let in"))
}

// FEATURE: WT-16
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_other_end_of_a_copy_reads_and_only_that_tenure() {
    interrex_client::identity::install_crypto_provider();
    let (ca, foreign) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    create_ca(ca.path()).unwrap();
    create_ca(foreign.path()).unwrap();
    let agent = |name: &str| identity(ca.path(), Role::Agent, name);
    let (one, two) = (agent("srv-1"), agent("srv-2"));
    let spare = End::start("srv-3", tempfile::tempdir().unwrap(), true, agent("srv-3")).await;
    record(spare.root(), &[&[1_000; 10]]);
    spare.order(&[duty(4, serve_to(None))]);
    let address = spare.address.clone().unwrap();
    let said = refusal(&address, &two, "srv-2", CLUSTER).await;
    assert!(said.contains("srv-2 has no part in copy 4"), "{said}");
    let said = refusal(&address, &two, "srv-1", CLUSTER).await;
    assert!(said.contains("the certificate is not that of srv-1"), "{said}");
    let said = refusal(&address, &one, "srv-1", [6; 16]).await;
    assert!(said.contains("wrong_cluster"), "{said}");
    for role in [Role::Admin, Role::Coordinator] {
        let other = identity(ca.path(), role, "srv-1");
        let said = refusal(&address, &other, "srv-1", CLUSTER).await;
        assert!(said.contains("it takes the role agent"), "{said}");
    }
    let forged = identity(foreign.path(), Role::Agent, "srv-1");
    refusal(&address, &forged, "srv-1", CLUSTER).await;
    refusal(&address, &Security::Insecure, "srv-1", CLUSTER).await;
    // The right one asks for what is not of this copy: refused, and the exchange is over.
    let call = || Call {
        address: address.clone(),
        other: server("srv-3"),
        cluster: CLUSTER,
        server: server("srv-1"),
        copy: CopyId(4),
        room: 4,
    };
    use interrex_wire::material::{FaultCode, Frame, SegmentKey};
    let key = |name: &str| SegmentKey {
        channel: "ch-1".parse().unwrap(),
        name: name.parse().unwrap(),
        kind: interrex_core::fleet::MaterialKind::Video,
    };
    for name in ["1000-1001-2-srv-3.seg", "1000-1001-3-srv-9.seg"] {
        let mut line = call().dial(&one).await.unwrap();
        line.ask(Frame::Read { key: key(name), offset: 0, hash: false }).unwrap();
        let answer = line.next().await.unwrap();
        assert!(matches!(answer, Frame::Fault { code: FaultCode::Denied, .. }), "{answer:?}");
        assert!(line.next().await.is_err());
    }
    // Whoever loses the right in the middle is shown the door.
    let mut line = call().dial(&one).await.unwrap();
    line.ask(Frame::Read { key: key("1000-1001-3-srv-3.seg"), offset: 0, hash: false }).unwrap();
    assert!(matches!(line.next().await, Ok(Frame::Data { last: true, .. })));
    spare.order(&[]);
    assert!(line.next().await.is_err());
    // All of it, by the one that may; and a source that is somebody else is not asked.
    spare.order(&[duty(4, serve_to(None))]);
    let mut home = End::start("srv-1", tempfile::tempdir().unwrap(), false, one).await;
    let other_source = CopyDuty { source: server("srv-2"), ..duty(4, fetch(Some(&address))) };
    home.order(&[other_source]);
    home.until(CopyStanding::NoRoute).await;
    home.order(&[]);
    home.order(&[duty(4, fetch(Some(&address)))]);
    home.until(CopyStanding::Durable).await;
    assert_eq!(material(home.root()), material(spare.root()));
}
