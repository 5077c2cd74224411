//! One proxy on one host, as far as its managed file depends on it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{LazyLock, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::context::Context;
use super::header;
use crate::files::FileError;
use crate::model::{Backend, BackendKey, HostName, Owner, ProxyPlace, ProxyState, RoutingTable};
use crate::settings::{Listen, Proxy, ProxyKind};
use crate::template::{Engine, render_text};

/// The name that the generation is asked for under; `.invalid` never resolves.
pub const GENERATION_HOST: &str = "gitdeploy.invalid";
/// The path of it.
pub const GENERATION_PATH: &str = "/generation";
/// A request that has this header with the generation as its value …
pub const PROBE_HEADER: &str = "X-Gitdeploy-Probe";
/// … is told in this one which address and port answered.
pub const SERVER_HEADER: &str = "X-Gitdeploy-Server";

const NGINX: &str = include_str!("../../templates/proxy/nginx.conf.j2");
const HAPROXY: &str = include_str!("../../templates/proxy/haproxy.cfg.j2");

/// HAProxy's own file, as distributions have it and as the official image has it.
const MAIN_FILES: [&str; 2] = ["/etc/haproxy/haproxy.cfg", "/usr/local/etc/haproxy/haproxy.cfg"];

/// The first nginx that lets idle connections finish before it closes them at a reload.
const KEEPS_CONNECTIONS: [u64; 3] = [1, 27, 4];

/// Setting an engine up takes longer than most renderings.
static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);

/// Files rendered lately. One run renders the same file when it plans, when it looks again and when
/// it switches; a file is a function of its site and table, so remembering changes nothing.
static LATELY: Mutex<BTreeMap<ProxyPlace, VecDeque<Rendered>>> = Mutex::new(BTreeMap::new());

/// A site, a table, and the file that they make.
type Rendered = (Site, RoutingTable, String);

/// The most files that are remembered: of a proxy on a host or two, before and after a change,
/// several times over; of those of a fleet, the file before a change and the one after it.
const KEPT: usize = 1024;

/// The most files of one place that are remembered, each of which is looked at.
const KEPT_OF_PLACE: usize = 64;

/// One proxy on one host, as far as its managed file depends on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Which proxy, and where.
    pub place: ProxyPlace,
    /// Whose routes.
    pub owner: Owner,
    /// What it is.
    pub kind: ProxyKind,
    /// The managed file, where the proxy runs.
    pub path: String,
    /// Where it takes requests.
    pub listen: Vec<Listen>,
    /// A template instead of the built-in one.
    pub template: Option<String>,
    /// Its version, `1.22.1`; empty when unknown.
    pub version: String,
    /// Who may ask for the generation.
    pub ask_from: Vec<IpAddr>,
    /// HAProxy's runtime socket.
    pub socket: Option<String>,
}

/// Why no file could be made of a table.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RenderError {
    /// Something that a configuration cannot hold as plain text.
    #[error("the {what} {text:?} has characters that a proxy's configuration cannot hold")]
    Unsafe {
        /// What it is: `host`, `path`.
        what: &'static str,
        /// As it was given.
        text: String,
    },
    /// Two backends for one rule.
    #[error("{first} and {second} both take {rule}; change the route of one of them")]
    Twice {
        /// Host and path.
        rule: String,
        /// A backend.
        first: String,
        /// The other one.
        second: String,
    },
    /// nginx has no server without a key, and HAProxy finds it in one place only.
    #[error("the certificate {cert} of {listen}: {why}")]
    Key {
        /// The certificate.
        cert: String,
        /// The listener.
        listen: String,
        /// What is wrong.
        why: &'static str,
    },
    /// The template failed.
    #[error("the proxy's template cannot be rendered: {0}")]
    Template(String),
}

impl Site {
    /// The proxy on one of its hosts, as it was seen there.
    pub fn of(
        proxy: &Proxy,
        host: &HostName,
        owner: &Owner,
        state: &ProxyState,
        template: Option<String>,
    ) -> Self {
        // Who connects to an address of its own machine comes from that address.
        let local = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
        let ask_from: BTreeSet<IpAddr> = local
            .into_iter()
            .chain(state.replicas_at)
            .chain(proxy.listen.iter().filter_map(|listen| listen.address))
            .filter(|address| !address.is_unspecified())
            .collect();
        Self {
            place: ProxyPlace { proxy: proxy.name.clone().into(), host: host.clone() },
            owner: owner.clone(),
            kind: proxy.kind,
            path: proxy.config.value.clone(),
            listen: proxy.listen.clone(),
            template,
            version: state.version.clone(),
            ask_from: ask_from.into_iter().collect(),
            socket: proxy.socket.as_ref().map(|socket| socket.value.clone()),
        }
    }

