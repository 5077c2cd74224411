//! What is special about single attributes of a Compose file, in one table.
//!
//! Most attributes need no entry: mappings merge key by key, lists are joined, other values are
//! replaced. The table says where it is otherwise. It is compiled into a tree once; a stage walks
//! that tree beside the document's, so finding an attribute's rules costs one look-up a level.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;

use super::interpolate::Cast;

/// The rules of one attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    /// Where it stands; `*` for any key or item.
    pattern: &'static str,
    pub(super) cast: Option<Cast>,
    pub(super) merge: Merge,
    pub(super) unique: Option<Unique>,
    pub(super) canonical: Option<Canonical>,
    pub(super) default: Option<DefaultValue>,
    pub(super) path: Option<PathKind>,
}

/// How a later value meets an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Merge {
    /// Mappings key by key, lists joined, other values replaced.
    Deep,
    /// The later value replaces the earlier.
    Replace,
    /// Both become lists of `KEY=VALUE` and are joined.
    Entries,
    /// As [`Merge::Entries`], without the items that are there already.
    Hosts,
    /// Both become mappings from names to nothing, then merge.
    Names,
    /// Both become mappings from services to conditions, then merge.
    Dependencies,
    /// A string is a context; then as mappings.
    Build,
    /// Options merge only under the same driver.
    Logging,
    /// Pools of the same subnet merge.
    Pools,
}

/// What makes two items of a list the same item, of which the later wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unique {
    /// The text up to `=`.
    Key,
    /// The path in the container.
    Volume,
    /// The path in the container.
    Device,
    /// The target, or the source below a directory.
    Mount(&'static str),
    /// The port as text.
    Expose,
    /// Address, published and target port, protocol.
    Port,
    /// The path of the file.
    EnvFile,
}

/// How a short form becomes the long one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Canonical {
    Build,
    DependsOn,
    Device,
    EnvFile,
    Extends,
    External,
    FileMount,
    Gpus,
    KeyValue,
    List,
    Names,
    Ports,
    Ssh,
    Text,
    Ulimit,
    Volume,
}

/// What is filled in where a key is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DefaultValue {
    BindOptions,
    BuildContext,
    DeviceRequest,
    Port,
    SecretMount,
}

/// How a path is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathKind {
    /// A directory, URL or service.
    Context,
    /// A mount, whose source counts when it is a bind.
    Mount,
    /// A file or directory; nothing stays nothing.
    File,
    /// A file on the host that may be a Windows path.
    HostFile,
    /// A volume, whose `device` counts when it is bound.
    DriverOptions,
}

const fn at(pattern: &'static str) -> Attribute {
    Attribute {
        pattern,
        cast: None,
        merge: Merge::Deep,
        unique: None,
        canonical: None,
        default: None,
        path: None,
    }
}

impl Attribute {
    const fn cast(mut self, cast: Cast) -> Self {
        self.cast = Some(cast);
        self
    }

    const fn merge(mut self, merge: Merge) -> Self {
        self.merge = merge;
        self
    }

    const fn unique(mut self, unique: Unique) -> Self {
        self.unique = Some(unique);
        self
    }

    const fn canonical(mut self, canonical: Canonical) -> Self {
        self.canonical = Some(canonical);
        self
    }

    const fn default(mut self, default: DefaultValue) -> Self {
        self.default = Some(default);
        self
    }

    const fn path(mut self, path: PathKind) -> Self {
        self.path = Some(path);
        self
    }

    /// `KEY=VALUE` entries, as a list or a mapping, of which the later wins.
    const fn entries(self) -> Self {
        self.merge(Merge::Entries).unique(Unique::Key)
    }
}

