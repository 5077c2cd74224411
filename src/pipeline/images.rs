//! Which image a reference stands for: one digest for the whole fleet, so that all hosts run the
//! same bytes.
//!
//! What the hosts that run it agree on is the answer; a registry is asked only when they do not
//! agree, when nobody has it, or when `pull_policy` wants it, and then once, through any host that
//! can reach it. A registry that does not answer keeps nobody from going on with what is there.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures_util::stream::{self, StreamExt};
use serde_json::Value;

use crate::compose::forms::{PullPolicy, pull_policy};
use crate::model::{
    Desired, HostName, Image, ImageFault, ImageName, Millis, MountKind, Observed, RegistryImage,
    ServiceTarget,
};
use crate::planner::is_allowed;
use crate::ports::{PortError, Ports};
use crate::settings::Inventory;

/// How many questions to registries are under way at a time.
const AT_A_TIME: usize = 8;

/// How many hosts are asked to reach a registry before it counts as silent.
const WAYS: usize = 3;

/// When an image is brought; of several wishes for one reference, the last in this order holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Pull {
    /// Never.
    Never,
    /// When it is not there.
    Missing,
    /// Also when it was named longer ago than so many milliseconds.
    Every(std::cmp::Reverse<Millis>),
    /// Whenever the registry has another one.
    Always,
}

/// Who may need an image.
#[derive(Debug, Clone)]
struct Use {
    pull: Pull,
    hosts: BTreeSet<HostName>,
}

/// A reference on the hosts that may need it.
struct Sighting<'a> {
    reference: &'a str,
    pull: Pull,
    /// Whose tags say what it is: those that run it, else all that have it.
    voters: Vec<&'a Image>,
    /// The clock of the host of each voter.
    clocks: Vec<Millis>,
    hosts: BTreeMap<&'a HostName, &'a Image>,
}

/// What was found out about a reference: the digest, or why it is not known; `None` when nobody
/// was asked.
type Answer = Option<Result<RegistryImage, PortError>>;

/// What registries have answered already: a tag that moves between two looks of one run does not
/// change what was planned.
#[derive(Debug, Default)]
pub struct Answers(Mutex<BTreeMap<String, RegistryImage>>);

impl Answers {
    fn get(&self, name: &str) -> Option<RegistryImage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn keep(&self, name: &str, image: RegistryImage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), image);
    }
}

/// Finds the digest of every image that `desired` names, and says for each host what it lacks. What
/// `known` has is not asked for again, and what is asked for is noted there.
pub async fn settle_images(
    ports: &Ports,
    inventory: &Inventory,
    desired: &Desired,
    observed: &mut Observed,
    known: &Answers,
) {
    let uses = uses(inventory, desired, observed);
    let sightings: Vec<Sighting<'_>> =
        uses.iter().filter_map(|(reference, it)| Sighting::new(reference, it, observed)).collect();
    let mut questions: BTreeMap<String, (&str, BTreeSet<&HostName>)> = BTreeMap::new();
    for sighting in sightings.iter().filter(|it| it.asks()) {
        if let Some(name) = ImageName::parse(sighting.reference) {
            let none = || (sighting.reference, BTreeSet::new());
            let (_, hosts) = questions.entry(name.to_string()).or_insert_with(none);
            hosts.extend(sighting.hosts.keys());
        }
    }
    let asked = questions.into_iter().map(|(name, (reference, hosts))| async move {
        if let Some(answer) = known.get(&name) {
            return (name, Ok(answer));
        }
        let answer = ask(ports, reference, &hosts).await;
        if let Ok(image) = &answer {
            known.keep(&name, image.clone());
        }
        (name, answer)
    });
    let answers: BTreeMap<String, _> =
        stream::iter(asked).buffer_unordered(AT_A_TIME).collect().await;
    let mut settled = Vec::new();
    for sighting in &sightings {
        let name = ImageName::parse(sighting.reference).map(|name| name.to_string());
        let answer: Answer = name.and_then(|name| answers.get(&name).cloned());
        for (host, image) in &sighting.hosts {
            let platform = match &observed.hosts[*host] {
                Ok(state) => state.engine.platform.as_str(),
                Err(_) => "",
            };
            let found = sighting.settle(image, platform, &answer, inventory);
            settled.push(((*host).clone(), sighting.reference.to_owned(), found));
        }
    }
    for (host, reference, found) in settled {
        if let Some(Ok(state)) = observed.hosts.get_mut(&host) {
            state.images.insert(reference, found);
        }
    }
}

/// Asks a registry through one host after the other, until one of them can reach it.
async fn ask(
    ports: &Ports,
    reference: &str,
    hosts: &BTreeSet<&HostName>,
) -> Result<RegistryImage, PortError> {
    let mut last = PortError::Unreachable("no host can ask".to_owned());
    let engines = hosts.iter().filter_map(|host| ports.engines.get(*host));
    for engine in engines.take(WAYS) {
        match engine.registry_image(reference).await {
            Err(error @ (PortError::Unreachable(_) | PortError::Unknown(_))) => last = error,
            answer => return answer,
        }
    }
    Err(last)
}

