//! Routes over all stacks: two services must not be asked for the same requests.

use std::collections::BTreeMap;

use crate::model::{Desired, ServiceName, StackName};

/// A service that a route leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteUse {
    /// The proxy, host and path.
    pub route: String,
    /// The services that claim it, at least two.
    pub services: Vec<(StackName, ServiceName)>,
}

/// Routes that more than one service claims.
pub fn conflicting_routes(desired: &Desired) -> Vec<RouteUse> {
    let mut uses: BTreeMap<String, Vec<(StackName, ServiceName)>> = BTreeMap::new();
    for (stack, target) in &desired.stacks {
        for (name, service) in &target.services {
            for route in &service.routes {
                let key = format!("{}{} on proxy `{}`", route.host, route.path, route.proxy);
                let claims = uses.entry(key).or_default();
                let claim = (stack.clone(), name.clone());
                if !claims.contains(&claim) {
                    claims.push(claim);
                }
            }
        }
    }
    uses.into_iter()
        .filter(|(_, services)| services.len() > 1)
        .map(|(route, services)| RouteUse { route, services })
        .collect()
}
