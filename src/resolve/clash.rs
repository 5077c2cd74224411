//! What several services claim and only one can have: routes, host ports, names.
//!
//! Hosts are chosen later. A clash on a host is an error only when every choice of hosts has it.

use std::collections::{BTreeMap, BTreeSet};

use super::Places;
use super::fit::{Eligible, HostPorts};
use crate::diag::{Diagnostic, Moved, Severity, Sources, Span};
use crate::files::Report;
use crate::model::{Count, Name, ServiceName, ServiceTarget, StackName, StackTarget};
use crate::settings::Inventory;

/// A stack as it is looked at beside others.
#[derive(Clone, Copy)]
pub struct Neighbour<'a> {
    /// Its name.
    pub name: &'a StackName,
    /// Its desired state.
    pub target: &'a StackTarget,
    /// Where its claims were written.
    pub places: &'a Places,
    /// The texts that `places` points into.
    pub sources: &'a Sources,
}

/// What clashes between stacks, or between services of one.
#[derive(Debug, Default)]
pub struct Clashes {
    /// The findings.
    pub report: Report,
    /// The stacks that errors among them are about.
    pub stacks: BTreeSet<StackName>,
}

impl Clashes {
    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.report.diagnostics.iter().any(Diagnostic::is_error)
    }
}

/// All clashes, each at the places of its claims.
pub fn clashes(stacks: &[Neighbour<'_>], inventory: &Inventory) -> Clashes {
    let mut claims: BTreeMap<Thing, Vec<Claim<'_>>> = BTreeMap::new();
    for stack in stacks {
        collect(*stack, inventory, &mut |thing, claim| {
            claims.entry(thing).or_default().push(claim);
        });
    }
    let mut found = Clashes::default();
    let mut adopted = BTreeMap::new();
    for (thing, claims) in &claims {
        let claims = thing.clashing(claims);
        if claims.len() < 2 {
            continue;
        }
        if thing.severity() == Severity::Error {
            found.stacks.extend(claims.iter().map(|claim| claim.stack.name.clone()));
        }
        let mut problem = thing.problem(&claims);
        for claim in &claims {
            let adopt = || found.report.sources.adopt(claim.stack.sources);
            let moved: Moved = *adopted.entry(claim.stack.name).or_insert_with(adopt);
            let Some(span) = claim.span.map(|span| span.moved(moved)) else { continue };
            let text = format!("`{}`", claim.who);
            problem = match problem.primary {
                None => problem.at_with(span, text),
                Some(_) => problem.related(span, text),
            };
        }
        found.report.diagnostics.push(problem);
    }
    found
}

/// What only one can have.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Thing {
    Route { proxy: String, host: String, path: String },
    Port { port: u16, protocol: String },
    ContainerName(String),
    Kept { section: &'static str, name: String },
}

/// Who wants it.
struct Claim<'a> {
    stack: Neighbour<'a>,
    who: String,
    span: Option<Span>,
    /// The address a port is opened on; `None` for all.
    address: Option<String>,
    count: Count,
    possible: BTreeSet<&'a Name>,
    certain: BTreeSet<&'a Name>,
}

fn collect<'a>(
    stack: Neighbour<'a>,
    inventory: &'a Inventory,
    add: &mut dyn FnMut(Thing, Claim<'a>),
) {
    let mut hosts = BTreeSet::new();
    for (name, service) in &stack.target.services {
        let eligible = Eligible::of(&service.placement, inventory);
        hosts.extend(eligible.possible().map(|host| &host.name));
        collect_service(stack, name, service, &eligible, add);
    }
    let volumes = stack.target.volumes.iter();
    let volumes = volumes.map(|(key, it)| ("volumes", key, &it.name, it.external));
    let networks = stack.target.networks.iter();
    let networks = networks.map(|(key, it)| ("networks", key, &it.name, it.external));
    for (section, key, name, external) in volumes.chain(networks) {
        if external.is_none() && !name.is_empty() {
            let claim = Claim {
                stack,
                who: stack.name.to_string(),
                span: stack.places.kept(section, key),
                address: None,
                count: Count::Global,
                possible: hosts.clone(),
                certain: hosts.clone(),
            };
            add(Thing::Kept { section, name: name.clone() }, claim);
        }
    }
}

