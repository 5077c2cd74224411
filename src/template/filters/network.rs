//! Filters and tests on addresses and networks: arithmetic only, nothing is resolved.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use minijinja::{Environment, Error, Value};

use super::super::limits::text_of;
use super::{add, wrong};

pub(super) fn install(environment: &mut Environment<'static>) {
    for name in ["ipaddr", "ip_address"] {
        environment.add_test(name, |value: Value| is_address(&value, |_| true));
    }
    environment.add_test("ipv4", |value: Value| is_address(&value, IpAddr::is_ipv4));
    environment.add_test("ipv6", |value: Value| is_address(&value, IpAddr::is_ipv6));
    environment.add_test("in_cidr", in_cidr);
    add(environment, "cidr_host", cidr_host);
    add(environment, "cidr_netmask", cidr_netmask);
    add(environment, "cidr_network", |value: Value| {
        Ok::<_, Error>(Network::of(&value)?.address(0).to_string())
    });
    add(environment, "cidr_prefix", |value: Value| Ok::<_, Error>(Network::of(&value)?.prefix));
    add(environment, "cidr_subnet", cidr_subnet);
    add(environment, "in_cidr", in_cidr);
}

/// An address or a network of that kind.
fn is_address(value: &Value, kind: impl Fn(&IpAddr) -> bool) -> bool {
    let Some(text) = value.as_str() else { return false };
    match text.parse() {
        Ok(address) => kind(&address),
        Err(_) => Network::parse(text).is_some_and(|network| kind(&network.address(0))),
    }
}

struct Network {
    bits: u128,
    is_v4: bool,
    prefix: u32,
}

impl Network {
    fn of(value: &Value) -> Result<Self, Error> {
        let text = text_of(value)?;
        Self::parse(&text)
            .ok_or_else(|| wrong(format!("`{text}` is not a network; write `10.0.0.0/24`")))
    }

    fn parse(text: &str) -> Option<Self> {
        let (address, prefix) = text.split_once('/')?;
        let (bits, is_v4) = bits(address.parse().ok()?);
        let prefix = prefix.parse().ok()?;
        let mut network = Self { bits, is_v4, prefix };
        if prefix > network.width() {
            return None;
        }
        network.bits &= !network.host_mask();
        Some(network)
    }

    fn width(&self) -> u32 {
        if self.is_v4 { 32 } else { 128 }
    }

    fn all(&self) -> u128 {
        u128::MAX >> (128 - self.width())
    }

    fn host_mask(&self) -> u128 {
        self.all().checked_shr(self.prefix).unwrap_or(0)
    }

    fn address(&self, host: u128) -> IpAddr {
        address(self.bits | host, self.is_v4)
    }
}

fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)), true),
        IpAddr::V6(address) => (u128::from(address), false),
    }
}

fn address(bits: u128, is_v4: bool) -> IpAddr {
    match u32::try_from(bits) {
        Ok(bits) if is_v4 => IpAddr::V4(Ipv4Addr::from(bits)),
        _ => IpAddr::V6(Ipv6Addr::from(bits)),
    }
}

/// The host of that number; a negative number counts from the end.
fn cidr_host(value: Value, number: i64) -> Result<String, Error> {
    let network = Network::of(&value)?;
    let last = network.host_mask();
    let distance = u128::from(number.unsigned_abs());
    let host = if number < 0 {
        last.checked_sub(distance - 1)
    } else {
        Some(distance).filter(|host| *host <= last)
    };
    match host {
        Some(host) => Ok(network.address(host).to_string()),
        None => Err(wrong(format!("the network `{value}` has no host {number}"))),
    }
}

fn cidr_netmask(value: Value) -> Result<String, Error> {
    let network = Network::of(&value)?;
    Ok(address(network.all() & !network.host_mask(), network.is_v4).to_string())
}

/// The network of that number when this one is cut by `bits` more bits.
fn cidr_subnet(value: Value, bits: u32, number: u64) -> Result<String, Error> {
    let network = Network::of(&value)?;
    let prefix = network.prefix.checked_add(bits).filter(|prefix| *prefix <= network.width());
    let fits = bits >= 64 || number < 1 << bits;
    match prefix.filter(|_| fits) {
        Some(prefix) => {
            let host = u128::from(number).checked_shl(network.width() - prefix).unwrap_or(0);
            Ok(format!("{}/{prefix}", network.address(host)))
        }
        None => Err(wrong(format!("`{value}` cut by {bits} bits has no network {number}"))),
    }
}

fn in_cidr(value: Value, network: Value) -> Result<bool, Error> {
    let network = Network::of(&network)?;
    let text = text_of(&value)?;
    let (own, is_v4) = match text.parse() {
        Ok(address) => bits(address),
        Err(_) => match Network::parse(&text) {
            Some(inner) if inner.prefix >= network.prefix => (inner.bits, inner.is_v4),
            Some(_) => return Ok(false),
            None => return Err(wrong(format!("`{text}` is not an address"))),
        },
    };
    Ok(is_v4 == network.is_v4 && own & !network.host_mask() == network.bits)
}
