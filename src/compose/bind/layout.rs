//! The shape of the canonical model, attribute by attribute, in the order it is shown.

/// How a value is read and written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A string; whole numbers become one.
    Str,
    /// A boolean; its words become one.
    Bool,
    /// A whole number; fractions are dropped.
    Int,
    /// A whole number of 0 or more, of so many bits.
    Uint(u32),
    /// A number in single precision.
    Float,
    /// A size, shown as a string of bytes.
    Bytes,
    /// A duration.
    Duration,
    /// The mode of a file, in octal.
    Mode,
    /// A number of devices; `all` is -1.
    Count,
    /// A list of strings.
    Strings,
    /// A string or a list of strings.
    StringList,
    /// A list of strings and numbers, shown as strings.
    Scalars,
    /// A command, split into words.
    Command,
    /// The test of a health check.
    Test,
    /// Texts by name; nothing is the empty text.
    Texts(Entry),
    /// Texts by name, with names that have none.
    Environment,
    /// Texts by name, given as a mapping.
    Options,
    /// Lists of texts by name.
    MultiOptions,
    /// Names of hosts with addresses.
    Hosts,
    /// Keys of an SSH agent.
    Ssh,
    /// Limits by name.
    Ulimits,
    /// A mapping with known keys.
    Record(&'static Layout),
    /// A list of mappings with known keys.
    List(&'static Layout),
    /// Mappings with known keys, by name.
    Map(&'static Layout),
    /// The same, in which nothing stays nothing.
    NullableMap(&'static Layout),
}

/// What a mapping of texts is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// A mapping of anything, or a list of `KEY=VALUE`.
    Any,
    /// A mapping of strings and whole numbers.
    Text,
}

/// When an attribute is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// When it is neither zero, false nor empty.
    NotZero,
    /// When it was given.
    Given,
    /// When it is false.
    False,
    /// Always, with a zero of its kind when it was not given.
    Always,
}

/// One attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slot {
    pub(super) key: &'static str,
    /// What it is called in the canonical model, where it is spelled otherwise.
    pub(super) shown: &'static str,
    pub(super) kind: Kind,
    pub(super) when: When,
}

