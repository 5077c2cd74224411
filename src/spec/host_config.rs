//! `HostConfig`: what the container gets of its host.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::body::KEYS;
use super::keys::Keys;
use super::mounts::{Mounts, mounts};
use super::{Published, Surroundings};
use crate::model::{
    Blkio, ContainerSpec, DeviceMapping, DeviceRequest, Limits, Logging, RestartPolicy,
};

pub(super) fn host_config(
    s: &Surroundings<'_>,
    spec: &ContainerSpec,
    network_mode: Option<String>,
    published: &[Published],
) -> Value {
    let mut keys = Keys::with_room(KEYS);
    let Mounts { binds, mounts } = mounts(s, spec);
    keys.set("NetworkMode", network_mode)
        .set("PortBindings", port_bindings(spec, published))
        .list("Binds", binds)
        .list("Mounts", mounts)
        .set("Tmpfs", tmpfs(&spec.tmpfs))
        .list("VolumesFrom", spec.volumes_from.iter().map(|from| volumes_from(from)))
        .set("RestartPolicy", spec.restart.as_ref().map(restart))
        .set("LogConfig", spec.logging.as_ref().map(log_config));
    limits(&mut keys, &spec.limits);
    resources(&mut keys, spec);
    security(&mut keys, spec);
    namespaces(&mut keys, spec);
    keys.done()
}

fn port_bindings(spec: &ContainerSpec, published: &[Published]) -> Option<Value> {
    let mut bindings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in &spec.ports {
        let address = port.host_ip.clone().unwrap_or_default();
        let at = place(address, port.published.clone().unwrap_or_default());
        bindings.entry(format!("{}/{}", port.target, port.protocol)).or_default().push(at);
    }
    for port in published {
        let at = port.at.iter().map(|it| place(it.address.to_string(), it.port.to_string()));
        bindings.entry(format!("{}/tcp", port.container_port)).or_default().extend(at);
    }
    let all: Map<String, Value> =
        bindings.into_iter().map(|(port, at)| (port, Value::Array(at))).collect();
    (!all.is_empty()).then_some(Value::Object(all))
}

/// A place on the host.
fn place(address: String, port: String) -> Value {
    let mut keys = Keys::with_room(2);
    keys.put("HostIp", address).put("HostPort", port);
    keys.done()
}

/// `PATH:OPTIONS` as path and options.
fn tmpfs(texts: &[String]) -> Option<Value> {
    let entry = |text: &String| {
        let (path, options) = text.split_once(':').unwrap_or((text, ""));
        (path.to_owned(), Value::from(options))
    };
    let all: Map<String, Value> = texts.iter().map(entry).collect();
    (!all.is_empty()).then_some(Value::Object(all))
}

/// Compose marks containers that are not services; the engine knows no others.
fn volumes_from(from: &str) -> &str {
    from.strip_prefix("container:").unwrap_or(from)
}

fn restart(policy: &RestartPolicy) -> Value {
    let mut keys = Keys::default();
    // Engines refuse a number with any other policy.
    let attempts = policy.max_attempts.filter(|_| policy.condition == "on-failure");
    keys.put("Name", policy.condition.as_str()).set("MaximumRetryCount", attempts);
    keys.done()
}

fn log_config(logging: &Logging) -> Value {
    let mut keys = Keys::default();
    keys.text("Type", logging.driver.as_ref()).pairs("Config", &logging.options);
    keys.done()
}

fn limits(keys: &mut Keys, limits: &Limits) {
    let Limits {
        cpus,
        memory,
        memory_reservation,
        memory_swap,
        memory_swappiness,
        pids,
        oom_kill_disable,
        oom_score_adj,
        cpuset,
        cpu_shares,
        cpu_period,
        cpu_quota,
        cpu_rt_period,
        cpu_rt_runtime,
        // Windows only: refused before.
        cpu_count: _,
        cpu_percent: _,
    } = limits;
    keys.set("NanoCpus", cpus.map(|it| it.0))
        .set("Memory", memory.map(|it| it.0))
        .set("MemoryReservation", memory_reservation.map(|it| it.0))
        .set("MemorySwap", memory_swap.map(|it| it.0))
        .set("MemorySwappiness", *memory_swappiness)
        .set("PidsLimit", *pids)
        .set("OomKillDisable", *oom_kill_disable)
        .set("OomScoreAdj", *oom_score_adj)
        .text("CpusetCpus", cpuset.as_ref())
        .set("CpuShares", *cpu_shares)
        .set("CpuPeriod", *cpu_period)
        .set("CpuQuota", *cpu_quota)
        .set("CpuRealtimePeriod", *cpu_rt_period)
        .set("CpuRealtimeRuntime", *cpu_rt_runtime);
}

