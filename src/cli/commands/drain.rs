//! `drain` and `undrain`: a host is emptied and kept empty, and given back.
//!
//! The word is kept on the host itself, so every later plan heeds it, whoever makes it. What is
//! done is an ordinary plan, made as if the word had been said; it is said only once that plan is
//! agreed to. Every stack stays at the release that the hosts remember: what the commit at hand
//! changes beyond that is for `apply`.

use std::collections::BTreeSet;

use super::Run;
use super::apply::{Job, holder};
use super::plan::{choice, refuse_deletions};
use crate::cli::args::{DrainArgs, Execution, Inputs, Leave, UndrainArgs};
use crate::cli::live::{Session, Source, block_on, no_plan};
use crate::cli::past::Bygone;
use crate::cli::{Exit, Failure};
use crate::model::{Drained, Fault, HostName, Name, Observed, Op, Plan, StackName};
use crate::pipeline::{Fleet, Planned, Wish};
use crate::planner::Scope;

pub(super) fn drain(run: &Run<'_>, args: &DrainArgs) -> Result<Exit, Failure> {
    let mark = Drained { by: holder(run), is_forced: args.force };
    let DrainArgs { host, execution, leave, .. } = args;
    let order = Order { run, host, execution, leave: *leave, verb: "drain" };
    order.carry_out(Some(mark))
}

pub(super) fn undrain(run: &Run<'_>, args: &UndrainArgs) -> Result<Exit, Failure> {
    let UndrainArgs { host, execution, leave } = args;
    let order = Order { run, host, execution, leave: *leave, verb: "undrain" };
    order.carry_out(None)
}

struct Order<'a> {
    run: &'a Run<'a>,
    host: &'a str,
    execution: &'a Execution,
    leave: Leave,
    verb: &'static str,
}

