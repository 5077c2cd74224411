use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::diag::{Diagnostic, Sources};
use crate::files::Memory;
use crate::model::Name;
use crate::settings::shapes;
use crate::settings::testing::told;

fn load_with(files: Memory, text: &str) -> (Inventory, String) {
    let sources = Sources::default();
    let mut problems: Vec<Diagnostic> = Vec::new();
    let files = files.with("inventory.yaml", text);
    let inventory = Inventory::load(&files, &sources, None, &mut problems);
    (inventory, told(&sources, &problems))
}

fn problems(text: &str) -> String {
    load_with(Memory::new(), text).1
}

fn good(text: &str) -> Inventory {
    let (inventory, told) = load_with(Memory::new(), text);
    assert_eq!(told, "");
    inventory
}

fn host<'a>(inventory: &'a Inventory, name: &str) -> &'a Host {
    inventory.hosts.get(name).expect("a host of that name")
}

fn proxy<'a>(inventory: &'a Inventory, name: &str) -> &'a Proxy {
    inventory.proxies.get(name).expect("a proxy of that name")
}

/// The example of the reference, with every key there is.
const FULL: &str = "\
hosts:
  web-1:
    docker: ssh://deploy@10.0.0.11:22
    address: 10.0.0.11
    labels: {zone: a, role: web, rack: 7, ssd: true}
    capacity: {cpus: 4, memory: 8g}
    ports: 21000-21999
    ssh: {identity: ~/.ssh/id_ed25519, known_hosts: ./known_hosts, jump: bastion}
  bastion: {docker: 'ssh://10.0.0.1', labels: {role: edge}}
  edge-1: {docker: 'ssh://deploy@10.0.0.5/run/docker.sock', labels: {role: edge}}
  big: {docker: 'tcp://10.0.0.9:2376', tls: {ca: ca.pem, cert: /c.pem, key: ~/k.pem}}
  open: {docker: 'tcp://10.0.0.10:2375', tls: false}
  here: {docker: unix:///run/docker.sock}
defaults: {ssh: {user: root, port: 2222, jump: bastion}}
proxies:
  edge:
    kind: nginx
    hosts: [role=edge, web-1]
    runs: host
    config: /etc/nginx/conf.d/gitdeploy.conf
    listen: [80, '127.0.0.1:8080', {port: 443, address: 10.0.0.5, tls: {cert: /c, key: /k}}]
    test: [nginx, -t, -q]
    reload: [nginx, -s, reload]
  balance:
    kind: haproxy
    hosts: [edge-1]
    runs: container:haproxy
    config: /usr/local/etc/haproxy/conf.d/gitdeploy.cfg
    socket: /run/haproxy/admin.sock
unreachable: skip
";

fn full() -> Inventory {
    let files = Memory::new().with("known_hosts", "x").with("ca.pem", "x");
    let (inventory, told) = load_with(files, FULL);
    assert_eq!(told, "");
    inventory
}

#[test]
fn every_key_of_a_host_is_read() {
    let inventory = full();
    let web = host(&inventory, "web-1");
    assert_eq!(web.endpoint.to_string(), "ssh://deploy@10.0.0.11:22");
    assert_eq!(web.labels.get("rack").map(String::as_str), Some("7"));
    assert_eq!(web.capacity, Capacity { cpus: Some(4.0), memory: Some(8 << 30) });
    assert_eq!(web.ports, PortRange { first: 21000, last: 21999 });
    let known_hosts = web.ssh.known_hosts.as_ref().map(|it| &it.value);
    assert_eq!(known_hosts, Some(&Location::Repository("known_hosts".into())));
    assert_eq!(inventory.unreachable, Unreachable::Skip);
    let Endpoint::Tcp { tls: Some(tls), .. } = &host(&inventory, "big").endpoint else {
        panic!("a TCP engine with TLS");
    };
    assert_eq!(tls.ca, Location::Repository("ca.pem".into()));
    assert!(matches!(&host(&inventory, "open").endpoint, Endpoint::Tcp { tls: None, .. }));
}

#[test]
fn an_address_is_that_of_the_url_unless_said() {
    let inventory = full();
    assert_eq!(host(&inventory, "edge-1").address.to_string(), "10.0.0.5");
    assert_eq!(host(&inventory, "here").address.to_string(), "127.0.0.1");
}

#[test]
fn defaults_are_laid_under_hosts_but_a_jump_not_under_its_own_way() {
    let inventory = full();
    let jump = |name| host(&inventory, name).ssh.jump.as_ref().map(|jump| jump.value.clone());
    let bastion = Name::parse("bastion").expect("a name");
    assert_eq!(jump("bastion"), None);
    assert_eq!(jump("edge-1"), Some(Jump::Host(bastion)));
    let edge = host(&inventory, "edge-1");
    assert_eq!(edge.ssh.port.map(|port| port.value), Some(2222));
}

#[test]
fn proxies_find_their_hosts_by_name_and_label() {
    let inventory = full();
    let names: Vec<&str> = proxy(&inventory, "edge").hosts.iter().map(Name::as_str).collect();
    assert_eq!(names, ["bastion", "edge-1", "web-1"]);
    let listen = &proxy(&inventory, "edge").listen;
    assert_eq!(listen[1].address, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    assert_eq!(listen[2].tls.as_ref().and_then(|tls| tls.key.as_deref()), Some("/k"));
}

#[test]
fn commands_have_the_usual_ones_as_defaults() {
    let commands = |kind: &str, runs: &str, config: &str| {
        let inventory = good(&format!(
            "proxies: {{p: {{kind: {kind}, runs: '{runs}', hosts: [local], config: {config}}}}}"
        ));
        let Proxy { test, reload, listen, .. } = proxy(&inventory, "p");
        assert_eq!(listen.len(), 1);
        format!("{} / {}", test.join(" "), reload.join(" "))
    };
    assert_eq!(commands("nginx", "host", "/a"), "nginx -t / nginx -s reload");
    assert_eq!(commands("nginx", "container:x", "/a"), "nginx -t / nginx -s reload");
    assert_eq!(
        commands("haproxy", "host", "/a"),
        "haproxy -c -f /etc/haproxy/haproxy.cfg -f /a / systemctl reload haproxy"
    );
    assert_eq!(
        commands("haproxy", "container:x", "/usr/local/etc/haproxy/haproxy.cfg"),
        "haproxy -c -f /usr/local/etc/haproxy/haproxy.cfg / kill -USR2 1"
    );
}

#[test]
fn without_an_inventory_there_is_the_local_engine() {
    let mut problems = Vec::new();
    let inventory = Inventory::load(&Memory::new(), &Sources::default(), None, &mut problems);
    assert_eq!(problems, []);
    assert_eq!(inventory, Inventory::local());
    let local = host(&inventory, "local");
    assert_eq!(local.endpoint.to_string(), "unix:///var/run/docker.sock");
    assert_eq!(local.ports.to_string(), "20000-29999");
    assert_eq!(good("unreachable: fail").hosts, inventory.hosts);
    assert_eq!(good("").hosts, inventory.hosts);
}

#[test]
fn everything_wrong_with_hosts_is_told_at_once() {
    insta::assert_snapshot!(problems(
        "hosts:\n\
         \x20 Web: {docker: ssh://a}\n\
         \x20 b: {docker: http://b:2375, lables: {}}\n\
         \x20 c: {docker: 'tcp://c:2375', address: 'http://c'}\n\
         \x20 d: {docker: 'tcp://d:2375', tls: true}\n\
         \x20 e: {docker: 'tcp://e:2375', tls: {ca: ../../ca.pem, cert: nope.pem}}\n\
         \x20 f: {docker: ssh://u@f:22, ssh: {user: v, port: 23, identity: key.pem}}\n\
         \x20 g: {docker: unix:///s, ssh: {user: x}, tls: false, ports: 80-90}\n\
         \x20 h: {docker: ssh://h, capacity: {cpus: 0, memory: much}, ports: 3000-2000}\n\
         \x20 i: {docker: ssh://i, labels: {-x: 1, version: 1.10}}\n\
         \x20 j: {}\n\
         unreachable: ignore\n"
    ), @r"
    inventory.yaml:2:3: `Web` is no name: `W` is not a lowercase letter, a digit, `-` or `_`
    inventory.yaml:3:15: `hosts.b.docker`: `http://b:2375` is no URL of a Docker engine: `http://` is not taken; write `tcp://HOST:PORT`, with `tls:` beside it
        help: a URL of a Docker engine looks like `ssh://deploy@10.0.0.11`
    inventory.yaml:3:30: `lables` is no key of host (`hosts.b`)
        help: did you mean `labels`?
    inventory.yaml:4:40: `hosts.c.address`: `http://c` is no machine's address: it is no IPv6 address, and a port does not belong here
        help: a machine's address looks like `10.0.0.11`
    inventory.yaml:7:64: `hosts.f.ssh.identity`: `key.pem` is no path of a private key: a private key does not belong into the repository
        help: a path of a private key looks like `~/.ssh/id_ed25519`
    inventory.yaml:8:61: `hosts.g.ports`: `80-90` is no range of ports: ports below 1024 belong to the system
        help: a range of ports looks like `20000-29999`
    inventory.yaml:9:52: `hosts.h.capacity.memory`: `much` is no size: no number: expected a size such as `512m`
        help: a size looks like `512m`
    inventory.yaml:9:66: `hosts.h.ports`: `3000-2000` is no range of ports: 3000 is above 2000
        help: a range of ports looks like `20000-29999`
    inventory.yaml:10:33: `-x` is no label: a label's name starts with a letter or a digit
    inventory.yaml:10:49: `hosts.i.labels.version` must be a string or a whole number or `true` or `false`, not a number
    inventory.yaml:11:6: `hosts.j` needs the key `docker`
    inventory.yaml:12:14: `unreachable` must be `fail` or `skip`, not `ignore`
    inventory.yaml:4:15: a `tcp://` engine needs `tls` beside its URL
        help: write `tls: {ca: …, cert: …, key: …}`, with paths of files
        help: an engine without TLS makes everybody on its network root of the host; if that is meant, write `tls: false`
    inventory.yaml:5:36: `tls: true` does not say which files
        help: write `tls: {ca: …, cert: …, key: …}`
    inventory.yaml:6:61: `cert` and `key` belong together
    inventory.yaml:7:41: the URL names another user
        inventory.yaml:7:15: the URL
    inventory.yaml:7:50: the URL names another port
        inventory.yaml:7:15: the URL
    inventory.yaml:8:26: warning: `ssh` has no effect: it is for `ssh://` only
        inventory.yaml:8:15: the engine is reached so
    inventory.yaml:8:42: warning: `tls` has no effect: it is for `tcp://` only
        inventory.yaml:8:15: the engine is reached so
    inventory.yaml:9:41: `cpus` must be more than 0
    inventory.yaml:6:41: `../../ca.pem` leads out of the repository
        help: only files of the commit are read; write a path inside the repository
    inventory.yaml:6:61: there is no file `nope.pem` in the repository
    ");
}

#[test]
fn jumps_lead_to_known_machines_and_end() {
    insta::assert_snapshot!(problems(
        "hosts:\n\
         \x20 a: {docker: ssh://a, ssh: {jump: b}}\n\
         \x20 b: {docker: ssh://b, ssh: {jump: c}}\n\
         \x20 c: {docker: ssh://c, ssh: {jump: a}}\n\
         \x20 d: {docker: ssh://d, ssh: {jump: d}}\n\
         \x20 bastion: {docker: ssh://e, ssh: {jump: none}}\n\
         \x20 f: {docker: ssh://f, ssh: {jump: 'ssh://u@other:2222'}}\n\
         \x20 g: {docker: ssh://g, ssh: {jump: i}}\n\
         \x20 i: {docker: unix:///s}\n\
         \x20 h: {docker: ssh://h}\n\
         defaults: {ssh: {jump: bastoin}}\n"
    ), @r"
    inventory.yaml:2:36: `a` is reached through itself, by way of `b`, `c`
        help: one of them must be reached directly: `jump: none`
    inventory.yaml:5:36: `d` is reached through itself
        help: one of them must be reached directly: `jump: none`
    inventory.yaml:8:36: the jump leads through `i`, which is not reached over SSH
    inventory.yaml:11:24: the jump leads through `bastoin`, which is no host of this inventory
        help: did you mean `bastion`?
        help: a machine without an engine of its own is written `ssh://user@host:port`
    ");
}

#[test]
fn one_engine_has_one_name() {
    insta::assert_snapshot!(problems(
        "hosts:\n\
         \x20 a: {docker: ssh://u@h}\n\
         \x20 b: {docker: 'ssh://u@h:22/var/run/docker.sock'}\n\
         \x20 c: {docker: ssh://other@h}\n"
    ), @r"
inventory.yaml:3:3: `a` and `b` are the same Docker engine
    inventory.yaml:2:3: first here
    help: a replica placed on both would meet itself; keep one of the names
");
}

#[test]
fn everything_wrong_with_proxies_is_told_at_once() {
    insta::assert_snapshot!(problems(
        "hosts: {web-1: {docker: ssh://a, labels: {role: web}}, broken: {docker: x}}\n\
         proxies:\n\
         \x20 a: {kind: ngnix, hosts: [web-1], config: /a}\n\
         \x20 b: {kind: nginx, hosts: [web1, role=edge, 'A b', broken], config: nginx.conf}\n\
         \x20 c: {kind: nginx, hosts: [], config: /c, runs: container, socket: /s}\n\
         \x20 d: {kind: nginx, hosts: [web-1], config: /d, listen: [0, 'a:80', '1.2.3.4', {port: 443, tls: {cert: c.pem}}, {port: 1, address: a.de}], test: nginx -t}\n"
    ), @r"
    inventory.yaml:1:73: `hosts.broken.docker`: `x` is no URL of a Docker engine: it does not start with `ssh://`, `unix://` or `tcp://`
        help: a URL of a Docker engine looks like `ssh://deploy@10.0.0.11`
    inventory.yaml:3:13: `proxies.a.kind` must be `nginx` or `haproxy`, not `ngnix`
        help: did you mean `nginx`?
    inventory.yaml:4:69: `proxies.b.config`: `nginx.conf` is no full path: it must start with `/`
        help: a full path looks like `/etc/nginx/conf.d/gitdeploy.conf`
    inventory.yaml:5:27: `proxies.c.hosts` needs at least one item
    inventory.yaml:5:49: `proxies.c.runs`: `container` is no place of a proxy: it is neither `host` nor `container:NAME`
        help: a place of a proxy looks like `container:edge-nginx`
    inventory.yaml:6:57: `proxies.d.listen[0]` must be from 1 to 65535, not 0
    inventory.yaml:6:60: `proxies.d.listen[1]`: `a:80` is no listening address: `a` is no IP address
        help: a listening address looks like `127.0.0.1:8080`
    inventory.yaml:6:68: `proxies.d.listen[2]`: `1.2.3.4` is no listening address: the port is missing
        help: a listening address looks like `127.0.0.1:8080`
    inventory.yaml:6:103: `proxies.d.listen[3].tls.cert`: `c.pem` is no full path: it must start with `/`
        help: a full path looks like `/etc/nginx/conf.d/gitdeploy.conf`
    inventory.yaml:6:145: `proxies.d.test` must be a list (a string each), not a string
    inventory.yaml:4:28: `web1` is no host of this inventory
        help: did you mean `web-1`?
    inventory.yaml:4:34: no host has labels that fit `role=edge`
    inventory.yaml:4:45: `A b` selects no host: `A b` is no host name: `A` is not a lowercase letter, a digit, `-` or `_`
    inventory.yaml:5:68: nginx has no runtime socket
        inventory.yaml:5:13: the proxy is an nginx
    inventory.yaml:6:131: `a.de` is no IP address; a proxy listens on one
    inventory.yaml:6:96: nginx needs the `key` beside `cert`
    ");
}

#[test]
fn two_proxies_of_a_host_do_not_share_ports_or_files() {
    insta::assert_snapshot!(problems(
        "hosts: {h: {docker: ssh://a}}\n\
         proxies:\n\
         \x20 a: {kind: nginx, hosts: [h], config: /x, listen: [80, '127.0.0.1:80', 25000]}\n\
         \x20 b: {kind: haproxy, hosts: [h], config: /x, listen: ['10.0.0.1:80', 443]}\n\
         \x20 c: {kind: nginx, runs: container:c, hosts: [h], config: /x, listen: [80, 25000]}\n\
         \x20 d: {kind: nginx, runs: container:d, hosts: [h], config: /x, listen: [80]}\n"
    ), @r"
inventory.yaml:3:57: `a` listens on 127.0.0.1:80 twice
    inventory.yaml:3:53: first here
inventory.yaml:3:73: port 25000 lies in 20000-29999, where replicas are published on `h`
    help: choose another port, or another range with `ports` of the host
inventory.yaml:4:42: `a` and `b` write the same file on `h`
    inventory.yaml:3:40: first here
    help: give each proxy a file of its own
inventory.yaml:4:55: `a` and `b` both listen on port 80 of `h`
    inventory.yaml:3:53: first here
");
}

#[test]
fn files_that_cannot_be_meant_are_refused() {
    insta::assert_snapshot!(problems("hosts: {}"), @r"
inventory.yaml:1:8: `hosts` names no host
    help: leave the key out to deploy to the Docker engine of this machine
");
    insta::assert_snapshot!(problems("- a"), @"inventory.yaml:1:1: the file must be a mapping, not a list");
    let both = Memory::new().with("inventory.yml", "");
    insta::assert_snapshot!(load_with(both, "").1, @r"
    both `inventory.yaml` and `inventory.yml` exist, and only one can be meant
        help: move everything into `inventory.yaml` and remove `inventory.yml`
    ");
}

#[test]
fn the_schema_names_every_key() {
    let schema = shapes::inventory_schema().to_string();
    for key in FULL.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let is_key = ["docker", "tls", "capacity", "known_hosts", "jump", "listen", "socket"];
        assert!(!is_key.contains(&key) || schema.contains(&format!("\"{key}\":")), "{key}");
    }
    let pages = crate::shape::reference(&INVENTORY);
    assert!(pages.contains("| **config** |"));
}

#[test]
fn a_template_of_a_proxy_lies_in_the_commit() {
    let with = |template: &str| {
        let text = format!(
            "hosts: {{h: {{docker: ssh://a}}}}\n\
             proxies: {{p: {{kind: nginx, hosts: [h], config: /c, template: {template}}}}}\n"
        );
        let (inventory, problems) = load_with(Memory::new().with("edge.conf.j2", ""), &text);
        (inventory.proxies.get("p").and_then(|p| p.template.clone()).map(|it| it.value), problems)
    };
    assert_eq!(with("./edge.conf.j2"), (Some("edge.conf.j2".to_owned()), String::new()));
    for wrong in ["/etc/edge.conf.j2", "edge.conf", "../edge.conf.j2", "other.conf.j2"] {
        assert_ne!(with(wrong).1, "", "{wrong}");
    }
}
