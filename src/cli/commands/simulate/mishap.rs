//! What can go wrong in a simulation: how it is written, how it comes about, what applies to a plan.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::model::{Action, HostName, Millis, Op, Plan, ProxyPlace, ResourceKind, Status};
use crate::sim::{App, Fault, Moment, SimHost, World};

/// When something happens that was said without a time.
const AT: Millis = 500;

/// How long a host or an engine is away.
pub(super) const AWAY: Duration = Duration::from_secs(20);
const RESTART: Duration = Duration::from_secs(3);

/// How long an engine takes to start a container again whose process has ended.
const AGAIN: Duration = Duration::from_secs(1);

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mishap {
    /// The program is killed at a call.
    Kill(usize, Moment),
    /// The answer of a call is lost.
    Lose(usize, Moment),
    /// The process of a replica ends: `stack/service/slot`.
    Dies {
        /// Which.
        replica: String,
        /// Whether the container of this rollout is meant, not the one before.
        is_new: bool,
        /// When.
        at: Millis,
    },
    /// Something happens to a host; the first one when it is not named.
    Host {
        /// What.
        what: HostMishap,
        /// Which.
        host: Option<String>,
        /// When.
        at: Millis,
    },
    /// The proxies reject every file.
    ProxyRejects,
    /// The proxies go on with their old file without a word.
    ProxyStuck,
    /// Replicas that are made from an image never become ready; of all images when none is named.
    NeverReady(Option<String>),
}

/// What happens to a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostMishap {
    /// It does not answer us; what it runs goes on.
    Unreachable,
    /// Its engine ends with all containers and is started again.
    EngineRestarts,
    /// It ends with all it has and comes back.
    Down,
}

/// What `--fault` takes, for messages.
const FORMS: &str = "one of kill@N, lose@N (the Nth call; kill-before@N, lose-before@N), \
    dies=STACK/SERVICE/SLOT@1s, new-dies=STACK/SERVICE/SLOT@1s, never-ready=IMAGE, \
    unreachable=HOST@1s, engine-restarts=HOST@1s, host-down=HOST@1s, proxy-rejects, proxy-stuck";

impl FromStr for Mishap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, at) = match text.rsplit_once('@') {
            // An image may have a digest.
            Some((head, at)) if !head.starts_with("never-ready") => (head, Some(at)),
            _ => (text, None),
        };
        let (kind, of) = match head.split_once('=') {
            Some((kind, of)) => (kind, Some(of)),
            None => (head, None),
        };
        let call = || {
            let number = at.and_then(|at| at.parse().ok());
            number.ok_or_else(|| format!("`{text}` does not say at which call: {kind}@30"))
        };
        let when = || match at {
            None => Ok(AT),
            Some(at) => crate::settings::parse_duration(at)
                .map(super::fleet::millis)
                .map_err(|why| format!("`{at}` is no time: {why}")),
        };
        let host = |what| Ok(Self::Host { what, host: of.map(str::to_owned), at: when()? });
        let dies = |is_new| match of.filter(|of| of.split('/').count() == 3) {
            Some(replica) => Ok(Self::Dies { replica: replica.to_owned(), is_new, at: when()? }),
            None => Err(format!("`{text}` does not say which replica: {kind}=shop/web/2")),
        };
        match (kind, of, at) {
            ("kill", None, _) => Ok(Self::Kill(call()?, Moment::After)),
            ("kill-before", None, _) => Ok(Self::Kill(call()?, Moment::Before)),
            ("lose", None, _) => Ok(Self::Lose(call()?, Moment::After)),
            ("lose-before", None, _) => Ok(Self::Lose(call()?, Moment::Before)),
            ("dies", _, _) => dies(false),
            ("new-dies", _, _) => dies(true),
            ("unreachable", _, _) => host(HostMishap::Unreachable),
            ("engine-restarts", _, _) => host(HostMishap::EngineRestarts),
            ("host-down", _, _) => host(HostMishap::Down),
            ("proxy-rejects", None, None) => Ok(Self::ProxyRejects),
            ("proxy-stuck", None, None) => Ok(Self::ProxyStuck),
            ("never-ready", of, None) => Ok(Self::NeverReady(of.map(str::to_owned))),
            _ => Err(FORMS.to_owned()),
        }
    }
}

