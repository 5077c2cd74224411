use super::*;
use crate::diag::Sources;
use crate::files::Memory;
use crate::settings::testing::told;
use crate::settings::{Inventory, Location};

/// How `host` of an inventory is reached under a configuration, one line a machine.
fn reached(inventory: &str, config: &str, host: &str) -> String {
    let sources = Sources::default();
    let mut problems = Vec::new();
    let files = Memory::new().with("inventory.yaml", inventory).with("known_hosts", "");
    let inventory = Inventory::load(&files, &sources, None, &mut problems);
    let include = |pattern: &str| match pattern {
        "conf.d/*" => vec![
            Included { name: "conf.d/a".into(), text: "Host web\n  User from-a\n".into() },
            Included { name: "conf.d/b".into(), text: "Port 2201\n".into() },
        ],
        "loop" => vec![Included { name: "loop".into(), text: "Include loop\n".into() }],
        _ => Vec::new(),
    };
    let config = SshConfig::parse("~/.ssh/config", config, &include, &sources, &mut problems);
    let local = LocalUser { name: "me".into(), home: "/home/me".into() };
    let host = inventory.hosts.get(host).expect("a host of that name");
    let target = ssh_target(host, &inventory, &config, &local, &mut problems);
    let target = target.expect("reached over SSH");
    let mut lines: Vec<String> = target.jumps.iter().map(|jump| line("via ", jump)).collect();
    lines.push(line("", &target));
    let told = told(&sources, &problems);
    lines.extend((!told.is_empty()).then_some(told));
    lines.join("\n")
}

fn line(prefix: &str, target: &SshTarget) -> String {
    let list = |locations: &[Location]| {
        let usual = |path: &String| {
            !path.starts_with("/etc/ssh/")
                && !path.starts_with("/home/me/.ssh/known_hosts")
                && !path.starts_with("/home/me/.ssh/id_")
        };
        let all: Vec<String> = locations.iter().map(Location::to_string).filter(usual).collect();
        if all.is_empty() { String::new() } else { format!(" {}", all.join(" ")) }
    };
    let SshTarget { host, port, user, identities, known_hosts, keys_are_named: _, jumps: _ } =
        target;
    format!("{prefix}{user}@{host}:{port}{}{}", list(identities), list(known_hosts))
}

/// The host `web` at `ssh://web`.
fn web(config: &str) -> String {
    reached("hosts: {web: {docker: ssh://web}}", config, "web")
}

#[test]
fn without_a_configuration_a_host_is_what_its_url_says() {
    assert_eq!(web(""), "me@web:22");
    assert_eq!(reached("hosts: {web: {docker: 'ssh://u@h:23'}}", "", "web"), "u@h:23");
}

#[test]
fn without_a_word_the_usual_keys_are_tried() {
    let local = LocalUser { name: "me".into(), home: "/home/me".into() };
    let files = Memory::new().with("inventory.yaml", "hosts: {web: {docker: ssh://web}}");
    let mut problems = Vec::new();
    let sources = Sources::default();
    let inventory = Inventory::load(&files, &sources, None, &mut problems);
    let host = inventory.hosts.get("web").expect("described");
    let target = ssh_target(host, &inventory, &SshConfig::default(), &local, &mut problems)
        .expect("reached over SSH");
    let first = |all: &[Location]| all.first().map(Location::to_string);
    assert_eq!(first(&target.identities).as_deref(), Some("/home/me/.ssh/id_rsa"));
    assert_eq!(first(&target.known_hosts).as_deref(), Some("/home/me/.ssh/known_hosts"));
}

#[test]
fn the_first_value_counts_and_every_identity() {
    assert_eq!(
        web("Host w*\n  User first\n  IdentityFile ~/a\nHost *\n  User second\n  \
             IdentityFile %d/b-%r@%h:%p\n  Port 99\n  HostName 10.0.0.1\n  IdentityFile k\n"),
        "first@10.0.0.1:99 /home/me/a /home/me/b-first@10.0.0.1:99 /home/me/.ssh/k"
    );
}

#[test]
fn patterns_may_be_negated() {
    assert_eq!(web("Host * !web\n  User x\nHost !db web\n  Port 7\n"), "me@web:7");
    assert_eq!(web("Host !db\n  User x\n"), "me@web:22");
}

#[test]
fn the_ways_of_writing_a_line_are_known() {
    assert_eq!(
        web("# comment\n\n  hOsT=web # why\n\tUSER = \"a\" # b\r\nPort=24\nHostName \"web.lan\"\n\
             IdentityFile \"/with blank/k\"\n"),
        "a@web.lan:24 /with blank/k"
    );
}

