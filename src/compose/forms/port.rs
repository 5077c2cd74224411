//! Ports in their short form: `80`, `8080:80`, `127.0.0.1:3000-3005:4000-4005/udp`.

use std::net::IpAddr;
use std::ops::Range;

use thiserror::Error;

use super::Fault;

/// The mode of every port in the short form.
pub const PORT_MODE: &str = "ingress";

/// One port of a container, and where on the host it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The address of the host it is bound to, as written but without brackets; all when `None`.
    pub host_ip: Option<String>,
    /// The port in the container.
    pub target: u16,
    /// The port on the host or, for one free port out of several, the range `8000-8010`; any when
    /// `None`.
    pub published: Option<String>,
    /// What is spoken on it.
    pub protocol: Protocol,
}

/// A transport protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// `tcp`, also when nothing is said.
    Tcp,
    /// `udp`.
    Udp,
    /// `sctp`.
    Sctp,
}

impl Protocol {
    /// Its name in the canonical model.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// Why a text is not a port.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PortProblem {
    /// The container's port is missing.
    #[error("no container port: expected `[[address:]host:]container[/protocol]`")]
    NoContainerPort,
    /// The protocol is not known.
    #[error("`{protocol}` is not a protocol: expected `tcp`, `udp` or `sctp`")]
    UnknownProtocol {
        /// As written.
        protocol: String,
    },
    /// What stands before the host's port is no IP address.
    #[error("`{address}` is not an IP address")]
    BadAddress {
        /// As written.
        address: String,
    },
    /// A bound of a range is not a number.
    #[error("`{number}` is not a port number")]
    BadNumber {
        /// As written.
        number: String,
    },
    /// A number is above 65535 or below 0.
    #[error("port {number} is out of range: ports go from 0 to 65535")]
    OutOfRange {
        /// As written.
        number: String,
    },
    /// A range ends before it starts.
    #[error("the port range ends before it starts")]
    Backwards,
    /// Two ranges of different length face each other.
    #[error("{host} host ports cannot be mapped to {container} container ports")]
    UnequalRanges {
        /// How many ports of the host were given.
        host: u32,
        /// How many ports of the container were given.
        container: u32,
    },
}

type Result<T> = std::result::Result<T, Fault<PortProblem>>;

/// Reads `[[address:]host:]container[/protocol]`; both ports may be ranges.
///
/// A range gives a port for each of its numbers, in the order of the reference, which sorts them
/// as text: 10 comes before 9.
pub fn ports(text: &str) -> Result<Vec<Port>> {
    let parts = Parts::split(text);
    let (container, protocol) = parts.container_and_protocol()?;
    let host_ip = parts.address()?;
    let target = Span::read(text, container.clone())?;
    let host =
        if parts.host.is_empty() { None } else { Some(Span::read(text, parts.host.clone())?) };
    if let Some(host) = host
        && host.count() != target.count()
        && target.count() != 1
    {
        let kind = PortProblem::UnequalRanges { host: host.count(), container: target.count() };
        return Err(Fault::new(kind, parts.host.start..container.end));
    }
    let mut numbers: Vec<u16> = (target.first..=target.last).collect();
    numbers.sort_by_cached_key(u16::to_string);
    let port = |number| Port {
        host_ip: host_ip.clone(),
        target: number,
        published: host.map(|host| host.facing(number, target)),
        protocol,
    };
    Ok(numbers.into_iter().map(port).collect())
}

/// The three parts between colons; the address may have colons of its own.
struct Parts<'t> {
    text: &'t str,
    address: Range<usize>,
    host: Range<usize>,
    container: Range<usize>,
}

impl<'t> Parts<'t> {
    fn split(text: &'t str) -> Self {
        let (before, container) = match text.rfind(':') {
            Some(colon) => (colon, colon + 1..text.len()),
            None => (0, 0..text.len()),
        };
        let (address, host) = match text[..before].rfind(':') {
            Some(colon) => (0..colon, colon + 1..before),
            None => (0..0, 0..before),
        };
        Self { text, address, host, container }
    }

    fn container_and_protocol(&self) -> Result<(Range<usize>, Protocol)> {
        let Range { start, end } = self.container;
        let slash = self.text[start..end].find('/').map_or(end, |slash| start + slash);
        if slash == start {
            return Err(Fault::new(PortProblem::NoContainerPort, start..end));
        }
        let name = self.text.get(slash + 1..end).unwrap_or_default();
        let protocol = match name.to_lowercase().as_str() {
            "" | "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => {
                let kind = PortProblem::UnknownProtocol { protocol: name.to_owned() };
                return Err(Fault::new(kind, slash + 1..end));
            }
        };
        Ok((start..slash, protocol))
    }

    /// The address without brackets; `[]` is as good as none.
    fn address(&self) -> Result<Option<String>> {
        let written = &self.text[self.address.clone()];
        let bare = match written.strip_prefix('[') {
            Some(rest) => rest.strip_suffix(']'),
            None => Some(written),
        };
        match bare {
            Some("") => Ok(None),
            Some(bare) if bare.parse::<IpAddr>().is_ok() => Ok(Some(bare.to_owned())),
            _ => {
                let kind = PortProblem::BadAddress { address: written.to_owned() };
                Err(Fault::new(kind, self.address.clone()))
            }
        }
    }
}

/// A range of port numbers, both ends included.
#[derive(Clone, Copy)]
struct Span {
    first: u16,
    last: u16,
}

impl Span {
    fn read(text: &str, range: Range<usize>) -> Result<Self> {
        let Range { start, end } = range;
        let Some(dash) = text[start..end].find('-').map(|dash| start + dash) else {
            let only = number(text, start..end)?;
            return Ok(Self { first: only, last: only });
        };
        let span = Self { first: number(text, start..dash)?, last: number(text, dash + 1..end)? };
        if span.last < span.first {
            return Err(Fault::new(PortProblem::Backwards, start..end));
        }
        Ok(span)
    }

    fn count(self) -> u32 {
        u32::from(self.last) - u32::from(self.first) + 1
    }

    /// The port of this host range that faces `number` of `target`: the one at the same place, or
    /// all of them when `target` is a single port.
    fn facing(self, number: u16, target: Self) -> String {
        if target.count() == 1 && self.count() != 1 {
            return format!("{}-{}", self.first, self.last);
        }
        // Ranges of equal length were required, so the sum stays within the host's range.
        (u32::from(self.first) + u32::from(number - target.first)).to_string()
    }
}

fn number(text: &str, range: Range<usize>) -> Result<u16> {
    let written = &text[range.clone()];
    // A plus sign is taken, as the reference takes it; so is the minus of `-0`.
    let digits = written.strip_prefix(['+', '-']).unwrap_or(written);
    let number = written.to_owned();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Fault::new(PortProblem::BadNumber { number }, range));
    }
    written
        .parse::<i64>()
        .ok()
        .and_then(|value| u16::try_from(value).ok())
        .ok_or(Fault::new(PortProblem::OutOfRange { number }, range))
}

#[cfg(test)]
mod tests;