impl Order<'_> {
    fn carry_out(&self, mark: Option<Drained>) -> Result<Exit, Failure> {
        let run = self.run;
        let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
        let session = Session::open(run, Source::Options, choice(run, &inputs))?;
        let host = self.known(&session)?;
        let fleet = session.fleet()?;
        let Bygone { wish, heading, faults } =
            self.releases(&session, &fleet, &host, mark.as_ref())?;
        let scope = Scope {
            stacks: Some(wish.desired.stacks.keys().cloned().collect()),
            skip_unreachable: session.skips_unreachable(self.leave.skip_unreachable),
            ..Scope::default()
        };
        let mut observed = block_on(fleet.look(&wish))?;
        let mark = self.word(&mut observed, &host, mark)?;
        let planned = fleet.plan_on(&wish, &scope, observed);
        let Planned { plan, observed, .. } = planned.map_err(|error| no_plan(self.verb, error))?;
        let job = Job::new(run, &session, self.execution, self.verb).headed(heading);
        if !plan.stacks.is_empty() {
            job.show(&plan)?;
        }
        refuse_deletions(&session.snapshot, &plan, self.leave.allow_deletes)?;
        self.tell_of_proxies(&session, &host, mark.is_some());
        for (stack, why) in &faults {
            run.screen.note(&format!("{stack} stays as it is: {why}"));
        }
        if mark.is_some() {
            self.tell_of_the_rest(&plan, &observed, &host);
        }
        if !plan.is_empty() && !self.execution.auto_approve && !job.is_approved(&plan)? {
            run.screen.note("nothing was changed");
            return Ok(Exit::Failed);
        }
        self.say(&session, &host, mark.as_ref())?;
        match job.execute(&wish, &plan, &scope)? {
            Exit::Done if !faults.is_empty() && mark.is_some() => {
                Err(self.not_emptied(faults.keys()))
            }
            exit => Ok(exit),
        }
    }

    /// The host is drained all the same, so what stays goes with its next release.
    fn not_emptied<'s>(&self, stacks: impl Iterator<Item = &'s StackName>) -> Failure {
        let names: Vec<&str> = stacks.map(StackName::as_str).collect();
        let message = format!("could not empty {}: of {} all stays", self.host, names.join(", "));
        let next = format!("apply {}", names.join(" "));
        Failure::new(message).exit(Exit::Partly).hint(self.run.cli.global.next_command(&next))
    }

    /// The stacks that the order is about, each as its release wants it: those on the host when it
    /// is emptied, all when it may be used again.
    fn releases(
        &self,
        session: &Session<'_>,
        fleet: &Fleet<'_>,
        host: &HostName,
        mark: Option<&Drained>,
    ) -> Result<Bygone, Failure> {
        let mut seen = block_on(fleet.look(&Wish::nothing(&session.owner)))?;
        self.word(&mut seen, host, None)?;
        let is_meant = |name: &HostName| mark.is_none() || name == host;
        let hosts = seen.hosts.iter().filter(|(name, _)| is_meant(name));
        let states = hosts.filter_map(|(_, state)| state.as_ref().ok());
        let stacks: BTreeSet<StackName> = states
            .flat_map(|state| {
                let there = state.containers.values().map(|it| &it.identity.stack);
                there.chain(state.releases.keys()).cloned()
            })
            .collect();
        Bygone::released(self.run, session, &seen, stacks)
    }

    /// Makes what was seen look as if the word had been said, and gives it back.
    fn word(
        &self,
        observed: &mut Observed,
        host: &HostName,
        mark: Option<Drained>,
    ) -> Result<Option<Drained>, Failure> {
        let state = match observed.hosts.get_mut(host) {
            Some(Ok(state)) => state,
            Some(Err(fault)) => return Err(self.silent(fault)),
            None => return Err(self.silent(&Fault::silent("nobody has looked at it"))),
        };
        // The same word said twice stays that of the first.
        let is_same =
            |seen: &Drained| mark.as_ref().is_some_and(|it| it.is_forced == seen.is_forced);
        let mark = state.drained.take().filter(is_same).or(mark);
        state.drained.clone_from(&mark);
        Ok(mark)
    }

    fn known(&self, session: &Session<'_>) -> Result<HostName, Failure> {
        let name = Name::parse(self.host).ok();
        let hosts = &session.snapshot.inventory.hosts;
        match name.filter(|name| hosts.contains_key(name)) {
            Some(name) => Ok(name.into()),
            None => {
                let all: Vec<&str> = hosts.keys().map(Name::as_str).collect();
                let message =
                    format!("could not {}: the inventory has no host `{}`", self.verb, self.host);
                Err(Failure::new(message).hint(format!("the hosts are {}", all.join(", "))))
            }
        }
    }

    fn silent(&self, fault: &Fault) -> Failure {
        let (words, why) = (fault.words(), &fault.message);
        Failure::new(format!(
            "could not {}: {} {words} ({why}), and the order is kept on the host itself; nothing \
             was changed",
            self.verb, self.host
        ))
        .exit(Exit::Unreachable)
        .hint(
            "if it never comes back, take it out of the inventory and apply that: its replicas are \
             then made on others",
        )
    }

    /// A proxy is not moved: requests that come to it there still need it.
    fn tell_of_proxies(&self, session: &Session<'_>, host: &HostName, is_drained: bool) {
        let proxies = session.snapshot.inventory.proxies.values();
        let here = |it: &&crate::settings::Proxy| {
            it.hosts.iter().any(|name| name.as_str() == host.as_str())
        };
        for proxy in proxies.filter(here).filter(|_| is_drained) {
            let name = &proxy.name;
            self.run
                .screen
                .note(&format!("the proxy {name} on {host} goes on; lead requests away"));
        }
    }

    /// What stays would go unnoticed: a stack without changes is not shown.
    fn tell_of_the_rest(&self, plan: &Plan, observed: &Observed, host: &HostName) {
        let Some(Ok(state)) = observed.hosts.get(host) else { return };
        let here = plan.steps.iter().filter(|step| step.host == *host);
        let goes: BTreeSet<&str> = here
            .filter_map(|step| match &step.op {
                Op::Remove { container, .. } => Some(container.as_str()),
                _ => None,
            })
            .collect();
        let rest = state.containers.iter().filter(|(name, _)| !goes.contains(name.as_str()));
        let rest = rest.map(|(_, live)| (&live.identity.stack, &live.identity.service));
        for (stack, service) in rest.collect::<BTreeSet<_>>() {
            self.run.screen.note(&format!(
                "{stack}/{service} stays on {host}: no other host may have it or has its volumes"
            ));
        }
    }

    fn say(
        &self,
        session: &Session<'_>,
        host: &HostName,
        mark: Option<&Drained>,
    ) -> Result<(), Failure> {
        let fleet = session.fleet()?;
        let Some(engine) = fleet.ports.engines.get(host).cloned() else {
            return Err(self.silent(&Fault::silent("there is no way to it")));
        };
        block_on(engine.mark_drained(mark))?.map_err(|error| {
            Failure::because(
                &format!("could not {} {host}; no replica was touched", self.verb),
                &error,
            )
        })?;
        let word = if mark.is_some() { "is drained from now on" } else { "takes replicas again" };
        self.run.screen.note(&format!("{host} {word}"));
        Ok(())
    }
}