#[test]
fn host_names_have_tokens() {
    assert_eq!(web("HostName %h.example.com"), "me@web.example.com:22");
    insta::assert_snapshot!(web("HostName %k.example.com\nIdentityFile ~/%C"), @r"
    me@web:22
    ~/.ssh/config:1:1: warning: `%k` is not known here; the line is passed over
    ~/.ssh/config:2:1: warning: `%C` is not known here; the line is passed over
    ");
}

#[test]
fn simple_matches_are_evaluated() {
    assert_eq!(web("Match all\n  User a\n"), "a@web:22");
    assert_eq!(web("Match originalhost web,db user me\n  Port 5\n"), "me@web:5");
    assert_eq!(web("HostName x.lan\nMatch host *.lan !user you\n  Port 5\n"), "me@x.lan:5");
    assert_eq!(web("Match host WEB\n  Port 5\nHost WEB\n  User x\n"), "me@web:5");
    assert_eq!(web("User you\nMatch user you\n  Port 5\n"), "you@web:5");
    assert_eq!(web("Match !localuser me\n  Port 5\n"), "me@web:22");
}

#[test]
fn what_is_not_done_is_told() {
    insta::assert_snapshot!(web(
        "Match exec \"test -f /x\"\n  User a\nMatch host\n  User b\nMatch\n  User c\n\
         Host *\n  Port many\n  User\n  ProxyCommand nc %h %p\n  ProxyJump other\n  User \"open\n"
    ), @r"
    me@web:22
    ~/.ssh/config:1:1: warning: `Match exec` is not evaluated; the lines below it are passed over
    ~/.ssh/config:3:1: warning: `Match host` names no pattern
    ~/.ssh/config:5:1: warning: `Match` wants nothing
    ~/.ssh/config:9:3: warning: `User` says nothing
    ~/.ssh/config:12:3: warning: the line is passed over: a quote is not closed
    ~/.ssh/config:8:3: warning: `many` is no port from 1 to 65535
    ~/.ssh/config:10:3: warning: `ProxyCommand` is not run for `web`
        help: name the machine to go through with `ProxyJump`, or with `jump` in the inventory
    ");
}

#[test]
fn includes_are_read_under_the_block_they_stand_in() {
    assert_eq!(web("Include conf.d/*\nUser later\n"), "from-a@web:2201");
    assert_eq!(web("Host db\n  Include conf.d/*\nHost *\n  User later\n"), "later@web:22");
    insta::assert_snapshot!(web("Include loop nothing"), @r"
    me@web:22
    loop:1:1: warning: files include each other more than 16 deep
    ");
}

#[test]
fn a_jump_is_a_machine_of_its_own() {
    assert_eq!(
        web("Host web\n  ProxyJump a,ops@b:24\nHost a\n  User first\n  ProxyJump z\nHost b\n  \
             HostName b.lan\n  ProxyJump z\n"),
        "via me@z:22\nvia first@a:22\nvia ops@b.lan:24\nme@web:22"
    );
    assert_eq!(web("ProxyJump none\nProxyJump a\n"), "me@web:22");
}

#[test]
fn a_jump_through_itself_ends() {
    insta::assert_snapshot!(web("ProxyJump a"), @r"
    via me@a:22
    me@web:22
    ~/.ssh/config:1:1: warning: the jump through `a` is left out: it would not end
    ");
    insta::assert_snapshot!(web("Host web\n  ProxyJump u@,b\n"), @r"
    via me@b:22
    me@web:22
    ~/.ssh/config:2:3: warning: `u@` is no machine to go through: it is empty
    ");
}

#[test]
fn the_inventory_has_the_first_word() {
    assert_eq!(
        reached(
            "hosts:\n\
             \x20 web: {docker: ssh://web, ssh: {user: u, port: 5, identity: ~/k, known_hosts: known_hosts, jump: bastion}}\n\
             \x20 bastion: {docker: 'ssh://gate:2222', ssh: {jump: 'ssh://x@outer'}}\n",
            "User other\nPort 99\nIdentityFile /no\nUserKnownHostsFile /no\n\
             Host gate\n  HostName gate.lan\n",
            "web"
        ),
        "via x@outer:99 /no /no\nvia other@gate.lan:2222 /no /no\nu@web:5 /home/me/k known_hosts"
    );
    assert_eq!(
        reached("hosts: {web: {docker: ssh://web, ssh: {jump: none}}}", "ProxyJump a", "web"),
        "me@web:22"
    );
}
