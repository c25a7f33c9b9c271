//! Certificates: expired, of the wrong role, of the wrong name, of another CA; for operators,
//! agents and coordinators.
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use interrex_tests::World;
use interrex_tests::bad::{Said, assert_nobody_panicked, run};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, SanType};

/// An identity as `cert issue` makes them, that ended an hour ago.
fn issue_expired(ca: &Path, uri: &str, out: &Path) {
    let ca_pem = fs::read_to_string(ca.join("ca.pem")).unwrap();
    let ca_key = fs::read_to_string(ca.join("ca-key.pem")).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&ca_pem, KeyPair::from_pem(&ca_key).unwrap()).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).unwrap();
    params.subject_alt_names.insert(0, SanType::URI(uri.try_into().unwrap()));
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    let hours = |n: u64| SystemTime::now() - Duration::from_secs(3_600 * n);
    (params.not_before, params.not_after) = (hours(48).into(), hours(1).into());
    let key = KeyPair::generate().unwrap();
    let certificate = params.signed_by(&key, &issuer).unwrap();
    fs::create_dir_all(out).unwrap();
    fs::write(out.join("ca.pem"), ca_pem).unwrap();
    fs::write(out.join("cert.pem"), certificate.pem()).unwrap();
    fs::write(out.join("key.pem"), key.serialize_pem()).unwrap();
}

fn cert(world: &World, args: &[&str]) {
    let done = Command::new(world.place.program()).arg("cert").args(args).status().unwrap();
    assert!(done.success(), "cert {args:?}");
}

/// The programs and an operator, each with the identity in the folder `identity`.
fn try_as(world: &World, who: &str, identity: &str) -> Output {
    if who == "operator" {
        let args = ["note", "key", "text", "-o", "json"];
        return world.place.interrex_as(identity, &world.place.endpoints(), &args).unwrap();
    }
    let command = world.place.command(who).unwrap();
    let own = world.place.tls(who).into_os_string();
    let args = command.get_args().map(|arg| {
        if arg == own { world.place.tls(identity).into_os_string() } else { arg.to_owned() }
    });
    let mut other = Command::new(world.place.program());
    other.args(args).args(["-o", "json"]);
    run(other)
}

#[test]
fn a_bad_certificate_is_named_and_its_owner_kept_out() {
    let mut world = World::on_loopback("bad-identities");
    let folder = world.place.tls("");
    let tls = |name: &str| folder.join(name);
    let (ca, foreign_ca) = (tls("ca"), tls("foreign-ca"));
    cert(&world, &["ca", "--out", &foreign_ca.to_string_lossy()]);
    for (name, uri) in [
        ("old-operator", "spiffe://interrex/operator/anna"),
        ("old-srv-1", "spiffe://interrex/agent/srv-1"),
        ("old-c3", "spiffe://interrex/coordinator/c3"),
    ] {
        issue_expired(&ca, uri, &tls(name));
    }
    for (folder, role, name) in
        [("foreign-operator", "operator", "anna"), ("foreign-c3", "coordinator", "c3")]
    {
        let (ca, out) = (foreign_ca.to_string_lossy(), tls(folder));
        let to = ["--out", &out.to_string_lossy()];
        cert(&world, &[&["issue", "--ca", &ca, "--role", role, "--name", name][..], &to].concat());
    }
    // Its own CA beside a certificate of another one.
    copy(&tls("foreign-operator"), &tls("mixed-operator"));
    fs::copy(ca.join("ca.pem"), tls("mixed-operator").join("ca.pem")).unwrap();
    copy(&tls("admin"), &tls("broken-operator"));
    fs::write(tls("broken-operator").join("cert.pem"), "no certificate\n").unwrap();
    copy(&tls("admin"), &tls("other-key"));
    fs::copy(tls("c1").join("key.pem"), tls("other-key").join("key.pem")).unwrap();
    world.place.issue("viewer", "vic", "127.0.0.1").unwrap();
    world.place.start_coordinators().unwrap();
    world.ok(&["note", "before", "bad certificates"]);
    world.place.terminate("c3", Duration::from_secs(15)).unwrap();

    let config = |names, remedy| Said { exit: 78, code: "config", names, remedy };
    let denied = |names, remedy| Said { exit: 5, code: "denied", names, remedy };
    let rows: [(&str, &str, Said); 13] = [
        ("operator", "old-operator", config(&["cert.pem", "expired on"], "cert issue")),
        ("srv-1", "old-srv-1", config(&["cert.pem", "expired on"], "cert issue")),
        ("c3", "old-c3", config(&["cert.pem", "expired on"], "cert issue")),
        ("operator", "mixed-operator", config(&["cert.pem", "not issued by"], "one CA")),
        ("operator", "broken-operator", config(&["cert.pem", "certificate"], "cert issue")),
        ("operator", "other-key", config(&["key.pem", "cert.pem"], "cert issue")),
        ("operator", "nowhere", config(&["nowhere"], "")),
        ("operator", "foreign-operator", denied(&["127.0.0.1", "UnknownIssuer"], "ca.pem")),
        ("operator", "vic", denied(&["viewer/vic", "operator"], "another role")),
        ("operator", "srv-1", denied(&["agent/srv-1", "operator"], "another role")),
        ("srv-1", "srv-2", config(&["agent/srv-2", "agent/srv-1"], "--name srv-1")),
        ("c3", "c1", config(&["coordinator/c1", "coordinator/c3"], "--name c3")),
        ("c3", "admin", config(&["admin/admin", "coordinator/c3"], "--role coordinator")),
    ];
    for (who, identity, said) in rows {
        said.assert(&format!("{who} with {identity}"), &try_as(&world, who, identity));
    }

    // A member of another CA starts, and nobody talks to it: it serves nothing.
    let command = world.place.command("c3").unwrap();
    let own = tls("c3").into_os_string();
    let other = tls("foreign-c3").into_os_string();
    let args: Vec<_> =
        command.get_args().map(|arg| if arg == own { &other } else { arg }.to_owned()).collect();
    let mut foreign = Command::new(world.place.program());
    foreign.args(args);
    world.place.launch_as("c3", foreign).unwrap();
    world.ok(&["note", "beside", "a member of another CA"]);
    let (exit, status, _) = world.run(&["status"]);
    assert_eq!((exit, &status["problems"][0]["subject"]), (Some(3), &"coordinator/c3".into()));
    assert_eq!(status["problems"][0]["code"], "coordinator_unreachable", "{status}");
    world.place.kill("c3").unwrap();
    world.place.start("c3").unwrap();
    world.assert_verified();
    let notes = world.items(&["get", "notes"]);
    assert_eq!(notes.len(), 2, "nobody else wrote: {notes:?}");
    assert_nobody_panicked(&world);
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}
