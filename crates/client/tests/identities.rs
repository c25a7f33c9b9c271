//! Identities as operators meet them: issued, loaded, wrong in each way that happens.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use interrex_client::identity::{
    AcceptLimits, Acceptor, BadIdentity, Callers, Connector, HOSTS_DEFAULT, IssueRequest, Role,
    Security, TlsFolder, create_ca, issue,
};
use tokio::net::TcpListener;
use tower::Service;

fn request(role: Role, name: &str) -> IssueRequest {
    let hosts = HOSTS_DEFAULT.map(str::to_owned).to_vec();
    IssueRequest { role, name: name.parse().unwrap(), hosts, days: 30 }
}

/// A folder with a CA, and identities under their names.
fn issued(folder: &Path, identities: &[(Role, &str)]) -> PathBuf {
    let ca = folder.join("ca");
    create_ca(&ca).unwrap();
    for (role, name) in identities {
        issue(&ca, &request(*role, name), &folder.join(name)).unwrap();
    }
    ca
}

fn security(folder: &Path) -> Security {
    Security::Tls(std::sync::Arc::new(TlsFolder::load(folder).unwrap()))
}

#[test]
fn an_identity_says_who_it_is_and_its_keys_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    issued(folder.path(), &[(Role::Operator, "anna")]);
    let loaded = TlsFolder::load(&folder.path().join("anna")).unwrap();
    assert_eq!(loaded.identity().to_string(), "operator/anna");
    let days = loaded.remaining(SystemTime::now()).as_secs() / (24 * 3600);
    assert!((29..=30).contains(&days), "{days} days");
    for key in ["ca/ca-key.pem", "anna/key.pem"] {
        let mode = fs::metadata(folder.path().join(key)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{key}");
    }
}

#[test]
fn nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let ca = issued(folder.path(), &[(Role::Agent, "srv-1")]);
    let before = fs::read(ca.join("ca-key.pem")).unwrap();
    let file = ca.join("ca.pem");
    assert_eq!(create_ca(&ca), Err(BadIdentity::Exists { file }));
    assert_eq!(fs::read(ca.join("ca-key.pem")).unwrap(), before);
    let again = issue(&ca, &request(Role::Agent, "srv-1"), &folder.path().join("srv-1"));
    assert!(matches!(again, Err(BadIdentity::Exists { .. })), "{again:?}");
}

#[test]
fn each_wrong_folder_names_the_file_and_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    issued(folder.path(), &[(Role::Agent, "srv-1"), (Role::Agent, "srv-2")]);
    issued(other.path(), &[(Role::Agent, "srv-1")]);
    let at = |name: &str| folder.path().join(name);
    let own = at("srv-1");
    let copy = |from: PathBuf, to: &str| fs::copy(from, own.join(to)).map(|_| ()).unwrap();
    type Spoil<'a> = Box<dyn Fn() + 'a>;
    let cases: [(&str, Spoil<'_>, &str); 6] = [
        ("key.pem", Box::new(|| copy(at("srv-2/key.pem"), "key.pem")), "two files of one"),
        ("cert.pem", Box::new(|| copy(other.path().join("srv-1/cert.pem"), "cert.pem")), "one CA"),
        ("cert.pem", Box::new(|| copy(at("ca/ca.pem"), "cert.pem")), "ca.pem"),
        ("ca.pem", Box::new(|| fs::write(own.join("ca.pem"), "junk").unwrap()), "in PEM"),
        ("key.pem", Box::new(|| fs::write(own.join("key.pem"), "").unwrap()), "in PEM"),
        ("ca.pem", Box::new(|| fs::remove_file(own.join("ca.pem")).unwrap()), "cannot be read"),
    ];
    for (file, spoil, remedy) in cases {
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            if !own.join(format!("{name}.good")).exists() {
                fs::copy(own.join(name), own.join(format!("{name}.good"))).unwrap();
            }
            copy(own.join(format!("{name}.good")), name);
        }
        spoil();
        let error = TlsFolder::load(&own).unwrap_err().to_string();
        assert!(error.contains(&format!("{}/{file}: ", own.display())), "{file}: {error}");
        assert!(error.contains(remedy), "{remedy}: {error}");
    }
}

#[test]
fn an_expired_and_a_future_certificate_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    issued(folder.path(), &[(Role::Agent, "srv-1")]);
    let (own, day) = (folder.path().join("srv-1"), Duration::from_secs(24 * 3600));
    let late = TlsFolder::load_at(&own, SystemTime::now() + 31 * day).unwrap_err();
    assert!(matches!(late, BadIdentity::Expired { .. }), "{late}");
    assert!(late.to_string().contains("interrex cert issue"), "{late}");
    let early = TlsFolder::load_at(&own, SystemTime::now() - 2 * day).unwrap_err();
    assert!(matches!(early, BadIdentity::NotYet { .. }), "{early}");
}

#[test]
fn a_role_and_a_name_can_be_required() {
    let folder = tempfile::tempdir().unwrap();
    issued(folder.path(), &[(Role::Agent, "srv-1")]);
    let loaded = TlsFolder::load(&folder.path().join("srv-1")).unwrap();
    assert_eq!(loaded.require(&[Role::Agent], Some("srv-1")), Ok(()));
    for (role, name) in [(Role::Agent, Some("srv-2")), (Role::Coordinator, None)] {
        let error = loaded.require(&[role], name).unwrap_err().to_string();
        assert!(error.contains("identity agent/srv-1"), "{error}");
        assert!(error.contains(&format!("--role {role}")), "{error}");
    }
}

/// Who dials whom, and whether they find each other good.
async fn meet(server: Security, client: Security) -> Result<Option<String>, String> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let limits = AcceptLimits { connections: 1, handshake: Duration::from_secs(5) };
    let mut acceptor = Acceptor::start(listener, &server, Callers::MustBeKnown, limits).unwrap();
    let uri = format!("https://{}", acceptor.address()).parse().unwrap();
    let mut connector = Connector::new(&client, Role::Coordinator, None).unwrap();
    let dialed = connector.call(uri).await.map_err(|error| error.to_string())?;
    let accepted = tokio::time::timeout(Duration::from_secs(1), acceptor.accept()).await;
    drop(dialed);
    match accepted {
        Ok(Some(peered)) => Ok(peered.peer().identity.map(|peer| peer.to_string())),
        Ok(None) | Err(_) => Err("the server refused the client".to_owned()),
    }
}

#[tokio::test]
async fn both_ends_prove_who_they_are() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    issued(folder.path(), &[(Role::Coordinator, "c1"), (Role::Agent, "srv-1")]);
    issued(other.path(), &[(Role::Agent, "srv-1")]);
    let c1 = || security(&folder.path().join("c1"));
    let srv_1 = || security(&folder.path().join("srv-1"));
    assert_eq!(meet(c1(), srv_1()).await, Ok(Some("agent/srv-1".to_owned())));

    let posing = meet(srv_1(), c1()).await.unwrap_err();
    assert!(posing.contains("answers as agent/srv-1, not as coordinator"), "{posing}");
    let foreign = meet(c1(), security(&other.path().join("srv-1"))).await.unwrap_err();
    assert!(foreign.contains("UnknownIssuer") || foreign.contains("refused"), "{foreign}");
}

#[tokio::test]
async fn without_tls_only_loopback_is_served() {
    assert_eq!(meet(Security::Insecure, Security::Insecure).await, Ok(None));
    let elsewhere = Security::Insecure.check_address("192.0.2.1:7400".parse().unwrap());
    assert!(elsewhere.unwrap_err().to_string().contains("use --tls DIR"));
}
