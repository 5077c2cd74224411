//! Requests of ours against a real engine: what was asked for is found again, and only what was
//! changed by hand is named.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use gitdeploy::model::{
    BindSource, Blkio, Bytes, ContainerSpec, DeviceMapping, EngineInfo, FileMount, FileSource,
    HealthCheck, Identity, Limits, Logging, Mount, MountKind, NanoCpus, Nanos, NetworkAttachment,
    NetworkSpec, Port, RestartPolicy, Seen, ServiceName, Settled, StackTarget, Ulimit, VolumeSpec,
};
use gitdeploy::spec::{Published, Surroundings, body, differences};
use serde_json::{Value, json};

const IMAGE: &str = "spec-test:1";
const DOCKERFILE: &str = "FROM scratch\nCOPY busybox /bin/busybox\nENV PATH=/bin LEVEL=info\n\
    LABEL maker=us\nEXPOSE 9000\nVOLUME /image-data\nUSER 1000\nWORKDIR /srv\nSTOPSIGNAL SIGINT\n\
    HEALTHCHECK --interval=30s --retries=2 CMD [\"/bin/busybox\", \"true\"]\n\
    CMD [\"/bin/busybox\", \"sleep\", \"60\"]\n";

fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().expect("docker");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {error}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn api(method: &str, path: &str, body: &Value) -> Result<Value, String> {
    let mut curl = Command::new("curl")
        .args(["-sS", "--max-time", "60", "--unix-socket", "/var/run/docker.sock"])
        .args(["-X", method, "-H", "Content-Type: application/json", "-d", "@-"])
        .arg(format!("http://docker/{path}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("curl");
    write!(curl.stdin.take().expect("piped"), "{body}").expect("curl reads");
    let output = curl.wait_with_output().expect("curl ends");
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    match answer.get("message").and_then(Value::as_str) {
        Some(message) => Err(message.to_owned()),
        None => Ok(answer),
    }
}

/// The image, networks and volume that all tests share; made once.
fn world() -> &'static Value {
    static WORLD: OnceLock<Value> = OnceLock::new();
    WORLD.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::copy("/usr/bin/busybox", folder.path().join("busybox")).expect("busybox-static");
        std::fs::write(folder.path().join("Dockerfile"), DOCKERFILE).expect("written");
        let build = Command::new("docker")
            .env("DOCKER_BUILDKIT", "0")
            .args(["build", "-q", "-t", IMAGE])
            .arg(folder.path())
            .output()
            .expect("docker");
        assert!(build.status.success(), "{}", String::from_utf8_lossy(&build.stderr));
        for (name, range) in [("spec-front", "172.31.201.0/24"), ("spec-back", "172.31.202.0/24")] {
            let ipam = json!({"Config": [{"Subnet": range}]});
            // One that is left of an earlier run is as good.
            drop(api(
                "POST",
                "networks/create",
                &json!({"Name": name, "CheckDuplicate": true, "IPAM": ipam}),
            ));
        }
        api("GET", &format!("images/{IMAGE}/json"), &Value::Null).expect("an image")["Config"]
            .clone()
    })
}

fn identity() -> Identity {
    let labels: BTreeMap<String, String> = [
        ("project", "acme"),
        ("environment", "test"),
        ("stack", "spec"),
        ("service", "web"),
        ("slot", "1"),
        ("spec", "ab"),
        ("generation", "1"),
        ("commit", "c0ffee"),
    ]
    .into_iter()
    .map(|(key, value)| (format!("gitdeploy.{key}"), value.to_owned()))
    .collect();
    Identity::read(&labels).expect("complete")
}

fn target() -> StackTarget {
    let network = |name: &str| NetworkSpec { name: format!("spec-{name}"), ..Default::default() };
    StackTarget {
        services: BTreeMap::new(),
        networks: ["front", "back"].map(|name| (name.to_owned(), network(name))).into(),
        volumes: [(
            "data".to_owned(),
            VolumeSpec { name: "spec-data".into(), ..Default::default() },
        )]
        .into(),
        files: BTreeMap::new(),
        settled: Settled::default(),
    }
}

