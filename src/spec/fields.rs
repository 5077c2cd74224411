//! A request or an inspection as fields by Compose's names.
//!
//! Only known keys are read: what an engine of another version adds is no field. An engine writes
//! "not set" in many ways (missing, `null`, `""`, `0`, `[]`); here all of them are absent.
//!
//! Fields are for what differs. Parts that are equal word for word in what is wanted and in what is
//! there, as nearly all are in a fleet, are not taken apart.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::effective::{Effective, Named, Top};
use crate::model::{Bytes, LiveContainer, NanoCpus, Nanos};

/// Values by path; a list is kept as one, so that secrets among its words can be masked.
#[derive(Debug, Default)]
pub(super) struct Fields(pub(super) BTreeMap<String, Value>);

/// How a value is read.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Text, or a number or flag that is absent when empty, 0 or false.
    Plain,
    /// A number for which 0 is a wish and a negative one is none.
    Number,
    /// A number that counts when it is positive.
    Positive,
    Memory,
    Cpus,
    Time,
    /// Words whose order counts.
    Words,
    /// Words in any order.
    Set,
    /// Words in any order, with or without `CAP_`.
    Capabilities,
    /// Texts by name, a field each.
    Pairs,
}

const TOP: &[(&str, &str, Kind)] = &[
    ("Cmd", "command", Kind::Words),
    ("Entrypoint", "entrypoint", Kind::Words),
    ("User", "user", Kind::Plain),
    ("Hostname", "hostname", Kind::Plain),
    ("Domainname", "domainname", Kind::Plain),
    ("StopSignal", "stop_signal", Kind::Plain),
    ("OpenStdin", "stdin_open", Kind::Plain),
    ("Tty", "tty", Kind::Plain),
    ("MacAddress", "mac_address", Kind::Plain),
];

const CHECK: &[(&str, &str, Kind)] = &[
    ("Test", "healthcheck.test", Kind::Words),
    ("Interval", "healthcheck.interval", Kind::Time),
    ("Timeout", "healthcheck.timeout", Kind::Time),
    ("Retries", "healthcheck.retries", Kind::Positive),
    ("StartPeriod", "healthcheck.start_period", Kind::Time),
    ("StartInterval", "healthcheck.start_interval", Kind::Time),
];

const HOST: &[(&str, &str, Kind)] = &[
    ("VolumesFrom", "volumes_from", Kind::Set),
    ("Tmpfs", "tmpfs", Kind::Pairs),
    ("NanoCpus", "cpus", Kind::Cpus),
    ("Memory", "memory", Kind::Memory),
    ("MemoryReservation", "mem_reservation", Kind::Memory),
    ("MemorySwap", "memswap_limit", Kind::Memory),
    ("MemorySwappiness", "mem_swappiness", Kind::Number),
    ("PidsLimit", "pids_limit", Kind::Positive),
    ("OomKillDisable", "oom_kill_disable", Kind::Plain),
    ("OomScoreAdj", "oom_score_adj", Kind::Plain),
    ("CpusetCpus", "cpuset", Kind::Plain),
    ("CpuShares", "cpu_shares", Kind::Positive),
    ("CpuPeriod", "cpu_period", Kind::Positive),
    ("CpuQuota", "cpu_quota", Kind::Positive),
    ("CpuRealtimePeriod", "cpu_rt_period", Kind::Positive),
    ("CpuRealtimeRuntime", "cpu_rt_runtime", Kind::Positive),
    ("BlkioWeight", "blkio_config.weight", Kind::Positive),
    ("DeviceCgroupRules", "device_cgroup_rules", Kind::Set),
    ("Sysctls", "sysctls", Kind::Pairs),
    ("StorageOpt", "storage_opt", Kind::Pairs),
    ("ShmSize", "shm_size", Kind::Memory),
    ("CgroupParent", "cgroup_parent", Kind::Plain),
    ("CapAdd", "cap_add", Kind::Capabilities),
    ("CapDrop", "cap_drop", Kind::Capabilities),
    ("GroupAdd", "group_add", Kind::Set),
    ("Privileged", "privileged", Kind::Plain),
    ("ReadonlyRootfs", "read_only", Kind::Plain),
    ("Init", "init", Kind::Plain),
    ("Dns", "dns", Kind::Words),
    ("DnsOptions", "dns_opt", Kind::Words),
    ("DnsSearch", "dns_search", Kind::Words),
    ("ExtraHosts", "extra_hosts", Kind::Set),
    ("IpcMode", "ipc", Kind::Plain),
    ("PidMode", "pid", Kind::Plain),
    ("UTSMode", "uts", Kind::Plain),
    ("UsernsMode", "userns_mode", Kind::Plain),
    ("CgroupnsMode", "cgroup", Kind::Plain),
    ("Runtime", "runtime", Kind::Plain),
    ("Isolation", "isolation", Kind::Plain),
    ("Annotations", "annotations", Kind::Pairs),
];

