//! One container against what is wanted of it. Nothing is chosen here: the caller knows which
//! replica it stands for and whether it may stay where it is.

use std::collections::BTreeMap;

use serde_json::Value;

use super::alike::{Alike, Case};
use super::wanted::{Wanted, fixed_port};
use super::world::{Sighting, World};
use super::{Problem, readiness};
use crate::model::{
    Binding, Cause, Endpoint, FieldDifference, Health, HostState, Image, ImageFault, LiveContainer,
    Seen, ServiceName, StackName, Status,
};
use crate::spec::{self, Published, Surroundings};

/// What one container is good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Worth {
    /// It is as it shall be, and runs well as far as its engine knows.
    Runs,
    /// It ran to its end, which is what it is for.
    Done,
    /// It is as it shall be, and has ended.
    Ended,
    /// It is as it shall be, and was never started.
    Unstarted,
    /// It cannot stay, and why.
    Unfit(Cause, Vec<FieldDifference>),
}

/// What was found about one container.
pub(super) struct Verdict {
    pub(super) worth: Worth,
    /// The ports of the host that it has for those that proxies need, by port of the container.
    pub(super) ports: BTreeMap<u16, u16>,
}

/// What one container is good for; or why that cannot be told.
pub(super) fn worth<'a>(
    world: &World<'a>,
    wanted: &Wanted<'_>,
    sighting: Sighting<'a>,
    alike: &mut Alike<'a>,
) -> Result<Verdict, Problem> {
    let given = given(wanted, sighting);
    let Some(ports) = held(world, wanted, sighting, &given)? else {
        let worth = Worth::Unfit(Cause::RoutesChanged, Vec::new());
        return Ok(Verdict { worth, ports: BTreeMap::new() });
    };
    let worth = match misfit(world, wanted, sighting, given, alike)? {
        Some((cause, fields)) => Worth::Unfit(cause, fields),
        None => condition(world, wanted, sighting),
    };
    Ok(Verdict { worth, ports })
}

/// What a container is good for that is as the commit wants it.
fn condition(world: &World<'_>, wanted: &Wanted<'_>, sighting: Sighting<'_>) -> Worth {
    let unfit = |cause: Cause| Worth::Unfit(cause, Vec::new());
    let state = &sighting.live.state;
    match (state.status, &state.health) {
        (Status::Running, _) if was_let_go(world, wanted, sighting) => unfit(Cause::LeftOver),
        (Status::Running, Some(Health::Unhealthy(why))) => unfit(Cause::Unhealthy(why.clone())),
        (Status::Running, _) => Worth::Runs,
        (Status::Created, _) => Worth::Unstarted,
        (Status::Exited, _) if is_done(wanted, sighting.live) => Worth::Done,
        // A job that failed is done again from its start, in a fresh container.
        (Status::Exited, _) if wanted.is_one_shot => unfit(Cause::Stopped),
        (Status::Exited, _) => Worth::Ended,
        (Status::Restarting, _) => unfit(Cause::Unhealthy("it ends and is restarted".to_owned())),
        (Status::Paused, _) => unfit(Cause::Paused),
        (Status::Removing | Status::Dead, _) => unfit(Cause::Stopped),
    }
}

/// Whether proxies have let go of it and none sends to it now: it may have been asked to end, and an
/// engine does not tell that of a container that is still at it.
fn was_let_go(world: &World<'_>, wanted: &Wanted<'_>, sighting: Sighting<'_>) -> bool {
    let live = sighting.live;
    let is_left = |binding: &Binding| {
        let mut places = world.retired(&binding.at).iter();
        places
            .any(|place| world.address_at(place, sighting).is_ok_and(|it| it == binding.at.address))
    };
    !wanted.target.routes.is_empty()
        && live.config.bindings().iter().any(is_left)
        && !world.is_routed(&live.name)
}

/// Whether an ended container is as it should be.
fn is_done(wanted: &Wanted<'_>, live: &LiveContainer) -> bool {
    live.state.exit_code == 0 && (wanted.is_one_shot || readiness::may_end(wanted.target))
}

