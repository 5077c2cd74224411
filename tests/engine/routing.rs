//! Both proxies, run for real with what was rendered for them, send each request to the same place.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use gitdeploy::model::RoutingTable;
use gitdeploy::settings::ProxyKind;

use super::config::{backend, listen, site};

/// A proxy that ends with its test.
struct Running {
    child: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both end at once, with their workers, on this signal.
        let pid = self.child.id().to_string();
        drop(Command::new("kill").args(["-TERM", &pid]).status());
        drop(self.child.wait());
    }
}

/// An application that answers every request with its own name and how it was reached.
fn application(name: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().expect("an address").to_string();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream, name));
        }
    });
    at
}

fn answer(mut stream: TcpStream, name: &str) {
    let reader = BufReader::new(stream.try_clone().expect("a copy"));
    let head: Vec<String> =
        reader.lines().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let value = |key: &str| {
        let lower = |line: &String| line.to_lowercase().strip_prefix(key).map(str::to_owned);
        head.iter().find_map(lower).unwrap_or_default()
    };
    let body = format!(
        "{name}{}{}{}",
        value("x-forwarded-proto:"),
        value("x-forwarded-for:"),
        value("host:")
    );
    let length = body.len();
    let text =
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    drop(stream.write_all(text.as_bytes()));
}

/// A table of generation 7, and where its `web` answers.
fn table() -> (RoutingTable, String) {
    let (web, api, wild, eu) =
        (application("web"), application("api"), application("wild"), application("eu"));
    let one = |host: &str, path: &str, at: &str| backend(&[(host, path)], &[("x", at)], None);
    let entries = [
        ("a.web.1", one("shop.example.com", "/", &web)),
        ("a.api.1", one("shop.example.com", "/api", &api)),
        ("a.wild.1", one("*.example.com", "/", &wild)),
        ("a.eu.1", one("*.eu.example.com", "/", &eu)),
        ("a.old.1", backend(&[("old.example.com", "/v1/")], &[], None)),
    ];
    let backends = entries.map(|(key, it)| (key.parse().expect("a key"), it)).into();
    (RoutingTable { generation: 7, backends, ..RoutingTable::default() }, web)
}

fn start(kind: ProxyKind, table: &RoutingTable) -> Running {
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("readable");
    let port =
        TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("free").port();
    let file = folder.path().join("gitdeploy.conf");
    let site = site(kind, &file, vec![listen(Some("127.0.0.1"), port, None)]);
    fs::write(&file, site.render(table).expect("a file")).expect("written");
    let mut command = command(kind, folder.path());
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("started");
    for _ in 0..100 {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            break;
        }
        thread::sleep(Duration::from_millis(50));
    }
    Running { child, port, folder }
}

fn command(kind: ProxyKind, folder: &Path) -> Command {
    let (at, main) = (folder.display(), folder.join("main"));
    let (command, text) = match kind {
        ProxyKind::Nginx => {
            let mut command = Command::new("nginx");
            command.arg("-c").arg(&main);
            let text = format!(
                "daemon off; pid {at}/pid; error_log stderr; events {{}} http {{ access_log off;\n\
                 client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
                 uwsgi_temp_path {at}/d; scgi_temp_path {at}/e; include {at}/gitdeploy.conf; }}\n"
            );
            (command, text)
        }
        ProxyKind::Haproxy => {
            let mut command = Command::new("haproxy");
            command.arg("-db").arg("-f").arg(&main).arg("-f").arg(folder.join("gitdeploy.conf"));
            (command, "global\n  maxconn 100\n".to_owned())
        }
    };
    fs::write(&main, text).expect("written");
    command
}

impl Running {
    /// The whole answer, until the proxy closes the connection.
    fn ask(&self, host: &str, path: &str, more: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a limit");
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    }

    /// The application that answered, or the status.
    fn who(&self, host: &str, path: &str) -> String {
        let answer = self.ask(host, path, "Connection: close\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
        match head.split(' ').nth(1).expect("a status") {
            "200" => body.split(' ').next().unwrap_or_default().trim().to_owned(),
            status => status.to_owned(),
        }
    }
}

const BOTH: [ProxyKind; 2] = [ProxyKind::Nginx, ProxyKind::Haproxy];

#[test]
fn requests_go_where_their_rules_say() {
    let (table, _) = table();
    let expected = [
        ("shop.example.com", "/", "web"),
        ("SHOP.example.com.:80", "/x", "web"),
        ("shop.example.com", "/api", "api"),
        ("shop.example.com", "/api/x?y=/", "api"),
        ("shop.example.com", "/%61pi", "api"),
        ("shop.example.com", "/apix", "web"),
        ("shop.example.com", "/?/api/", "web"),
        ("b.example.com", "/", "wild"),
        ("c.b.example.com", "/", "wild"),
        ("b.eu.example.com", "/", "eu"),
        ("example.com", "/", "404"),
        ("elsewhere.de", "/", "404"),
        ("old.example.com", "/v1/x", "503"),
        ("old.example.com", "/v1", "404"),
        ("old.example.com", "/", "404"),
        ("gitdeploy.invalid", "/generation", "7"),
    ];
    for kind in BOTH {
        let proxy = start(kind, &table);
        for (host, path, who) in expected {
            assert_eq!(proxy.who(host, path), who, "{kind:?} {host} {path}");
        }
    }
}

#[test]
fn a_probe_is_told_who_answered_and_nobody_else() {
    let (table, web) = table();
    for kind in BOTH {
        let proxy = start(kind, &table);
        let probe = |generation: &str| {
            let more = format!("X-Gitdeploy-Probe: {generation}\r\nConnection: close\r\n");
            proxy.ask("shop.example.com", "/", &more).to_lowercase()
        };
        let told = format!("x-gitdeploy-server: {web}\r\n");
        assert!(probe("7").contains(&told), "{kind:?} {}", probe("7"));
        assert!(!probe("6").contains("x-gitdeploy-server"), "{kind:?}");
    }
}

#[test]
fn the_application_learns_who_asked_for_what() {
    let (table, _) = table();
    for kind in BOTH {
        let answer = start(kind, &table).ask("shop.example.com:99", "/", "Connection: close\r\n");
        assert!(answer.ends_with("web http 127.0.0.1 shop.example.com:99"), "{kind:?} {answer}");
    }
}

#[test]
fn the_flag_makes_nginx_close_each_connection() {
    let (table, _) = table();
    let proxy = start(ProxyKind::Nginx, &table);
    fs::write(proxy.folder.path().join("gitdeploy.conf.close"), "").expect("written");
    let answer = proxy.ask("shop.example.com", "/api/x", "");
    assert!(answer.contains("Connection: close"), "{answer}");
    assert!(answer.contains("api http"), "{answer}");
}
