//! The TCP ports that something on a host listens on.
//!
//! The kernel's tables under `/proc` list every connection too, and its walk through them takes 4 ms
//! each on a machine with 24 GiB, however few there are. On this machine it is asked over netlink
//! for the sockets that listen alone (`sock_diag(7)`); on others `cat` is all that is surely there.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};

use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, netlink, socket_with};

use super::client::Way;
use crate::ports::PortError;

/// Prints the kernel's tables of TCP sockets; a kernel may have no IPv6.
const TABLES: &str = "cat /proc/net/tcp; cat /proc/net/tcp6 2>/dev/null; exit 0";

/// The kernel's word for a socket that takes connections, in its tables.
const LISTENS: &str = "0A";

/// What a message over netlink begins with: length, kind, flags, number, sender.
const HEAD: usize = 16;

/// `SOCK_DIAG_BY_FAMILY` of linux/sock_diag.h.
const BY_FAMILY: u16 = 20;

/// `NLM_F_REQUEST | NLM_F_DUMP` of linux/netlink.h.
const ALL: u16 = 0x301;

/// `NLMSG_DONE`: nothing follows.
const DONE: u16 = 3;

/// `struct inet_diag_req_v2` of linux/inet_diag.h.
const QUESTION: usize = 56;

const IPPROTO_TCP: u8 = 6;

/// The state `TCP_LISTEN`, as a bit of a mask.
const LISTENING: u32 = 1 << 10;

/// Where `struct inet_diag_msg` has the port.
const PORT: usize = 4;

/// The ports; none where that cannot be seen.
pub(super) async fn listening(way: &Way) -> Result<BTreeSet<u16>, PortError> {
    Ok(match way {
        Way::Here => here(),
        Way::Ssh(host) => {
            let said = host.ask(TABLES, &[]).await?.stdout;
            in_table(&String::from_utf8_lossy(&said)).into_iter().collect()
        }
        Way::Far => BTreeSet::new(),
    })
}

/// A kernel without that part of netlink has its tables still.
fn here() -> BTreeSet<u16> {
    let families = [AddressFamily::INET, AddressFamily::INET6];
    let asked: io::Result<Vec<Vec<u16>>> = families.into_iter().map(asked).collect();
    asked.map_or_else(|_| in_tables(), |ports| ports.into_iter().flatten().collect())
}

#[expect(clippy::disallowed_methods, reason = "the kernel's tables are no file of a project")]
fn in_tables() -> BTreeSet<u16> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"];
    let texts = tables.iter().filter_map(|path| fs::read_to_string(path).ok());
    texts.flat_map(|text| in_table(&text)).collect()
}

fn in_table(table: &str) -> Vec<u16> {
    let port = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let local = words.next()?;
        let state = words.nth(1)?;
        let (_, port) = local.rsplit_once(':')?;
        (state == LISTENS).then(|| u16::from_str_radix(port, 16).ok())?
    };
    table.lines().filter_map(port).collect()
}

/// Asks the kernel for the sockets of one family that listen.
fn asked(family: AddressFamily) -> io::Result<Vec<u16>> {
    let kind = Some(netlink::SOCK_DIAG);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, kind)?;
    connect(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
    let mut socket = File::from(socket);
    socket.write_all(&question(u8::try_from(family.as_raw()).map_err(io::Error::other)?))?;
    let mut ports = Vec::new();
    // The kernel fills at most so much at once.
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let length = socket.read(&mut buffer)?;
        if !take(&buffer[..length], &mut ports).ok_or(io::ErrorKind::InvalidData)? {
            return Ok(ports);
        }
    }
}

fn question(family: u8) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEAD + QUESTION);
    bytes.extend(((HEAD + QUESTION) as u32).to_ne_bytes());
    bytes.extend(BY_FAMILY.to_ne_bytes());
    bytes.extend(ALL.to_ne_bytes());
    // Number and sender: there is one question, and the kernel fills in whose.
    bytes.extend([0; 8]);
    bytes.extend([family, IPPROTO_TCP, 0, 0]);
    bytes.extend(LISTENING.to_ne_bytes());
    // Any address and port.
    bytes.resize(HEAD + QUESTION, 0);
    bytes
}

/// Reads the ports out of some messages; whether more follow. `None` for what is none of ours: an
/// error, or something that no kernel says.
fn take(mut messages: &[u8], ports: &mut Vec<u16>) -> Option<bool> {
    while !messages.is_empty() {
        let length = u32::from_ne_bytes(messages.get(..4)?.try_into().ok()?);
        let length = usize::try_from(length).ok().filter(|length| *length >= HEAD)?;
        let kind = u16::from_ne_bytes(messages.get(4..6)?.try_into().ok()?);
        match kind {
            DONE => return Some(false),
            BY_FAMILY => {
                let body = messages.get(HEAD..length)?;
                // Ports are in the order of the network.
                ports.push(u16::from_be_bytes(body.get(PORT..PORT + 2)?.try_into().ok()?));
            }
            _ => return None,
        }
        // Messages begin at multiples of four bytes.
        messages = messages.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    Some(true)
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn listening_ports_are_read_from_the_kernels_table() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr\n   \
             0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000\n   \
             1: 0100007F:1F91 0100007F:A0C2 01 00000000:00000000 00:00000000\n";
        assert_eq!(in_table(table), [8080]);
        let table = "   0: 00000000000000000000000000000000:0050 \
             00000000000000000000000000000000:0000 0A 0:0\n";
        assert_eq!(in_table(table), [80]);
    }

    #[test]
    fn both_ways_to_ask_this_kernel_find_who_listens_and_nobody_else() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        assert!(in_tables().contains(&port), "in the tables");
        assert!(asked(AddressFamily::INET).expect("an answer").contains(&port), "asked for");
        let other = TcpListener::bind("[::1]:0").expect("a port");
        let six = other.local_addr().expect("an address").port();
        assert!(asked(AddressFamily::INET6).expect("an answer").contains(&six), "asked for");
        drop(listener);
        assert!(!asked(AddressFamily::INET).expect("an answer").contains(&port), "gone");
    }

    #[test]
    fn what_no_kernel_says_is_no_answer() {
        let message = |length: u32, kind: u16, body: &[u8]| {
            let mut bytes = length.to_ne_bytes().to_vec();
            bytes.extend(kind.to_ne_bytes());
            bytes.extend([0; 10]);
            bytes.extend(body);
            bytes
        };
        let read = |bytes: &[u8]| {
            let mut ports = Vec::new();
            take(bytes, &mut ports).map(|more| (more, ports))
        };
        let one = message(24, BY_FAMILY, &[2, 10, 0, 0, 0x1F, 0x90, 0, 0]);
        assert_eq!(read(&one), Some((true, vec![8080])));
        let end = message(20, DONE, &[0; 4]);
        assert_eq!(read(&[one.clone(), end].concat()), Some((false, vec![8080])));
        // An error of the kernel, a length that is none, one that is more than there is.
        assert_eq!(read(&message(36, 2, &[0; 20])), None);
        assert_eq!(read(&message(0, BY_FAMILY, &[])), None);
        assert_eq!(read(&message(99, BY_FAMILY, &[0; 8])), None);
        assert_eq!(read(&one[..9]), None);
    }
}
