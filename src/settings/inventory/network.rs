//! What cannot be true of several hosts and proxies together: one engine under two names, one
//! port or one file for two proxies.

use std::collections::BTreeMap;

use super::endpoint::Endpoint;
use super::host::Host;
use super::proxy::{Listen, Proxy, Runs};
use crate::diag::Diagnostic;
use crate::model::Name;

/// All clashes, in the order of the names.
pub(super) fn check(
    hosts: &BTreeMap<Name, Host>,
    proxies: &BTreeMap<Name, Proxy>,
) -> Vec<Diagnostic> {
    let mut problems = same_engines(hosts);
    let proxies: Vec<&Proxy> = proxies.values().collect();
    for (index, proxy) in proxies.iter().enumerate() {
        problems.extend(own_listens(proxy));
        problems.extend(replica_ports(proxy, hosts));
        for earlier in &proxies[..index] {
            problems.extend(clash(earlier, proxy));
        }
    }
    problems
}

fn same_engines(hosts: &BTreeMap<Name, Host>) -> Vec<Diagnostic> {
    let mut engines: BTreeMap<String, &Host> = BTreeMap::new();
    let mut problems = Vec::new();
    for host in hosts.values() {
        let Some(first) = engines.get(&engine(&host.endpoint)) else {
            engines.insert(engine(&host.endpoint), host);
            continue;
        };
        let problem = Diagnostic::error(
            "inventory/same-engine",
            format!("`{}` and `{}` are the same Docker engine", first.name, host.name),
        )
        .help("a replica placed on both would meet itself; keep one of the names");
        let problem = match (first.span, host.span) {
            (Some(there), Some(here)) => problem.at(here).related(there, "first here"),
            _ => problem,
        };
        problems.push(problem);
    }
    problems
}

/// The URL with what is usual filled in. The user stays: each may run an engine without root.
fn engine(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Unix { .. } | Endpoint::Tcp { .. } => endpoint.to_string(),
        Endpoint::Ssh { machine, socket } => {
            let mut machine = machine.clone();
            machine.port = machine.port.or(Some(22));
            format!("ssh://{machine}{}", socket.as_deref().unwrap_or(Endpoint::USUAL_SOCKET))
        }
    }
}

fn overlap(one: &Listen, other: &Listen) -> bool {
    let same_address = match (one.address, other.address) {
        (Some(one), Some(other)) => one == other || one.is_unspecified() || other.is_unspecified(),
        _ => true,
    };
    one.port == other.port && same_address
}

fn own_listens(proxy: &Proxy) -> Vec<Diagnostic> {
    let mut problems = Vec::new();
    for (index, listen) in proxy.listen.iter().enumerate() {
        // Equal items are the shape's to report.
        let clash = proxy.listen[..index]
            .iter()
            .find(|first| overlap(first, listen) && first.address != listen.address);
        if let Some(first) = clash {
            problems.push(
                Diagnostic::error(
                    "inventory/listen-twice",
                    format!("`{}` listens on {listen} twice", proxy.name),
                )
                .at(listen.span)
                .related(first.span, "first here"),
            );
        }
    }
    problems
}

/// A service of the host must not listen where replicas may be published.
fn replica_ports(proxy: &Proxy, hosts: &BTreeMap<Name, Host>) -> Vec<Diagnostic> {
    if proxy.runs != Runs::Host {
        return Vec::new();
    }
    let clash = |listen: &Listen| {
        let host = proxy
            .hosts
            .iter()
            .filter_map(|name| hosts.get(name))
            .find(|host| host.ports.contains(listen.port))?;
        Some(
            Diagnostic::error(
                "inventory/listen-in-range",
                format!(
                    "{listen} lies in {}, where replicas are published on `{}`",
                    host.ports, host.name
                ),
            )
            .at(listen.span)
            .help("choose another port, or another range with `ports` of the host"),
        )
    };
    proxy.listen.iter().filter_map(clash).collect()
}

/// Ports and files that two proxies of one host both want. Containers have their own of both, so
/// only proxies that run as the same thing are compared.
fn clash(earlier: &Proxy, proxy: &Proxy) -> Vec<Diagnostic> {
    let Some(host) = proxy.hosts.iter().find(|host| earlier.hosts.contains(host)) else {
        return Vec::new();
    };
    if earlier.runs != proxy.runs {
        return Vec::new();
    }
    let mut problems = Vec::new();
    if earlier.config.value == proxy.config.value {
        problems.push(
            Diagnostic::error(
                "inventory/same-config",
                format!("`{}` and `{}` write the same file on `{host}`", earlier.name, proxy.name),
            )
            .at(proxy.config.span)
            .related(earlier.config.span, "first here")
            .help("give each proxy a file of its own"),
        );
    }
    for listen in &proxy.listen {
        if let Some(first) = earlier.listen.iter().find(|first| overlap(first, listen)) {
            problems.push(
                Diagnostic::error(
                    "inventory/same-listen",
                    format!(
                        "`{}` and `{}` both listen on port {} of `{host}`",
                        earlier.name, proxy.name, listen.port
                    ),
                )
                .at(listen.span)
                .related(first.span, "first here"),
            );
        }
    }
    problems
}
