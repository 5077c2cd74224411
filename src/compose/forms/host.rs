//! Entries of `extra_hosts` in their short form: `name=address` or, as of old, `name:address`.

use thiserror::Error;

use super::Fault;

/// A host name with the addresses it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEntry {
    /// The name, never empty.
    pub host: String,
    /// The addresses as written, without the brackets of IPv6. Not checked: `host-gateway` and
    /// whatever else the engine knows is allowed, even nothing.
    pub addresses: Vec<String>,
}

/// Why a text is not a host entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HostProblem {
    /// There is neither `=` nor `:`.
    #[error("no address: expected `name=address`")]
    NoAddress,
    /// Nothing stands before the separator.
    #[error("no host name before the address")]
    NoName,
    /// The name has a colon in it, so an engine would split it at another place.
    #[error("a host name cannot contain `:`")]
    BadName,
}

/// Reads `name=address[,address…]`; `:` separates only where there is no `=`.
///
/// A name that occurs in several entries gathers the addresses of all, in their order.
pub fn host_entry(text: &str) -> Result<HostEntry, Fault<HostProblem>> {
    let Some((host, addresses)) = text.split_once('=').or_else(|| text.split_once(':')) else {
        return Err(Fault::new(HostProblem::NoAddress, 0..text.len()));
    };
    if host.is_empty() {
        return Err(Fault::new(HostProblem::NoName, 0..0));
    }
    if host.contains(':') {
        return Err(Fault::new(HostProblem::BadName, 0..host.len()));
    }
    let addresses = addresses.split(',').map(|address| bare(address).to_owned()).collect();
    Ok(HostEntry { host: host.to_owned(), addresses })
}

/// The address without the brackets around it; `[]` is left as it is.
pub fn bare(address: &str) -> &str {
    address
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .filter(|inner| !inner.is_empty())
        .unwrap_or(address)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_addresses_are_told_apart() {
        let table: [(&str, &str, &[&str]); 12] = [
            ("db=10.0.0.1", "db", &["10.0.0.1"]),
            ("db:10.0.0.1", "db", &["10.0.0.1"]),
            ("db=::1", "db", &["::1"]),
            ("db:::1", "db", &["::1"]),
            ("db=[::1]", "db", &["::1"]),
            ("db:[fd00::7]", "db", &["fd00::7"]),
            ("db=10.0.0.1,[::1]", "db", &["10.0.0.1", "::1"]),
            ("gate=host-gateway", "gate", &["host-gateway"]),
            ("db=", "db", &[""]),
            ("db:", "db", &[""]),
            ("db=[]", "db", &["[]"]),
            ("db=a=b", "db", &["a=b"]),
        ];
        for (text, host, addresses) in table {
            let read = host_entry(text).unwrap();
            assert_eq!((&*read.host, &*read.addresses), (host, &*owned(addresses)), "{text}");
        }
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn an_entry_without_name_or_address_is_refused() {
        for (text, kind, range) in [
            ("db", HostProblem::NoAddress, 0..2),
            ("", HostProblem::NoAddress, 0..0),
            ("=10.0.0.1", HostProblem::NoName, 0..0),
            (":10.0.0.1", HostProblem::NoName, 0..0),
            ("a:b=10.0.0.1", HostProblem::BadName, 0..3),
        ] {
            assert_eq!(host_entry(text), Err(Fault::new(kind, range)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_out_reads_back(host in "[a-z.]{1,9}", ip in "[0-9a-f:.]{1,9}") {
            let read = host_entry(&format!("{host}={ip}"));
            prop_assert_eq!(read, Ok(HostEntry { host, addresses: vec![ip] }));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            if let Err(fault) = host_entry(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }
    }
}
