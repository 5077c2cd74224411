//! Containers put into words for their engines: the larger part of what it takes to choose them, and
//! the part that depends on no other container. So it is done for all of them together, on several
//! processors, once every choice is made.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::Problem;
use super::judge::refused;
use super::member::Member;
use super::parts::in_parts;
use super::world::World;
use crate::model::{
    ContainerSpec, Endpoint, HostName, HostState, Identity, Image, Replica, ServiceName, StackName,
    StackTarget,
};
use crate::spec::{self, Published, Surroundings};

/// A container that will be made: what was chosen for it.
pub(super) struct Asked<'a> {
    pub(super) name: String,
    pub(super) host: HostName,
    pub(super) state: &'a HostState,
    pub(super) stack: &'a StackName,
    pub(super) service: &'a ServiceName,
    /// What its stack is.
    pub(super) all: &'a StackTarget,
    pub(super) container: Cow<'a, ContainerSpec>,
    /// The name it is found by in the stack's networks.
    pub(super) alias: Cow<'a, ServiceName>,
    pub(super) identity: Identity,
    pub(super) image: &'a Image,
    pub(super) published: Vec<Published>,
}

/// What is asked for a member: first what helps it, then itself.
#[derive(Default)]
pub(super) struct Asks<'a> {
    pub(super) helpers: Vec<Asked<'a>>,
    pub(super) own: Option<Asked<'a>>,
}

impl Asked<'_> {
    fn replica(&self, world: &World<'_>) -> Result<Replica, Problem> {
        let surroundings = Surroundings {
            owner: world.request.owner,
            stack: self.stack,
            service: &self.alias,
            target: self.all,
            engine: &self.state.engine,
        };
        let body = spec::body(&surroundings, &self.container, &self.identity, &self.published)
            .map_err(|names| refused(self.stack, self.service, &names))?;
        let endpoint = |port: &Published| Some((port.container_port, port.at.first()?.clone()));
        let endpoints: BTreeMap<u16, Endpoint> =
            self.published.iter().filter_map(endpoint).collect();
        let Image { id, digest, needs_pull, .. } = self.image;
        Ok(Replica {
            name: self.name.clone(),
            host: self.host.clone(),
            identity: self.identity.clone(),
            image: id.clone().filter(|_| !needs_pull),
            digest: digest.clone().filter(|_| *needs_pull),
            body,
            files: spec::files(&self.container),
            endpoints,
        })
    }
}

/// Makes what the members ask for; or says what no engine can be asked for.
pub(super) fn make<'m, 'a: 'm>(
    world: &World<'a>,
    members: impl Iterator<Item = &'m mut Member<'a>>,
) -> Vec<Problem> {
    let mut members: Vec<_> = members.map(|it| (std::mem::take(&mut it.asks), it)).collect();
    let asked: Vec<&Asked<'_>> =
        members.iter().flat_map(|(asks, _)| asks.helpers.iter().chain(&asks.own)).collect();
    let made =
        in_parts(&asked, |part| part.iter().map(|it| it.replica(world).map(Arc::new)).collect());
    let mut made = made.into_iter();
    let mut problems = Vec::new();
    for (asks, member) in &mut members {
        let mut next = |_: &Asked<'_>| match made.next()? {
            Ok(replica) => Some(replica),
            Err(problem) => {
                problems.push(problem);
                None
            }
        };
        member.helpers = asks.helpers.iter().filter_map(&mut next).collect();
        member.replica = asks.own.as_ref().and_then(&mut next);
    }
    problems
}
