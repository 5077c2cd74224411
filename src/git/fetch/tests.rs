//! Conversations with servers that misbehave.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use base64::Engine as _;

use super::super::{Mirror, Timeouts, Token};
use super::*;

fn access() -> Access {
    let short = Duration::from_millis(300);
    Access { timeouts: Timeouts { connect: short, silence: short }, ..Access::default() }
}

fn fetched(address: &str, access: &Access) -> FetchError {
    let cache = tempfile::tempdir().expect("a folder");
    let url = RemoteUrl::parse(address, Path::new("/")).expect("an address");
    let never = AtomicBool::new(false);
    Mirror::update(&url, &cache.path().join("mirror"), access, &never, &mut |_| {})
        .expect_err("nothing to fetch")
}

fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    (listener, port)
}

/// Answers every request with `answer`, and sends the request on.
fn server(answer: &'static str) -> (u16, mpsc::Receiver<String>) {
    let (listener, port) = listener();
    let (sender, requests) = mpsc::channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            if converse(stream, answer, port, &sender).is_err() {
                continue;
            }
        }
    });
    (port, requests)
}

fn converse(
    mut stream: TcpStream,
    answer: &str,
    port: u16,
    requests: &mpsc::Sender<String>,
) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while !request.ends_with(b"\r\n\r\n") {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => request.extend_from_slice(&buffer[..count]),
            }
        }
        requests.send(String::from_utf8_lossy(&request).into_owned()).ok();
        request.clear();
        stream.write_all(answer.replace("PORT", &port.to_string()).as_bytes())?;
    }
}

const UNAUTHORIZED: &str = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\
                            Content-Length: 0\r\n\r\n";

#[test]
fn a_silent_host_times_out() {
    let (_listener, port) = listener();
    for scheme in ["http", "https", "ssh"] {
        let error = fetched(&format!("{scheme}://git@127.0.0.1:{port}/a"), &access());
        assert!(matches!(error, FetchError::Timeout { .. }), "{scheme}: {error:?}");
    }
}

#[test]
fn a_refused_connection_is_told() {
    let (listener, port) = listener();
    drop(listener);
    for scheme in ["http", "ssh"] {
        let error = fetched(&format!("{scheme}://git@127.0.0.1:{port}/a"), &access());
        assert!(matches!(error, FetchError::Unreachable { .. }), "{scheme}: {error:?}");
        assert_eq!(error.hint(), format!("check that it answers: `nc -vz 127.0.0.1 {port}`"));
    }
}

#[test]
fn a_host_that_wants_a_login_and_gets_none_is_told() {
    let (port, _requests) = server(UNAUTHORIZED);
    let error = fetched(&format!("http://127.0.0.1:{port}/a"), &access());
    assert!(
        matches!(&error, FetchError::AuthRefused { tried, .. } if tried.is_empty()),
        "{error:?}"
    );
    assert_eq!(
        error.to_string(),
        format!("log in to `http://127.0.0.1:{port}/a`: there is nothing to log in with")
    );
}

#[test]
fn a_refused_token_is_sent_once_and_never_shown() {
    let (port, requests) = server(UNAUTHORIZED);
    let access = Access { token: Token::new("s3cret-token"), ..access() };
    let error = fetched(&format!("http://127.0.0.1:{port}/a"), &access);
    assert!(matches!(error, FetchError::AuthRefused { .. }), "{error:?}");
    assert!(error.to_string().ends_with("tried the token"), "{error}");
    assert!(!format!("{error:?}").contains("s3cret"));
    let logins: Vec<String> =
        requests.try_iter().filter(|request| request.contains("Authorization:")).collect();
    assert_eq!(logins.len(), 1, "{logins:?}");
}

#[test]
fn a_password_in_the_address_is_sent_and_never_shown() {
    let (port, requests) = server(UNAUTHORIZED);
    let error = fetched(&format!("http://bob:s3cret@127.0.0.1:{port}/a"), &access());
    assert!(matches!(error, FetchError::AuthRefused { .. }), "{error:?}");
    assert!(!format!("{error} {error:?} {}", error.hint()).contains("s3cret"));
    assert!(requests.try_iter().any(|request| request.contains("Authorization: Basic")));
}

