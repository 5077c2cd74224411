//! Whether the hosts of the inventory can take a service at all.
//!
//! Nothing is placed here. Only what no placement could ever satisfy is refused: where an engine
//! would have to be asked, or another placement might do, there is no finding.

use super::{Place, Surroundings};
use crate::diag::Diagnostic;
use crate::model::{Count, Name, Placement, Port, ServiceTarget};
use crate::settings::{Constraint, Facts, Host, Inventory, Operator, Subject};

/// The most hosts that a message lists.
const LISTED_MAX: usize = 10;

/// The hosts that a service's constraints allow. They are gone through only as far as a question
/// asks: most services of a fleet may run on any of them.
pub(super) struct Eligible<'a> {
    constraints: Vec<Constraint>,
    inventory: &'a Inventory,
}

/// Host ports, with both ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HostPorts {
    pub(super) first: u16,
    pub(super) last: u16,
}

impl<'a> Eligible<'a> {
    pub(super) fn of(placement: &Placement, inventory: &'a Inventory) -> Self {
        Self { constraints: parsed(placement), inventory }
    }

    /// Hosts that do not break a constraint as far as can be told without asking their engines.
    pub(super) fn possible(&self) -> impl Iterator<Item = &'a Host> {
        self.hosts(|holds| holds != Some(false))
    }

    /// Those of them whose engines need not be asked.
    pub(super) fn certain(&self) -> impl Iterator<Item = &'a Host> {
        self.hosts(|holds| holds == Some(true))
    }

    fn hosts(&self, is_allowed: fn(Option<bool>) -> bool) -> impl Iterator<Item = &'a Host> {
        let allows =
            move |host: &&Host| self.constraints.iter().all(|it| is_allowed(holds(it, host)));
        self.inventory.hosts.values().filter(allows)
    }
}

impl HostPorts {
    /// The ports that are fixed; `None` when the engine chooses.
    pub(super) fn of(port: &Port) -> Option<Self> {
        let text = port.published.as_deref()?;
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let (first, last) = (first.parse().ok()?, last.parse().ok()?);
        (0 < first && first <= last).then_some(Self { first, last })
    }

    fn count(self) -> u64 {
        u64::from(self.last - self.first) + 1
    }
}

impl std::fmt::Display for HostPorts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self { first, last } if first == last => write!(f, "port {first}"),
            Self { first, last } => write!(f, "ports {first}-{last}"),
        }
    }
}

/// Adds why a service fits nowhere.
pub(super) fn check(
    place: &Place<'_>,
    target: &ServiceTarget,
    surroundings: &Surroundings<'_>,
    problems: &mut Vec<Diagnostic>,
) {
    if target.replicas == Count::Replicas(0) {
        return;
    }
    let eligible = Eligible::of(&target.placement, surroundings.inventory);
    if eligible.possible().next().is_none() {
        problems.push(no_host(place, &target.placement, surroundings.inventory));
        return;
    }
    problems.extend(no_room(place, target, &eligible));
    for (index, port) in target.container.ports.iter().enumerate() {
        let at = |problem| place.at_path(problem, &["ports", &index.to_string()]);
        problems.extend(too_few_ports(place, port, target, &eligible).map(at));
        problems.extend(in_the_range_of_replicas(port, &eligible).map(at));
    }
    problems.extend(no_capacity(place, target, &eligible));
}

fn parsed(placement: &Placement) -> Vec<Constraint> {
    // What is no constraint has been reported by its reader.
    placement.constraints.iter().filter_map(|text| Constraint::parse(text).ok()).collect()
}

fn holds(constraint: &Constraint, host: &Host) -> Option<bool> {
    constraint.holds(Facts { name: &host.name, labels: &host.labels, engine: None, platform: None })
}

fn no_host(place: &Place<'_>, placement: &Placement, inventory: &Inventory) -> Diagnostic {
    let refused_by_all = |text: &String| {
        Constraint::parse(text).is_ok_and(|constraint| {
            inventory.hosts.values().all(|host| holds(&constraint, host) == Some(false))
        })
    };
    let at = ["deploy", "placement", "constraints"];
    let error = |message| Diagnostic::error("resolve/no-host", message);
    let problem = match placement.constraints.iter().position(refused_by_all) {
        Some(index) => {
            let text = &placement.constraints[index];
            let index = index.to_string();
            let problem = error(format!("no host fulfils `{text}`"));
            let problem = place.at_path(problem, &[&at[..], &[&index]].concat());
            match Constraint::parse(text) {
                Ok(constraint) => suggest(problem, &constraint, inventory),
                Err(_) => problem,
            }
        }
        None => {
            let all = placement.constraints.join("` and `");
            place.at_path(error(format!("no host fulfils all of `{all}`")), &at)
        }
    };
    match &inventory.file {
        Some(_) => problem.help(format!("the hosts are: {}", described(inventory))),
        None => problem
            .help("there is no inventory: the one host is `local`, the engine of this machine"),
    }
}

fn suggest(problem: Diagnostic, constraint: &Constraint, inventory: &Inventory) -> Diagnostic {
    let hosts = inventory.hosts.values();
    match (&constraint.subject, constraint.operator) {
        (Subject::Hostname, Operator::Is) => {
            problem.did_you_mean(&constraint.value, inventory.hosts.keys().map(Name::as_str))
        }
        (Subject::Label(key), Operator::Is) => {
            let values: Vec<&str> =
                hosts.clone().filter_map(|host| host.labels.get(key)).map(String::as_str).collect();
            if values.is_empty() {
                let keys = hosts.flat_map(|host| host.labels.keys()).map(String::as_str);
                problem.did_you_mean(key, keys)
            } else {
                problem.did_you_mean(&constraint.value, values)
            }
        }
        (Subject::Hostname | Subject::Label(_), Operator::IsNot)
        | (Subject::EngineLabel(_) | Subject::Os | Subject::Arch, _) => problem,
    }
}

