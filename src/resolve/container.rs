//! One service of the canonical Compose model as the full specification of its containers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields::Fields;
use crate::model::{
    Blkio, ContainerSpec, DeviceMapping, DeviceRequest, HealthCheck, Limits, Logging,
    NetworkAttachment, Port, RestartPolicy, Ulimit,
};

/// The specification, less what needs files: mounts, configs and secrets.
pub(super) fn container(service: Fields<'_>) -> ContainerSpec {
    let deploy = service.fields("deploy");
    ContainerSpec {
        image: service.text("image").unwrap_or_default(),
        platform: service.text("platform"),
        command: command(service, "command"),
        entrypoint: command(service, "entrypoint"),
        env: service.optional_pairs("environment"),
        labels: service.pairs("labels"),
        annotations: service.pairs("annotations"),
        user: service.text("user"),
        group_add: service.texts("group_add"),
        working_dir: service.text("working_dir"),
        container_name: service.text("container_name"),
        hostname: service.text("hostname"),
        domainname: service.text("domainname"),
        ports: service
            .list("ports")
            .iter()
            .filter_map(|port| published(Fields::of(port)))
            .collect(),
        expose: service.texts("expose"),
        networks: service.fields("networks").iter().map(attachment).collect(),
        network_mode: service.text("network_mode"),
        volumes: Vec::new(),
        tmpfs: service.texts("tmpfs"),
        volumes_from: service.texts("volumes_from"),
        configs: Vec::new(),
        secrets: Vec::new(),
        healthcheck: health_check(service.fields("healthcheck")),
        restart: restart(service.text("restart"), deploy.fields("restart_policy")),
        stop_signal: service.text("stop_signal"),
        stop_grace_period: service.nanos("stop_grace_period"),
        limits: limits(service, deploy.fields("resources").fields("limits")),
        blkio_config: blkio(service.fields("blkio_config")),
        ulimits: service.fields("ulimits").iter().filter_map(ulimit).collect(),
        sysctls: service.pairs("sysctls"),
        logging: logging(service.fields("logging")),
        devices: service.list("devices").iter().filter_map(|d| device(Fields::of(d))).collect(),
        device_cgroup_rules: service.texts("device_cgroup_rules"),
        device_requests: device_requests(service, deploy),
        cap_add: service.texts("cap_add"),
        cap_drop: service.texts("cap_drop"),
        security_opt: service.texts("security_opt"),
        privileged: service.flag("privileged"),
        read_only: service.flag("read_only"),
        init: service.flag("init"),
        stdin_open: service.flag("stdin_open"),
        tty: service.flag("tty"),
        use_api_socket: service.flag("use_api_socket"),
        dns: service.texts("dns"),
        dns_opt: service.texts("dns_opt"),
        dns_search: service.texts("dns_search"),
        extra_hosts: extra_hosts(service),
        links: service.texts("links"),
        external_links: service.texts("external_links"),
        mac_address: service.text("mac_address"),
        ipc: service.text("ipc"),
        pid: service.text("pid"),
        uts: service.text("uts"),
        userns_mode: service.text("userns_mode"),
        cgroup: service.text("cgroup"),
        cgroup_parent: service.text("cgroup_parent"),
        shm_size: service.bytes("shm_size"),
        storage_opt: service.pairs("storage_opt"),
        runtime: service.text("runtime"),
        isolation: service.text("isolation"),
        credential_spec: service.pairs("credential_spec"),
    }
}

/// `null` keeps the image's command, an empty list clears it: the two must not become one.
fn command(service: Fields<'_>, key: &str) -> Option<Vec<String>> {
    service.get(key).map(|_| service.texts(key))
}

fn published(port: Fields<'_>) -> Option<Port> {
    Some(Port {
        target: u16::try_from(port.int("target")?).ok()?,
        published: port.text("published"),
        host_ip: port.text("host_ip"),
        protocol: port.text("protocol").unwrap_or_else(|| "tcp".into()),
        // `ingress` is what a port is when nothing is said.
        mode: port.text("mode").filter(|mode| mode != "ingress"),
    })
}

fn attachment((name, value): (&str, &Value)) -> (String, NetworkAttachment) {
    let network = Fields::of(value);
    let attachment = NetworkAttachment {
        aliases: network.texts("aliases"),
        ipv4_address: network.text("ipv4_address"),
        ipv6_address: network.text("ipv6_address"),
        link_local_ips: network.texts("link_local_ips"),
        mac_address: network.text("mac_address"),
        driver_opts: network.pairs("driver_opts"),
        interface_name: network.text("interface_name"),
        priority: network.int("priority"),
        gw_priority: network.int("gw_priority"),
    };
    (name.to_owned(), attachment)
}

fn health_check(check: Fields<'_>) -> Option<HealthCheck> {
    check.is_there().then(|| HealthCheck {
        disable: check.flag("disable"),
        test: check.texts("test"),
        interval: check.nanos("interval"),
        timeout: check.nanos("timeout"),
        retries: check.count("retries"),
        start_period: check.nanos("start_period"),
        start_interval: check.nanos("start_interval"),
    })
}