#[test]
fn a_missing_repository_is_told() {
    let (port, _requests) = server("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
    let error = fetched(&format!("http://127.0.0.1:{port}/a"), &access());
    assert!(matches!(error, FetchError::RepositoryNotFound { .. }), "{error:?}");
}

#[test]
fn a_forbidden_repository_is_a_matter_of_login() {
    let (port, _requests) = server("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let error = fetched(&format!("http://127.0.0.1:{port}/a"), &access());
    assert!(matches!(error, FetchError::AuthRefused { .. }), "{error:?}");
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let (port, requests) = server(
        "HTTP/1.1 302 Found\r\nLocation: http://localhost:PORT/b\r\nContent-Length: 0\r\n\r\n",
    );
    let access = Access { token: Token::new("s3cret-token"), ..access() };
    let error = fetched(&format!("http://127.0.0.1:{port}/a"), &access);
    assert!(matches!(error, FetchError::Protocol { .. }), "{error:?}");
    assert_eq!(requests.try_iter().count(), 1);
}

#[test]
fn something_that_is_no_git_host_is_told() {
    let (port, _requests) =
        server("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi");
    let error = fetched(&format!("http://127.0.0.1:{port}/a"), &access());
    assert!(matches!(error, FetchError::Protocol { .. }), "{error:?}");
}

#[test]
fn a_host_that_hangs_up_is_unreachable() {
    let (listener, port) = listener();
    thread::spawn(move || listener.incoming().for_each(drop));
    for scheme in ["http", "https", "ssh"] {
        let error = fetched(&format!("{scheme}://git@127.0.0.1:{port}/a"), &access());
        assert!(matches!(error, FetchError::Unreachable { .. }), "{scheme}: {error:?}");
    }
}

const KEY: &[u8] = b"\0\0\0\x0bssh-ed25519\0\0\0\x041234";

fn judged(text: &str) -> Option<String> {
    let access = Access { known_hosts: Some(PathBuf::from("kh")), ..Access::default() };
    let url = RemoteUrl::parse("ssh://git@host:2222/a", Path::new("/")).expect("an address");
    let known = [KnownHosts { file: "kh".into(), text: text.to_owned() }];
    let refusal = refusal(&access, &known, &url, KEY)?;
    Some(format!("{refusal}\n{}", refusal.hint()))
}

#[test]
fn an_unknown_host_key_is_refused_with_its_fingerprint() {
    insta::assert_snapshot!(judged("").expect("refused"), @"
    trust `host`: its ssh-ed25519 key SHA256:5AoPRTrGqQyIRTl4kZQAQvnyK2dicpp1vcMX8Sk80jM is not in `kh`
    compare the fingerprint with the one its owner publishes, then run `ssh-keyscan -p 2222 host >> 'kh'`
    ");
}

#[test]
fn a_changed_host_key_is_refused_with_the_line_of_the_old_one() {
    let old = "[host]:2222 ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAABDQzMjE=\n";
    insta::assert_snapshot!(judged(old).expect("refused"), @"
    trust `host`: its ssh-ed25519 key is now SHA256:5AoPRTrGqQyIRTl4kZQAQvnyK2dicpp1vcMX8Sk80jM, not the one in `kh` line 1
    somebody may be listening in; if its owner did change the key, run `ssh-keygen -R '[host]:2222' -f kh` and add the new one
    ");
}

#[test]
fn a_known_host_key_is_accepted() {
    let key = base64::engine::general_purpose::STANDARD.encode(KEY);
    assert_eq!(judged(&format!("[host]:2222 ssh-ed25519 {key}\n")), None);
    let revoked = judged(&format!("@revoked * ssh-ed25519 {key}\n")).expect("refused");
    assert!(revoked.contains("is revoked in `kh` line 1"), "{revoked}");
}

#[test]
fn a_repository_of_another_user_is_told_with_the_way_to_trust_it() {
    let url = RemoteUrl::parse("/srv/shop.git", Path::new("/")).expect("an address");
    let words = "repository path '/srv/shop.git' is not owned by current user";
    let said = git2::Error::new(git2::ErrorCode::Owner, git2::ErrorClass::Config, words);
    let error = super::super::classify::remote(Path::new("/mirror"), &url, Vec::new(), &said);
    assert_eq!(error.to_string(), "use `/srv/shop.git`: it belongs to another user");
    let hint = "if you trust it, run `git config --global --add safe.directory /srv/shop.git`";
    assert_eq!(error.hint(), hint);
}
