//! Every rendered variant of a managed file passes the proxies' own checkers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use gitdeploy::diag::{Source, Sources, Span};
use gitdeploy::model::{Backend, Endpoint, Name, Owner, ProxyPlace, RoutingTable, Rule};
use gitdeploy::proxy::Site;
use gitdeploy::settings::{Listen, ListenTls, ProxyKind};

pub(super) fn name<T: From<Name>>(text: &str) -> T {
    Name::parse(text).expect("a name").into()
}

fn rule(host: &str, path: &str) -> Rule {
    Rule { host: host.into(), path: path.into() }
}

pub(super) fn backend(
    rules: &[(&str, &str)],
    servers: &[(&str, &str)],
    check: Option<&str>,
) -> Backend {
    let server = |(name, at): &(&str, &str)| {
        let at: std::net::SocketAddr = at.parse().expect("an address");
        ((*name).to_owned(), Endpoint { address: at.ip(), port: at.port() })
    };
    Backend {
        rules: rules.iter().map(|(host, path)| rule(host, path)).collect::<BTreeSet<_>>(),
        servers: servers.iter().map(server).collect(),
        check: check.map(str::to_owned),
    }
}

fn table() -> RoutingTable {
    let shop = ["Shop.example.com", "*.example.com", "*.eu.example.com"].map(|host| (host, "/"));
    let entries = [
        (
            "shop.web.8080",
            backend(
                &shop,
                &[("acme-shop-web-1-a1b2c3", "127.0.0.1:20000"), ("x", "127.0.0.1:20001")],
                Some("/health?deep=1&x=a;b"),
            ),
        ),
        (
            "shop.Api_v2.9000",
            backend(
                &[("shop.example.com", "/api"), ("api.example.com", "/v1/"), ("t.de", "/")],
                &[("acme-shop-api-1-a1b2c3", "[::1]:20002")],
                None,
            ),
        ),
        ("blog.a.b.80", backend(&[("shop.example.com", "/api/a%20b%C3%A4")], &[], Some("/"))),
    ];
    RoutingTable {
        generation: 7,
        backends: entries.map(|(key, it)| (key.parse().expect("a key"), it)).into(),
        ..RoutingTable::default()
    }
}

pub(super) fn site(kind: ProxyKind, path: &Path, listen: Vec<Listen>) -> Site {
    Site {
        place: ProxyPlace { proxy: name("edge"), host: name("web-1") },
        owner: Owner { project: name("acme"), environment: name("production") },
        kind,
        path: path.to_str().expect("text").to_owned(),
        listen,
        template: None,
        version: String::new(),
        ask_from: vec![Ipv4Addr::LOCALHOST.into()],
        socket: None,
    }
}

pub(super) fn listen(address: Option<&str>, port: u16, tls: Option<ListenTls>) -> Listen {
    let address = address.map(|ip| ip.parse().expect("an address"));
    let nowhere = Sources::default().add(Source::verbatim("", ""));
    Listen { address, port, tls, span: Span::new(nowhere, 0, 0) }
}

/// Plain and TLS listeners of all forms, with a certificate made for the occasion.
fn listeners(folder: &Path) -> Vec<Listen> {
    let path = |name: &str| folder.join(name).to_str().expect("text").to_owned();
    let (cert, key) = (path("site.pem"), path("site.pem.key"));
    let request = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=example.com"];
    run(Command::new("openssl").args(request).args(["-keyout", &key, "-out", &cert]));
    vec![
        listen(None, 18080, None),
        listen(Some("127.0.0.1"), 18081, None),
        listen(Some("::1"), 18082, None),
        listen(None, 18443, Some(ListenTls { cert, key: Some(key) })),
    ]
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    assert!(!said.contains("[warn]") && !said.contains("[WARNING]"), "{said}");
}

fn checks_with_nginx(change: impl FnOnce(&mut Site, &mut RoutingTable)) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("gitdeploy.conf");
    let mut site = site(ProxyKind::Nginx, &file, listeners(folder.path()));
    let mut table = table();
    change(&mut site, &mut table);
    fs::write(&file, site.render(&table).expect("a file")).expect("written");
    let main = folder.path().join("nginx.conf");
    let at = folder.path().display();
    let text = format!(
        "pid {at}/pid; error_log stderr warn; events {{}}\n\
         http {{ access_log off; server_names_hash_max_size 4096;\n\
         client_body_temp_path {at}/a; proxy_temp_path {at}/b; fastcgi_temp_path {at}/c;\n\
         uwsgi_temp_path {at}/d; scgi_temp_path {at}/e; include {at}/gitdeploy.conf; }}\n"
    );
    fs::write(&main, text).expect("written");
    run(Command::new("nginx").arg("-t").arg("-q").arg("-c").arg(main));
}

/// Beside a main file of the owner's with the least it can have, or alone.
fn checks_with_haproxy(name: &str, change: impl FnOnce(&mut Site, &mut RoutingTable)) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut site = site(ProxyKind::Haproxy, Path::new(name), listeners(folder.path()));
    let mut table = table();
    change(&mut site, &mut table);
    let (main, file) = (folder.path().join("main.cfg"), folder.path().join("gitdeploy.cfg"));
    fs::write(&file, site.render(&table).expect("a file")).expect("written");
    fs::write(&main, "global\n  maxconn 100\n").expect("written");
    let mut command = Command::new("haproxy");
    command.arg("-c");
    if !site.is_whole() {
        command.arg("-f").arg(main);
    }
    run(command.arg("-f").arg(file));
}

fn many(table: &mut RoutingTable) {
    for number in 0..300 {
        let host = format!("shop-{number}.example.org");
        let name = format!("acme-shop-web-{number}-a1b2c3");
        let servers = [(name.as_str(), "10.0.0.1:20000")];
        let key = format!("s{number}.web.80").parse().expect("a key");
        table.backends.insert(key, backend(&[(&host, "/"), (&host, "/api")], &servers, Some("/")));
    }
}

#[test]
fn nginx_takes_a_rich_table() {
    checks_with_nginx(|_, _| {});
}

#[test]
fn nginx_takes_an_empty_table() {
    checks_with_nginx(|_, table| table.backends = BTreeMap::new());
}

#[test]
fn nginx_takes_hundreds_of_backends() {
    checks_with_nginx(|_, table| many(table));
}

#[test]
fn haproxy_takes_a_rich_table() {
    checks_with_haproxy("/etc/haproxy/gitdeploy.cfg", |_, _| {});
}

#[test]
fn haproxy_takes_its_main_file() {
    let main = "/etc/haproxy/haproxy.cfg";
    checks_with_haproxy(main, |site, _| site.socket = Some("/run/haproxy/admin.sock".into()));
    checks_with_haproxy(main, |_, _| {});
}

#[test]
fn haproxy_takes_an_empty_table() {
    checks_with_haproxy("/etc/haproxy/haproxy.cfg", |_, table| table.backends = BTreeMap::new());
    checks_with_haproxy("/etc/haproxy/a.cfg", |_, table| table.backends = BTreeMap::new());
}

#[test]
fn haproxy_takes_hundreds_of_backends() {
    checks_with_haproxy("/etc/haproxy/a.cfg", |_, table| many(table));
}