static ATTRIBUTES: &[Attribute] = &[
    at("configs.*").canonical(Canonical::External),
    at("configs.*.external").cast(Cast::Bool),
    at("configs.*.file").path(PathKind::HostFile),
    at("networks.*").canonical(Canonical::External),
    at("networks.*.attachable").cast(Cast::Bool),
    at("networks.*.enable_ipv4").cast(Cast::Bool),
    at("networks.*.enable_ipv6").cast(Cast::Bool),
    at("networks.*.external").cast(Cast::Bool),
    at("networks.*.internal").cast(Cast::Bool),
    at("networks.*.ipam.config").merge(Merge::Pools),
    at("networks.*.ipam.options").unique(Unique::Key),
    at("networks.*.labels").entries(),
    at("secrets.*").canonical(Canonical::External),
    at("secrets.*.external").cast(Cast::Bool),
    at("secrets.*.file").path(PathKind::HostFile),
    at("services.*.annotations").entries(),
    at("services.*.build")
        .merge(Merge::Build)
        .canonical(Canonical::Build)
        .default(DefaultValue::BuildContext),
    at("services.*.build.additional_contexts").entries().canonical(Canonical::KeyValue),
    at("services.*.build.additional_contexts.*").path(PathKind::Context),
    at("services.*.build.args").entries(),
    at("services.*.build.context").path(PathKind::Context),
    at("services.*.build.extra_hosts").merge(Merge::Hosts),
    at("services.*.build.labels").entries(),
    at("services.*.build.provenance").canonical(Canonical::Text),
    at("services.*.build.sbom").canonical(Canonical::Text),
    at("services.*.build.secrets.*").canonical(Canonical::FileMount),
    at("services.*.build.ssh").canonical(Canonical::Ssh),
    at("services.*.build.ssh.*").path(PathKind::HostFile),
    at("services.*.build.tags").unique(Unique::Key),
    at("services.*.build.ulimits.*").canonical(Canonical::Ulimit),
    at("services.*.cap_add").unique(Unique::Key),
    at("services.*.cap_drop").unique(Unique::Key),
    at("services.*.command").merge(Merge::Replace),
    at("services.*.configs").unique(Unique::Mount("")),
    at("services.*.configs.*").canonical(Canonical::FileMount),
    at("services.*.cpu_count").cast(Cast::Int),
    at("services.*.cpu_percent").cast(Cast::Float),
    at("services.*.cpu_period").cast(Cast::Int),
    at("services.*.cpu_quota").cast(Cast::Int),
    at("services.*.cpu_rt_period").cast(Cast::Int),
    at("services.*.cpu_rt_runtime").cast(Cast::Int),
    at("services.*.cpu_shares").cast(Cast::Int),
    at("services.*.cpus").cast(Cast::Float32),
    at("services.*.depends_on").merge(Merge::Dependencies).canonical(Canonical::DependsOn),
    at("services.*.depends_on.*.required").cast(Cast::Bool),
    at("services.*.depends_on.*.restart").cast(Cast::Bool),
    at("services.*.deploy.labels").entries(),
    at("services.*.deploy.placement.max_replicas_per_node").cast(Cast::Int),
    at("services.*.deploy.replicas").cast(Cast::Int),
    at("services.*.deploy.resources.reservations.devices.*").default(DefaultValue::DeviceRequest),
    at("services.*.deploy.restart_policy.max_attempts").cast(Cast::Int),
    at("services.*.deploy.rollback_config.max_failure_ratio").cast(Cast::Float),
    at("services.*.deploy.rollback_config.parallelism").cast(Cast::Int),
    at("services.*.deploy.update_config.max_failure_ratio").cast(Cast::Float),
    at("services.*.deploy.update_config.parallelism").cast(Cast::Int),
    at("services.*.develop.watch.*.ignore").canonical(Canonical::List),
    at("services.*.develop.watch.*.include").canonical(Canonical::List),
    at("services.*.develop.watch.*.path").path(PathKind::File),
    at("services.*.devices").unique(Unique::Device),
    at("services.*.devices.*").canonical(Canonical::Device),
    at("services.*.dns").entries().canonical(Canonical::List),
    at("services.*.dns_opt").entries(),
    at("services.*.dns_search").entries(),
    at("services.*.entrypoint").merge(Merge::Replace),
    at("services.*.env_file")
        .merge(Merge::Entries)
        .unique(Unique::EnvFile)
        .canonical(Canonical::EnvFile),
    at("services.*.env_file.*.path").path(PathKind::File),
    at("services.*.environment").entries(),
    at("services.*.expose").unique(Unique::Expose),
    at("services.*.extends").canonical(Canonical::Extends),
    at("services.*.extends.file").path(PathKind::File),
    at("services.*.extra_hosts").merge(Merge::Hosts),
    at("services.*.gpus").canonical(Canonical::Gpus),
    at("services.*.gpus.*").default(DefaultValue::DeviceRequest),
    at("services.*.healthcheck.disable").cast(Cast::Bool),
    at("services.*.healthcheck.retries").cast(Cast::Int),
    at("services.*.healthcheck.test").merge(Merge::Replace),
    at("services.*.init").cast(Cast::Bool),
    at("services.*.label_file").merge(Merge::Entries).canonical(Canonical::List),
    at("services.*.label_file.*").path(PathKind::File),
    at("services.*.labels").entries(),
    at("services.*.links").unique(Unique::Key),
    at("services.*.logging").merge(Merge::Logging),
    at("services.*.models").merge(Merge::Names).canonical(Canonical::Names),
    at("services.*.networks").merge(Merge::Names).canonical(Canonical::Names),
    at("services.*.networks.*.aliases").unique(Unique::Key),
    at("services.*.networks.*.link_local_ips").unique(Unique::Key),
    at("services.*.oom_kill_disable").cast(Cast::Bool),
    at("services.*.oom_score_adj").cast(Cast::Int),
    at("services.*.pids_limit").cast(Cast::Int),
    at("services.*.ports").unique(Unique::Port).canonical(Canonical::Ports),
    at("services.*.ports.*").default(DefaultValue::Port),
    at("services.*.ports.*.target").cast(Cast::Int),
    at("services.*.privileged").cast(Cast::Bool),
    at("services.*.profiles").unique(Unique::Key),
    at("services.*.read_only").cast(Cast::Bool),
    at("services.*.scale").cast(Cast::Int),
    at("services.*.secrets").unique(Unique::Mount("/run/secrets")),
    at("services.*.secrets.*").canonical(Canonical::FileMount).default(DefaultValue::SecretMount),
    at("services.*.stdin_open").cast(Cast::Bool),
    at("services.*.sysctls").entries(),
    at("services.*.tmpfs").entries(),
    at("services.*.tty").cast(Cast::Bool),
    at("services.*.ulimits.*").cast(Cast::Int).merge(Merge::Replace).canonical(Canonical::Ulimit),
    at("services.*.ulimits.*.hard").cast(Cast::Int),
    at("services.*.ulimits.*.soft").cast(Cast::Int),
    at("services.*.volumes").unique(Unique::Volume),
    at("services.*.volumes.*").canonical(Canonical::Volume).path(PathKind::Mount),
    at("services.*.volumes.*.bind").default(DefaultValue::BindOptions),
    at("services.*.volumes.*.read_only").cast(Cast::Bool),
    at("services.*.volumes.*.volume.nocopy").cast(Cast::Bool),
    at("volumes.*").canonical(Canonical::External).path(PathKind::DriverOptions),
    at("volumes.*.external").cast(Cast::Bool),
    at("volumes.*.labels").merge(Merge::Entries),
];

