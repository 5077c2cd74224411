//! What the runtime has to be told, how processes are known, and reloads that are not heard.

use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::adapters::proxy::kernel::{Connection, Socket};
use crate::adapters::proxy::shell::{Stream, Surroundings};
use crate::diag::Sources;
use crate::files::Memory;
use crate::model::RuntimeServer;
use crate::settings::Inventory;

const KEY: &str = "shop.web.8080";

fn endpoint(port: u16) -> Endpoint {
    Endpoint { address: std::net::Ipv4Addr::LOCALHOST.into(), port }
}

fn table(servers: &[(&str, u16)]) -> RoutingTable {
    let servers = servers.iter().map(|(name, port)| ((*name).to_owned(), endpoint(*port)));
    let backend = Backend { servers: servers.collect(), ..Backend::default() };
    let key = KEY.parse().expect("a key");
    RoutingTable { backends: [(key, backend)].into(), ..RoutingTable::default() }
}

fn running(servers: &[(&str, u16, bool)]) -> Servers {
    let server = |(name, port, takes_requests): &(&str, u16, bool)| {
        let address = endpoint(*port).to_string();
        ((*name).to_owned(), RuntimeServer { address, takes_requests: *takes_requests })
    };
    [(KEY.to_owned(), servers.iter().map(server).collect())].into()
}

fn steps(live: &[(&str, u16, bool)], want: &[(&str, u16)]) -> Option<String> {
    let Steps { come, go } = Steps::between(&running(live), &table(want))?;
    let come = come.iter().map(|one| match one.is_there {
        true => format!("enable {}", one.full()),
        false => format!("add {}", one.full()),
    });
    let go = go.iter().map(|server| format!("drain {server}"));
    Some(come.chain(go).collect::<Vec<_>>().join(", "))
}

#[test]
fn servers_that_are_as_they_shall_be_need_nothing() {
    let found = steps(&[("a", 1, true), ("gone", 2, false)], &[("a", 1)]);
    assert_eq!(found.as_deref(), Some(""));
}

#[test]
fn new_servers_are_added_and_others_drained() {
    let found = steps(&[("a", 1, true)], &[("b", 2)]);
    assert_eq!(found.as_deref(), Some("add shop.web.8080/b, drain shop.web.8080/a"));
}

#[test]
fn a_drained_server_that_comes_back_is_enabled() {
    let found = steps(&[("a", 1, false)], &[("a", 1)]);
    assert_eq!(found.as_deref(), Some("enable shop.web.8080/a"));
}

#[test]
fn a_server_at_another_address_needs_a_reload() {
    assert_eq!(steps(&[("a", 1, true)], &[("a", 2)]), None);
}

#[test]
fn servers_of_backends_that_are_not_ours_are_left_alone() {
    let mut live = running(&[("a", 1, true)]);
    live.insert("theirs".into(), live[KEY].clone());
    assert_eq!(Steps::between(&live, &table(&[("a", 1)])), Some(Steps::default()));
}

#[test]
fn a_process_is_known_by_the_file_or_folder_that_it_reads() {
    let path = "/etc/haproxy/conf.d/ours.cfg";
    for (title, expected) in [
        ("/usr/sbin/haproxy -Ws -f /etc/haproxy/conf.d/", true),
        ("haproxy -sf 7 -W -f /etc/haproxy/conf.d/ours.cfg", true),
        ("haproxy -f /etc/haproxy/haproxy.cfg", false),
        ("vi /etc/haproxy/conf.d/ours.cfg", false),
    ] {
        assert_eq!(reads(title, path), expected, "{title}");
    }
}

#[test]
fn a_variable_is_read_where_the_file_sets_it() {
    let text = "global\n    set-var proc.gitdeploy_structure str(ab12)\n";
    assert_eq!(variable_in(text, STRUCTURE), Some("ab12"));
    assert_eq!(variable_in(text, GENERATION), None);
}

/// A host whose HAProxy hears of the second reload only.
#[derive(Debug, Default)]
struct Deaf {
    reloads: AtomicU32,
    hears: bool,
    connected: Option<Vec<Connection>>,
    listening: Vec<Socket>,
    /// By number of the process.
    opened: BTreeMap<u32, Vec<u64>>,
}

#[async_trait]
impl Shell for Deaf {
    async fn run(&self, _: &[String], _: Duration) -> Result<Ran, PortError> {
        self.reloads.fetch_add(1, Ordering::SeqCst);
        Ok(Ran::default())
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        let process = |pid, parent| Process {
            pid,
            number: pid,
            parent,
            title: "haproxy -W -f /etc/haproxy/conf.d/".into(),
        };
        let worker = if self.has_heard() { 3 } else { 2 };
        Ok(vec![process(1, 0), process(worker, 1)])
    }