/// What together says how a container is kept in.
const SECURITY: &[&str] = &["SecurityOpt", "MaskedPaths", "ReadonlyPaths", "Privileged"];

const BLOCK_RATES: &[(&str, &str, &str)] = &[
    ("BlkioWeightDevice", "weight_device", "Weight"),
    ("BlkioDeviceReadBps", "device_read_bps", "Rate"),
    ("BlkioDeviceReadIOps", "device_read_iops", "Rate"),
    ("BlkioDeviceWriteBps", "device_write_bps", "Rate"),
    ("BlkioDeviceWriteIOps", "device_write_iops", "Rate"),
];

const ENDPOINT: &[(&str, &str, Kind)] = &[
    ("Links", "external_links", Kind::Set),
    ("MacAddress", "mac_address", Kind::Plain),
    ("DriverOpts", "driver_opts", Kind::Pairs),
    ("GwPriority", "gw_priority", Kind::Plain),
];

/// What stands in a path before such an address.
pub(super) const GIVEN: &str = "given ";

const ADDRESSES: &[(&str, &str, Kind)] = &[
    ("IPv4Address", "ipv4_address", Kind::Plain),
    ("IPv6Address", "ipv6_address", Kind::Plain),
    ("LinkLocalIPs", "link_local_ips", Kind::Set),
];

/// A container as it is wanted, or as it is, with what its image adds.
pub(super) struct Side<'a> {
    config: &'a Value,
    top: Top<'a>,
    effective: Effective<'a>,
}

impl<'a> Side<'a> {
    pub(super) fn new(config: &'a Value, image: &Top<'a>) -> Self {
        let top = Top::of(config);
        Self { config, top, effective: Effective::of(&top, image) }
    }

    /// After how many seconds it is killed.
    fn grace(&self) -> i64 {
        // What an engine takes for none.
        self.top.stop_timeout.as_i64().unwrap_or(10)
    }
}

/// The parts that are not the same on two sides, word for word.
struct Apart<'a> {
    /// Keys of `HostConfig`.
    host: Vec<&'a str>,
    env: bool,
    labels: bool,
    working_dir: bool,
    grace: bool,
    process: Vec<&'a str>,
    health_check: Vec<&'a str>,
    security: bool,
    ports: bool,
    mounts: bool,
    networks: bool,
}

impl<'a> Apart<'a> {
    fn of(a: &Side<'a>, b: &Side<'a>) -> Self {
        let host = keys_apart(a.top.host, b.top.host);
        let has = |keys: &[&str]| host.iter().any(|key| keys.contains(key));
        let (one, other) = (&a.effective, &b.effective);
        Self {
            env: one.env != other.env,
            labels: one.labels != other.labels,
            working_dir: one.working_dir != other.working_dir,
            grace: a.grace() != b.grace(),
            process: names_apart(&one.process, &other.process),
            health_check: names_apart(&one.health_check, &other.health_check),
            security: has(SECURITY),
            ports: one.exposed != other.exposed || has(&["PortBindings"]),
            mounts: one.volumes != other.volumes || has(&["Binds", "Mounts"]),
            networks: a.top.hostname != b.top.hostname
                || a.top.networking != b.top.networking
                || has(&["NetworkMode"]),
            host,
        }
    }
}

/// The keys that two objects do not have with the same values.
fn keys_apart<'a>(a: &'a Value, b: &'a Value) -> Vec<&'a str> {
    let changed = named(a).filter(|(key, value)| b.get(key) != Some(*value));
    let added = named(b).filter(|(key, _)| a.get(key).is_none());
    changed.chain(added).map(|(key, _)| key).collect()
}