/// `deploy.restart_policy` wins over `restart`, as with Compose.
fn restart(short: Option<String>, policy: Fields<'_>) -> Option<RestartPolicy> {
    if policy.is_there() {
        let condition = match policy.text("condition").as_deref() {
            Some("none") => "no".into(),
            None | Some("any" | "always") => "always".into(),
            Some(other) => other.to_owned(),
        };
        return Some(RestartPolicy { condition, max_attempts: policy.count("max_attempts") });
    }
    let short = short?;
    Some(match short.split_once(':') {
        Some((condition, attempts)) => {
            RestartPolicy { condition: condition.into(), max_attempts: attempts.parse().ok() }
        }
        None => RestartPolicy { condition: short, max_attempts: None },
    })
}

/// Compose has two places for most limits and makes sure they agree; here they become one.
fn limits(service: Fields<'_>, deploy: Fields<'_>) -> Limits {
    Limits {
        cpus: deploy.cpus("cpus").or_else(|| service.cpus("cpus")),
        memory: deploy.bytes("memory").or_else(|| service.bytes("mem_limit")),
        memory_reservation: service
            .fields("deploy")
            .fields("resources")
            .fields("reservations")
            .bytes("memory")
            .or_else(|| service.bytes("mem_reservation")),
        memory_swap: service.bytes("memswap_limit"),
        memory_swappiness: service.int("mem_swappiness"),
        pids: deploy.int("pids").or_else(|| service.int("pids_limit")),
        oom_kill_disable: service.flag("oom_kill_disable"),
        oom_score_adj: service.int("oom_score_adj"),
        cpuset: service.text("cpuset"),
        cpu_shares: service.int("cpu_shares"),
        cpu_period: service.int("cpu_period"),
        cpu_quota: service.int("cpu_quota"),
        cpu_rt_period: service.int("cpu_rt_period"),
        cpu_rt_runtime: service.int("cpu_rt_runtime"),
        cpu_count: service.int("cpu_count"),
        cpu_percent: service.float("cpu_percent"),
    }
}

fn blkio(blkio: Fields<'_>) -> Option<Blkio> {
    let rates = |key: &str, rate: &str| -> BTreeMap<String, i64> {
        let entry = |value: &Value| {
            let device = Fields::of(value);
            Some((device.text("Path").or_else(|| device.text("path"))?, {
                let lower = rate.to_lowercase();
                device.int(rate).or_else(|| device.int(&lower))?
            }))
        };
        blkio.list(key).iter().filter_map(entry).collect()
    };
    blkio.is_there().then(|| Blkio {
        weight: blkio.int("weight"),
        weight_device: rates("weight_device", "Weight"),
        device_read_bps: rates("device_read_bps", "Rate"),
        device_read_iops: rates("device_read_iops", "Rate"),
        device_write_bps: rates("device_write_bps", "Rate"),
        device_write_iops: rates("device_write_iops", "Rate"),
    })
}

fn ulimit((name, value): (&str, &Value)) -> Option<(String, Ulimit)> {
    let limits = Fields::of(value);
    let ulimit = match value.as_i64() {
        Some(both) => Ulimit { soft: both, hard: both },
        None => Ulimit { soft: limits.int("soft")?, hard: limits.int("hard")? },
    };
    Some((name.to_owned(), ulimit))
}

fn logging(logging: Fields<'_>) -> Option<Logging> {
    logging
        .is_there()
        .then(|| Logging { driver: logging.text("driver"), options: logging.pairs("options") })
}

fn device(device: Fields<'_>) -> Option<DeviceMapping> {
    Some(DeviceMapping {
        source: device.text("source")?,
        target: device.text("target"),
        permissions: device.text("permissions"),
    })
}

fn device_requests(service: Fields<'_>, deploy: Fields<'_>) -> Vec<DeviceRequest> {
    let reserved = deploy.fields("resources").fields("reservations").list("devices");
    reserved
        .iter()
        .chain(service.list("gpus"))
        .map(|value| {
            let request = Fields::of(value);
            DeviceRequest {
                driver: request.text("driver"),
                count: request.int("count"),
                device_ids: request.texts("device_ids"),
                capabilities: request.texts("capabilities"),
                options: request.pairs("options"),
            }
        })
        .collect()
}

fn extra_hosts(service: Fields<'_>) -> Vec<String> {
    match service.get("extra_hosts") {
        Some(Value::Object(hosts)) => hosts
            .iter()
            .flat_map(|(name, value)| match value {
                Value::Array(addresses) => addresses
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|address| format!("{name}={address}"))
                    .collect(),
                Value::String(address) => vec![format!("{name}={address}")],
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
            })
            .collect(),
        _ => service.texts("extra_hosts"),
    }
}
