//! A range of addresses, as networks have one: what is in it, and which others it meets.

use std::net::IpAddr;

/// A range in CIDR notation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subnet {
    is_v6: bool,
    first: u128,
    last: u128,
}

impl Subnet {
    /// Reads `10.5.0.0/16`; bits below the prefix are no matter.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let address: IpAddr = address.parse().ok()?;
        let (bits, width) = bits(address);
        let prefix: u32 = prefix.parse().ok().filter(|it| *it <= width)?;
        let hosts = width - prefix;
        let below = u128::MAX.checked_shr(128 - hosts).unwrap_or(0);
        Some(Self { is_v6: address.is_ipv6(), first: bits & !below, last: bits | below })
    }

    /// Whether an address lies in both.
    pub fn overlaps(&self, other: &Self) -> bool {
        self.is_v6 == other.is_v6 && self.first <= other.last && other.first <= self.last
    }

    /// Whether an address lies in it.
    pub fn has(&self, address: IpAddr) -> bool {
        let (bits, _) = bits(address);
        self.is_v6 == address.is_ipv6() && (self.first..=self.last).contains(&bits)
    }
}

fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(it) => (it.to_bits().into(), 32),
        IpAddr::V6(it) => (it.to_bits(), 128),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        Subnet::parse(text).expect("a subnet")
    }

    #[test]
    fn ranges_meet_where_one_is_in_the_other() {
        assert!(subnet("10.5.0.0/16").overlaps(&subnet("10.5.7.0/24")));
        assert!(subnet("10.5.7.0/24").overlaps(&subnet("10.0.0.0/8")));
        assert!(!subnet("10.5.0.0/16").overlaps(&subnet("10.6.0.0/16")));
        assert!(subnet("0.0.0.0/0").overlaps(&subnet("10.6.0.0/16")));
        assert!(!subnet("::/0").overlaps(&subnet("10.6.0.0/16")));
        assert!(subnet("fd00::/8").overlaps(&subnet("fd12::/64")));
    }

    #[test]
    fn an_address_lies_between_the_first_and_the_last() {
        let range = subnet("10.5.0.9/30");
        let lies = |text: &str| range.has(text.parse().expect("an address"));
        assert!(lies("10.5.0.8") && lies("10.5.0.11"));
        assert!(!lies("10.5.0.7") && !lies("10.5.0.12") && !lies("::1"));
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in ["10.5.0.0", "10.5.0.0/33", "web/16", "/8"] {
            assert_eq!(Subnet::parse(text), None, "{text}");
        }
    }
}
