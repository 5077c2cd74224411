//! What is rendered of a table, and what is refused.

mod reading;
mod whole;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use super::{Managed, RenderError, Site, read, runtime_server, upstream_name};
use crate::diag::{Source, Sources, Span};
use crate::model::{Backend, BackendKey, Endpoint, Name, Owner, ProxyPlace, RoutingTable, Rule};
use crate::settings::{Listen, ListenTls, ProxyKind};

fn name<T: From<Name>>(text: &str) -> T {
    Name::parse(text).expect("a name").into()
}

fn owner() -> Owner {
    Owner { project: name("acme"), environment: name("production") }
}

fn endpoint(text: &str) -> Endpoint {
    let at: std::net::SocketAddr = text.parse().expect("an address");
    Endpoint { address: at.ip(), port: at.port() }
}

fn backend(rules: &[(&str, &str)], servers: &[(&str, &str)], check: Option<&str>) -> Backend {
    let rule = |(host, path): &(&str, &str)| Rule { host: (*host).into(), path: (*path).into() };
    Backend {
        rules: rules.iter().map(rule).collect(),
        servers: servers.iter().map(|(name, at)| ((*name).into(), endpoint(at))).collect(),
        check: check.map(str::to_owned),
    }
}

fn table() -> RoutingTable {
    let web = backend(
        &[("shop.example.com", "/"), ("*.example.com", "/")],
        &[("shop-web-1-a1", "127.0.0.1:20000"), ("shop-web-2-a1", "127.0.0.1:20001")],
        Some("/health"),
    );
    let api = backend(&[("shop.example.com", "/api")], &[("shop-api-1-b2", "[::1]:20002")], None);
    let old = backend(&[("old.example.com", "/v1/")], &[], None);
    let entries = [("shop.web.8080", web), ("shop.api.9000", api), ("old.web.80", old)];
    RoutingTable {
        generation: 7,
        activated_at: 1_700_000_000_000,
        backends: entries.map(|(key, it)| (key.parse().expect("a key"), it)).into(),
        retired: vec![endpoint("127.0.0.1:20009")],
    }
}

fn listen(address: Option<IpAddr>, port: u16, tls: Option<ListenTls>) -> Listen {
    let nowhere = Sources::default().add(Source::verbatim("", ""));
    Listen { address, port, tls, span: Span::new(nowhere, 0, 0) }
}

fn site(kind: ProxyKind, path: &str) -> Site {
    Site {
        place: ProxyPlace { proxy: name("edge"), host: name("web-1") },
        owner: owner(),
        kind,
        path: path.to_owned(),
        listen: vec![listen(None, 80, None)],
        template: None,
        version: "1.22.1".to_owned(),
        ask_from: vec![Ipv4Addr::LOCALHOST.into()],
        socket: Some("/run/haproxy/admin.sock".to_owned()),
    }
}

fn nginx() -> Site {
    site(ProxyKind::Nginx, "/etc/nginx/conf.d/gitdeploy.conf")
}

fn haproxy() -> Site {
    site(ProxyKind::Haproxy, "/etc/haproxy/haproxy.cfg")
}

fn rendered(site: &Site) -> String {
    site.render(&table()).expect("a file")
}

