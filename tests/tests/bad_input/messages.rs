//! Names, notes and reasons that are too long, and bytes that are no message at all, to each port.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use interrex_tests::World;
use interrex_tests::bad::{Said, assert_nobody_panicked};

/// One call with a single message, and one stream, of each service.
const PATHS: [&str; 6] = [
    "/interrex.v1.Operators/Judge",
    "/interrex.v1.Operators/JudgeMany",
    "/interrex.v1.Agents/Attend",
    "/interrex.v1.Peers/Append",
    "/interrex.v1.Peers/AppendStream",
    "/interrex.v1.Peers/Deliver",
];

/// The ports of a program, as it was told them.
fn ports(command: &Command) -> Vec<String> {
    let args: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy().into_owned()).collect();
    let flags = ["--listen", "--peer-listen", "--http"];
    let of = |pair: &[String]| flags.contains(&pair[0].as_str()).then(|| pair[1].clone());
    args.windows(2).filter_map(of).collect()
}

/// Sends bytes, and waits until the other side has had enough of them.
fn throw(at: &str, bytes: &[u8]) {
    let mut socket = TcpStream::connect(at).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    // Who hangs up in the middle is right.
    socket.write_all(bytes).ok();
    socket.read_to_end(&mut Vec::new()).ok();
}

/// A frame of HTTP/2.
fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, stream], payload].concat()
}

/// A gRPC call of `path` whose message has `length` bytes, as its head says, and `sent` of them.
fn call(path: &str, length: u32, sent: usize) -> Vec<u8> {
    let mut headers = vec![0x83, 0x86]; // POST, http
    for (name, value) in [
        (":path", path),
        (":authority", "localhost"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ] {
        headers.push(0);
        for text in [name, value] {
            headers.push(u8::try_from(text.len()).unwrap());
            headers.extend(text.bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, 0, &[]));
    bytes.extend(frame(1, 4, 1, &headers));
    let mut message = vec![0];
    message.extend(length.to_be_bytes());
    message.resize(5 + sent, 0xff);
    for piece in message.chunks(16_000) {
        bytes.extend(frame(0, 0, 1, piece));
    }
    bytes
}

#[test]
fn what_is_too_long_is_refused_by_name() {
    let mut world = World::on_loopback("bad-messages");
    world.place.start_coordinators().unwrap();
    let long = "x".repeat(4_097);
    let recorder = "r".repeat(64);
    let refused = |names, remedy| Said { exit: 1, code: "too_long", names, remedy };
    let rows: [(&[&str], Said); 6] = [
        (&["note", "key", &long], refused(&["the text", "4097", "4096"], "shorten")),
        (&["note", &long, "text"], refused(&["the key", "4097", "256"], "shorten")),
        (&["note", "k", "t", "--reason", &long], refused(&["reason", "4097", "1024"], "shorten")),
        (&["note", "k", "t", "--ticket", &long], refused(&["ticket", "4097"], "shorten")),
        (
            &["failover", &recorder],
            Said {
                exit: 2,
                code: "usage",
                names: &["rrr", "up to 62"],
                remedy: "name of a recorder",
            },
        ),
        (
            &["failover", "nobody"],
            Said { exit: 1, code: "unknown_name", names: &["nobody"], remedy: "without a name" },
        ),
    ];
    for (args, said) in rows {
        let output = world.place.interrex(&[args, &["-o", "json"]].concat()).unwrap();
        said.assert(&args.join(" ").chars().take(40).collect::<String>(), &output);
    }
    world.ok(&["note", "key", &"x".repeat(4_096)]);
    let garbage: Vec<u8> =
        (0_u32..65_536).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for name in world.place.coordinators() {
        for port in ports(&world.place.command(&name).unwrap()) {
            for bytes in [&garbage[..], b"", b"GET / HTTP/1.1\r\n\r\n", &[0x16, 3, 1, 0xff, 0xff]] {
                throw(&port, bytes);
            }
            throw(&port, format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1 << 20)).as_bytes());
        }
    }
    world.ok(&["note", "after", "garbage"]);
    assert_eq!(world.items(&["get", "notes"]).len(), 2);
    world.assert_verified();
    assert_nobody_panicked(&world);
}

#[test]
fn an_oversized_message_costs_its_sender_only() {
    let mut world = World::on_loopback("oversized-messages");
    world.place.insecure = true;
    world.place.start_coordinators().unwrap();
    world.ok(&["note", "before", "large messages"]);
    for name in world.place.coordinators() {
        for port in ports(&world.place.command(&name).unwrap()) {
            for path in PATHS {
                // Much is said, little comes; a little too much comes; and it is no message.
                throw(&port, &call(path, u32::MAX, 100));
                throw(&port, &call(path, 6 << 20, 60_000));
                throw(&port, &call(path, 50, 50));
            }
        }
    }
    world.ok(&["note", "after", "large messages"]);
    assert_eq!(world.items(&["get", "notes"]).len(), 2);
    world.assert_verified();
    assert_nobody_panicked(&world);
}