/// Why a container is not what the commit wants; `None` when it is.
fn misfit<'a>(
    world: &World<'a>,
    wanted: &Wanted<'_>,
    sighting: Sighting<'a>,
    given: Vec<&'a Binding>,
    alike: &mut Alike<'a>,
) -> Result<Option<(Cause, Vec<FieldDifference>)>, Problem> {
    let Sighting { state, live, .. } = sighting;
    let image = image_of(wanted, state);
    let own_image = match &image {
        // Most run what their reference stands for: nothing needs to be looked up by the id.
        Ok(image) if image.id.as_deref() == Some(&*live.image) => Some(*image),
        image => {
            let own = state.images.get(&*live.image).and_then(|image| image.as_ref().ok());
            own.or(image.as_ref().ok().copied())
        }
    };
    let case = Case { engine: &state.engine, image: own_image, config: &live.config, extra: given };
    let mut fields = match alike.fields(&case) {
        Some(fields) => fields,
        None => {
            let fields = compared(world, wanted, &case)?;
            alike.keep(case, &fields);
            fields
        }
    };
    let image = image?;
    if !is_image(state, live, image) && !fields.iter().any(|field| field.path == "image") {
        fields.push(image_difference(wanted, state, live, image));
    }
    let is_changed =
        live.identity.spec != wanted.target.spec_hash || live.identity.inputs != wanted.inputs;
    if live.identity.inputs != wanted.inputs {
        let path = "secrets".to_owned();
        fields.push(FieldDifference { path, old: Some(Seen::Hidden), new: Some(Seen::Hidden) });
    }
    if is_changed && fields.is_empty() {
        let text = |hash: &str| Some(Seen::Text(hash.get(..12).unwrap_or(hash).to_owned()));
        fields.push(FieldDifference {
            path: "specification".to_owned(),
            old: text(live.identity.spec.as_str()),
            new: text(wanted.target.spec_hash.as_str()),
        });
    }
    fields.sort();
    let cause = if is_changed { Cause::Changed } else { Cause::Drifted };
    Ok((!fields.is_empty()).then_some((cause, fields)))
}

/// What differs between a container and its service; a daemon finds the same again and again.
fn compared(
    world: &World<'_>,
    wanted: &Wanted<'_>,
    case: &Case<'_>,
) -> Result<Vec<FieldDifference>, Problem> {
    let mark = case.mark(world.request.owner, wanted);
    if wanted.all.settled.has(&mark) {
        return Ok(Vec::new());
    }
    let fields = fields(world, wanted, case)?;
    if fields.is_empty() {
        wanted.all.settled.note(mark);
    }
    Ok(fields)
}

fn fields(
    world: &World<'_>,
    wanted: &Wanted<'_>,
    case: &Case<'_>,
) -> Result<Vec<FieldDifference>, Problem> {
    let mut published: BTreeMap<u16, Vec<Endpoint>> = BTreeMap::new();
    for binding in &case.extra {
        published.entry(binding.container_port).or_default().push(binding.at.clone());
    }
    let published = published.into_iter();
    let published: Vec<Published> =
        published.map(|(container_port, at)| Published { container_port, at }).collect();
    let surroundings = Surroundings {
        owner: world.request.owner,
        stack: wanted.stack,
        service: wanted.service,
        target: wanted.all,
        engine: case.engine,
    };
    let want = spec::anonymous_body(&surroundings, &wanted.target.container, &published)
        .map_err(|names| refused(wanted.stack, wanted.service, &names))?;
    let image: &Value = case.image.map_or(&Value::Null, |image| &image.config);
    Ok(spec::differences(&want, case.config, image))
}

/// Attributes that no engine can be asked for.
pub(super) fn refused(stack: &StackName, service: &ServiceName, names: &[String]) -> Problem {
    let names = names.join(", ");
    Problem::invalid(format!("{stack}/{service}: no engine can be asked for {names}"))
}

/// The image that the service's reference stands for on a host.
pub(super) fn image_of<'a>(
    wanted: &Wanted<'_>,
    state: &'a HostState,
) -> Result<&'a Image, Problem> {
    image_named(wanted, state, &wanted.target.container.image)
}