/// The servers, the paths and what each does, without the settings around them.
fn routing(text: &str) -> String {
    let words = ["server_name ", "location ", "proxy_pass ", "return ", "use_backend ", "listen "];
    let is_routing = |line: &&str| words.iter().any(|word| line.trim().starts_with(word));
    text.lines().filter(is_routing).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_file_beside_the_owners_sets_only_variables_of_its_own() {
    let text = rendered(&site(ProxyKind::Haproxy, "/etc/haproxy/gitdeploy.cfg"));
    assert!(!text.lines().any(|line| line.starts_with("defaults")), "{text}");
    let global = text.lines().skip_while(|line| *line != "global").skip(1);
    let global: Vec<&str> = global.take_while(|line| line.starts_with(' ')).collect();
    assert!(!global.is_empty());
    assert!(global.iter().all(|line| line.trim().starts_with("set-var proc.gitdeploy_")), "{text}");
}

#[test]
fn nginx_that_keeps_connections_needs_no_flag() {
    for (version, needs_flag) in [("1.27.3", true), ("", true), ("1.27.4", false), ("2.0", false)] {
        let site = Site { version: version.to_owned(), ..nginx() };
        let text = rendered(&site);
        assert_eq!(site.close_flag().is_some(), needs_flag, "{version}");
        assert_eq!(text.contains("error_page 418"), needs_flag, "{version}");
        assert_eq!(text.contains("keepalive_min_timeout 5s;"), !needs_flag, "{version}");
    }
}

#[test]
fn listeners_with_tls_have_their_certificate() {
    let tls = ListenTls { cert: "/c/a.pem".into(), key: Some("/c/a.pem.key".into()) };
    let listen = vec![listen(Some(Ipv4Addr::new(10, 0, 0, 1).into()), 443, Some(tls))];
    let text = rendered(&Site { listen: listen.clone(), ..nginx() });
    assert!(text.contains("listen 10.0.0.1:443 ssl;\n    ssl_certificate \"/c/a.pem\";"), "{text}");
    let text = rendered(&Site { listen, ..haproxy() });
    assert!(text.contains("bind 10.0.0.1:443 ssl crt \"/c/a.pem\"\n"), "{text}");
    assert!(text.contains("X-Forwarded-Proto https"), "{text}");
}

#[test]
fn haproxy_cannot_be_told_of_a_key_elsewhere() {
    let tls = ListenTls { cert: "/c/a.pem".into(), key: Some("/k/a.key".into()) };
    let site = Site { listen: vec![listen(None, 443, Some(tls))], ..haproxy() };
    insta::assert_snapshot!(site.render(&table()).expect_err("refused"), @r"the certificate /c/a.pem of port 443: HAProxy takes a key from the certificate's own file, or from CERT.key beside it");
}

#[test]
fn nested_paths_go_to_the_longest() {
    let rules = |path| backend(&[("a.de", path)], &[("x", "127.0.0.1:1")], None);
    let entries = [("a.root.1", "/"), ("a.api.1", "/api/"), ("a.deep.1", "/api/v1")];
    let backends = entries.map(|(key, path)| (key.parse().expect("a key"), rules(path))).into();
    let table = RoutingTable { backends, ..RoutingTable::default() };
    let text = |site: Site| routing(&site.render(&table).expect("a file"));
    insta::assert_snapshot!(text(Site { version: "1.29.0".into(), ..nginx() }), @r#"
listen 80;
listen [::]:80;
server_name gitdeploy.invalid;
location = /generation {
    return 200 "0\n";
location / {
    return 404;
listen 80;
listen [::]:80;
server_name a.de;
location "/api/v1/" {
    proxy_pass http://a.deep.1;
location = "/api/v1" {
    proxy_pass http://a.deep.1;
location "/api/" {
    proxy_pass http://a.api.1;
location = "/api" {
    proxy_pass http://a.root.1;
location "/" {
    proxy_pass http://a.root.1;
"#);
    insta::assert_snapshot!(text(haproxy()), @r#"
use_backend a.deep.1 if { var(txn.gitdeploy_host) -m str "a.de" } { var(txn.gitdeploy_path) -m beg "/api/v1/" }
use_backend a.deep.1 if { var(txn.gitdeploy_host) -m str "a.de" } { var(txn.gitdeploy_path) -m str "/api/v1" }
use_backend a.api.1 if { var(txn.gitdeploy_host) -m str "a.de" } { var(txn.gitdeploy_path) -m beg "/api/" }
use_backend a.root.1 if { var(txn.gitdeploy_host) -m str "a.de" }
"#);
}

#[test]
fn nothing_breaks_out_of_its_quotes() {
    let hostile = [
        ("a.de; } server {", "/"),
        ("a.de\n", "/"),
        ("a\"b", "/"),
        ("*", "/"),
        ("a.de", "/\";"),
        ("a.de", "/%22"),
        ("a.de", "/%0a"),
        ("a.de", "/$host"),
        ("a.de", "/%5c"),
        ("a.de", "/%f"),
        ("a.de", "/%ff"),
        ("a.de", "api"),
    ];
    for (host, path) in hostile {
        let table = RoutingTable {
            backends: BTreeMap::from([(
                "a.b.1".parse().expect("a key"),
                backend(&[(host, path)], &[], None),
            )]),
            ..RoutingTable::default()
        };
        for site in [nginx(), haproxy()] {
            let result = site.render(&table);
            assert!(matches!(result, Err(RenderError::Unsafe { .. })), "{host:?} {path:?}");
        }
    }
}

#[test]
fn two_backends_cannot_have_one_rule() {
    let mut table = table();
    let again = backend(&[("SHOP.example.com", "/")], &[], None);
    table.backends.insert("zoo.web.80".parse().expect("a key"), again);
    let error = nginx().render(&table).expect_err("refused").to_string();
    insta::assert_snapshot!(error, @r"shop.web.8080 and zoo.web.80 both take shop.example.com/; change the route of one of them");
}

#[test]
fn a_template_of_the_users_comes_below_our_header() {
    let template = Some(
        "{% for b in backends %}{{ b.key }} {{ b.check | default('-', true) }}\n{% endfor %}"
            .into(),
    );
    let text = rendered(&Site { template, ..nginx() });
    assert!(text.ends_with("#\nold.web.80 -\nshop.api.9000 -\nshop.web.8080 /health\n"), "{text}");
    assert_eq!(read(&owner(), Some(&text)), Managed::Ours { table: table(), edited: false });
}

#[test]
fn a_template_that_fails_says_where() {
    let site = Site { template: Some("a\n{{ backend.x }}\n".into()), ..nginx() };
    insta::assert_snapshot!(site.render(&table()).expect_err("refused"), @"the proxy's template cannot be rendered: edge.j2:2:4: `backend` is not defined");
}

#[test]
fn a_server_is_said_alike_in_the_file_and_at_run_time() {
    let checked = Backend { check: Some("/h".into()), ..Backend::default() };
    let at = endpoint("[::1]:80");
    assert_eq!(
        runtime_server(&checked, "a", &at),
        "a [::1]:80 check inter 500ms fastinter 100ms downinter 50ms fall 2 rise 1 weight 100"
    );
    assert_eq!(runtime_server(&Backend::default(), "a", &at), "a [::1]:80 weight 100");
    assert!(rendered(&haproxy()).contains(
        "    server shop-web-1-a1 127.0.0.1:20000 check inter 500ms fastinter 100ms downinter 50ms fall 2 rise 1 weight 100\n"
    ));
}

#[test]
fn upstreams_of_services_that_differ_in_case_differ() {
    let key = |text: &str| text.parse::<BackendKey>().expect("a key");
    assert_eq!(upstream_name(&key("a.web.80")), "a.web.80");
    assert_ne!(upstream_name(&key("a.Web.80")), "a.web.80");
    assert_ne!(upstream_name(&key("a.Web.80")), upstream_name(&key("a.wEb.80")));
}
