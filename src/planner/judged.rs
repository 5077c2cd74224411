//! What everything in scope is good for, found on several processors before anything is decided: a
//! container, network or volume is judged by itself, and only what becomes of it depends on others.

use std::collections::BTreeMap;

use super::Problem;
use super::alike::Alike;
use super::judge::{Verdict, Worth, worth};
use super::parts::in_parts;
use super::prereqs::{Remade, check_volumes};
use super::reach::Reach;
use super::rest::rests;
use super::wanted::Wanted;
use super::world::{Sighting, World};
use crate::model::{Note, ServiceName, StackName, StackTarget};

/// A service of the commit, and what its containers are good for.
pub(super) struct Judged<'a> {
    pub(super) wanted: Wanted<'a>,
    pub(super) worths: Worths,
}

/// What each container of a service is good for, in the order in which the world has them.
pub(super) struct Worths(Vec<Result<Verdict, Problem>>);

/// What is said of a stack before anything is decided.
pub(super) enum Outlook<'a> {
    /// It is not in the commit.
    Goes,
    /// It is as it shall be; with what people should know of it.
    Rests(Vec<Note>),
    /// It is to be decided on.
    Open(Stack<'a>),
}

/// How a stack is looked at.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// What is seen to be as it shall be is not decided on.
    First,
    /// Everything is.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests compare it with the first look"))]
    Closer,
}

/// What is there of one stack of the commit.
pub(super) struct Stack<'a> {
    pub(super) target: &'a StackTarget,
    /// Its services that may be touched.
    pub(super) services: BTreeMap<&'a ServiceName, Result<Judged<'a>, Vec<Problem>>>,
    pub(super) remade: Result<Remade, Vec<Problem>>,
    /// What is wrong with its volumes.
    pub(super) volumes: Vec<Problem>,
}

impl Worths {
    fn of<'a>(world: &World<'a>, wanted: &Wanted<'a>) -> Self {
        let mut alike = Alike::default();
        let sightings = world.of_service(wanted.stack, wanted.service).iter();
        Self(sightings.map(|it| worth(world, wanted, *it, &mut alike)).collect())
    }

    /// What all of them are good for.
    pub(super) fn all(&self) -> &[Result<Verdict, Problem>] {
        &self.0
    }

    /// What one of `all` is good for, or why that cannot be told.
    pub(super) fn get(&self, all: &[Sighting<'_>], it: Sighting<'_>) -> Result<&Worth, Problem> {
        let at = all.binary_search_by(|other| {
            other.host.cmp(it.host).then_with(|| other.live.name.cmp(&it.live.name))
        });
        self.0[at.expect("the containers of a service are in the order of hosts and names")]
            .as_ref()
            .map(|verdict| &verdict.worth)
            .map_err(Problem::clone)
    }
}

/// Judges everything that a plan may touch, stack by stack.
pub(super) fn judge_all<'a>(world: &World<'a>, reach: &Reach<'a>, look: Look) -> Vec<Outlook<'a>> {
    in_parts(&reach.stacks, |stacks| {
        stacks.iter().map(|stack| outlook(world, reach, stack, look)).collect()
    })
}

fn outlook<'a>(
    world: &World<'a>,
    reach: &Reach<'a>,
    stack: &'a StackName,
    look: Look,
) -> Outlook<'a> {
    let Some(judged) = judge(world, reach, stack) else { return Outlook::Goes };
    let notes = match look {
        Look::First => rests(world, stack, &judged),
        Look::Closer => None,
    };
    notes.map_or(Outlook::Open(judged), Outlook::Rests)
}

/// Judges one stack; `None` for one that goes.
pub(super) fn judge<'a>(
    world: &World<'a>,
    reach: &Reach<'a>,
    stack: &'a StackName,
) -> Option<Stack<'a>> {
    let target: &StackTarget = world.request.desired.stacks.get(stack)?;
    let services = target.services.keys().filter(|service| reach.may_touch(stack, service));
    let judged = services.map(|service| {
        let wanted = Wanted::new(world, stack, target, service);
        let judged = wanted.map(|wanted| {
            let worths = Worths::of(world, &wanted);
            Judged { wanted, worths }
        });
        (service, judged)
    });
    let services = judged.collect();
    let remade = match world.request.scope.is_partial() {
        true => Ok(Remade::default()),
        false => Remade::new(world, stack, target),
    };
    Some(Stack { target, services, remade, volumes: check_volumes(world, stack, target) })
}
