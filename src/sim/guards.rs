//! What an engine refuses: things of somebody else, things in use, ports that are taken.

use serde_json::Value;

use super::state::{SimContainer, SimHost};
use crate::model::{Endpoint, Hook, Millis, StackName, Status, Subnet};
use crate::ports::{Applied, PortError};

/// Refuses a container that nobody of us made.
pub(super) fn container(host: &SimHost, name: &str) -> Result<(), PortError> {
    match host.foreign.names.contains(name) {
        true => Err(not_ours(name)),
        false => Ok(()),
    }
}

/// Refuses to remove a network or volume that nobody of us made.
pub(super) fn owned(stack: Option<Option<&StackName>>, name: &str) -> Result<(), PortError> {
    match stack {
        Some(None) => Err(not_ours(name)),
        Some(Some(_)) | None => Ok(()),
    }
}

/// The ranges that a network is to have; refused when another one of the host has part of them.
pub(super) fn subnets(host: &SimHost, body: &Value) -> Result<Vec<String>, PortError> {
    let driver = |driver: Option<&str>| driver == Some("overlay");
    let is_overlay = driver(body.get("Driver").and_then(Value::as_str));
    let pools = body.pointer("/IPAM/Config").and_then(Value::as_array);
    let texts = pools.into_iter().flatten().filter_map(|it| it.get("Subnet")?.as_str());
    let texts: Vec<String> = texts.map(str::to_owned).collect();
    let own = host.networks.values().filter(|live| driver(Some(&live.driver)) == is_overlay);
    let foreign = host.foreign.subnets.values().filter(|_| !is_overlay);
    let taken = own.map(|live| &live.subnets).chain(foreign).flatten();
    let taken: Vec<Subnet> = taken.filter_map(|text| Subnet::parse(text)).collect();
    let is_taken = |text: &String| {
        Subnet::parse(text).is_some_and(|new| taken.iter().any(|it| it.overlaps(&new)))
    };
    match texts.iter().any(is_taken) {
        true => {
            Err(PortError::Refused("Pool overlaps with other one on this address space".into()))
        }
        false => Ok(texts),
    }
}

/// What it means that a network or volume of that name is there, made for `there`.
pub(super) fn stands(
    there: Option<&StackName>,
    wanted: Option<&StackName>,
    name: &str,
) -> Result<Applied, PortError> {
    match there.is_some() && there == wanted {
        true => Ok(Applied::AlreadyTrue),
        false => Err(PortError::Moved(format!("another {name} is there"))),
    }
}

/// Refuses to remove a volume that a container has.
pub(super) fn volume_in_use(host: &SimHost, name: &str) -> Result<(), PortError> {
    let list = |container: &SimContainer, key: &str| {
        let list = container.config.pointer(&format!("/HostConfig/{key}"));
        list.and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let uses = |container: &&SimContainer| {
        let mounts = list(container, "Mounts");
        let binds = list(container, "Binds");
        mounts.iter().any(|mount| mount.get("Source").and_then(Value::as_str) == Some(name))
            || binds
                .iter()
                .filter_map(Value::as_str)
                .any(|bind| bind.split(':').next() == Some(name))
    };
    match host.containers.values().filter(uses).count() {
        0 => Ok(()),
        users => Err(PortError::Refused(format!("{name} is in use by {users} containers"))),
    }
}

/// Refuses a start when something else has a port that the container publishes.
pub(super) fn ports(host: &SimHost, name: &str, now: Millis) -> Result<(), PortError> {
    let Some(own) = host.containers.get(name) else { return Ok(()) };
    let others = host.containers.iter().filter(|(other, _)| *other != name);
    let running = others.filter(|(_, it)| it.status_at(now) == Status::Running);
    let meets = |a: &Endpoint, b: &Endpoint| {
        let is_any = a.address.is_unspecified() || b.address.is_unspecified();
        a.port == b.port && (is_any || a.address == b.address)
    };
    let mut taken = running.flat_map(|(_, it)| &it.published);
    let is_taken = taken.any(|at| own.published.iter().any(|own| meets(own, at)))
        || own.published.iter().any(|at| host.foreign.ports.contains_key(&at.port));
    match is_taken {
        true => Err(PortError::Moved(format!("{name}: port is already allocated"))),
        false => Ok(()),
    }
}

/// How a hook ends: as a script that only says so.
pub(super) fn exit_code(hook: &Hook) -> i64 {
    let script = hook.command.last().and_then(|word| word.strip_prefix("exit "));
    script.and_then(|code| code.parse().ok()).unwrap_or(0)
}

fn not_ours(name: &str) -> PortError {
    PortError::Refused(format!("{name} was not made by gitdeploy, so it was left as it is"))
}