fn request(spec: &ContainerSpec, published: &[Published]) -> Value {
    let identity = identity();
    let engine = EngineInfo {
        version: docker(&["version", "--format", "{{.Server.Version}}"]),
        ..Default::default()
    };
    let surroundings = Surroundings {
        owner: &identity.owner,
        stack: &identity.stack,
        service: &ServiceName::new("web"),
        target: &target(),
        engine: &engine,
    };
    body(&surroundings, spec, &identity, published).expect("possible")
}

/// A container that goes when the test ends.
struct Live {
    name: String,
    want: Value,
}

impl Live {
    /// Made and started as an adapter does it: engines before 25 take one network at creation.
    fn start(name: &str, spec: &ContainerSpec, published: &[Published]) -> Self {
        world();
        let want = request(spec, published);
        let name = format!("spec-{name}");
        drop(api("DELETE", &format!("containers/{name}?force=1&v=1"), &Value::Null));
        let live = Self { name, want };
        let mut first = live.want.clone();
        let mode = live.want["HostConfig"]["NetworkMode"].as_str().unwrap_or_default().to_owned();
        let mut others = Vec::new();
        if let Some(all) = first["NetworkingConfig"]["EndpointsConfig"].as_object_mut() {
            others = all
                .iter()
                .filter(|(it, _)| **it != mode)
                .map(|(a, b)| (a.clone(), b.clone()))
                .collect();
            all.retain(|it, _| *it == mode);
        }
        api("POST", &format!("containers/create?name={}", live.name), &first)
            .unwrap_or_else(|error| panic!("{}: {error}", live.name));
        for (network, endpoint) in others {
            let request = json!({"Container": live.name, "EndpointConfig": endpoint});
            api("POST", &format!("networks/{network}/connect"), &request).expect("connected");
        }
        api("POST", &format!("containers/{}/start", live.name), &Value::Null)
            .unwrap_or_else(|error| panic!("{}: {error}", live.name));
        live
    }

    /// The shape of a request, rebuilt from an inspection.
    fn inspect(&self) -> Value {
        let seen =
            api("GET", &format!("containers/{}/json", self.name), &Value::Null).expect("there");
        let mut config = seen["Config"].clone();
        config["HostConfig"] = seen["HostConfig"].clone();
        config["NetworkingConfig"]["EndpointsConfig"] = seen["NetworkSettings"]["Networks"].clone();
        config
    }

    /// What differs, as `path: old -> new`.
    fn differences(&self) -> Vec<String> {
        let word = |seen: Option<Seen>| match seen {
            Some(Seen::Text(text)) => text,
            Some(Seen::Hidden) => "***".to_owned(),
            None => "-".to_owned(),
        };
        differences(&self.want, &self.inspect(), world())
            .into_iter()
            .map(|it| format!("{}: {} -> {}", it.path, word(it.old), word(it.new)))
            .collect()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(api("DELETE", &format!("containers/{}?force=1&v=1", self.name), &Value::Null));
    }
}

fn plain() -> ContainerSpec {
    ContainerSpec { image: IMAGE.into(), stop_grace_period: Some(Nanos(1)), ..Default::default() }
}

fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

fn pairs<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn process() -> ContainerSpec {
    ContainerSpec {
        command: Some(texts(["sleep", "60"])),
        entrypoint: Some(texts(["/bin/busybox"])),
        env: [("LEVEL", None), ("MODE", Some("a=b")), ("DB_PASSWORD", Some("x")), ("NEW", None)]
            .map(|(key, value)| (key.to_owned(), value.map(str::to_owned)))
            .into(),
        labels: pairs([("maker", "them"), ("tier", "web")]),
        user: Some("0:0".into()),
        group_add: texts(["100", "20"]),
        working_dir: Some("/tmp/".into()),
        hostname: Some("web".into()),
        domainname: Some("example.test".into()),
        healthcheck: Some(HealthCheck {
            test: texts(["CMD", "/bin/busybox", "true"]),
            timeout: Some(Nanos(3_000_000_000)),
            start_period: Some(Nanos(1_500_000_000)),
            ..Default::default()
        }),
        stop_signal: Some("SIGKILL".into()),
        restart: Some(RestartPolicy { condition: "on-failure".into(), max_attempts: Some(3) }),
        stdin_open: Some(true),
        tty: Some(true),
        init: Some(false),
        expose: texts(["7000-7001", "7002/udp"]),
        ..plain()
    }
}

