//! A service.

use crate::shape::{Field, Format, List, MapOf, Record, Shape};

use super::build::BUILD;
use super::common::{
    BOOL, COMMAND, DRIVER_OPTIONS, ENTRIES, EXTRA_HOSTS, FILE_MOUNTS, GPU_REQUEST, HOOK, INTEGER,
    NAME, NUMBER, STRING_OR_LIST, STRINGS, TEXTS, ULIMITS, key,
};
use super::deploy::DEPLOY;
use super::mounts::{PORTS, VOLUMES};

pub(super) static SERVICE: Record = Record {
    name: "service",
    fields: &[
        key("image", Shape::Str, "The image its containers run."),
        key("build", BUILD, "How the image is made."),
        key("command", COMMAND, "What is run in place of the image's command."),
        key("entrypoint", COMMAND, "What is run in place of the image's entrypoint."),
        key("environment", ENTRIES, "Variables of the container."),
        key("env_file", ENV_FILE, "Files with variables of the container."),
        key("ports", PORTS, "Ports of the container that are reachable through the host."),
        key("expose", UNIQUE_SCALARS, "Ports that other containers reach."),
        key("volumes", VOLUMES, "What is mounted into the container."),
        key("volumes_from", STRINGS, "Services or containers whose mounts it shares."),
        key("tmpfs", STRING_OR_LIST, "Paths in memory."),
        key("networks", NETWORKS, "The networks it is in."),
        key("network_mode", Shape::Str, "Whose network it uses instead of its own."),
        key("depends_on", DEPENDS_ON, "Services that are started before it."),
        key("healthcheck", Shape::Record(&HEALTHCHECK), "How to tell that it works."),
        key("deploy", DEPLOY, "How many containers it has, where and with what."),
        key("scale", INTEGER, "How many containers run."),
        key("restart", Shape::Str, "When the engine starts it again."),
        key("labels", ENTRIES, "Labels of its containers."),
        key("label_file", LABEL_FILE, "Files with labels of its containers."),
        key("annotations", ENTRIES, "Annotations of its containers."),
        key("configs", FILE_MOUNTS, "Configs it is given."),
        key("secrets", FILE_MOUNTS, "Secrets it is given."),
        key("models", MODELS, "Language models it uses."),
        key("extends", EXTENDS, "Another service it starts from."),
        key("profiles", STRINGS, "Profiles of which one must be on."),
        key("container_name", Shape::Text(&CONTAINER_NAME), "The name of its only container."),
        key("hostname", Shape::Str, "What the container calls itself."),
        key("domainname", Shape::Str, "The domain of that name."),
        key("user", Shape::Str, "Who the process runs as."),
        key("group_add", UNIQUE_SCALARS, "Further groups of that user."),
        key("working_dir", Shape::Str, "Where the process runs."),
        key("init", BOOL, "Whether an init process looks after its children."),
        key("tty", BOOL, "Whether it has a terminal."),
        key("stdin_open", BOOL, "Whether its standard input stays open."),
        key("attach", BOOL, "Whether its output is shown by `up`."),
        key("stop_signal", Shape::Str, "The signal that stops it."),
        key("stop_grace_period", Shape::Str, "How long it may take to stop."),
        key("pull_policy", Shape::Text(&PULL_POLICY), "When its image is pulled."),
        key("pull_refresh_after", Shape::Str, "After how long the image is pulled again."),
        key("platform", Shape::Str, "The platform of its image."),
        key("privileged", BOOL, "Whether it has all rights on the host."),
        key("read_only", BOOL, "Whether its root file system is read-only."),
        key("cap_add", STRINGS, "Capabilities it gets."),
        key("cap_drop", STRINGS, "Capabilities it loses."),
        key("security_opt", STRINGS, "Options of the security modules."),
        key("sysctls", ENTRIES, "Parameters of the kernel."),
        key("ulimits", ULIMITS, "Limits of its processes."),
        key("devices", DEVICES, "Devices of the host it may use."),
        key("device_cgroup_rules", STRINGS, "Rules on devices."),
        key("gpus", GPUS, "GPUs it may use."),
        key("dns", STRING_OR_LIST, "Its name servers."),
        key("dns_opt", STRINGS, "Options of its resolver."),
        key("dns_search", STRING_OR_LIST, "Domains that short names are looked up in."),
        key("extra_hosts", EXTRA_HOSTS, "Addresses of hosts."),
        key("links", STRINGS, "Services it reaches under other names."),
        key("external_links", STRINGS, "Containers of others it reaches."),
        key("logging", Shape::Record(&LOGGING), "Where its output goes."),
        key("mem_limit", NUMBER, "Memory it may use."),
        key("mem_reservation", INTEGER, "Memory it can rely on."),
        key("mem_swappiness", INTEGER, "How readily its memory is swapped out."),
        key("memswap_limit", NUMBER, "Memory and swap it may use."),
        key("oom_kill_disable", BOOL, "Whether it is spared when memory runs out."),
        key("oom_score_adj", limited(&OOM_SCORE), "How likely it is killed when memory runs out."),
        key("pids_limit", NUMBER, "How many processes it may have."),
        key("shm_size", NUMBER, "The size of its `/dev/shm`."),
        key("storage_opt", ANY_MAP, "Options of the storage driver."),
        key("cpu_count", limited(&CPU_COUNT), "How many processors it may use."),
        key("cpu_percent", limited(&CPU_PERCENT), "Which share of the processors it may use."),
        key("cpu_shares", NUMBER, "Its weight among containers that want processors."),
        key("cpu_quota", NUMBER, "Processor time in each period."),
        key("cpu_period", NUMBER, "The length of a period."),
        key("cpu_rt_period", NUMBER, "The length of a period of the real-time scheduler."),
        key("cpu_rt_runtime", NUMBER, "Real-time processor time in each period."),
        key("cpus", NUMBER, "How many cores it may use, fractions allowed."),
        key("cpuset", Shape::Str, "Which cores it may use."),
        key("blkio_config", Shape::Record(&BLKIO), "Limits of its disk traffic."),
        key("cgroup", Shape::Enum(&["host", "private"]), "Whose control groups it sees."),
        key("cgroup_parent", Shape::Str, "The control group it is put below."),
        key("ipc", Shape::Str, "Whose IPC namespace it uses."),
        key("pid", Shape::OneOf(&[Shape::Str, Shape::Null]), "Whose processes it sees."),
        key("uts", Shape::Str, "Whose host name it uses."),
        key("userns_mode", Shape::Str, "Whose user namespace it uses."),
        key("isolation", Shape::Str, "How it is kept apart."),
        key("runtime", Shape::Str, "The program that runs it."),
        key("mac_address", Shape::Str, "Its MAC address."),
        key("credential_spec", Shape::Record(&CREDENTIAL_SPEC), "A managed account on Windows."),
        key("use_api_socket", Shape::Bool, "Whether it may talk to the engine."),
        key(
            "provider",
            Shape::Record(&PROVIDER),
            "The program that manages it in place of the engine.",
        ),
        key("develop", DEVELOP, "What happens when files change during development."),
        key("pre_start", PRE_START, "Steps that run to their end before it starts."),
        key("post_start", HOOKS, "Steps that run after it has started."),
        key("pre_stop", HOOKS, "Steps that run before it is stopped."),
    ],
    extensions: true,
};

