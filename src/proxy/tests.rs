//! Both files of one table, whole; what is refused; and what reading makes of any text.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::{Managed, RenderError, Site, read, runtime_server, upstream_name};
use crate::diag::{Source, Sources, Span};
use crate::model::{
    Backend, BackendKey, Endpoint, Name, Owner, ProxyPlace, RoutingTable, Rule, ServiceName,
};
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
fn the_nginx_file_as_a_whole() {
    insta::assert_snapshot!(rendered(&nginx()), @r#"
# gitdeploy 1: generation 7; written by gitdeploy, do not edit
# owner: acme/production
# sha256: a50b154551e1f39d4c715203ae4a2ffdf76e4ba4f90f7348f98fbef33780c822
# generation: 7
# table: {"generation":7,"activated_at":1700000000000,"backends":{"old.web.80":{"rules":[{"host":"old.example.com","path":"/v1/"}],"servers":{}},"shop.api.9000":{"rules":[{"host":"shop.example.com","path":"/api"}],"servers":{"shop-api-1-b2":{"address":"::1","port":20002}}},"shop.web.8080":{"rules":[{"host":"*.example.com","path":"/"},{"host":"shop.example.com","path":"/"}],"servers":{"shop-web-1-a1":{"address":"127.0.0.1","port":20000},"shop-web-2-a1":{"address":"127.0.0.1","port":20001}},"check":"/health"}},"retired":[{"address":"127.0.0.1","port":20009}]}
#
# A keep-alive connection to a replica carries no `Connection` header, a WebSocket `upgrade`.
map $http_upgrade $gitdeploy_connection {
    default upgrade;
    ''      '';
}
map $remote_addr $gitdeploy_may_ask {
    default 0;
    "127.0.0.1" 1;
}
map "$gitdeploy_may_ask:$http_x_gitdeploy_probe" $gitdeploy_server {
    default '';
    "1:7" $upstream_addr;
}

upstream shop.api.9000 {
    zone shop.api.9000 64k;
    server [::1]:20002 max_fails=0; # shop-api-1-b2
    keepalive 32;
    # Shorter than applications keep idle connections open themselves.
    keepalive_timeout 4s;
}

upstream shop.web.8080 {
    zone shop.web.8080 64k;
    server 127.0.0.1:20000 max_fails=0; # shop-web-1-a1
    server 127.0.0.1:20001 max_fails=0; # shop-web-2-a1
    keepalive 32;
    # Shorter than applications keep idle connections open themselves.
    keepalive_timeout 4s;
}

# First, so that a name nobody has is answered here and not by somebody's application.
server {
    listen 80;
    listen [::]:80;
    server_name gitdeploy.invalid;
    access_log off;
    location = /generation {
        default_type text/plain;
        if ($gitdeploy_may_ask = 0) { return 403; }
        return 200 "7\n";
    }
    location / {
        return 404;
    }
}

server {
    listen 80;
    listen [::]:80;
    server_name shop.example.com;
    # The application knows how much it takes.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gitdeploy_connection;
    # Streams reach the client as they are written. Requests are still read whole first, so a slow
    # upload occupies no replica.
    proxy_buffering off;
    # A replica that is gone is noticed at once; one that answers may take its time, and a
    # WebSocket may be silent for as long.
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 1h;
    # Never a POST that was sent already.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 5s;
    add_header X-Gitdeploy-Server $gitdeploy_server always;
    location "/api/" {
        error_page 418 = @close-shop.api.9000;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.api.9000;
    }
    location = "/api" {
        error_page 418 = @close-shop.api.9000;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.api.9000;
    }
    location "/" {
        error_page 418 = @close-shop.web.8080;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.web.8080;
    }
    location @close-shop.api.9000 {
        keepalive_timeout 0;
        proxy_pass http://shop.api.9000;
    }
    location @close-shop.web.8080 {
        keepalive_timeout 0;
        proxy_pass http://shop.web.8080;
    }
}

server {
    listen 80;
    listen [::]:80;
    server_name old.example.com;
    # The application knows how much it takes.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gitdeploy_connection;
    # Streams reach the client as they are written. Requests are still read whole first, so a slow
    # upload occupies no replica.
    proxy_buffering off;
    # A replica that is gone is noticed at once; one that answers may take its time, and a
    # WebSocket may be silent for as long.
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 1h;
    # Never a POST that was sent already.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 5s;
    add_header X-Gitdeploy-Server $gitdeploy_server always;
    location "/v1/" {
        return 503;
    }
    location = "/v1" {
        return 404;
    }
    location "/" {
        return 404;
    }
}

server {
    listen 80;
    listen [::]:80;
    server_name *.example.com;
    # The application knows how much it takes.
    client_max_body_size 0;
    proxy_http_version 1.1;
    proxy_set_header Host $http_host;
    proxy_set_header X-Real-IP $remote_addr;
    proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $gitdeploy_connection;
    # Streams reach the client as they are written. Requests are still read whole first, so a slow
    # upload occupies no replica.
    proxy_buffering off;
    # A replica that is gone is noticed at once; one that answers may take its time, and a
    # WebSocket may be silent for as long.
    proxy_connect_timeout 2s;
    proxy_send_timeout 1h;
    proxy_read_timeout 1h;
    # Never a POST that was sent already.
    proxy_next_upstream error timeout;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 5s;
    add_header X-Gitdeploy-Server $gitdeploy_server always;
    location "/" {
        error_page 418 = @close-shop.web.8080;
        if (-f /etc/nginx/conf.d/gitdeploy.conf.close) { return 418; }
        proxy_pass http://shop.web.8080;
    }
    location @close-shop.web.8080 {
        keepalive_timeout 0;
        proxy_pass http://shop.web.8080;
    }
}
"#);
}

#[test]
fn the_haproxy_file_as_a_whole() {
    insta::assert_snapshot!(rendered(&haproxy()), @r#"
# gitdeploy 1: generation 7; written by gitdeploy, do not edit
# owner: acme/production
# sha256: 98c9106336bebf82de3aec432f9f26a608b2118f9aecaa311341179f91dceec8
# generation: 7
# table: {"generation":7,"activated_at":1700000000000,"backends":{"old.web.80":{"rules":[{"host":"old.example.com","path":"/v1/"}],"servers":{}},"shop.api.9000":{"rules":[{"host":"shop.example.com","path":"/api"}],"servers":{"shop-api-1-b2":{"address":"::1","port":20002}}},"shop.web.8080":{"rules":[{"host":"*.example.com","path":"/"},{"host":"shop.example.com","path":"/"}],"servers":{"shop-web-1-a1":{"address":"127.0.0.1","port":20000},"shop-web-2-a1":{"address":"127.0.0.1","port":20001}},"check":"/health"}},"retired":[{"address":"127.0.0.1","port":20009}]}
#

global
    # The service's own account, as packages and the official image make it.
    user haproxy
    group haproxy
    stats socket "/run/haproxy/admin.sock" mode 600 level admin expose-fd listeners
    stats timeout 30s
    # Long enough for downloads and WebSockets that a reload left with the old process.
    hard-stop-after 1h

defaults
    mode http
    timeout connect 2s
    timeout client 1h
    timeout server 1h

frontend gitdeploy-80
    bind *:80
    bind [::]:80 v6only
    mode http
    # Idle connections are closed with an answer, so that a reload cuts off no request.
    option idle-close-on-response
    option forwardfor
    timeout client 1h
    timeout http-request 30s
    timeout http-keep-alive 75s
    http-request set-var(txn.gitdeploy_host) req.hdr(host),field(1,:),rtrim(.),lower
    http-request set-var(txn.gitdeploy_path) path,url_dec
    acl gitdeploy_itself var(txn.gitdeploy_host) -m str "gitdeploy.invalid"
    acl gitdeploy_may_ask src 127.0.0.1
    http-request set-log-level silent if gitdeploy_itself
    http-request deny deny_status 403 if gitdeploy_itself !gitdeploy_may_ask
    http-request return status 200 content-type text/plain string "7\n" if gitdeploy_itself { path "/generation" }
    http-request set-var(txn.gitdeploy_probe) bool(true) if gitdeploy_may_ask { req.hdr(X-Gitdeploy-Probe) -m str "7" }
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Proto http
    use_backend shop.api.9000 if { var(txn.gitdeploy_host) -m str "shop.example.com" } { var(txn.gitdeploy_path) -m beg "/api/" }
    use_backend shop.api.9000 if { var(txn.gitdeploy_host) -m str "shop.example.com" } { var(txn.gitdeploy_path) -m str "/api" }
    use_backend shop.web.8080 if { var(txn.gitdeploy_host) -m str "shop.example.com" }
    use_backend old.web.80 if { var(txn.gitdeploy_host) -m str "old.example.com" } { var(txn.gitdeploy_path) -m beg "/v1/" }
    use_backend gitdeploy-nowhere if { var(txn.gitdeploy_host) -m str "old.example.com" }
    use_backend shop.web.8080 if { var(txn.gitdeploy_host) -m end ".example.com" }
    default_backend gitdeploy-nowhere

backend gitdeploy-nowhere
    mode http
    http-request return status 404 content-type text/plain string "no route\n"

backend old.web.80
    mode http
    balance roundrobin
    # Only what was never sent is sent again.
    option redispatch
    retries 3
    retry-on conn-failure
    timeout connect 2s
    timeout queue 30s
    timeout server 1h
    timeout tunnel 1h
    http-response set-header X-Gitdeploy-Server %si:%sp if { var(txn.gitdeploy_probe) -m bool }

backend shop.api.9000
    mode http
    balance roundrobin
    # Only what was never sent is sent again.
    option redispatch
    retries 3
    retry-on conn-failure
    timeout connect 2s
    timeout queue 30s
    timeout server 1h
    timeout tunnel 1h
    http-response set-header X-Gitdeploy-Server [%si]:%sp if { var(txn.gitdeploy_probe) -m bool }
    server shop-api-1-b2 [::1]:20002 weight 100

backend shop.web.8080
    mode http
    balance roundrobin
    # Only what was never sent is sent again.
    option redispatch
    retries 3
    retry-on conn-failure
    timeout connect 2s
    timeout queue 30s
    timeout server 1h
    timeout tunnel 1h
    timeout check 2s
    option httpchk GET "/health"
    http-response set-header X-Gitdeploy-Server %si:%sp if { var(txn.gitdeploy_probe) -m bool }
    server shop-web-1-a1 127.0.0.1:20000 check inter 500 fall 2 rise 1 weight 100
    server shop-web-2-a1 127.0.0.1:20001 check inter 500 fall 2 rise 1 weight 100
"#);
}

#[test]
fn a_file_beside_the_owners_has_no_section_of_the_owners() {
    let text = rendered(&site(ProxyKind::Haproxy, "/etc/haproxy/gitdeploy.cfg"));
    let is_theirs = |line: &str| line.starts_with("global") || line.starts_with("defaults");
    assert!(!text.lines().any(is_theirs), "{text}");
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
    insta::assert_snapshot!(site.render(&table()).expect_err("refused"), @r"XX");
}

#[test]
fn a_server_is_said_alike_in_the_file_and_at_run_time() {
    let checked = Backend { check: Some("/h".into()), ..Backend::default() };
    let at = endpoint("[::1]:80");
    assert_eq!(
        runtime_server(&checked, "a", &at),
        "a [::1]:80 check inter 500 fall 2 rise 1 weight 100"
    );
    assert_eq!(runtime_server(&Backend::default(), "a", &at), "a [::1]:80 weight 100");
    assert!(rendered(&haproxy()).contains(
        "    server shop-web-1-a1 127.0.0.1:20000 check inter 500 fall 2 rise 1 weight 100\n"
    ));
}

#[test]
fn upstreams_of_services_that_differ_in_case_differ() {
    let key = |text: &str| text.parse::<BackendKey>().expect("a key");
    assert_eq!(upstream_name(&key("a.web.80")), "a.web.80");
    assert_ne!(upstream_name(&key("a.Web.80")), "a.web.80");
    assert_ne!(upstream_name(&key("a.Web.80")), upstream_name(&key("a.wEb.80")));
}

#[test]
fn any_edit_below_the_header_shows() {
    let text = rendered(&nginx());
    for (from, to) in [
        ("127.0.0.1:20000 max", "127.0.0.1:20008 max"),
        ("# generation: 7", "# generation: 8"),
        ("20009", "20007"),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text, "{from}");
        assert!(
            matches!(read(&owner(), Some(&edited)), Managed::Ours { edited: true, .. }),
            "{from}"
        );
    }
}

#[test]
fn files_of_others_are_left_alone_with_a_reason() {
    let text = rendered(&nginx());
    let other = Owner { environment: name("staging"), ..owner() };
    let why = |owner: &Owner, text: &str| match read(owner, Some(text)) {
        Managed::Foreign { why } => why,
        other => panic!("{other:?}"),
    };
    insta::assert_snapshot!([
        why(&other, &text),
        why(&owner(), &text.replacen("gitdeploy 1:", "gitdeploy 2:", 1)),
        why(&owner(), "server { listen 80; }\n"),
        why(&owner(), &text.replacen("# table: {", "# table: ", 1)),
        why(&owner(), "# gitdeploy 1: hello"),
    ].join("\n"), @r#"
belongs to acme/production, not to acme/staging
was written by a newer gitdeploy (format 2, this one knows 1); use that version
was not written by gitdeploy; move it away, or name another in `config`
has a damaged header (its table cannot be read: invalid type: string "generation", expected struct RoutingTable at line 1 column 12); put back a copy, or move the file away
has a damaged header (the line `owner` is missing); put back a copy, or move the file away
"#);
}

#[test]
fn an_empty_file_is_nobodys() {
    assert_eq!(read(&owner(), None), Managed::Absent);
    assert_eq!(read(&owner(), Some("\n")), Managed::Absent);
}

fn tables() -> impl Strategy<Value = RoutingTable> {
    let endpoint =
        (any::<IpAddr>(), 1_u16..).prop_map(|(address, port)| Endpoint { address, port });
    let host = "(\\*\\.)?[a-z0-9]{1,8}(\\.[a-z]{1,5}){0,2}";
    let rules = prop::collection::btree_set((host, "(/[a-z%20._~+@:,=!-]{0,6}){1,3}"), 0..3);
    let servers = prop::collection::btree_map("[a-z0-9][a-z0-9_.-]{0,20}", endpoint.clone(), 0..40);
    let backend =
        (rules, servers, prop::option::of("/[a-z]{0,5}")).prop_map(|(rules, servers, check)| {
            let rules = rules.into_iter().map(|(host, path)| Rule { host, path });
            Backend { rules: rules.collect::<BTreeSet<_>>(), servers, check }
        });
    let key = ("[a-z][a-z0-9-]{0,5}", "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,5}", 1_u16..).prop_map(
        |(stack, service, port)| BackendKey {
            stack: name(stack.trim_end_matches('-')),
            service: ServiceName::new(service),
            port,
        },
    );
    let backends = prop::collection::btree_map(key, backend, 0..5);
    (any::<u32>(), any::<u32>(), backends, prop::collection::vec(endpoint, 0..5)).prop_map(
        |(generation, at, backends, retired)| RoutingTable {
            generation: generation.into(),
            activated_at: at.into(),
            backends,
            retired,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(table in tables()) {
        for site in [nginx(), haproxy()] {
            // Rules may meet by chance, and `%` may stand for nothing.
            if let Ok(text) = site.render(&table) {
                prop_assert_eq!(
                    read(&owner(), Some(&text)),
                    Managed::Ours { table: table.clone(), edited: false }
                );
                prop_assert!(text.lines().all(|line| line.len() < 4096));
            }
        }
        let text = super::header::write(&owner(), &table, "");
        prop_assert_eq!(read(&owner(), Some(&text)), Managed::Ours { table, edited: false });
    }

    #[test]
    fn any_text_is_answered(cut in any::<prop::sample::Index>(), put in "\\PC{0,20}|\n|\r\n") {
        let mut text = rendered(&nginx());
        let at = text.floor_char_boundary(cut.index(text.len()));
        text.insert_str(at, &put);
        let _ = read(&owner(), Some(&text));
        let _ = read(&owner(), Some(&text[at..]));
        let _ = read(&owner(), Some(&text[..at]));
        if let Managed::Ours { table: said, edited: false } = read(&owner(), Some(&text)) {
            prop_assert_eq!(said, table());
        }
    }
}