fn limited() -> ContainerSpec {
    ContainerSpec {
        limits: Limits {
            cpus: Some(NanoCpus(500_000_000)),
            memory: Some(Bytes(64 << 20)),
            memory_reservation: Some(Bytes(32 << 20)),
            memory_swappiness: Some(0),
            pids: Some(50),
            oom_kill_disable: Some(true),
            oom_score_adj: Some(100),
            cpuset: Some("0".into()),
            cpu_shares: Some(512),
            ..Default::default()
        },
        blkio_config: Some(Blkio::default()),
        ulimits: [("nofile".to_owned(), Ulimit { soft: 1024, hard: 2048 })].into(),
        sysctls: pairs([("net.core.somaxconn", "1024")]),
        logging: Some(Logging {
            driver: Some("json-file".into()),
            options: pairs([("max-size", "1m")]),
        }),
        devices: vec![DeviceMapping {
            source: "/dev/null".into(),
            target: Some("/dev/zip".into()),
            permissions: None,
        }],
        device_cgroup_rules: texts(["c 1:3 rwm"]),
        cap_add: texts(["NET_ADMIN"]),
        cap_drop: texts(["CAP_CHOWN", "kill"]),
        security_opt: texts([
            "no-new-privileges:true",
            "seccomp:unconfined",
            "systempaths=unconfined",
        ]),
        read_only: Some(true),
        shm_size: Some(Bytes(32 << 20)),
        runtime: Some("runc".into()),
        ipc: Some("shareable".into()),
        pid: Some("host".into()),
        uts: Some("host".into()),
        ..plain()
    }
}

fn mount(target: &str, kind: MountKind, options: &[(&str, &str)]) -> Mount {
    let options = options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Mount { target: target.into(), kind, read_only: None, options: options.collect() }
}

fn mounted() -> ContainerSpec {
    let host = || MountKind::Bind { source: BindSource::Host { path: "/tmp".into() } };
    let stack = BindSource::Stack { path: "spec/data".into() };
    let files = [("a".to_owned(), "00".to_owned())].into();
    let repository =
        BindSource::Repository { path: "spec/conf".into(), files, executable: [].into() };
    ContainerSpec {
        volumes: vec![
            mount(
                "/named",
                MountKind::Volume { source: "data".into() },
                &[("volume.nocopy", "true")],
            ),
            mount("/own/", MountKind::Anonymous, &[]),
            mount("/image-data", MountKind::Anonymous, &[]),
            mount("/memory", MountKind::Tmpfs, &[("tmpfs.size", "65536"), ("tmpfs.mode", "448")]),
            mount("/host", host(), &[]),
            Mount {
                read_only: Some(true),
                ..mount("/host-too", host(), &[("bind.propagation", "private")])
            },
            mount("/stack", MountKind::Bind { source: stack }, &[]),
            mount("/conf", MountKind::Bind { source: repository }, &[]),
        ],
        tmpfs: texts(["/run", "/cache:size=65536"]),
        configs: vec![FileMount {
            source: "hosts".into(),
            target: "hosts".into(),
            uid: None,
            gid: None,
            mode: None,
            content: FileSource::Host { path: "/etc/hostname".into() },
        }],
        use_api_socket: Some(true),
        ..plain()
    }
}