    /// The whole file for a table, header included.
    pub fn render(&self, table: &RoutingTable) -> Result<String, RenderError> {
        if let Some(text) = self.rendered(table) {
            return Ok(text);
        }
        let text = self.render_anew(table)?;
        let mut lately = LATELY.lock().unwrap_or_else(PoisonError::into_inner);
        let of_place = lately.entry(self.place.clone()).or_default();
        of_place.truncate(KEPT_OF_PLACE - 1);
        of_place.push_front((self.clone(), table.clone(), text.clone()));
        forget(&mut lately);
        Ok(text)
    }

    fn rendered(&self, table: &RoutingTable) -> Option<String> {
        let lately = LATELY.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |(site, of, _): &&Rendered| of == table && site == self;
        lately.get(&self.place)?.iter().find(is_it).map(|(_, _, text)| text.clone())
    }

    fn render_anew(&self, table: &RoutingTable) -> Result<String, RenderError> {
        let mut context = Context::of(self, table)?;
        let (name, text) = match (&self.template, self.kind) {
            (Some(text), _) => (format!("{}.j2", self.place.proxy), text.as_str()),
            (None, ProxyKind::Nginx) => ("nginx.conf.j2".to_owned(), NGINX),
            (None, ProxyKind::Haproxy) => ("haproxy.cfg.j2".to_owned(), HAPROXY),
        };
        context.structure = self.structure(table, text)?;
        let body = render_text(&ENGINE, &name, text, &context).map_err(|error| told(&error))?;
        Ok(header::write(&self.owner, table, &body))
    }

    /// A fingerprint of all that the file depends on except its servers and generation: a proxy that
    /// runs the same one can follow a change at run time.
    fn structure(&self, table: &RoutingTable, template: &str) -> Result<String, RenderError> {
        let without_servers = |(key, backend): (&BackendKey, &Backend)| {
            let Backend { rules, servers: _, check } = backend;
            let (rules, check, servers) = (rules.clone(), check.clone(), BTreeMap::new());
            (key.clone(), Backend { rules, servers, check })
        };
        let backends = table.backends.iter().map(without_servers).collect();
        let bare = RoutingTable { backends, ..RoutingTable::default() };
        let context = Context::of(self, &bare)?;
        let text = serde_json::to_string(&context).expect("a context has only text keys");
        let sum = Sha256::new().chain_update(text).chain_update(template).finalize();
        Ok(sum.iter().take(8).map(|byte| format!("{byte:02x}")).collect())
    }

    /// The file whose presence makes nginx close connections after each answer, beside the managed
    /// one; `None` where a reload closes none that is in use.
    pub fn close_flag(&self) -> Option<String> {
        let is_needed = self.kind == ProxyKind::Nginx && !self.keeps_connections();
        is_needed.then(|| format!("{}.close", self.path))
    }

    /// Whether the managed file is all that HAProxy reads.
    pub fn is_whole(&self) -> bool {
        self.kind == ProxyKind::Haproxy && MAIN_FILES.contains(&self.path.as_str())
    }

    pub(super) fn keeps_connections(&self) -> bool {
        let mut parts = self.version.split(['.', '-', ' ']).map(|part| part.parse().unwrap_or(0));
        let version = [(); 3].map(|()| parts.next().unwrap_or(0));
        version >= KEEPS_CONNECTIONS
    }
}

/// Forgets the oldest files of each place when there are too many of all.
fn forget(lately: &mut BTreeMap<ProxyPlace, VecDeque<Rendered>>) {
    if lately.values().map(VecDeque::len).sum::<usize>() <= KEPT {
        return;
    }
    if lately.len() > KEPT {
        lately.pop_first();
    }
    let each = (KEPT / lately.len()).max(1);
    lately.values_mut().for_each(|of_place| of_place.truncate(each));
}

/// The first finding with its place.
fn told(error: &FileError) -> RenderError {
    let finding = match error {
        FileError::Template { report, .. } => {
            report.diagnostics.first().map(|finding| match &finding.primary {
                Some(at) => format!("{}: {}", report.sources.locate(at.span), finding.message),
                None => finding.message.clone(),
            })
        }
        _ => None,
    };
    RenderError::Template(finding.unwrap_or_else(|| error.to_string()))
}