/// The image that a reference of the service stands for on a host.
pub(super) fn image_named<'a>(
    wanted: &Wanted<'_>,
    state: &'a HostState,
    reference: &str,
) -> Result<&'a Image, Problem> {
    match state.images.get(reference) {
        Some(Ok(image)) => Ok(image),
        Some(Err(ImageFault { message, hint })) => {
            let message = format!("{}: image {reference}: {message}", wanted.path());
            Err(Problem::invalid(message).hint(hint.clone()))
        }
        None => {
            let message = format!("{}: nobody has looked for image {reference}", wanted.path());
            Err(Problem::invalid(message))
        }
    }
}

/// Whether a container runs the image that its reference stands for now.
fn is_image(state: &HostState, live: &LiveContainer, image: &Image) -> bool {
    if !image.needs_pull {
        return image.id.as_ref().is_none_or(|id| **id == *live.image);
    }
    let Some(digest) = &image.digest else { return true };
    let own = state.images.get(&*live.image).and_then(|image| image.as_ref().ok());
    own.is_some_and(|own| own.has_digest(digest))
}

fn image_difference(
    wanted: &Wanted<'_>,
    state: &HostState,
    live: &LiveContainer,
    image: &Image,
) -> FieldDifference {
    let own = state.images.get(&*live.image).and_then(|image| image.as_ref().ok());
    let wanted = wanted.target.container.image.as_str();
    let ran = live.config.get("Image").and_then(Value::as_str).unwrap_or(wanted);
    let old = own.and_then(|own| own.digests_of(ran).next()).unwrap_or(&live.image);
    let new = image.digest.as_deref().or(image.id.as_deref()).unwrap_or_default();
    let (old, new) = if old == new {
        (&*live.image, image.id.as_deref().unwrap_or_default())
    } else {
        (old, new)
    };
    let named = |reference: &str, id: &str| {
        let id = id.get(..19).unwrap_or(id);
        Some(Seen::Text(format!("{reference} ({id})")))
    };
    FieldDifference { path: "image".to_owned(), old: named(ran, old), new: named(wanted, new) }
}

/// Of the ports that a container publishes, those that we gave it, beside those the commit fixes.
fn given<'a>(wanted: &Wanted<'_>, sighting: Sighting<'a>) -> Vec<&'a Binding> {
    let Some(range) = sighting.settings.map(|host| host.ports) else { return Vec::new() };
    let is_fixed = |binding: &Binding| {
        wanted.target.container.ports.iter().any(|port| {
            port.target == binding.container_port && fixed_port(port) == Some(binding.at.port)
        })
    };
    let is_ours = |it: &&Binding| range.contains(it.at.port) && !is_fixed(it);
    sighting.live.config.bindings().iter().filter(is_ours).collect()
}

/// The ports of the host that a container has for each port the proxies need; `None` when it lacks
/// one, or one is not where a proxy can reach it.
pub(super) fn held_ports(
    world: &World<'_>,
    wanted: &Wanted<'_>,
    sighting: Sighting<'_>,
) -> Result<Option<BTreeMap<u16, u16>>, Problem> {
    if wanted.ports.is_empty() {
        return Ok(Some(BTreeMap::new()));
    }
    held(world, wanted, sighting, &given(wanted, sighting))
}

fn held(
    world: &World<'_>,
    wanted: &Wanted<'_>,
    sighting: Sighting<'_>,
    found: &[&Binding],
) -> Result<Option<BTreeMap<u16, u16>>, Problem> {
    if wanted.ports.is_empty() {
        return Ok(Some(BTreeMap::new()));
    }
    let addresses = wanted.addresses_at(world, sighting)?;
    let mut held = BTreeMap::new();
    for port in &wanted.ports {
        let candidates = found.iter().filter(|it| it.container_port == *port).map(|it| it.at.port);
        let is_reached = |host_port: &u16| {
            addresses.iter().all(|address| {
                let at = Endpoint { address: *address, port: *host_port };
                found.contains(&&Binding { container_port: *port, at })
            })
        };
        match candidates.into_iter().find(is_reached) {
            Some(host_port) => drop(held.insert(*port, host_port)),
            None => return Ok(None),
        }
    }
    Ok(Some(held))
}
