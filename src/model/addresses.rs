//! The addresses of a container, of which a fleet has hundreds of thousands: most have one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// A container's addresses by network, in the order of their names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, IpAddr>", into = "BTreeMap<String, IpAddr>")]
pub struct Addresses(Box<[(String, IpAddr)]>);

impl Addresses {
    /// The address in the first network.
    pub fn first(&self) -> Option<IpAddr> {
        self.0.first().map(|(_, address)| *address)
    }

    /// The address in a network.
    pub fn get(&self, network: &str) -> Option<IpAddr> {
        self.0.iter().find(|(name, _)| name == network).map(|(_, address)| *address)
    }
}

impl From<BTreeMap<String, IpAddr>> for Addresses {
    fn from(addresses: BTreeMap<String, IpAddr>) -> Self {
        Self(addresses.into_iter().collect())
    }
}

impl From<Addresses> for BTreeMap<String, IpAddr> {
    fn from(addresses: Addresses) -> Self {
        addresses.0.into_iter().collect()
    }
}

impl FromIterator<(String, IpAddr)> for Addresses {
    fn from_iter<I: IntoIterator<Item = (String, IpAddr)>>(addresses: I) -> Self {
        addresses.into_iter().collect::<BTreeMap<_, _>>().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_in_the_order_of_their_networks() {
        let at = |last| IpAddr::from([10, 0, 0, last]);
        let addresses: Addresses =
            [("b".to_owned(), at(2)), ("a".to_owned(), at(1))].into_iter().collect();
        assert_eq!(addresses.first(), Some(at(1)));
        assert_eq!((addresses.get("b"), addresses.get("c")), (Some(at(2)), None));
    }
}