/// The keys of which the values are not the same; both have the same keys in the same order.
fn names_apart<'a>(a: &[Named<'a>], b: &[Named<'a>]) -> Vec<&'a str> {
    a.iter().zip(b).filter(|(a, b)| a.1 != b.1).map(|(a, _)| a.0).collect()
}

impl Fields {
    /// The fields of two sides, each without the parts that the other has too.
    pub(super) fn of(a: &Side<'_>, b: &Side<'_>) -> (Self, Self) {
        let apart = Apart::of(a, b);
        (Self::one(a, &apart), Self::one(b, &apart))
    }

    fn one(side: &Side<'_>, apart: &Apart<'_>) -> Self {
        let mut fields = Self::default();
        fields.process(side, apart);
        let host = side.top.host;
        if !apart.host.is_empty() {
            for part in named(host).filter(|(key, _)| apart.host.contains(key)) {
                fields.read([part].into_iter(), "", HOST);
                fields.host(part);
            }
        }
        if apart.security {
            fields.security(host);
        }
        if apart.ports {
            super::live_ports::ports(&mut fields, host, &side.effective.exposed);
        }
        if apart.mounts {
            super::live_mounts::mounts(&mut fields, host, &side.effective.volumes);
        }
        if apart.networks {
            fields.networks(side.config);
        }
        fields
    }

    /// What the container's process has.
    fn process(&mut self, side: &Side<'_>, apart: &Apart<'_>) {
        let own = &side.effective;
        if apart.env {
            for (name, value) in &own.env {
                self.put(["env.", name].concat(), *value);
            }
        }
        if apart.labels {
            for (name, value) in &own.labels {
                self.put(["labels.", name].concat(), *value);
            }
        }
        let process = own.process.iter().filter(|(key, _)| apart.process.contains(key));
        self.read(process.copied(), "", TOP);
        if apart.working_dir {
            self.set("working_dir", own.working_dir.map(str::to_owned));
        }
        let check = own.health_check.iter().filter(|(key, _)| apart.health_check.contains(key));
        self.read(check.copied(), "", CHECK);
        if apart.grace {
            self.put("stop_grace_period", format!("{}s", side.grace()));
        }
    }

    pub(super) fn put(&mut self, path: impl Into<String>, value: impl Into<Value>) {
        self.0.insert(path.into(), value.into());
    }

    /// Sets a field if there is a value.
    pub(super) fn set(&mut self, path: &str, value: Option<String>) {
        if let Some(value) = value {
            self.put(path, value);
        }
    }

    /// Goes over what is there, which is less than what there could be.
    fn read<'v>(
        &mut self,
        from: impl Iterator<Item = (&'v str, &'v Value)>,
        prefix: &str,
        table: &[(&str, &str, Kind)],
    ) {
        for (key, value) in from {
            let Some((_, name, kind)) = table.iter().find(|(known, ..)| *known == key) else {
                continue;
            };
            if let Kind::Pairs = kind {
                for (key, value) in pairs(value) {
                    let path = format!("{prefix}{name}.{key}");
                    self.put(path, value.as_str().unwrap_or_default());
                }
            } else if let Some(value) = read(value, *kind) {
                self.put([prefix, name].concat(), value);
            }
        }
    }

    /// A part of `HostConfig` that is more than a value.
    fn host(&mut self, (key, part): Named<'_>) {
        match key {
            "RestartPolicy" => self.set("restart", restart(part)),
            "LogConfig" => self.logging(part),
            "Ulimits" => {
                for limit in items(part) {
                    let name = limit["Name"].as_str().unwrap_or_default();
                    let value = format!("{}:{}", limit["Soft"], limit["Hard"]);
                    self.put(format!("ulimits.{name}"), value);
                }
            }
            "Devices" => self.devices(part),
            "DeviceRequests" => {
                for (index, request) in items(part).iter().enumerate() {
                    self.put(format!("gpus.{index}"), set_parts(request).to_string());
                }
            }
            _ => {
                let rates = BLOCK_RATES.iter().find(|(known, ..)| *known == key);
                for ((_, name, what), device) in
                    rates.into_iter().flat_map(|it| items(part).iter().map(move |one| (it, one)))
                {
                    let path = device["Path"].as_str().unwrap_or_default();
                    self.put(format!("blkio_config.{name}.{path}"), device[*what].to_string());
                }
            }
        }
    }

    fn logging(&mut self, log: &Value) {
        self.set("logging.driver", text(&log["Type"]));
        for (key, value) in pairs(&log["Config"]) {
            self.put(format!("logging.options.{key}"), value.as_str().unwrap_or_default());
        }
    }

    fn devices(&mut self, devices: &Value) {
        for device in items(devices) {
            let part = |key: &str| device[key].as_str().unwrap_or_default();
            let value = format!("{} {}", part("PathOnHost"), part("CgroupPermissions"));
            self.put(format!("devices.{}", part("PathInContainer")), value);
        }
    }

    fn security(&mut self, host: &Value) {
        let mut options: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for option in items(&host["SecurityOpt"]).iter().filter_map(Value::as_str) {
            let (name, value) = option.split_once(['=', ':']).unwrap_or((option, "true"));
            options.entry(name).or_default().push(value);
        }
        for (name, mut values) in options {
            values.sort_unstable();
            self.put(format!("security_opt.{name}"), values.join(", "));
        }
        let is_open = |key: &str| host[key].as_array().is_some_and(Vec::is_empty);
        if is_open("MaskedPaths") && is_open("ReadonlyPaths") && host["Privileged"] != true {
            self.put("security_opt.systempaths", "unconfined");
        }
    }

    fn networks(&mut self, config: &Value) {
        let mode = config["HostConfig"]["NetworkMode"].as_str().unwrap_or_default();
        match mode {
            "" | "default" | "bridge" => {}
            "host" | "none" => self.put("network_mode", mode),
            _ if mode.starts_with("container:") => self.put("network_mode", mode),
            _ => self.put("networks.priority", mode),
        }
        for (name, endpoint) in pairs(&config["NetworkingConfig"]["EndpointsConfig"]) {
            // The engine's own networks stand for a mode.
            let is_mode = mode == name || matches!(mode, "" | "default");
            if is_mode && matches!(name.as_str(), "host" | "none" | "bridge") {
                continue;
            }
            let prefix = format!("networks.{name}");
            self.put(prefix.as_str(), "attached");
            let prefix = format!("{prefix}.");
            self.read(named(endpoint), &prefix, ENDPOINT);
            self.read(named(&endpoint["IPAMConfig"]), &prefix, ADDRESSES);
            let given = named(&endpoint[LiveContainer::GIVEN_ADDRESSES]);
            self.read(given, &format!("{prefix}{GIVEN}"), ADDRESSES);
            let hostname = config["Hostname"].as_str().unwrap_or_default();
            let is_own = |alias: &String| is_short_id(alias) || alias == hostname;
            let aliases = words(&endpoint["Aliases"]).into_iter().filter(|it| !is_own(it));
            self.put_set(&format!("{prefix}aliases"), aliases.collect());
        }
    }

    /// An address that may have been asked for was, when it is wanted now.
    pub(super) fn settle_given(&mut self, wanted: &Self) {
        let given: Vec<String> =
            self.0.keys().filter(|path| path.contains(GIVEN)).cloned().collect();
        for path in given {
            let Some(address) = self.0.remove(&path) else { continue };
            let plain = path.replacen(GIVEN, "", 1);
            if wanted.0.contains_key(&plain) {
                self.0.insert(plain, address);
            }
        }
    }

    fn put_set(&mut self, path: &str, mut words: Vec<String>) {
        words.sort_unstable();
        words.dedup();
        if !words.is_empty() {
            self.put(path, words);
        }
    }
}

