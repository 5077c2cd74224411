//! What the kernel says of processes and sockets under `/proc`, as text read into values.
//!
//! Only numbers and titles: nothing here sends a signal or opens a connection.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::model::Endpoint;

/// A process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number as this machine sees it.
    pub(super) pid: u32,
    /// Its number where it runs, which is what its own files and sockets say.
    pub(super) number: u32,
    /// Its parent's number.
    pub(super) parent: u32,
    /// Its command line, words separated by one space; nginx writes its role there.
    pub(super) title: String,
}

/// A TCP socket that listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Socket {
    /// Where; unspecified for everywhere.
    pub(super) address: IpAddr,
    /// The port.
    pub(super) port: u16,
    /// Names it among the open files of a process.
    pub(super) inode: u64,
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Connection {
    /// Our side's port.
    pub(super) port: u16,
    /// The other side.
    pub(super) peer: Endpoint,
    /// Names it among the open files of a process.
    pub(super) inode: u64,
}

impl Socket {
    /// Whether nobody else can listen on `address` and `port` beside it. `None` is everywhere.
    /// An IPv6 socket on everywhere usually takes IPv4 too.
    pub(super) fn occupies(&self, address: Option<IpAddr>, port: u16) -> bool {
        let is_everywhere = address.is_none_or(|address| address.is_unspecified());
        let is_same = address == Some(self.address);
        self.port == port && (is_everywhere || is_same || self.address.is_unspecified())
    }
}

/// Reads `/proc/<pid>/status` and `/proc/<pid>/cmdline`.
pub(super) fn process(pid: u32, status: &str, cmdline: &[u8]) -> Option<Process> {
    let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key));
    let parent = field("PPid:")?.trim().parse().ok()?;
    // One number for each namespace from ours down to the process's own.
    let number = field("NSpid:")?.split_whitespace().last()?.parse().ok()?;
    let words = cmdline.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
    Some(Process { pid, number, parent, title: words.join(" ").trim_end().to_owned() })
}

/// The state of a socket that listens.
const LISTEN: &str = "0A";

/// Reads `/proc/<pid>/net/tcp` or `tcp6`.
pub(super) fn listening(table: &str) -> Vec<Socket> {
    table.lines().skip(1).filter_map(socket).collect()
}

/// Reads the same for what is connected, in any way that a process still has open.
pub(super) fn connected(table: &str) -> Vec<Connection> {
    table.lines().skip(1).filter_map(connection).collect()
}

fn connection(line: &str) -> Option<Connection> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let side = |at: usize| {
        let (address, port) = fields.get(at)?.split_once(':')?;
        Some((address_of(address)?, u16::from_str_radix(port, 16).ok()?))
    };
    (*fields.get(3)? != LISTEN).then_some(())?;
    let inode = fields.get(9)?.parse().ok().filter(|inode| *inode != 0)?;
    let (_, port) = side(1)?;
    let (address, peer) = side(2)?;
    Some(Connection { port, peer: Endpoint { address, port: peer }, inode })
}