/// Every reference with who may need it.
fn uses(inventory: &Inventory, desired: &Desired, observed: &Observed) -> BTreeMap<String, Use> {
    let mut uses: BTreeMap<String, Use> = BTreeMap::new();
    let services = desired.stacks.values().flat_map(|stack| stack.services.values());
    for service in services {
        let hosts = allowed(inventory, service, observed);
        let own = Pull::of(service.pull_policy.as_deref());
        let mut add = |reference: &str, pull: Pull| {
            let none = || Use { pull, hosts: BTreeSet::new() };
            let found = uses.entry(reference.to_owned()).or_insert_with(none);
            found.pull = found.pull.max(pull);
            found.hosts.extend(hosts.iter().cloned());
        };
        add(&service.container.image, own);
        service.pre_start.iter().filter_map(|hook| hook.image.as_ref()).for_each(|image| {
            add(image, Pull::Missing);
        });
        for mount in &service.container.volumes {
            if let MountKind::Image { source } = &mount.kind {
                add(source, Pull::Missing);
            }
        }
    }
    uses
}

/// The hosts that a service may run on, of those that answered.
fn allowed(
    inventory: &Inventory,
    service: &ServiceTarget,
    observed: &Observed,
) -> BTreeSet<HostName> {
    let hosts = inventory.hosts.values().filter_map(|settings| {
        let name = HostName::from(settings.name.clone());
        let engine = &observed.hosts.get(&name)?.as_ref().ok()?.engine;
        is_allowed(&service.placement.constraints, settings, Some(engine)).then_some(name)
    });
    hosts.collect()
}

impl Pull {
    fn of(policy: Option<&str>) -> Self {
        match policy.and_then(|text| pull_policy(text).ok()) {
            None | Some(PullPolicy::Missing | PullPolicy::Build) => Self::Missing,
            Some(PullPolicy::Never) => Self::Never,
            Some(PullPolicy::Always) => Self::Always,
            Some(PullPolicy::Every(time)) => {
                let millis = Millis::try_from(time.nanos() / 1_000_000).unwrap_or(0);
                Self::Every(std::cmp::Reverse(millis))
            }
        }
    }
}

impl<'a> Sighting<'a> {
    fn new(reference: &'a str, used: &'a Use, observed: &'a Observed) -> Option<Self> {
        let mut it = Self {
            reference,
            pull: used.pull,
            voters: Vec::new(),
            clocks: Vec::new(),
            hosts: BTreeMap::new(),
        };
        let mut others = Vec::new();
        for host in &used.hosts {
            let Some(Ok(state)) = observed.hosts.get(host) else { continue };
            let Some(Ok(image)) = state.images.get(reference) else { continue };
            it.hosts.insert(host, image);
            if image.id.is_none() {
                continue;
            }
            let runs = state.containers.values().any(|container| {
                container.config.get("Image").and_then(Value::as_str) == Some(reference)
            });
            match runs {
                true => {
                    it.voters.push(image);
                    it.clocks.push(state.engine.clock);
                }
                false => others.push((image, state.engine.clock)),
            }
        }
        if it.voters.is_empty() {
            (it.voters, it.clocks) = others.into_iter().unzip();
        }
        (!it.hosts.is_empty()).then_some(it)
    }

    /// The digest that all voters have.
    fn agreed(&self) -> Option<String> {
        let (first, rest) = self.voters.split_first()?;
        let mut digests = first.digests_of(self.reference);
        digests.find(|digest| rest.iter().all(|it| it.has_digest(digest))).map(str::to_owned)
    }

    /// Whether nobody has it from its registry.
    fn is_local(&self) -> bool {
        !self.voters.is_empty() && self.voters.iter().all(|image| self.is_own(image))
    }

    /// Whether a host's image was made there, or only named so there.
    fn is_own(&self, image: &Image) -> bool {
        image.digests_of(self.reference).next().is_none()
    }

    /// Whether the registry must say what it is.
    fn asks(&self) -> bool {
        let Some(name) = ImageName::parse(self.reference) else { return false };
        if name.digest.is_some() {
            // What it stands for is known; whether there is such a thing is not.
            return self.voters.is_empty() && self.pull != Pull::Never;
        }
        let differ = !self.is_local() && self.agreed().is_none();
        match self.pull {
            Pull::Never => false,
            Pull::Missing => differ,
            Pull::Every(std::cmp::Reverse(time)) => {
                let mut times = self.voters.iter().zip(&self.clocks);
                let is_old = |(image, now): (&&Image, &Millis)| {
                    image.tagged_at.is_none_or(|at| now.saturating_sub(at) >= time)
                };
                differ || times.any(is_old)
            }
            Pull::Always => true,
        }
    }