const UNIQUE_SCALARS: Shape =
    Shape::List(&List { item: Shape::OneOf(&[Shape::Str, Shape::Number]), min: 0, unique: true });

const ANY_MAP: Shape = Shape::Map(&MapOf { key: None, value: Shape::Any, extensions: true });

const fn limited(shapes: &'static [Shape; 2]) -> Shape {
    Shape::OneOf(shapes)
}

static OOM_SCORE: [Shape; 2] = [Shape::Str, Shape::Integral { min: -1000, max: 1000 }];
static CPU_COUNT: [Shape; 2] = [Shape::Str, Shape::Integral { min: 0, max: i64::MAX }];
static CPU_PERCENT: [Shape; 2] = [Shape::Str, Shape::Integral { min: 0, max: 100 }];

static CONTAINER_NAME: Format = Format {
    name: "container name",
    example: "shop_web",
    check: |text| {
        // The specification only asks for two such characters somewhere in the name.
        let is_first = |c: u8| c.is_ascii_alphanumeric();
        let is_next = |c: u8| is_first(c) || matches!(c, b'_' | b'.' | b'-');
        if text.as_bytes().windows(2).any(|pair| is_first(pair[0]) && is_next(pair[1])) {
            Ok(())
        } else {
            Err("it needs a letter or digit, then one of letters, digits, `_`, `.` and `-`".into())
        }
    },
};

static PULL_POLICY: Format = Format {
    name: "pull policy",
    example: "missing",
    check: |text| {
        const WORDS: [&str; 8] =
            ["always", "never", "build", "if_not_present", "missing", "refresh", "daily", "weekly"];
        let is_interval = text.match_indices("every_").any(|(at, prefix)| {
            let digits = text[at + prefix.len()..].trim_start_matches(|c: char| c.is_ascii_digit());
            digits.len() < text.len() - at - prefix.len()
                && digits.starts_with(['w', 'd', 'h', 'm', 's'])
        });
        // A word anywhere in the text is enough for the specification.
        if is_interval || WORDS.iter().any(|word| text.contains(word)) {
            Ok(())
        } else {
            Err(format!("it must be one of {} or `every_…`", WORDS.join(", ")))
        }
    },
};