impl fmt::Display for Mishap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = |moment: &Moment| match moment {
            Moment::Before => "-before",
            Moment::After => "",
        };
        match self {
            Self::Kill(at, moment) => write!(f, "kill{}@{at}", before(moment)),
            Self::Lose(at, moment) => write!(f, "lose{}@{at}", before(moment)),
            Self::Dies { replica, is_new, at } => {
                write!(f, "{}dies={replica}@{at}ms", if *is_new { "new-" } else { "" })
            }
            Self::Host { what, host, at } => {
                let what = match what {
                    HostMishap::Unreachable => "unreachable",
                    HostMishap::EngineRestarts => "engine-restarts",
                    HostMishap::Down => "host-down",
                };
                let host = host.as_ref().map(|host| format!("={host}")).unwrap_or_default();
                write!(f, "{what}{host}@{at}ms")
            }
            Self::ProxyRejects => f.write_str("proxy-rejects"),
            Self::ProxyStuck => f.write_str("proxy-stuck"),
            Self::NeverReady(None) => f.write_str("never-ready"),
            Self::NeverReady(Some(image)) => write!(f, "never-ready={image}"),
        }
    }
}

impl Mishap {
    /// One by dice, among those that apply to a plan of so many calls: Marsaglia's xorshift.
    pub(super) fn of(seed: u64, plan: &Plan, calls: usize, took: Millis) -> Option<Self> {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut roll = |sides: usize| {
            dice ^= dice << 13;
            dice ^= dice >> 7;
            dice ^= dice << 17;
            let sides = u64::try_from(sides.max(1)).unwrap_or(u64::MAX);
            usize::try_from((dice >> 11) % sides).unwrap_or(0)
        };
        let kinds = applicable(plan);
        let kind = kinds.get(roll(kinds.len()))?;
        let moment = if roll(2) == 0 { Moment::Before } else { Moment::After };
        let took = usize::try_from(took).unwrap_or(usize::MAX);
        let at = u64::try_from(roll(took)).unwrap_or(0);
        Some(kind.placed(at, roll(calls), moment))
    }

    /// The same at another moment.
    pub(super) fn placed(&self, time: Millis, call: usize, moment: Moment) -> Self {
        match self.clone() {
            Self::Kill(..) => Self::Kill(call, moment),
            Self::Lose(..) => Self::Lose(call, moment),
            Self::Dies { replica, is_new, .. } => Self::Dies { replica, is_new, at: time },
            Self::Host { what, host, .. } => Self::Host { what, host, at: time },
            other @ (Self::ProxyRejects | Self::ProxyStuck | Self::NeverReady(_)) => other,
        }
    }

    /// The fault of a run that this is, if it is one.
    pub(crate) fn of_call(&self) -> Option<Fault> {
        match self {
            Self::Kill(at, moment) => Some(Fault::Kill(*at, *moment)),
            Self::Lose(at, moment) => Some(Fault::Lose(*at, *moment)),
            _ => None,
        }
    }

    /// In words, without a moment.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Kill(..) => "the run is killed".to_owned(),
            Self::Lose(..) => "an answer is lost".to_owned(),
            Self::Dies { replica, is_new: false, .. } => format!("{replica} dies"),
            Self::Dies { replica, is_new: true, .. } => format!("the new {replica} dies"),
            Self::Host { what, host, .. } => {
                let host = host.as_deref().unwrap_or("the first host");
                match what {
                    HostMishap::Unreachable => format!("{host} cannot be reached for 20 s"),
                    HostMishap::EngineRestarts => format!("the engine of {host} restarts"),
                    HostMishap::Down => format!("{host} goes down for 20 s"),
                }
            }
            Self::ProxyRejects => "the proxy rejects its new file".to_owned(),
            Self::ProxyStuck => "the proxy goes on with its old file".to_owned(),
            Self::NeverReady(Some(image)) => format!("{image} never gets ready"),
            Self::NeverReady(None) => "no image ever gets ready".to_owned(),
        }
    }
}

/// The kinds of mishap that can meet this plan, one of each, at no moment yet.
pub(super) fn applicable(plan: &Plan) -> Vec<Mishap> {
    let mut kinds = Vec::new();
    for (stack, changes) in &plan.stacks {
        for change in changes.changes.iter().filter(|it| it.kind == ResourceKind::Service) {
            // One replica stands for all of its kind.
            let of = |pick: fn(&crate::model::ReplicaChange) -> bool| {
                let replica = change.replicas.iter().find(|it| pick(it));
                replica.map(|it| format!("{stack}/{}/{}", change.name, it.slot))
            };
            let old = of(|it| it.old.is_some() && it.action != Action::Create);
            let new = of(|it| it.new.is_some());
            let dies = |replica, is_new| Mishap::Dies { replica, is_new, at: AT };
            kinds.extend(old.map(|replica| dies(replica, false)));
            kinds.extend(new.map(|replica| dies(replica, true)));
        }
    }
    let images = plan.steps.iter().filter_map(|step| match &step.op {
        Op::Create { replica } => replica.body.get("Image")?.as_str().map(str::to_owned),
        _ => None,
    });
    let images: BTreeSet<String> = images.collect();
    kinds.extend(images.into_iter().map(|image| Mishap::NeverReady(Some(image))));
    if plan.steps.iter().any(|step| matches!(step.op, Op::Switch { .. })) {
        kinds.extend([Mishap::ProxyRejects, Mishap::ProxyStuck]);
    }
    let hosts: BTreeSet<&HostName> = plan.steps.iter().map(|step| &step.host).collect();
    for host in hosts {
        for what in [HostMishap::Unreachable, HostMishap::EngineRestarts, HostMishap::Down] {
            kinds.push(Mishap::Host { what, host: Some(host.to_string()), at: AT });
        }
    }
    kinds.extend([Mishap::Kill(0, Moment::After), Mishap::Lose(0, Moment::After)]);
    kinds
}