fn socket(line: &str) -> Option<Socket> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = fields.get(1)?.split_once(':')?;
    (*fields.get(3)? == LISTEN).then_some(())?;
    Some(Socket {
        address: address_of(address)?,
        port: u16::from_str_radix(port, 16).ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// The kernel writes each 32 bits of an address as a number of the machine, little end first on
/// every machine we run on.
fn address_of(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let part = text.get(at * 8..at * 8 + 8)?;
        Some(u32::from_str_radix(part, 16).ok()?.to_le_bytes())
    };
    if text.len() == 8 {
        return Some(IpAddr::V4(Ipv4Addr::from(word(0)?)));
    }
    let bytes: Vec<u8> = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
    let address = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
    Some(address.to_ipv4_mapped().map_or(IpAddr::V6(address), IpAddr::V4))
}

/// Reads a list of all processes: lines of `12/status:PPid:\t1` and `12/status:NSpid:\t12`, then the
/// titles of some as `#12 nginx: worker process`.
pub(super) fn listed(text: &str) -> Vec<Process> {
    let mut found = std::collections::BTreeMap::<u32, (String, String)>::new();
    for line in text.lines() {
        let read = || match line.strip_prefix('#') {
            Some(rest) => {
                let (pid, title) = rest.split_once(' ')?;
                Some((pid.parse().ok()?, title, true))
            }
            None => {
                let (pid, field) = line.split_once("/status:")?;
                Some((pid.parse().ok()?, field, false))
            }
        };
        let Some((pid, words, is_title)): Option<(u32, &str, bool)> = read() else { continue };
        let (status, title) = found.entry(pid).or_default();
        match is_title {
            true => words.clone_into(title),
            false => *status = format!("{status}{words}\n"),
        }
    }
    let process =
        |(pid, (status, title)): (u32, (String, String))| process(pid, &status, title.as_bytes());
    found.into_iter().filter_map(process).collect()
}

/// Reads the sockets out of `ls -l /proc/<pid>/fd/`.
pub(super) fn inodes(text: &str) -> Vec<u64> {
    let inode = |line: &str| line.rsplit_once("-> socket:[")?.1.strip_suffix(']')?.parse().ok();
    text.lines().filter_map(inode).collect()
}

/// `root` and everything below it, by parents.
pub(super) fn below(processes: Vec<Process>, root: u32) -> Vec<Process> {
    let mut found = std::collections::BTreeSet::from([root]);
    loop {
        let before = found.len();
        let children = processes.iter().filter(|process| found.contains(&process.parent));
        let children: Vec<u32> = children.map(|process| process.pid).collect();
        found.extend(children);
        if found.len() == before {
            break;
        }
    }
    processes.into_iter().filter(|process| found.contains(&process.pid)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_read_with_its_number_where_it_runs() {
        let status = "Name:\tnginx\nPPid:\t3\nNSpid:\t70\t8\n";
        let read = process(70, status, b"nginx: worker process\0\0\0");
        let title = "nginx: worker process".into();
        let expected = Process { pid: 70, number: 8, parent: 3, title };
        assert_eq!(read, Some(expected));
    }

    #[test]
    fn only_listening_sockets_are_read() {
        let table = "  sl  local_address rem_address st\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n\
            1: 0100007F:1F90 0100007F:9999 01 00000000:00000000 00:00000000 00000000 0 0 78 1\n";
        let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
        assert_eq!(listening(table), [Socket { address, port: 8080, inode: 77 }]);
    }

    #[test]
    fn connections_are_read_with_their_other_side() {
        let table = "  sl  local_address rem_address st\n\
            0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 77 1\n\
            1: 0100007F:1F90 0100007F:0050 01 00000000:00000000 00:00000000 00000000 0 0 78 1\n\
            2: 0100007F:1F90 0100007F:0051 06 00000000:00000000 00:00000000 00000000 0 0 0 1\n";
        let peer = Endpoint { address: IpAddr::V4(Ipv4Addr::LOCALHOST), port: 80 };
        assert_eq!(connected(table), [Connection { port: 8080, peer, inode: 78 }]);
    }

    #[test]
    fn an_ipv6_address_is_read() {
        let everywhere = "0".repeat(32);
        assert_eq!(address_of(&everywhere), Some(IpAddr::V6(Ipv6Addr::UNSPECIFIED)));
        let local = address_of("00000000000000000000000001000000");
        assert_eq!(local, Some(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        let mapped = address_of("0000000000000000FFFF00000100007F");
        assert_eq!(mapped, Some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn a_socket_everywhere_occupies_every_address() {
        let local = IpAddr::V4(Ipv4Addr::LOCALHOST);
        let other = "10.0.0.1".parse().ok();
        let everywhere = Socket { address: Ipv4Addr::UNSPECIFIED.into(), port: 80, inode: 1 };
        let one = Socket { address: local, ..everywhere.clone() };
        assert!(everywhere.occupies(Some(local), 80) && everywhere.occupies(None, 80));
        assert!(one.occupies(Some(local), 80) && one.occupies(None, 80));
        assert!(!one.occupies(other, 80) && !one.occupies(Some(local), 81));
    }

    #[test]
    fn a_list_of_processes_is_read_with_the_titles_that_matter() {
        let text = "1/status:PPid:\t0\n1/status:NSpid:\t1\n7/status:PPid:\t1\n7/status:NSpid:\t7\t2\n\
            9/status:PPid:\t1\n#7 nginx: master process nginx  \n#8 nginx: gone\n";
        let process = |pid, number, parent, title: &str| Process {
            pid,
            number,
            parent,
            title: title.to_owned(),
        };
        let master = process(7, 2, 1, "nginx: master process nginx");
        assert_eq!(listed(text), [process(1, 1, 0, ""), master]);
    }

    #[test]
    fn sockets_are_read_among_open_files() {
        let text = "total 0\nlrwx------ 1 root root 64 Nov 21 10:00 3 -> socket:[4711]\n\
            lr-x------ 1 root root 64 Nov 21 10:00 4 -> /dev/null\n";
        assert_eq!(inodes(text), [4711]);
    }

    #[test]
    fn children_of_children_are_below() {
        let process = |pid, parent| Process { pid, number: pid, parent, title: String::new() };
        let all = vec![process(1, 0), process(3, 2), process(2, 1), process(9, 8)];
        let pids: Vec<u32> = below(all, 1).iter().map(|process| process.pid).collect();
        assert_eq!(pids, [1, 3, 2]);
    }
}