const ENV_FILE: Shape = Shape::OneOf(&[
    Shape::Str,
    Shape::List(&List {
        item: Shape::OneOf(&[
            Shape::Str,
            Shape::Record(&Record {
                name: "env file",
                fields: &[
                    Field::required("path", Shape::Str, "The file."),
                    key("format", Shape::Str, "`raw` takes every line as it stands."),
                    key("required", BOOL, "Whether it must be there."),
                ],
                extensions: false,
            }),
        ]),
        min: 0,
        unique: false,
    }),
]);

const LABEL_FILE: Shape = Shape::OneOf(&[Shape::Str, TEXTS]);

const NETWORKS: Shape = Shape::OneOf(&[
    STRINGS,
    Shape::Map(&MapOf {
        key: Some(&NAME),
        value: Shape::OneOf(&[Shape::Record(&NETWORK), Shape::Null]),
        extensions: false,
    }),
]);

static NETWORK: Record = Record {
    name: "network of a service",
    fields: &[
        key("aliases", STRINGS, "Further names it has there."),
        key("interface_name", Shape::Str, "The name of the interface."),
        key("ipv4_address", Shape::Str, "Its IPv4 address."),
        key("ipv6_address", Shape::Str, "Its IPv6 address."),
        key("link_local_ips", STRINGS, "Its link-local addresses."),
        key("mac_address", Shape::Str, "Its MAC address."),
        key("driver_opts", DRIVER_OPTIONS, "Options of the driver."),
        key("priority", Shape::Number, "Networks of higher priority are joined first."),
        key("gw_priority", Shape::Number, "The network of highest priority has the gateway."),
    ],
    extensions: true,
};

const DEPENDS_ON: Shape = Shape::OneOf(&[
    STRINGS,
    Shape::Map(&MapOf { key: Some(&NAME), value: Shape::Record(&DEPENDENCY), extensions: false }),
]);

static DEPENDENCY: Record = Record {
    name: "dependency",
    fields: &[
        Field::required(
            "condition",
            Shape::Enum(&["service_started", "service_healthy", "service_completed_successfully"]),
            "How far the other service must have come.",
        ),
        key("restart", BOOL, "Whether this one restarts with the other."),
        key("required", Shape::Bool, "Whether it is an error when the other is missing."),
    ],
    extensions: true,
};

static HEALTHCHECK: Record = Record {
    name: "healthcheck",
    fields: &[
        key("test", Shape::OneOf(&[Shape::Str, TEXTS]), "The command that succeeds when it works."),
        key("interval", Shape::Str, "The pause between two tests."),
        key("timeout", Shape::Str, "How long a test may take."),
        key("retries", NUMBER, "How many tests must fail in a row."),
        key("start_period", Shape::Str, "How long failures do not count after the start."),
        key("start_interval", Shape::Str, "The pause between two tests during that time."),
        key("disable", BOOL, "Whether the check of the image is switched off."),
    ],
    extensions: true,
};

const MODELS: Shape = Shape::OneOf(&[
    STRINGS,
    Shape::Map(&MapOf {
        key: None,
        value: Shape::OneOf(&[Shape::Record(&MODEL), Shape::Null]),
        extensions: false,
    }),
]);

static MODEL: Record = Record {
    name: "model of a service",
    fields: &[
        key("endpoint_var", Shape::Str, "The variable that has its address."),
        key("model_var", Shape::Str, "The variable that has its name."),
    ],
    extensions: true,
};

const EXTENDS: Shape = Shape::OneOf(&[
    Shape::Str,
    Shape::Record(&Record {
        name: "extends",
        fields: &[
            Field::required("service", Shape::Str, "The other service."),
            key("file", Shape::Str, "The file it is in."),
        ],
        extensions: false,
    }),
]);

const DEVICES: Shape = Shape::List(&List {
    item: Shape::OneOf(&[
        Shape::Str,
        Shape::Record(&Record {
            name: "device",
            fields: &[
                Field::required("source", Shape::Str, "The path on the host."),
                key("target", Shape::Str, "The path in the container."),
                key("permissions", Shape::Str, "Any of `r`, `w` and `m`."),
            ],
            extensions: true,
        }),
    ]),
    min: 0,
    unique: false,
});