    /// What the reference is on one host, given what was found out.
    fn settle(
        &self,
        image: &Image,
        platform: &str,
        answer: &Answer,
        inventory: &Inventory,
    ) -> Result<Image, ImageFault> {
        let pinned = || ImageName::parse(self.reference).and_then(|name| name.digest);
        let digest = match answer {
            Some(Ok(found)) => Some(found.digest.clone()),
            Some(Err(_)) => None,
            None => pinned().or_else(|| self.agreed()),
        };
        let is_here = image.id.is_some();
        let digest_here = || image.digests_of(self.reference).next().map(str::to_owned);
        let own = || Image { digest: digest_here(), ..image.clone() };
        match (digest, answer) {
            (Some(digest), _) if is_here && image.has_digest(&digest) => {
                Ok(Image { digest: Some(digest), ..image.clone() })
            }
            // One that was made here is nobody's older version.
            (Some(_), _)
                if is_here
                    && (self.pull == Pull::Never
                        || (self.pull == Pull::Missing && self.is_own(image))) =>
            {
                Ok(own())
            }
            (Some(_), _) if self.pull == Pull::Never => Err(never()),
            (Some(digest), answer) => {
                if let Some(Ok(found)) = answer {
                    fits(found, platform)?;
                }
                Ok(Image { digest: Some(digest), needs_pull: true, ..image.clone() })
            }
            (None, None) if is_here => Ok(own()),
            (None, None) => Err(if self.pull == Pull::Never { never() } else { nowhere(self) }),
            (None, Some(Err(error))) if is_here && self.goes_on(error) => {
                let registry = ImageName::parse(self.reference).map(|name| name.registry);
                let registry = registry.unwrap_or_default();
                Ok(Image { unchecked: Some(registry), ..own() })
            }
            (None, Some(Err(error))) => Err(self.fault(error, inventory)),
            (None, Some(Ok(_))) => Ok(own()),
        }
    }

    /// Whether a host goes on with what it has. A registry that refuses what was asked of it has
    /// answered; one that is silent has not.
    fn goes_on(&self, error: &PortError) -> bool {
        self.pull == Pull::Missing || error.is_worth_repeating()
    }

    fn fault(&self, error: &PortError, inventory: &Inventory) -> ImageFault {
        let name = ImageName::parse(self.reference);
        let registry = name.map(|name| name.registry).unwrap_or_default();
        let hint = match error {
            PortError::Refused(_) if inventory.registries.contains_key(&registry) => {
                format!("look at `registries` in the inventory, at {registry}")
            }
            PortError::Refused(_) if registry == "docker.io" => {
                "log in with `docker login` where gitdeploy runs".to_owned()
            }
            PortError::Refused(_) => {
                format!("log in with `docker login {registry}` where gitdeploy runs")
            }
            PortError::NotFound(_) | PortError::Moved(_) => {
                "check its name and tag, and whether it was pushed".to_owned()
            }
            PortError::Unreachable(_) | PortError::Unknown(_) => {
                format!("see whether the hosts can reach {registry}, and plan again")
            }
        };
        ImageFault { message: error.to_string(), hint }
    }
}

/// Whether there is an image for this platform. A single one is taken for whatever it is: the host
/// may be able to run it.
fn fits(found: &RegistryImage, platform: &str) -> Result<(), ImageFault> {
    let same = |has: &str| {
        let mut parts = has.split('/').zip(platform.split('/'));
        parts.all(|(has, wanted)| has == wanted)
    };
    if found.platforms.len() < 2 || platform.is_empty() || found.platforms.iter().any(|it| same(it))
    {
        return Ok(());
    }
    let list: Vec<&str> = found.platforms.iter().map(String::as_str).collect();
    Err(ImageFault {
        message: format!("there is none for {platform}, only for {}", list.join(", ")),
        hint: "build it for that platform too, or keep the service away with a constraint on \
               `node.platform.arch`"
            .to_owned(),
    })
}

fn never() -> ImageFault {
    ImageFault {
        message: "it is not there, and `pull_policy` is `never`".to_owned(),
        hint: "bring it there with `docker load`, or let it be pulled".to_owned(),
    }
}

fn nowhere(sighting: &Sighting<'_>) -> ImageFault {
    match ImageName::parse(sighting.reference) {
        Some(_) => ImageFault {
            message: "it is not there, and the hosts that have it did not pull it".to_owned(),
            hint: "push it to a registry, or bring it there with `docker load`".to_owned(),
        },
        None => ImageFault {
            message: "it is not there, and an id cannot be pulled".to_owned(),
            hint: "bring it there with `docker load`, or name it with its registry".to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