/// Older engines give a container its own short id as a name on each network, and its host name.
fn is_short_id(alias: &str) -> bool {
    alias.len() == 12 && alias.chars().all(|c| c.is_ascii_hexdigit() && !c.is_ascii_uppercase())
}

fn read(value: &Value, kind: Kind) -> Option<Value> {
    let positive = |value: &Value| value.as_i64().filter(|number| *number > 0);
    match kind {
        Kind::Plain | Kind::Pairs => text(value).map(Value::from),
        Kind::Number => value.as_i64().filter(|it| *it >= 0).map(|it| it.to_string().into()),
        Kind::Positive => positive(value).map(|number| number.to_string().into()),
        Kind::Memory => value.as_i64().filter(|it| *it != 0).map(|it| Bytes(it).to_string().into()),
        Kind::Cpus => positive(value).map(|number| NanoCpus(number).to_string().into()),
        Kind::Time => value.as_u64().filter(|it| *it > 0).map(|it| Nanos(it).to_string().into()),
        Kind::Words => some(words(value)),
        Kind::Set => some(sorted(words(value))),
        Kind::Capabilities => {
            let plain = |word: &String| word.to_uppercase().trim_start_matches("CAP_").to_owned();
            some(sorted(words(value).iter().map(plain).collect()))
        }
    }
}

fn some(words: Vec<String>) -> Option<Value> {
    (!words.is_empty()).then(|| words.into())
}

fn sorted(mut words: Vec<String>) -> Vec<String> {
    words.sort_unstable();
    words.dedup();
    words
}

/// A text, number or flag, unless it is the engine's way to say nothing.
pub(super) fn text(value: &Value) -> Option<String> {
    says(value).then(|| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// Whether it is a text, number or flag that is not the engine's way to say nothing.
pub(super) fn says(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::Bool(flag) => *flag,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

fn restart(policy: &Value) -> Option<String> {
    let name = text(&policy["Name"]).filter(|name| name != "no")?;
    Some(match policy["MaximumRetryCount"].as_i64() {
        Some(attempts) if attempts > 0 => format!("{name}:{attempts}"),
        _ => name,
    })
}

/// An object without the keys that say nothing.
fn set_parts(value: &Value) -> Value {
    let is_set = |value: &Value| match value {
        Value::Array(items) => !items.is_empty(),
        Value::Object(inner) => !inner.is_empty(),
        other => says(other),
    };
    let parts: BTreeMap<&String, &Value> = pairs(value).filter(|(_, it)| is_set(it)).collect();
    parts.into_iter().map(|(key, value)| (key.clone(), value.clone())).collect()
}

pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn pairs(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

pub(super) fn named(value: &Value) -> impl Iterator<Item = (&str, &Value)> {
    pairs(value).map(|(key, value)| (key.as_str(), value))
}

pub(super) fn words(value: &Value) -> Vec<String> {
    items(value).iter().filter_map(Value::as_str).map(str::to_owned).collect()
}