/// The table as a tree: what is known below one attribute.
#[derive(Debug, Default)]
struct Branch {
    attribute: Option<&'static Attribute>,
    keys: BTreeMap<&'static str, Self>,
    any: Option<Box<Self>>,
}

static TREE: LazyLock<Branch> = LazyLock::new(|| {
    let mut root = Branch::default();
    for attribute in ATTRIBUTES {
        let mut branch = &mut root;
        for part in attribute.pattern.split('.') {
            branch = match part {
                "*" => branch.any.get_or_insert_default(),
                key => branch.keys.entry(key).or_default(),
            };
        }
        branch.attribute = Some(attribute);
    }
    root
});

/// A place in a document: the way to it for messages, and what the table knows of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    above: Option<&'a Self>,
    part: Part<'a>,
    branch: Option<&'static Branch>,
}

#[derive(Debug, Clone, Copy)]
enum Part<'a> {
    Root,
    Key(&'a str),
    Item(usize),
}

impl<'a> Place<'a> {
    /// The whole document.
    pub(super) fn root() -> Self {
        Self { above: None, part: Part::Root, branch: Some(&TREE) }
    }

    /// The value of `key` below this place.
    pub(super) fn key(&'a self, key: &'a str) -> Self {
        let branch = self.branch.and_then(|branch| branch.keys.get(key).or(branch.any.as_deref()));
        Self { above: Some(self), part: Part::Key(key), branch }
    }