fn collect_service<'a>(
    stack: Neighbour<'a>,
    name: &ServiceName,
    service: &ServiceTarget,
    eligible: &Eligible<'a>,
    add: &mut dyn FnMut(Thing, Claim<'a>),
) {
    let claim = |span: Option<Span>, address: Option<String>| Claim {
        stack,
        who: format!("{}/{name}", stack.name),
        span: span.or_else(|| stack.places.service(name)),
        address,
        count: service.replicas,
        possible: eligible.possible().map(|host| &host.name).collect(),
        certain: eligible.certain().map(|host| &host.name).collect(),
    };
    let mut routes = BTreeSet::new();
    for route in &service.routes {
        if routes.insert((&route.proxy, &route.host, &route.path)) {
            let (proxy, host) = (route.proxy.clone(), route.host.clone());
            let thing = Thing::Route { proxy, host, path: route.path.clone() };
            add(thing, claim(stack.places.route(name, route), None));
        }
    }
    if service.replicas == Count::Replicas(0) {
        return;
    }
    let mut ports = BTreeSet::new();
    for (index, port) in service.container.ports.iter().enumerate() {
        // Of a range another port may be free.
        let Some(HostPorts { first, last }) = HostPorts::of(port) else { continue };
        let address = port.host_ip.clone().filter(|ip| ip != "0.0.0.0" && ip != "::");
        if first == last && ports.insert((first, &port.protocol)) {
            let thing = Thing::Port { port: first, protocol: port.protocol.clone() };
            add(thing, claim(stack.places.port(name, index), address));
        }
    }
    if let Some(container) = &service.container.container_name {
        let span = stack.places.container_name(name);
        add(Thing::ContainerName(container.clone()), claim(span, None));
    }
}

impl Thing {
    fn severity(&self) -> Severity {
        match self {
            Self::Route { .. } | Self::Port { .. } | Self::ContainerName(_) => Severity::Error,
            Self::Kept { .. } => Severity::Warning,
        }
    }

    /// Those of its claims that cannot all be met.
    fn clashing<'c, 'a>(&self, claims: &'c [Claim<'a>]) -> Vec<&'c Claim<'a>> {
        let all: Vec<&Claim<'a>> = claims.iter().collect();
        let clash: fn(&[&Claim<'_>]) -> bool = match self {
            Self::Route { .. } => return all,
            Self::Port { .. } | Self::ContainerName(_) => must_meet,
            Self::Kept { .. } => may_meet,
        };
        let is_in_a_pair = |claim: &&&Claim<'a>| {
            let others = claims.iter().filter(|other| !std::ptr::eq(*other, **claim));
            others.into_iter().any(|other| clash(&[claim, other]))
        };
        let paired: Vec<_> = all.iter().filter(is_in_a_pair).copied().collect();
        if paired.is_empty() && clash(&all) { all } else { paired }
    }

    fn problem(&self, claims: &[&Claim<'_>]) -> Diagnostic {
        let who: Vec<String> = claims.iter().map(|claim| format!("`{}`", claim.who)).collect();
        let who = who.join(" and ");
        match self {
            Self::Route { proxy, host, path } => Diagnostic::error(
                "routes/conflict",
                format!("the route {host}{path} on proxy `{proxy}` is claimed by {who}"),
            )
            .help("give one of them another host or path"),
            Self::Port { port, protocol } => Diagnostic::error(
                "ports/conflict",
                format!("the host port {port}/{protocol} is claimed by {who}"),
            )
            .help(shared_hosts(claims)),
            Self::ContainerName(name) => Diagnostic::error(
                "names/conflict",
                format!("the container name `{name}` is claimed by {who}"),
            )
            .help(shared_hosts(claims)),
            Self::Kept { section, name } => Diagnostic::warning(
                "names/conflict",
                format!("{who} make `{name}` under `{section}:`"),
            )
            .help("one of them should make it, and the others name it with `external: true`"),
        }
    }
}

fn shared_hosts(claims: &[&Claim<'_>]) -> String {
    let hosts: BTreeSet<&Name> =
        claims.iter().flat_map(|claim| claim.possible.iter().copied()).collect();
    let hosts: Vec<String> = hosts.into_iter().map(|name| format!("`{name}`")).collect();
    format!("together they have no more hosts than {}", hosts.join(", "))
}

fn may_meet(claims: &[&Claim<'_>]) -> bool {
    match claims {
        [one, other] => {
            one.stack.name != other.stack.name && !one.possible.is_disjoint(&other.possible)
        }
        _ => false,
    }
}

/// Whether some host gets two of the claims however they are placed.
fn must_meet(claims: &[&Claim<'_>]) -> bool {
    let are_apart = |one: &Claim<'_>, other: &Claim<'_>| match (&one.address, &other.address) {
        (Some(one), Some(other)) => one != other,
        (None, _) | (_, None) => false,
    };
    if claims.iter().any(|one| claims.iter().any(|other| are_apart(one, other))) {
        return false;
    }
    let mut taken: BTreeSet<&Name> = BTreeSet::new();
    for claim in claims.iter().filter(|claim| claim.count == Count::Global) {
        if claim.certain.iter().any(|host| !taken.insert(host)) {
            return true;
        }
    }
    let (mut wanted, mut free) = (0_u64, BTreeSet::new());
    for claim in claims {
        if let Count::Replicas(replicas) = claim.count {
            wanted = wanted.saturating_add(u64::from(replicas));
            free.extend(claim.possible.difference(&taken).copied());
        }
    }
    wanted > free.len() as u64
}
