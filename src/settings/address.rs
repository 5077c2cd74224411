//! Machines as they are named in URLs: an address or a host name, perhaps with a user and a port.
//!
//! Names are checked by their letters and never looked up.

use std::fmt;
use std::net::IpAddr;

use crate::shape::Format;

/// An IP address or a host name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// An IPv4 or IPv6 address.
    Ip(IpAddr),
    /// A name for DNS, or an alias of `~/.ssh/config`; lowercase is not forced on it.
    Name(String),
}

/// An [`Address`] in a file.
pub(super) const ADDRESS: Format = Format {
    name: "machine's address",
    example: "10.0.0.11",
    check: |text| Address::parse(text).map(drop),
};

impl Address {
    /// The address, or what is wrong with it. IPv6 stands without brackets.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Ok(ip) = text.parse() {
            return Ok(Self::Ip(ip));
        }
        if text.contains(':') {
            return Err("it is no IPv6 address, and a port does not belong here".into());
        }
        // The underscore is not DNS's, but `~/.ssh/config` and container networks know such names.
        labels(text, |c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))?;
        if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit())) {
            return Err("it is no IPv4 address, and no host name ends in a number".into());
        }
        Ok(Self::Name(text.to_owned()))
    }
}

/// Checks the labels of a host name; `allowed` says which characters they may have.
pub(super) fn labels(text: &str, allowed: impl Fn(char) -> bool) -> Result<(), String> {
    if text.len() > 253 {
        return Err(format!("it has {} characters; at most 253 are allowed", text.len()));
    }
    for label in text.split('.') {
        if label.is_empty() {
            return Err(if text.is_empty() {
                "it is empty"
            } else {
                "a part between dots is empty"
            }
            .into());
        }
        if let Some(c) = label.chars().find(|c| !allowed(*c)) {
            return Err(match c.is_ascii() {
                true => format!("`{c}` cannot stand in a host name"),
                false => format!("`{c}` is not ASCII; write the name as `xn--…`"),
            });
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(format!("`{label}` must not start or end with `-`"));
        }
        if label.len() > 63 {
            return Err(format!("`{label}` has {} characters; at most 63 fit", label.len()));
        }
    }
    Ok(())
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
        }
    }
}

/// `[user@]host[:port]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Authority {
    /// Who logs in.
    pub user: Option<String>,
    /// Where.
    pub host: Address,
    /// On which port.
    pub port: Option<u16>,
}

impl Authority {
    /// Reads `[user@]host[:port]`; an IPv6 address stands in brackets.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (user, rest) = match text.rsplit_once('@') {
            Some((user, rest)) => (Some(login(user)?), rest),
            None => (None, text),
        };
        let (host, port) = split_port(rest)?;
        Ok(Self { user, host: Address::parse(host)?, port })
    }
}

fn login(user: &str) -> Result<String, String> {
    if user.contains(':') {
        return Err("a password does not belong into a file; use a key".into());
    }
    let is_plain = |c: char| !c.is_whitespace() && !c.is_control() && !"/?#\\'\"`$;&|".contains(c);
    if user.is_empty() || user.starts_with('-') || !user.chars().all(is_plain) {
        return Err(format!("`{user}` is no user name"));
    }
    Ok(user.to_owned())
}

/// Splits `host:port` and `[v6]:port`; the brackets are taken off.
pub(super) fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("the bracket is not closed")?;
            match after {
                "" => (host, None),
                after => (host, Some(after.strip_prefix(':').ok_or("a port follows after `:`")?)),
            }
        }
        None => match text.split_once(':') {
            Some((_, rest)) if rest.contains(':') => {
                return Err("an IPv6 address stands in brackets: `[::1]`".into());
            }
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let port = port.map(parse_port).transpose()?;
    Ok((host, port))
}

/// A port from 1 to 65535.
pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(port @ 1..) if is_plain => Ok(port),
        _ => Err(format!("`{text}` is no port from 1 to 65535")),
    }
}

impl fmt::Display for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match &self.host {
            Address::Ip(IpAddr::V6(ip)) => write!(f, "[{ip}]")?,
            host => write!(f, "{host}")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_read_back_as_they_were_written() {
        for text in ["web-1", "deploy@10.0.0.11:22", "[::1]:2222", "my_host", "a@b.example.com"] {
            assert_eq!(Authority::parse(text).map(|it| it.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_machine_says_why() {
        let why: Vec<String> = [
            "",
            "a..b",
            "-x",
            "10.0.0.300",
            "::1",
            "[::1",
            "h:0",
            "h:99999",
            "u:secret@h",
            "@h",
            "bücher.de",
            "a b",
            "h:+1",
        ]
        .into_iter()
        .map(|text| format!("{text}: {}", Authority::parse(text).expect_err("no machine")))
        .collect();
        insta::assert_snapshot!(why.join("\n"), @r"
        : it is empty
        a..b: a part between dots is empty
        -x: `-x` must not start or end with `-`
        10.0.0.300: it is no IPv4 address, and no host name ends in a number
        ::1: an IPv6 address stands in brackets: `[::1]`
        [::1: the bracket is not closed
        h:0: `0` is no port from 1 to 65535
        h:99999: `99999` is no port from 1 to 65535
        u:secret@h: a password does not belong into a file; use a key
        @h: `` is no user name
        bücher.de: `ü` is not ASCII; write the name as `xn--…`
        a b: ` ` cannot stand in a host name
        h:+1: `+1` is no port from 1 to 65535
        ");
    }
}