    /// The item at `index` below this place.
    pub(super) fn item(&'a self, index: usize) -> Self {
        let branch = self.branch.and_then(|branch| branch.any.as_deref());
        Self { above: Some(self), part: Part::Item(index), branch }
    }

    /// The rules of the attribute here, when it has any.
    pub(super) fn attribute(&self) -> Option<&'static Attribute> {
        self.branch?.attribute
    }

    /// Whether neither this place nor any below has rules.
    pub(super) fn is_plain(&self) -> bool {
        self.branch.is_none()
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(above) = self.above {
            above.fmt(f)?;
        }
        let is_first = self.above.is_none_or(|above| matches!(above.part, Part::Root));
        match self.part {
            Part::Root => Ok(()),
            Part::Key(key) if is_first => f.write_str(key),
            Part::Key(key) => write!(f, ".{key}"),
            Part::Item(index) => write!(f, "[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_knows_its_rules_and_its_name() {
        let root = Place::root();
        let services = root.key("services");
        let web = services.key("web");
        let volumes = web.key("volumes");
        let item = volumes.item(2);
        assert_eq!(item.to_string(), "services.web.volumes[2]");
        let rules = item.attribute().expect("rules");
        assert_eq!(rules.canonical, Some(Canonical::Volume));
        assert_eq!(rules.merge, Merge::Deep);
        assert!(item.key("tmpfs").is_plain());
        assert!(root.key("x-any").is_plain());
    }

    fn cast_at(path: &str) -> Option<Cast> {
        let mut branch = Some(&*TREE);
        for part in path.split('.') {
            branch = branch.and_then(|branch| branch.keys.get(part).or(branch.any.as_deref()));
        }
        branch?.attribute?.cast
    }

    #[test]
    fn typed_positions_have_their_cast() {
        for (path, cast) in [
            ("services.web.cpu_count", Some(Cast::Int)),
            ("services.web.cpu_percent", Some(Cast::Float)),
            ("services.web.cpus", Some(Cast::Float32)),
            ("services.web.scale", Some(Cast::Int)),
            ("services.web.tty", Some(Cast::Bool)),
            ("services.web.depends_on.db.required", Some(Cast::Bool)),
            ("services.web.depends_on.db.condition", None),
            ("services.web.deploy.replicas", Some(Cast::Int)),
            ("services.web.deploy.update_config.parallelism", Some(Cast::Int)),
            ("services.web.deploy.rollback_config.max_failure_ratio", Some(Cast::Float)),
            ("services.web.deploy.resources.limits.cpus", None),
            ("services.web.deploy.restart_policy.max_attempts", Some(Cast::Int)),
            ("services.web.healthcheck.retries", Some(Cast::Int)),
            ("services.web.healthcheck.disable", Some(Cast::Bool)),
            ("services.web.healthcheck.interval", None),
            ("services.web.ports.*.target", Some(Cast::Int)),
            ("services.web.ports.*.published", None),
            ("services.web.ulimits.nofile", Some(Cast::Int)),
            ("services.web.ulimits.nofile.soft", Some(Cast::Int)),
            ("services.web.volumes.*.read_only", Some(Cast::Bool)),
            ("services.web.volumes.*.volume.nocopy", Some(Cast::Bool)),
            ("services.web.volumes.*.bind.create_host_path", None),
            ("services.web", None),
            ("services.web.mem_limit", None),
            ("networks.front.external", Some(Cast::Bool)),
            ("networks.front.enable_ipv6", Some(Cast::Bool)),
            ("networks.front.driver", None),
            ("volumes.data.external", Some(Cast::Bool)),
            ("secrets.key.external", Some(Cast::Bool)),
            ("configs.app.external", Some(Cast::Bool)),
            ("configs.app.file", None),
            ("x-web.cpus", None),
        ] {
            assert_eq!(cast_at(path), cast, "{path}");
        }
    }

    #[test]
    fn the_table_is_sorted_and_has_no_pattern_twice() {
        let patterns: Vec<&str> = ATTRIBUTES.iter().map(|attribute| attribute.pattern).collect();
        assert!(patterns.is_sorted_by(|a, b| a.split('.').lt(b.split('.'))), "{patterns:?}");
    }
}