fn described(inventory: &Inventory) -> String {
    let host = |host: &Host| {
        let labels: Vec<String> =
            host.labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
        match labels.as_slice() {
            [] => format!("`{}` (no labels)", host.name),
            _ => format!("`{}` ({})", host.name, labels.join(", ")),
        }
    };
    listed(inventory.hosts.values().map(host))
}

fn listed(items: impl ExactSizeIterator<Item = String>) -> String {
    let more = items.len().saturating_sub(LISTED_MAX);
    let mut items: Vec<String> = items.take(LISTED_MAX).collect();
    if more > 0 {
        items.push(format!("and {more} more"));
    }
    items.join(", ")
}

fn names(eligible: &Eligible<'_>) -> String {
    let hosts: Vec<_> = eligible.possible().map(|host| format!("`{}`", host.name)).collect();
    let hosts = listed(hosts.into_iter());
    format!("it may run on: {hosts}")
}

/// `max_replicas_per_node` against the number of hosts.
fn no_room(
    place: &Place<'_>,
    target: &ServiceTarget,
    eligible: &Eligible<'_>,
) -> Option<Diagnostic> {
    let Count::Replicas(replicas) = target.replicas else { return None };
    let most = target.placement.max_replicas_per_node?;
    let hosts = eligible.possible().count();
    if u64::from(replicas) <= u64::from(most).saturating_mul(hosts as u64) {
        return None;
    }
    let message = format!(
        "service `{}` has {replicas} replicas, at most {most} on a host, and {} that can take them",
        place.service,
        hosts_in_words(hosts),
    );
    let problem = Diagnostic::error("resolve/no-room", message);
    let at = ["deploy", "placement", "max_replicas_per_node"];
    Some(place.at_path(problem, &at).help(names(eligible)))
}

fn hosts_in_words(count: usize) -> String {
    if count == 1 { "only 1 host".into() } else { format!("only {count} hosts") }
}

/// Two replicas on one host cannot both have a fixed port.
fn too_few_ports(
    place: &Place<'_>,
    port: &Port,
    target: &ServiceTarget,
    eligible: &Eligible<'_>,
) -> Option<Diagnostic> {
    let Count::Replicas(replicas) = target.replicas else { return None };
    let ports = HostPorts::of(port)?;
    let hosts = eligible.possible().count();
    if u64::from(replicas) <= ports.count().saturating_mul(hosts as u64) {
        return None;
    }
    let message = format!(
        "service `{}` has {replicas} replicas, which all want the host {ports}, and {} that can \
         take them",
        place.service,
        hosts_in_words(hosts),
    );
    let problem = Diagnostic::error("resolve/host-port", message);
    Some(problem.help(names(eligible)).help(
        "leave the host port out and add a route, give a range of ports, or use `mode: global`",
    ))
}

/// The range a host keeps for replicas is handed out without asking who else uses it.
fn in_the_range_of_replicas(port: &Port, eligible: &Eligible<'_>) -> Option<Diagnostic> {
    let ports = HostPorts::of(port).filter(|_| port.protocol == "tcp")?;
    let overlaps = |host: &&Host| {
        // Without an inventory nobody has chosen the range.
        host.span.is_some() && ports.first <= host.ports.last && host.ports.first <= ports.last
    };
    let host = eligible.possible().find(overlaps)?;
    let message = format!(
        "the host {ports} lies in {}, which host `{}` keeps for replicas behind a proxy",
        host.ports, host.name
    );
    Some(
        Diagnostic::warning("resolve/host-port", message)
            .help("choose another port, or another range with `ports:` of the host"),
    )
}

/// A reservation that is larger than every host can never be met.
fn no_capacity(
    place: &Place<'_>,
    target: &ServiceTarget,
    eligible: &Eligible<'_>,
) -> Option<Diagnostic> {
    let lacks: Vec<String> =
        eligible.possible().map(|host| lack(target, host)).collect::<Option<_>>()?;
    let message =
        format!("service `{}` reserves more than any host that may take it has", place.service);
    let problem = Diagnostic::error("resolve/capacity", message);
    let at = ["deploy", "resources", "reservations"];
    Some(place.at_path(problem, &at).help(listed(lacks.into_iter())))
}

/// What a host has too little of; `None` when it has enough, or does not say.
fn lack(target: &ServiceTarget, host: &Host) -> Option<String> {
    let reserved = &target.reservations;
    let cpus = reserved.cpus.zip(host.capacity.cpus).filter(|(wanted, there)| {
        #[expect(clippy::cast_precision_loss, reason = "no host has 2^52 processors")]
        let wanted = wanted.0 as f64 / 1e9;
        wanted > *there
    });
    let cpus = cpus.map(|(wanted, there)| format!("{there} of {wanted} cpus"));
    let memory = reserved
        .memory
        .zip(host.capacity.memory)
        .filter(|(wanted, there)| u64::try_from(wanted.0).is_ok_and(|wanted| wanted > *there));
    let memory = memory.map(|(wanted, there)| {
        let there = crate::model::Bytes(i64::try_from(there).unwrap_or(i64::MAX));
        format!("{there} of {wanted} memory")
    });
    let lacks: Vec<String> = cpus.into_iter().chain(memory).collect();
    (!lacks.is_empty()).then(|| format!("`{}` has {}", host.name, lacks.join(" and ")))
}

#[cfg(test)]
mod tests;