const GPUS: Shape = Shape::OneOf(&[
    Shape::Enum(&["all"]),
    Shape::List(&List { item: Shape::Open(&GPU_REQUEST), min: 0, unique: false }),
]);

static LOGGING: Record = Record {
    name: "logging",
    fields: &[
        key("driver", Shape::Str, "What takes the output."),
        key(
            "options",
            Shape::Map(&MapOf {
                key: None,
                value: Shape::OneOf(&[Shape::Str, Shape::Number, Shape::Null]),
                extensions: false,
            }),
            "Options of the driver.",
        ),
    ],
    extensions: true,
};

static BLKIO: Record = Record {
    name: "blkio config",
    fields: &[
        key("weight", INTEGER, "Its weight among containers that want the disk."),
        key("weight_device", devices(&WEIGHT_DEVICE), "The same for single devices."),
        key("device_read_bps", devices(&THROTTLE), "Bytes read in a second, by device."),
        key("device_read_iops", devices(&THROTTLE), "Reads in a second, by device."),
        key("device_write_bps", devices(&THROTTLE), "Bytes written in a second, by device."),
        key("device_write_iops", devices(&THROTTLE), "Writes in a second, by device."),
    ],
    extensions: false,
};

const fn devices(list: &'static List) -> Shape {
    Shape::List(list)
}

static WEIGHT_DEVICE: List = List {
    item: Shape::Record(&Record {
        name: "device weight",
        fields: &[key("path", Shape::Str, "The device."), key("weight", INTEGER, "The weight.")],
        extensions: false,
    }),
    min: 0,
    unique: false,
};

static THROTTLE: List = List {
    item: Shape::Record(&Record {
        name: "device rate",
        fields: &[key("path", Shape::Str, "The device."), key("rate", INTEGER, "The rate.")],
        extensions: false,
    }),
    min: 0,
    unique: false,
};

static CREDENTIAL_SPEC: Record = Record {
    name: "credential spec",
    fields: &[
        key("config", Shape::Str, "The config that has it."),
        key("file", Shape::Str, "The file that has it."),
        key("registry", Shape::Str, "The place in the registry that has it."),
    ],
    extensions: true,
};

static PROVIDER: Record = Record {
    name: "provider",
    fields: &[
        Field::required("type", Shape::Str, "The program."),
        key(
            "options",
            Shape::Map(&MapOf { key: None, value: OPTION, extensions: false }),
            "What it is told.",
        ),
    ],
    extensions: true,
};

const OPTION: Shape = Shape::OneOf(&[
    Shape::Str,
    Shape::Number,
    Shape::Bool,
    Shape::List(&List {
        item: Shape::OneOf(&[Shape::Str, Shape::Number, Shape::Bool]),
        min: 0,
        unique: false,
    }),
]);

const DEVELOP: Shape = Shape::OneOf(&[Shape::Record(&DEVELOP_RECORD), Shape::Null]);

static DEVELOP_RECORD: Record = Record {
    name: "develop",
    fields: &[key(
        "watch",
        Shape::List(&List { item: Shape::Record(&WATCH), min: 0, unique: false }),
        "Paths that are watched.",
    )],
    extensions: true,
};

static WATCH: Record = Record {
    name: "watch",
    fields: &[
        Field::required("path", Shape::Str, "What is watched."),
        Field::required(
            "action",
            Shape::Enum(&["rebuild", "sync", "restart", "sync+restart", "sync+exec"]),
            "What happens on a change.",
        ),
        key("target", Shape::Str, "Where files are copied to."),
        key("ignore", STRING_OR_LIST, "Patterns of files that do not count."),
        key("include", STRING_OR_LIST, "Patterns of files that alone count."),
        key("exec", Shape::Record(&HOOK), "What is run after copying."),
        key("initial_sync", Shape::Bool, "Whether files are copied at the start too."),
    ],
    extensions: true,
};

const HOOKS: Shape = Shape::List(&List { item: Shape::Record(&HOOK), min: 0, unique: false });

const PRE_START: Shape =
    Shape::List(&List { item: Shape::Record(&PRE_START_HOOK), min: 0, unique: false });

static PRE_START_HOOK: Record = Record {
    name: "step before the start",
    fields: &[
        key("command", COMMAND, "What is run."),
        key("image", Shape::Str, "The image it runs in; that of the service when left out."),
        key("user", Shape::Str, "Who runs it."),
        key("privileged", BOOL, "Whether it runs with all rights."),
        key("working_dir", Shape::Str, "Where it runs."),
        key("environment", ENTRIES, "Variables it sees beside those of the service."),
        key("per_replica", BOOL, "Whether it runs for each container, or once for the service."),
    ],
    extensions: true,
};
