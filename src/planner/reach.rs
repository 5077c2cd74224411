//! What a plan may touch: the scope that was asked for, less what cannot be judged because
//! somebody did not answer.

use std::collections::BTreeSet;

use super::Problem;
use super::place::may_be_on;
use super::wanted::Wanted;
use super::world::World;
use crate::model::{Blind, HostName, ProxyPlace, ServiceName, StackName, StackTarget};

/// What may be touched.
pub(super) struct Reach<'a> {
    /// The stacks in scope, in the order of their names.
    pub(super) stacks: Vec<&'a StackName>,
    /// What could not be seen.
    pub(super) blind: Vec<Blind>,
    /// Services that a proxy which did not answer may send to.
    frozen: BTreeSet<(StackName, ServiceName)>,
    scope: &'a super::Scope,
}

impl<'a> Reach<'a> {
    pub(super) fn new(world: &World<'a>) -> Result<Self, Vec<Problem>> {
        let request = world.request;
        let scope = &request.scope;
        let all: BTreeSet<&'a StackName> = match &scope.stacks {
            Some(stacks) => stacks.iter().collect(),
            None => world.stacks().into_iter().chain(request.desired.stacks.keys()).collect(),
        };
        if request.desired.stacks.is_empty() && scope.stacks.is_none() && !all.is_empty() {
            let problem = Problem::policy(
                "the commit has no stack at all, and an empty repository never removes everything",
            );
            return Err(vec![problem.hint("`gitdeploy destroy STACK` removes a stack")]);
        }
        let unknown = unknown(world);
        if !unknown.is_empty() {
            return Err(unknown);
        }
        let mut reach = Self {
            stacks: all.into_iter().collect(),
            blind: Vec::new(),
            frozen: BTreeSet::new(),
            scope,
        };
        reach.freeze(world);
        let problems = reach.silence(world);
        if problems.is_empty() { Ok(reach) } else { Err(problems) }
    }

    /// Whether a stack is in scope.
    pub(super) fn has(&self, stack: &StackName) -> bool {
        self.stacks.binary_search(&stack).is_ok()
    }

    /// Whether anything of a service may be touched.
    pub(super) fn may_touch(&self, stack: &StackName, service: &ServiceName) -> bool {
        self.scope.reaches(stack, service)
            && (self.frozen.is_empty() || !self.frozen.contains(&(stack.clone(), service.clone())))
    }

    /// Finds the services that a silent proxy may send to: nobody can say that it has let go.
    fn freeze(&mut self, world: &World<'a>) {
        if world.silent_proxies.is_empty() {
            return;
        }
        for sighting in world.containers() {
            let identity = &sighting.live.identity;
            let range = world.settings(sighting.host).map(|host| host.ports);
            let mut ports = sighting.live.config.bindings().iter().map(|binding| binding.at.port);
            if ports.any(|port| range.is_some_and(|range| range.contains(port))) {
                self.frozen.insert((identity.stack.clone(), identity.service.clone()));
            }
        }
        for (stack, target) in &world.request.desired.stacks {
            for (service, wanted) in &target.services {
                let asks = |place: &&&ProxyPlace| {
                    wanted.routes.iter().any(|route| route.proxy == place.proxy.as_str())
                };
                if world.silent_proxies.keys().find(asks).is_some() {
                    self.frozen.insert((stack.clone(), service.clone()));
                }
            }
        }
    }

    /// What did not answer: a problem, or what the plan is blind for.
    fn silence(&mut self, world: &World<'a>) -> Vec<Problem> {
        let skip = self.scope.skip_unreachable;
        let mut problems = Vec::new();
        let mut told = BTreeSet::new();
        for (host, fault) in &world.silent {
            let (words, why) = (fault.words(), &fault.message);
            if skip {
                self.blind.push(Blind { what: host.to_string(), message: why.clone() });
                told.insert(*host);
            } else if let Some(who) = self.needs_host(world, host) {
                let message = format!("the host {host} {words}, and {who} may be on it: {why}");
                problems.push(Problem::unreachable(message).hint(HINT));
                told.insert(*host);
            }
        }
        // Of a host that cannot be reached, its proxies cannot be reached either.
        let proxies = world.silent_proxies.iter().filter(|(place, _)| !told.contains(&place.host));
        for (place, fault) in proxies {
            let what = format!("{} on {}", place.proxy, place.host);
            let (words, why) = (fault.words(), &fault.message);
            if skip {
                self.blind.push(Blind { what, message: why.clone() });
                continue;
            }
            let asked = self
                .frozen
                .iter()
                .find(|(stack, service)| self.has(stack) && self.scope.reaches(stack, service));
            if let Some((stack, service)) = asked {
                let message = format!(
                    "the proxy {what} {words}, and it may send to {stack}/{service}: {why}"
                );
                problems.push(Problem::unreachable(message).hint(HINT));
            }
        }
        self.blind.sort();
        problems
    }

    /// Something in scope that may be on a host.
    fn needs_host(&self, world: &World<'a>, host: &HostName) -> Option<String> {
        self.stacks.iter().find_map(|stack| {
            let Some(target) = world.request.desired.stacks.get(*stack) else {
                return Some(format!("the stack {stack}"));
            };
            let services =
                target.services.keys().filter(|service| self.scope.reaches(stack, service));
            let mut services =
                services.filter(|service| may_run(world, stack, target, service, host));
            services.next().map(|service| format!("{stack}/{service}"))
        })
    }
}

/// Names that shall narrow the plan and stand for nothing: a slip of the pen would read as "nothing
/// to do". What a silent host may have could be meant; and `destroy` may be repeated.
fn unknown(world: &World<'_>) -> Vec<Problem> {
    let desired = &world.request.desired.stacks;
    if desired.is_empty() || !world.silent.is_empty() {
        return Vec::new();
    }
    let scope = &world.request.scope;
    let seen = world.stacks();
    let is_stack = |stack: &StackName| desired.contains_key(stack) || seen.contains(stack);
    let is_service = |stack: &StackName, service: &ServiceName| {
        let is_wanted = desired.get(stack).is_some_and(|it| it.services.contains_key(service));
        is_wanted || !world.of_service(stack, service).is_empty()
    };
    let missing = |what: String| {
        Problem::invalid(format!("there is no {what}, neither in the commit nor on the hosts"))
    };
    let stacks = scope.stacks.iter().flatten().filter(|stack| !is_stack(stack));
    let mut problems: Vec<Problem> = stacks.map(|it| missing(format!("stack `{it}`"))).collect();
    for selector in scope.targets.iter().chain(&scope.excludes).chain(&scope.replace) {
        if !is_stack(&selector.stack) {
            problems.push(missing(format!("stack `{}`", selector.stack)));
        } else if let Some(service) = &selector.service
            && !is_service(&selector.stack, service)
        {
            problems.push(missing(format!("service `{}/{service}`", selector.stack)));
        }
    }
    problems
}

const HINT: &str = "`unreachable: skip` in the inventory leaves what does not answer as it is";

fn may_run<'a>(
    world: &World<'a>,
    stack: &'a StackName,
    target: &'a StackTarget,
    service: &'a ServiceName,
    host: &HostName,
) -> bool {
    let Ok(wanted) = Wanted::new(world, stack, target, service) else { return true };
    may_be_on(world, &wanted, host)
}
