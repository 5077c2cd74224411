//! The transport alone: many channels over one session, large transfers, and what becomes of them
//! when the session dies.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gitdeploy::adapters::docker::Docker;
use gitdeploy::adapters::ssh::{Fleet, Host, Key, Place, Target};
use gitdeploy::ports::Engine as _;
use gitdeploy::ssh::KnownHosts;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::super::rig::Sshd;

/// A server and the way to it.
fn server(more: &str) -> (tempfile::TempDir, Sshd, Arc<Host>) {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Sshd::start(&folder.path().join("sshd"), more);
    let text = std::fs::read_to_string(server.guest()).expect("a key");
    let mut target = target(folder.path(), server.port, server.line());
    target.user.clone_from(&server.user);
    target.keys.push(Key { shown: "guest".into(), text: Ok(text) });
    let host = Fleet::default().host(&target);
    (folder, server, host)
}

/// A machine at a port, known by what is noted, with no keys.
fn target(folder: &Path, port: u16, noted: String) -> Target {
    let known = KnownHosts { file: folder.join("known"), text: noted };
    Target {
        host: "127.0.0.1".into(),
        port,
        user: "nobody".into(),
        keys: Vec::new(),
        keys_are_named: true,
        agent: None,
        known_hosts: [known].into(),
        jumps: Vec::new(),
    }
}

/// A port that sends back what it gets, until it gets no more.
async fn echo() -> Place {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut read, mut write) = stream.split();
                drop(tokio::io::copy(&mut read, &mut write).await);
            });
        }
    });
    Place::Tcp("127.0.0.1".into(), port)
}

/// Sends so many bytes through a channel and back, and looks at each of them.
async fn carries(host: &Host, place: &Place, count: usize) {
    let channel = host.open(place.clone()).await.expect("a channel");
    let (mut read, mut write) = tokio::io::split(channel);
    let byte = |at: usize| u8::try_from((at * 31 + at / 251) % 251).expect("small");
    let sent: Vec<u8> = (0..count).map(byte).collect();
    let expected = sent.clone();
    let sending = tokio::spawn(async move {
        write.write_all(&sent).await.expect("sent");
        write.shutdown().await.expect("said");
        write
    });
    let mut got = Vec::new();
    read.read_to_end(&mut got).await.expect("an end");
    sending.await.expect("sent");
    assert!(got == expected, "{} of {count} bytes came back, or others", got.len());
}

#[tokio::test]
async fn a_session_carries_many_channels_at_once() {
    let (_folder, server, host) = server("MaxSessions 1");
    let place = echo().await;
    let all = (0..100).map(|at| carries(&host, &place, 1000 * at));
    futures_util::future::join_all(all).await;
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn large_transfers_survive_that_keys_are_exchanged_anew() {
    let (_folder, server, host) = server("RekeyLimit 1M");
    let place = echo().await;
    let all = (0..4).map(|_| carries(&host, &place, 16 << 20));
    futures_util::future::join_all(all).await;
    assert!(server.log().matches("SSH2_MSG_KEXINIT sent").count() > 20);
}

#[tokio::test]
async fn a_reader_that_rests_does_not_hold_up_others() {
    let (_folder, _server, host) = server("");
    let place = echo().await;
    let mut resting = host.open(place.clone()).await.expect("a channel");
    let filled = async {
        // More than all buffers on the way take.
        loop {
            resting.write_all(&[0; 64 << 10]).await.expect("room");
        }
    };
    let is_full = tokio::time::timeout(Duration::from_secs(2), filled).await.is_err();
    assert!(is_full, "the other end reads although nobody takes what it sends back");
    carries(&host, &place, 1 << 20).await;
}

#[tokio::test]
async fn channels_that_are_dropped_in_the_middle_harm_nobody() {
    let (_folder, server, host) = server("");
    let place = echo().await;
    // A login that is dropped is not used again, and is not what this is about.
    carries(&host, &place, 1000).await;
    for _ in 0..30 {
        let work = carries(&host, &place, 8 << 20);
        assert!(tokio::time::timeout(Duration::from_millis(20), work).await.is_err());
    }
    carries(&host, &place, 1 << 20).await;
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}

#[tokio::test]
async fn a_reader_learns_that_its_session_died_and_the_next_call_has_a_new_one() {
    let (_folder, server, host) = server("");
    let place = echo().await;
    let mut channel = host.open(place.clone()).await.expect("a channel");
    channel.write_all(b"half").await.expect("room");
    let mut half = [0; 4];
    channel.read_exact(&mut half).await.expect("an answer");
    server.signal_connections("KILL");
    let mut rest = Vec::new();
    let lost = channel.read_to_end(&mut rest).await.expect_err("no whole answer");
    assert_eq!(lost.kind(), std::io::ErrorKind::ConnectionReset, "{lost}");
    carries(&host, &place, 1000).await;
    assert_eq!(server.log().matches("Accepted publickey").count(), 2);
}

#[tokio::test]
async fn all_who_wait_for_a_host_that_is_away_wait_once() {
    let folder = tempfile::tempdir().expect("a folder");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let host = Fleet::default().host(&target(folder.path(), port, String::new()));
    let calls = (0..10).map(|_| host.open(Place::Socket("/run/none".into())));
    let answers = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
            assert_eq!(held.len(), 1, "a second connection");
        }
    });
    let told = futures_util::future::join_all(calls).await;
    assert!(told.iter().all(Result::is_err));
    assert!(host.open(Place::Socket("/run/none".into())).await.is_err());
    assert!(!answers.is_finished());
}

#[tokio::test]
async fn an_engine_answers_over_a_session() {
    let (_folder, server, host) = server("");
    let docker = Docker::ssh(host, "/var/run/docker.sock").expect("a client");
    let ask = async |docker: &Docker| {
        let mut times = Vec::new();
        for _ in 0..300 {
            let since = Instant::now();
            assert_eq!(docker.inspect("ssh-no-such").await, Ok(None));
            times.push(since.elapsed());
        }
        times.sort();
        times[150]
    };
    let far = ask(&docker).await;
    let near = ask(&Docker::unix("/var/run/docker.sock").expect("a client")).await;
    println!("a question in the middle: {far:?} over SSH, {near:?} over the socket");
    assert_eq!(server.log().matches("Accepted publickey").count(), 1);
}