fn networked() -> ContainerSpec {
    let front = NetworkAttachment {
        aliases: texts(["www", "shop"]),
        ipv4_address: Some("172.31.201.77".into()),
        priority: Some(10),
        ..Default::default()
    };
    ContainerSpec {
        networks: [("front".to_owned(), front), ("back".to_owned(), NetworkAttachment::default())]
            .into(),
        mac_address: Some("02:42:ac:11:65:43".into()),
        ports: vec![
            Port {
                target: 80,
                published: Some("18461".into()),
                host_ip: Some("127.0.0.1".into()),
                protocol: "tcp".into(),
                mode: None,
            },
            Port {
                target: 81,
                published: Some("18470-18475".into()),
                host_ip: None,
                protocol: "udp".into(),
                mode: None,
            },
            Port { target: 82, published: None, host_ip: None, protocol: "tcp".into(), mode: None },
        ],
        dns: texts(["192.0.2.1"]),
        dns_opt: texts(["ndots:1"]),
        dns_search: texts(["example.test"]),
        extra_hosts: texts(["db=192.0.2.7", "six=2001:db8::1"]),
        ..plain()
    }
}

#[test]
fn what_was_asked_for_is_found_again() {
    let at = vec![gitdeploy::model::Endpoint { address: [127, 0, 0, 1].into(), port: 18_462 }];
    let published = [Published { container_port: 8080, at }];
    let off = HealthCheck { disable: Some(true), ..Default::default() };
    let swap = Limits {
        memory: Some(Bytes(64 << 20)),
        memory_swap: Some(Bytes(-1)),
        ..Default::default()
    };
    let cleared = ContainerSpec {
        entrypoint: Some(Vec::new()),
        command: Some(texts(["/bin/busybox", "sleep", "60"])),
        healthcheck: Some(off),
        privileged: Some(true),
        limits: swap,
        ..plain()
    };
    let host = ContainerSpec { network_mode: Some("host".into()), ..plain() };
    let none = ContainerSpec { network_mode: Some("none".into()), ..plain() };
    for (name, spec, published) in [
        ("plain", plain(), &published[..0]),
        ("process", process(), &[]),
        ("limited", limited(), &[]),
        ("mounted", mounted(), &[]),
        ("networked", networked(), &published[..]),
        ("cleared", cleared, &[]),
        ("host", host, &[]),
        ("none", none, &[]),
    ] {
        let live = Live::start(name, &spec, published);
        assert_eq!(live.differences(), [""; 0], "{name}");
    }
}

#[test]
fn only_what_was_changed_by_hand_is_named() {
    let spec = ContainerSpec {
        limits: Limits { memory: Some(Bytes(64 << 20)), ..Default::default() },
        networks: ["front", "back"].map(|it| (it.to_owned(), NetworkAttachment::default())).into(),
        ..plain()
    };
    let live = Live::start("hand", &spec, &[]);
    let name = live.name.as_str();
    docker(&["update", "--memory", "32m", name]);
    assert_eq!(live.differences(), ["memory: 32MiB -> 64MiB"]);
    docker(&["update", "--memory", "64m", "--restart", "always", name]);
    assert_eq!(live.differences(), ["restart: always -> -"]);
    docker(&["update", "--restart", "no", "--pids-limit", "9", "--cpus", "0.5", name]);
    assert_eq!(live.differences(), ["cpus: 0.5 -> -", "pids_limit: 9 -> -"]);
    docker(&["update", "--pids-limit", "-1", "--cpu-shares", "512", name]);
    assert_eq!(live.differences(), ["cpu_shares: 512 -> -", "cpus: 0.5 -> -"]);
    docker(&["network", "disconnect", "spec-front", name]);
    let found = live.differences();
    assert!(found.contains(&"networks.spec-front: - -> attached".to_owned()), "{found:?}");
    docker(&["network", "connect", "spec-front", name]);
    let found = live.differences();
    assert!(found.contains(&"networks.spec-front.aliases: - -> [\"web\"]".to_owned()), "{found:?}");
}