/// Brings a mishap about, in its time; `strikes` is called when it meets something.
pub(super) async fn happen(
    world: &World,
    hosts: &[HostName],
    proxies: &[ProxyPlace],
    mishap: &Mishap,
    began: Millis,
    strikes: impl FnOnce(),
) {
    match mishap {
        Mishap::Kill(..) | Mishap::Lose(..) => strikes(),
        Mishap::ProxyRejects => {
            strikes();
            proxies.iter().for_each(|at| world.with_proxy(at, |proxy| proxy.rejects = true));
        }
        Mishap::ProxyStuck => {
            strikes();
            proxies.iter().for_each(|at| world.with_proxy(at, |proxy| proxy.ignores_reload = true));
        }
        Mishap::NeverReady(image) => {
            strikes();
            never_ready(world, hosts, image.as_deref());
        }
        Mishap::Dies { replica, is_new, at } => {
            tokio::time::sleep(Duration::from_millis(*at)).await;
            let found = hosts.iter().find_map(|host| {
                let name = world.with_host(host, |it| replica_of(it, replica, *is_new, began))?;
                Some((host, name))
            });
            let Some((host, name)) = found else { return };
            strikes();
            world.crash(host, &name);
            tokio::time::sleep(AGAIN).await;
            start_again(world, host, &BTreeSet::from([name]));
        }
        Mishap::Host { what, host, at } => {
            let named = |it: &&HostName| host.as_ref().is_none_or(|name| it.as_str() == name);
            let Some(host) = hosts.iter().find(named) else { return };
            tokio::time::sleep(Duration::from_millis(*at)).await;
            strikes();
            away(world, host, *what).await;
        }
    }
}

/// Replicas that are made from now on never become ready.
fn never_ready(world: &World, hosts: &[HostName], image: Option<&str>) {
    let app = App { ready_after: None, ..App::default() };
    for host in hosts {
        world.with_host(host, |host| {
            let meant =
                |(name, _): &(&String, &mut _)| image.is_none_or(|image| name.as_str() == image);
            host.images.iter_mut().filter(meant).for_each(|(_, image)| image.app = app);
        });
    }
    world.with_registry(|registry| {
        let meant = |(name, _): &(&String, &mut crate::sim::SimImage)| {
            image.is_none_or(|image| name.as_str() == image)
        };
        registry.iter_mut().filter(meant).for_each(|(_, image)| image.app = app);
    });
}

/// The running container of a replica, the one from before or the one since.
fn replica_of(host: &SimHost, replica: &str, is_new: bool, began: Millis) -> Option<String> {
    let mut all = host.containers.iter();
    let found = all.find(|(_, it)| {
        let identity = &it.identity;
        let name = format!("{}/{}/{}", identity.stack, identity.service, identity.slot);
        name == replica && it.status == Status::Running && (it.started_at >= began) == is_new
    });
    found.map(|(name, _)| name.clone())
}

async fn away(world: &World, host: &HostName, what: HostMishap) {
    let running: BTreeSet<String> = match what {
        HostMishap::Unreachable => BTreeSet::new(),
        HostMishap::EngineRestarts | HostMishap::Down => world.with_host(host, |host| {
            let all = host.containers.iter();
            let running = all.filter(|(_, it)| it.status == Status::Running);
            running.map(|(name, _)| name.clone()).collect()
        }),
    };
    running.iter().for_each(|name| world.crash(host, name));
    world.with_host(host, |host| host.is_down = true);
    let time = if what == HostMishap::EngineRestarts { RESTART } else { AWAY };
    tokio::time::sleep(time).await;
    world.with_host(host, |host| host.is_down = false);
    start_again(world, host, &running);
}

/// What an engine does about containers whose process has ended, where `restart` says so.
fn start_again(world: &World, host: &HostName, names: &BTreeSet<String>) {
    let now = world.now();
    world.with_host(host, |host| {
        for (_, container) in host.containers.iter_mut().filter(|(name, _)| names.contains(*name)) {
            let policy = container.config.pointer("/HostConfig/RestartPolicy/Name");
            let policy = policy.and_then(serde_json::Value::as_str).unwrap_or_default();
            let is_asked = !matches!(policy, "" | "no");
            if is_asked && container.status == Status::Exited {
                container.status = Status::Running;
                container.started_at = now;
            }
        }
    });
}
