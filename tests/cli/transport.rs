//! Fetching from real servers: `sshd` with real keys, and Git over HTTP.

mod http_server;
mod ssh_server;

use std::fs;
use std::path::Path;

use http_server::HttpServer;
use ssh_server::{SshServer, keygen, output, tool};

use crate::environment::Run;

fn assert_fetched(run: &Run) {
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("nginx:"), "{}", run.stdout);
}

#[track_caller]
fn assert_refused(run: &Run, words: &[&str]) {
    assert_eq!((run.code, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    for word in words.iter().chain(&["hint: "]) {
        assert!(run.stderr.contains(word), "no `{word}` in: {}", run.stderr);
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn a_key_in_the_home_folder_lets_in_and_a_second_fetch_follows() {
    let server = SshServer::trusted();
    assert_fetched(&server.fetch());
    server.repo.commit(&[("compose.yaml", "services: {web: {image: 'nginx:2'}}\n")]);
    let second = server.fetch();
    assert!(second.stdout.contains("nginx:2"), "{}", second.stderr);
    // A commit, its tree and its file, each time.
    assert_eq!(server.received(), [3, 3]);
}

#[test]
fn a_named_key_file_is_used() {
    let server = SshServer::start(&["ed25519"]);
    server.know(&server.line("ed25519"));
    let key = server.give_key("elsewhere");
    assert_fetched(&server.fetch_with(&[("GITDEPLOY_GIT_IDENTITY", text(&key))]));
}

#[test]
fn a_wrong_and_a_locked_key_are_refused_by_name() {
    let server = SshServer::start(&["ed25519"]);
    server.know(&server.line("ed25519"));
    assert_refused(&server.fetch(), &["id_ed25519` (no such file)"]);
    let (wrong, locked) =
        (server.home().join(".ssh/id_ed25519"), server.home().join(".ssh/id_rsa"));
    keygen(&wrong, "ed25519", "");
    keygen(&locked, "ed25519", "s3cret phrase");
    let words = ["log in", "id_ed25519` as", "id_rsa` (has a passphrase: `ssh-add` it)"];
    assert_refused(&server.fetch(), &words);
}

#[test]
fn the_agent_is_asked() {
    let server = SshServer::start(&["ed25519"]);
    server.know(&server.line("ed25519"));
    let socket = server.home().join("agent");
    let mut agent = tool("ssh-agent")
        .arg("-D")
        .arg("-a")
        .arg(&socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("this test needs ssh-agent: run `.ci/setup`");
    for _ in 0..500 {
        if socket.exists() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let key = server.give_key("elsewhere");
    output(tool("chmod").arg("600").arg(&key));
    output(tool("ssh-add").arg("-q").arg(&key).env("SSH_AUTH_SOCK", &socket));
    let run = server.fetch_with(&[("SSH_AUTH_SOCK", text(&socket))]);
    agent.kill().expect("the agent ends");
    agent.wait().expect("the agent ends");
    assert_fetched(&run);
}

#[test]
fn an_unknown_host_is_refused_with_its_fingerprint() {
    let server = SshServer::start(&["ed25519"]);
    server.give_key("id_ed25519");
    let fingerprint = server.fingerprint("ed25519");
    assert_refused(&server.fetch(), &[&fingerprint, "ssh-keyscan -p "]);
    assert!(!server.known_hosts().exists());
}

#[test]
fn hashed_and_plain_names_are_known_and_authorities_are_not() {
    let server = SshServer::start(&["ed25519"]);
    server.give_key("id_ed25519");
    server.know(&server.line("ed25519"));
    output(tool("ssh-keygen").args(["-q", "-H", "-f"]).arg(server.known_hosts()));
    let hashed = fs::read(server.known_hosts()).expect("a file");
    assert!(hashed.starts_with(b"|1|"));
    assert_fetched(&server.fetch());
    server.know(&format!("127.0.0.1 {}\n", server.key("ed25519")));
    assert_fetched(&server.fetch());
    server.know(&format!("@cert-authority * {}\n", server.key("ed25519")));
    assert_refused(&server.fetch(), &["ssh-keyscan"]);
}

#[test]
fn changed_and_revoked_keys_are_refused() {
    let server = SshServer::trusted();
    let other = server.home().join("other");
    keygen(&other, "ed25519", "");
    let other = fs::read(other.with_extension("pub")).expect("a key");
    server.know(&format!("{} {}", server.name(), String::from_utf8_lossy(&other)));
    assert_refused(&server.fetch(), &["its ssh-ed25519 key is now", "line 1", "ssh-keygen -R"]);
    server.know(&format!("{}@revoked * {}\n", server.line("ed25519"), server.key("ed25519")));
    assert_refused(&server.fetch(), &["is revoked in", "line 2"]);
}

#[test]
fn of_several_host_keys_the_noted_one_is_asked_for() {
    let server = SshServer::start(&["ed25519", "ecdsa", "rsa"]);
    server.give_key("id_ed25519");
    for kind in ["rsa", "ecdsa", "ed25519"] {
        server.know(&server.line(kind));
        assert_fetched(&server.fetch());
    }
    // Only the file in the home folder is heard on that, so another one names what it lacks.
    let other = server.home().join("noted");
    fs::write(&other, server.line("rsa")).expect("a file");
    fs::remove_file(server.known_hosts()).expect("a file");
    let run = server.fetch_with(&[("GITDEPLOY_KNOWN_HOSTS", text(&other))]);
    assert_refused(&run, &["ssh-ed25519 key", "only its ssh-rsa key is", "ssh-keyscan"]);
}

#[test]
fn a_strange_line_in_known_hosts_is_named() {
    let server = SshServer::trusted();
    server.know(&format!("{}garbage\n", server.line("ed25519")));
    assert_refused(&server.fetch(), &[".ssh/known_hosts", "line 2 is not the key of a host"]);
    let beside = format!("@cert-authority *.example {}\n", server.key("ed25519"));
    server.know(&format!("{beside}{}", server.line("ed25519")));
    assert_fetched(&server.fetch());
}

#[test]
fn a_missing_repository_is_told_from_a_closed_door() {
    let server = SshServer::trusted();
    let run = server.fetch_path(Path::new("/nowhere/at/all.git"), &[]);
    assert_refused(&run, &["find a repository at"]);
}

#[test]
fn a_host_that_is_gone_is_told_and_the_mirror_kept() {
    let mut server = SshServer::trusted();
    assert_fetched(&server.fetch());
    server.end();
    assert_refused(&server.fetch(), &["connect to", "nc -vz 127.0.0.1"]);
    assert_eq!(server.received(), [3]);
}

#[test]
fn a_silent_host_is_left_in_time() {
    let server = SshServer::trusted();
    server.stop();
    let run = server.fetch_with(&[("GITDEPLOY_GIT_TIMEOUT", "1")]);
    assert_refused(&run, &["the host was silent for too long"]);
    let run = server.fetch_with(&[("GITDEPLOY_GIT_TIMEOUT", "soon")]);
    assert_refused(&run, &["`soon` is not a number of seconds"]);
}

#[test]
fn a_token_lets_in_and_is_never_shown() {
    let server = HttpServer::start(Some("x-access-token:s3cret-token"));
    assert_fetched(&server.fetch(&[("GITDEPLOY_GIT_TOKEN", "s3cret-token")]));
    let run = server.fetch_path("/missing", &[("GITDEPLOY_GIT_TOKEN", "s3cret-token")]);
    assert_refused(&run, &["find a repository at"]);
    let wrong = server.fetch(&[("GITDEPLOY_GIT_TOKEN", "wr0ng-token")]);
    assert_refused(&wrong, &["log in", "tried the token"]);
    assert!(!wrong.stderr.contains("wr0ng"), "{}", wrong.stderr);
    assert_refused(&server.fetch(&[]), &["GITDEPLOY_GIT_TOKEN"]);
}

#[test]
fn a_credential_helper_is_asked_for_the_password() {
    let server = HttpServer::start(Some("ann:pw"));
    let script = server.home().join("helper");
    fs::write(&script, "#!/bin/sh\necho username=ann\necho password=pw\n").expect("a file");
    output(tool("chmod").arg("700").arg(&script));
    let settings = format!("[credential]\nhelper = {}\n", script.display());
    fs::write(server.home().join(".gitconfig"), settings).expect("a file");
    let path = std::env::var_os("PATH").expect("a PATH").into_string().expect("text");
    assert_fetched(&server.fetch(&[("PATH", &path)]));
}

#[test]
fn a_redirect_to_another_host_is_not_followed() {
    let other = HttpServer::start(None);
    let server = HttpServer::redirecting(&other.url("").replace("127.0.0.1", "localhost"));
    assert_refused(&server.fetch(&[("GITDEPLOY_GIT_TOKEN", "s3cret-token")]), &["redirect"]);
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused() {
    let server = http_server::TlsServer::start();
    assert_refused(&server.fetch(&[]), &["trust the certificate of"]);
    let trusting = server.fetch(&[("SSL_CERT_FILE", text(&server.certificate()))]);
    assert_eq!(trusting.code, 1);
    // It is trusted, and its answer is no repository.
    assert!(trusting.stderr.contains("invalid content-type"), "{}", trusting.stderr);
}