    async fn dial(&self, _: std::net::SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let answer = format!("HTTP/1.1 200 OK\r\n\r\n{}\n", u8::from(self.has_heard()));
        theirs.write_all(answer.as_bytes()).await.expect("room for it");
        theirs.shutdown().await.expect("open until now");
        // Kept until the question was written.
        tokio::spawn(async move { theirs.read_to_end(&mut Vec::new()).await });
        Ok(Box::new(ours))
    }

    async fn dial_socket(&self, _: &str) -> Result<Box<dyn Stream>, PortError> {
        unreachable!("it has no socket")
    }

    async fn read(&self, _: &str) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    async fn replace(&self, _: &str, _: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn remove(&self, _: &str) -> Result<(), PortError> {
        Ok(())
    }

    async fn listening(&self) -> Result<Vec<Socket>, PortError> {
        Ok(self.listening.clone())
    }

    async fn connected(&self) -> Result<Option<Vec<Connection>>, PortError> {
        Ok(self.connected.clone())
    }

    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError> {
        Ok(self.opened.get(&pid).cloned())
    }

    async fn surroundings(&self, _: &str) -> Result<Surroundings, PortError> {
        Ok(Surroundings::default())
    }
}

impl Deaf {
    fn has_heard(&self) -> bool {
        self.hears && self.reloads.load(Ordering::SeqCst) > 1
    }
}

fn haproxy(shell: &Arc<Deaf>) -> Haproxy {
    let inventory = "hosts: {here: {docker: 'unix:///run/docker.sock'}}\n\
        proxies: {edge: {kind: haproxy, hosts: [here], runs: host, listen: [80], \
        config: /etc/haproxy/conf.d/ours.cfg}}\n";
    let files = Memory::new().with("inventory.yaml", inventory);
    let mut problems = Vec::new();
    let inventory = Inventory::load(&files, &Sources::default(), None, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let settings = inventory.proxies.values().next().expect("a proxy");
    Haproxy::new(settings, Arc::clone(shell) as Arc<dyn Shell>)
}

async fn reloaded(hears: bool) -> (bool, u32) {
    let shell = Arc::new(Deaf { hears, ..Deaf::default() });
    let haproxy = haproxy(&shell);
    let done = haproxy.reload(&RoutingTable { generation: 1, ..RoutingTable::default() }).await;
    (done.is_ok(), shell.reloads.load(Ordering::SeqCst))
}

#[tokio::test(start_paused = true)]
async fn a_reload_that_was_not_heard_is_asked_for_again() {
    assert_eq!(reloaded(true).await, (true, 2));
}

#[tokio::test(start_paused = true)]
async fn a_reload_is_asked_for_a_few_times_only() {
    assert_eq!(reloaded(false).await, (false, RELOADS));
}

/// How many of two old processes are waited for, of which one has this socket open and the other
/// one none.
async fn waited_for(connected: Option<&[(u16, u16)]>, listening: &[u16]) -> usize {
    let connection =
        |(port, peer): &(u16, u16)| Connection { port: *port, peer: endpoint(*peer), inode: 7 };
    let socket = |port: &u16| Socket { address: endpoint(0).address, port: *port, inode: 7 };
    let shell = Arc::new(Deaf {
        connected: connected.map(|all| all.iter().map(connection).collect()),
        listening: listening.iter().map(socket).collect(),
        opened: [(2, vec![7]), (3, vec![8])].into(),
        ..Deaf::default()
    });
    let process = |pid| Process { pid, number: pid, parent: 1, title: String::new() };
    let named = [("old".to_owned(), endpoint(2000))].into();
    let servers = [(KEY.parse().expect("a key"), named)].into();
    let haproxy = haproxy(&shell);
    holding(&haproxy.front, &[process(2), process(3)], &servers).await.expect("an answer")
}

#[tokio::test]
async fn an_old_process_is_waited_for_while_it_can_send_to_our_servers() {
    assert_eq!(waited_for(Some(&[(5, 2000)]), &[]).await, 1, "it has a connection to one");
    assert_eq!(waited_for(Some(&[(80, 9)]), &[]).await, 1, "it has a client of ours");
    assert_eq!(waited_for(Some(&[]), &[80]).await, 1, "it may get one");
}

#[tokio::test]
async fn an_old_process_that_serves_strangers_alone_is_not_waited_for() {
    assert_eq!(waited_for(Some(&[(443, 9), (5, 3000)]), &[443]).await, 0);
}

#[tokio::test]
async fn an_old_process_that_nobody_can_see_into_is_waited_for() {
    assert_eq!(waited_for(None, &[]).await, 2);
}