fn resources(keys: &mut Keys, spec: &ContainerSpec) {
    if let Some(blkio_config) = &spec.blkio_config {
        blkio(keys, blkio_config);
    }
    let ulimits = spec
        .ulimits
        .iter()
        .map(|(name, it)| json!({ "Name": name, "Soft": it.soft, "Hard": it.hard }));
    let (named, plain): (Vec<_>, Vec<_>) = spec.devices.iter().partition(|it| is_cdi(it));
    let requests = spec.device_requests.iter().map(device_request);
    let cdi = (!named.is_empty()).then(|| {
        let ids: Vec<&str> = named.iter().map(|it| it.source.as_str()).collect();
        json!({ "Driver": "cdi", "DeviceIDs": ids })
    });
    keys.list("Ulimits", ulimits)
        .list("Devices", plain.into_iter().map(device))
        .list("DeviceRequests", requests.chain(cdi))
        .list("DeviceCgroupRules", spec.device_cgroup_rules.iter().map(String::as_str))
        .pairs("Sysctls", &spec.sysctls)
        .pairs("StorageOpt", &spec.storage_opt)
        .set("ShmSize", spec.shm_size.map(|it| it.0))
        .text("CgroupParent", spec.cgroup_parent.as_ref());
}

fn blkio(keys: &mut Keys, blkio: &Blkio) {
    let rates = |rates: &BTreeMap<String, i64>, what: &str| -> Vec<Value> {
        rates.iter().map(|(path, rate)| json!({ "Path": path, what: rate })).collect()
    };
    keys.set("BlkioWeight", blkio.weight)
        .list("BlkioWeightDevice", rates(&blkio.weight_device, "Weight"))
        .list("BlkioDeviceReadBps", rates(&blkio.device_read_bps, "Rate"))
        .list("BlkioDeviceReadIOps", rates(&blkio.device_read_iops, "Rate"))
        .list("BlkioDeviceWriteBps", rates(&blkio.device_write_bps, "Rate"))
        .list("BlkioDeviceWriteIOps", rates(&blkio.device_write_iops, "Rate"));
}

/// A device by its CDI name: `vendor.com/class=name`.
fn is_cdi(device: &DeviceMapping) -> bool {
    let is_same = device.target.as_ref().is_none_or(|target| *target == device.source);
    is_same && !device.source.starts_with('/') && device.source.contains('=')
}

fn device(device: &DeviceMapping) -> Value {
    json!({
        "PathOnHost": device.source,
        "PathInContainer": device.target.as_ref().unwrap_or(&device.source),
        "CgroupPermissions": device.permissions.as_deref().unwrap_or("rwm"),
    })
}

/// Graphics cards are asked for without a capability; for all else it is required.
fn device_request(request: &DeviceRequest) -> Value {
    let mut capabilities: Vec<&str> = request.capabilities.iter().map(String::as_str).collect();
    if capabilities.is_empty() {
        capabilities.push("gpu");
    }
    let mut keys = Keys::default();
    keys.text("Driver", request.driver.as_ref())
        .set("Count", request.count)
        .list("DeviceIDs", request.device_ids.iter().map(String::as_str))
        .put("Capabilities", json!([capabilities]))
        .pairs("Options", &request.options);
    keys.done()
}

fn security(keys: &mut Keys, spec: &ContainerSpec) {
    const NO_MASK: &str = "systempaths=unconfined";
    let options = spec.security_opt.iter().map(String::as_str).filter(|it| *it != NO_MASK);
    keys.list("CapAdd", spec.cap_add.iter().map(String::as_str))
        .list("CapDrop", spec.cap_drop.iter().map(String::as_str))
        .list("SecurityOpt", options)
        .list("GroupAdd", spec.group_add.iter().map(String::as_str))
        .set("Privileged", spec.privileged)
        .set("ReadonlyRootfs", spec.read_only);
    if spec.security_opt.iter().any(|it| it == NO_MASK) {
        keys.put("MaskedPaths", json!([])).put("ReadonlyPaths", json!([]));
    }
}

fn namespaces(keys: &mut Keys, spec: &ContainerSpec) {
    keys.set("Init", spec.init)
        .list("Dns", spec.dns.iter().map(String::as_str))
        .list("DnsOptions", spec.dns_opt.iter().map(String::as_str))
        .list("DnsSearch", spec.dns_search.iter().map(String::as_str))
        .list("ExtraHosts", spec.extra_hosts.iter().map(|line| line.replacen('=', ":", 1)))
        .text("IpcMode", spec.ipc.as_ref())
        .text("PidMode", spec.pid.as_ref())
        .text("UTSMode", spec.uts.as_ref())
        .text("UsernsMode", spec.userns_mode.as_ref())
        .text("CgroupnsMode", spec.cgroup.as_ref())
        .text("Runtime", spec.runtime.as_ref())
        .text("Isolation", spec.isolation.as_ref())
        .pairs("Annotations", &spec.annotations);
}