/// All attributes of a mapping.
#[derive(Debug)]
pub(super) struct Layout(pub(super) &'static [Slot]);

const fn slot(key: &'static str, kind: Kind) -> Slot {
    Slot { key, shown: key, kind, when: When::NotZero }
}

const fn given(key: &'static str, kind: Kind) -> Slot {
    Slot { key, shown: key, kind, when: When::Given }
}

const fn always(key: &'static str, kind: Kind) -> Slot {
    Slot { key, shown: key, kind, when: When::Always }
}

const fn spelled(key: &'static str, shown: &'static str, kind: Kind) -> Slot {
    Slot { key, shown, kind, when: When::Always }
}

const fn unless_true(key: &'static str) -> Slot {
    Slot { key, shown: key, kind: Kind::Bool, when: When::False }
}

const TEXTS: Kind = Kind::Texts(Entry::Any);

pub(super) static PROJECT: Layout = Layout(&[
    slot("name", Kind::Str),
    always("services", Kind::Map(&SERVICE)),
    slot("networks", Kind::Map(&NETWORK)),
    slot("volumes", Kind::Map(&VOLUME)),
    slot("secrets", Kind::Map(&FILE_OBJECT)),
    slot("configs", Kind::Map(&FILE_OBJECT)),
    slot("models", Kind::Map(&MODEL)),
]);

static SERVICE: Layout = Layout(&[
    slot("profiles", Kind::Strings),
    slot("annotations", TEXTS),
    given("attach", Kind::Bool),
    given("build", Kind::Record(&BUILD)),
    given("develop", Kind::Record(&DEVELOP)),
    given("blkio_config", Kind::Record(&BLKIO)),
    slot("cap_add", Kind::Strings),
    slot("cap_drop", Kind::Strings),
    slot("cgroup_parent", Kind::Str),
    slot("cgroup", Kind::Str),
    slot("cpu_count", Kind::Int),
    slot("cpu_percent", Kind::Float),
    slot("cpu_period", Kind::Int),
    slot("cpu_quota", Kind::Int),
    slot("cpu_rt_period", Kind::Int),
    slot("cpu_rt_runtime", Kind::Int),
    slot("cpus", Kind::Float),
    slot("cpuset", Kind::Str),
    slot("cpu_shares", Kind::Int),
    always("command", Kind::Command),
    slot("configs", Kind::List(&FILE_MOUNT)),
    slot("container_name", Kind::Str),
    given("credential_spec", Kind::Record(&CREDENTIAL_SPEC)),
    slot("depends_on", Kind::Map(&DEPENDENCY)),
    given("deploy", Kind::Record(&DEPLOY)),
    slot("device_cgroup_rules", Kind::Strings),
    slot("devices", Kind::List(&DEVICE)),
    slot("dns", Kind::StringList),
    slot("dns_opt", Kind::Strings),
    slot("dns_search", Kind::StringList),
    slot("domainname", Kind::Str),
    always("entrypoint", Kind::Command),
    given("provider", Kind::Record(&PROVIDER)),
    slot("environment", Kind::Environment),
    slot("env_file", Kind::List(&ENV_FILE)),
    slot("expose", Kind::Scalars),
    given("extends", Kind::Record(&EXTENDS)),
    slot("external_links", Kind::Strings),
    slot("extra_hosts", Kind::Hosts),
    slot("group_add", Kind::Strings),
    slot("gpus", Kind::List(&DEVICE_REQUEST)),
    slot("hostname", Kind::Str),
    given("healthcheck", Kind::Record(&HEALTHCHECK)),
    slot("image", Kind::Str),
    given("init", Kind::Bool),
    slot("ipc", Kind::Str),
    slot("isolation", Kind::Str),
    slot("labels", TEXTS),
    slot("label_file", Kind::Strings),
    slot("links", Kind::Strings),
    given("logging", Kind::Record(&LOGGING)),
    slot("mem_limit", Kind::Bytes),
    slot("mem_reservation", Kind::Bytes),
    slot("memswap_limit", Kind::Bytes),
    slot("mem_swappiness", Kind::Bytes),
    slot("mac_address", Kind::Str),
    slot("models", Kind::NullableMap(&SERVICE_MODEL)),
    slot("network_mode", Kind::Str),
    slot("networks", Kind::NullableMap(&SERVICE_NETWORK)),
    slot("oom_kill_disable", Kind::Bool),
    slot("oom_score_adj", Kind::Int),
    slot("pid", Kind::Str),
    slot("pids_limit", Kind::Int),
    slot("platform", Kind::Str),
    slot("ports", Kind::List(&PORT)),
    slot("privileged", Kind::Bool),
    slot("pull_policy", Kind::Str),
    slot("read_only", Kind::Bool),
    slot("restart", Kind::Str),
    slot("runtime", Kind::Str),
    given("scale", Kind::Int),
    slot("secrets", Kind::List(&FILE_MOUNT)),
    slot("security_opt", Kind::Strings),
    slot("shm_size", Kind::Bytes),
    slot("stdin_open", Kind::Bool),
    given("stop_grace_period", Kind::Duration),
    slot("stop_signal", Kind::Str),
    slot("storage_opt", Kind::Texts(Entry::Text)),
    slot("sysctls", TEXTS),
    slot("tmpfs", Kind::StringList),
    slot("tty", Kind::Bool),
    slot("ulimits", Kind::Ulimits),
    slot("use_api_socket", Kind::Bool),
    slot("user", Kind::Str),
    slot("userns_mode", Kind::Str),
    slot("uts", Kind::Str),
    slot("volumes", Kind::List(&MOUNT)),
    slot("volumes_from", Kind::Strings),
    slot("working_dir", Kind::Str),
    slot("pre_start", Kind::List(&HOOK)),
    slot("post_start", Kind::List(&HOOK)),
    slot("pre_stop", Kind::List(&HOOK)),
]);

static BUILD: Layout = Layout(&[
    slot("context", Kind::Str),
    slot("dockerfile", Kind::Str),
    slot("dockerfile_inline", Kind::Str),
    slot("entitlements", Kind::Strings),
    slot("args", Kind::Environment),
    slot("provenance", Kind::Str),
    slot("sbom", Kind::Str),
    slot("ssh", Kind::Ssh),
    slot("labels", TEXTS),
    slot("cache_from", Kind::StringList),
    slot("cache_to", Kind::StringList),
    slot("no_cache", Kind::Bool),
    slot("no_cache_filter", Kind::StringList),
    slot("additional_contexts", TEXTS),
    slot("pull", Kind::Bool),
    slot("extra_hosts", Kind::Hosts),
    slot("isolation", Kind::Str),
    slot("network", Kind::Str),
    slot("target", Kind::Str),
    slot("secrets", Kind::List(&FILE_MOUNT)),
    slot("shm_size", Kind::Bytes),
    slot("tags", Kind::StringList),
    slot("ulimits", Kind::Ulimits),
    slot("platforms", Kind::StringList),
    slot("privileged", Kind::Bool),
]);

static DEVELOP: Layout = Layout(&[slot("watch", Kind::List(&WATCH))]);

static WATCH: Layout = Layout(&[
    always("path", Kind::Str),
    always("action", Kind::Str),
    slot("target", Kind::Str),
    always("exec", Kind::Record(&HOOK)),
    slot("include", Kind::Strings),
    slot("ignore", Kind::Strings),
    slot("initial_sync", Kind::Bool),
]);

static HOOK: Layout = Layout(&[
    always("command", Kind::Command),
    slot("image", Kind::Str),
    slot("user", Kind::Str),
    slot("privileged", Kind::Bool),
    slot("working_dir", Kind::Str),
    slot("environment", Kind::Environment),
    slot("per_replica", Kind::Bool),
]);

static BLKIO: Layout = Layout(&[
    slot("weight", Kind::Uint(16)),
    slot("weight_device", Kind::List(&WEIGHT_DEVICE)),
    slot("device_read_bps", Kind::List(&THROTTLE_DEVICE)),
    slot("device_read_iops", Kind::List(&THROTTLE_DEVICE)),
    slot("device_write_bps", Kind::List(&THROTTLE_DEVICE)),
    slot("device_write_iops", Kind::List(&THROTTLE_DEVICE)),
]);

static WEIGHT_DEVICE: Layout =
    Layout(&[spelled("path", "Path", Kind::Str), spelled("weight", "Weight", Kind::Uint(16))]);

static THROTTLE_DEVICE: Layout =
    Layout(&[spelled("path", "Path", Kind::Str), spelled("rate", "Rate", Kind::Bytes)]);

static FILE_MOUNT: Layout = Layout(&[
    slot("source", Kind::Str),
    slot("target", Kind::Str),
    slot("uid", Kind::Str),
    slot("gid", Kind::Str),
    given("mode", Kind::Mode),
]);

static CREDENTIAL_SPEC: Layout =
    Layout(&[slot("config", Kind::Str), slot("file", Kind::Str), slot("registry", Kind::Str)]);

static DEPENDENCY: Layout = Layout(&[
    slot("condition", Kind::Str),
    slot("restart", Kind::Bool),
    always("required", Kind::Bool),
]);

static DEPLOY: Layout = Layout(&[
    slot("mode", Kind::Str),
    given("replicas", Kind::Int),
    slot("labels", TEXTS),
    given("update_config", Kind::Record(&UPDATE_CONFIG)),
    given("rollback_config", Kind::Record(&UPDATE_CONFIG)),
    always("resources", Kind::Record(&RESOURCES)),
    given("restart_policy", Kind::Record(&RESTART_POLICY)),
    always("placement", Kind::Record(&PLACEMENT)),
    slot("endpoint_mode", Kind::Str),
]);

static UPDATE_CONFIG: Layout = Layout(&[
    given("parallelism", Kind::Uint(64)),
    slot("delay", Kind::Duration),
    slot("failure_action", Kind::Str),
    slot("monitor", Kind::Duration),
    slot("max_failure_ratio", Kind::Float),
    slot("order", Kind::Str),
]);

static RESOURCES: Layout = Layout(&[
    given("limits", Kind::Record(&RESOURCE)),
    given("reservations", Kind::Record(&RESOURCE)),
]);

static RESOURCE: Layout = Layout(&[
    slot("cpus", Kind::Float),
    slot("memory", Kind::Bytes),
    slot("pids", Kind::Int),
    slot("devices", Kind::List(&DEVICE_REQUEST)),
    slot("generic_resources", Kind::List(&GENERIC_RESOURCE)),
]);

static GENERIC_RESOURCE: Layout =
    Layout(&[given("discrete_resource_spec", Kind::Record(&DISCRETE_RESOURCE))]);

static DISCRETE_RESOURCE: Layout = Layout(&[always("kind", Kind::Str), always("value", Kind::Int)]);

static RESTART_POLICY: Layout = Layout(&[
    slot("condition", Kind::Str),
    given("delay", Kind::Duration),
    given("max_attempts", Kind::Uint(64)),
    given("window", Kind::Duration),
]);

static PLACEMENT: Layout = Layout(&[
    slot("constraints", Kind::Strings),
    slot("preferences", Kind::List(&PREFERENCE)),
    slot("max_replicas_per_node", Kind::Uint(64)),
]);

static PREFERENCE: Layout = Layout(&[slot("spread", Kind::Str)]);

static DEVICE: Layout =
    Layout(&[slot("source", Kind::Str), slot("target", Kind::Str), slot("permissions", Kind::Str)]);

static DEVICE_REQUEST: Layout = Layout(&[
    slot("capabilities", Kind::Strings),
    slot("driver", Kind::Str),
    slot("count", Kind::Count),
    slot("device_ids", Kind::Strings),
    slot("options", TEXTS),
]);

static PROVIDER: Layout = Layout(&[slot("type", Kind::Str), slot("options", Kind::MultiOptions)]);

static ENV_FILE: Layout =
    Layout(&[slot("path", Kind::Str), unless_true("required"), slot("format", Kind::Str)]);

static EXTENDS: Layout = Layout(&[slot("file", Kind::Str), slot("service", Kind::Str)]);

static HEALTHCHECK: Layout = Layout(&[
    slot("test", Kind::Test),
    given("timeout", Kind::Duration),
    given("interval", Kind::Duration),
    given("retries", Kind::Uint(64)),
    given("start_period", Kind::Duration),
    given("start_interval", Kind::Duration),
    slot("disable", Kind::Bool),
]);

static LOGGING: Layout = Layout(&[slot("driver", Kind::Str), slot("options", Kind::Options)]);

static SERVICE_MODEL: Layout =
    Layout(&[slot("endpoint_var", Kind::Str), slot("model_var", Kind::Str)]);

static SERVICE_NETWORK: Layout = Layout(&[
    slot("aliases", Kind::Strings),
    slot("driver_opts", Kind::Options),
    slot("gw_priority", Kind::Int),
    slot("interface_name", Kind::Str),
    slot("ipv4_address", Kind::Str),
    slot("ipv6_address", Kind::Str),
    slot("link_local_ips", Kind::Strings),
    slot("mac_address", Kind::Str),
    slot("priority", Kind::Int),
]);

static PORT: Layout = Layout(&[
    slot("name", Kind::Str),
    slot("mode", Kind::Str),
    slot("host_ip", Kind::Str),
    slot("target", Kind::Uint(32)),
    slot("published", Kind::Str),
    slot("protocol", Kind::Str),
    slot("app_protocol", Kind::Str),
]);

static MOUNT: Layout = Layout(&[
    slot("type", Kind::Str),
    slot("source", Kind::Str),
    slot("target", Kind::Str),
    slot("read_only", Kind::Bool),
    slot("consistency", Kind::Str),
    given("bind", Kind::Record(&MOUNT_BIND)),
    given("volume", Kind::Record(&MOUNT_VOLUME)),
    given("tmpfs", Kind::Record(&MOUNT_TMPFS)),
    given("image", Kind::Record(&MOUNT_IMAGE)),
]);

static MOUNT_BIND: Layout = Layout(&[
    slot("selinux", Kind::Str),
    slot("propagation", Kind::Str),
    unless_true("create_host_path"),
    slot("recursive", Kind::Str),
]);

static MOUNT_VOLUME: Layout =
    Layout(&[slot("labels", TEXTS), slot("nocopy", Kind::Bool), slot("subpath", Kind::Str)]);

static MOUNT_TMPFS: Layout = Layout(&[slot("size", Kind::Bytes), slot("mode", Kind::Uint(32))]);

static MOUNT_IMAGE: Layout = Layout(&[slot("subpath", Kind::Str)]);

static NETWORK: Layout = Layout(&[
    slot("name", Kind::Str),
    slot("driver", Kind::Str),
    slot("driver_opts", Kind::Options),
    always("ipam", Kind::Record(&IPAM)),
    slot("external", Kind::Bool),
    slot("internal", Kind::Bool),
    slot("attachable", Kind::Bool),
    slot("labels", TEXTS),
    given("enable_ipv4", Kind::Bool),
    given("enable_ipv6", Kind::Bool),
]);

static IPAM: Layout = Layout(&[
    slot("driver", Kind::Str),
    slot("config", Kind::List(&IPAM_POOL)),
    slot("options", Kind::Options),
]);

static IPAM_POOL: Layout = Layout(&[
    slot("subnet", Kind::Str),
    slot("gateway", Kind::Str),
    slot("ip_range", Kind::Str),
    slot("aux_addresses", TEXTS),
]);

static VOLUME: Layout = Layout(&[
    slot("name", Kind::Str),
    slot("driver", Kind::Str),
    slot("driver_opts", Kind::Options),
    slot("external", Kind::Bool),
    slot("labels", TEXTS),
]);

static FILE_OBJECT: Layout = Layout(&[
    slot("name", Kind::Str),
    slot("file", Kind::Str),
    slot("environment", Kind::Str),
    slot("content", Kind::Str),
    slot("external", Kind::Bool),
    slot("labels", TEXTS),
    slot("driver", Kind::Str),
    slot("driver_opts", Kind::Texts(Entry::Text)),
    slot("template_driver", Kind::Str),
]);

static MODEL: Layout = Layout(&[
    slot("name", Kind::Str),
    slot("model", Kind::Str),
    slot("context_size", Kind::Int),
    slot("runtime_flags", Kind::Strings),
]);
