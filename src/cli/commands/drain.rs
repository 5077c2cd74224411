//! `drain` and `undrain`: a host is emptied and kept empty, and given back.
//!
//! The word is kept on the host itself, so every later plan heeds it, whoever makes it. What is
//! done is an ordinary plan of the commit, made as if the word had been said; it is said only once
//! that plan is agreed to.

use std::collections::BTreeSet;

use super::Run;
use super::apply::{Job, holder};
use super::plan::choice;
use crate::cli::args::{DrainArgs, Execution, Inputs, UndrainArgs};
use crate::cli::live::{Session, Source, block_on, no_plan};
use crate::cli::{Exit, Failure};
use crate::model::{Drained, HostName, Name, Observed, Op, Plan};
use crate::pipeline::Planned;
use crate::planner::Scope;

pub(super) fn drain(run: &Run<'_>, args: &DrainArgs) -> Result<Exit, Failure> {
    let mark = Drained { by: holder(run), is_forced: args.force };
    let order = Order { run, host: &args.host, execution: &args.execution, verb: "drain" };
    order.carry_out(Some(mark))
}

pub(super) fn undrain(run: &Run<'_>, args: &UndrainArgs) -> Result<Exit, Failure> {
    let order = Order { run, host: &args.host, execution: &args.execution, verb: "undrain" };
    order.carry_out(None)
}

struct Order<'a> {
    run: &'a Run<'a>,
    host: &'a str,
    execution: &'a Execution,
    verb: &'static str,
}

impl Order<'_> {
    fn carry_out(&self, mark: Option<Drained>) -> Result<Exit, Failure> {
        let run = self.run;
        let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
        let session = Session::open(run, Source::Options, choice(run, &inputs))?;
        let host = self.known(&session)?;
        let wish = session.wish()?;
        let scope =
            Scope { skip_unreachable: session.skips_unreachable(false), ..Scope::default() };
        let fleet = session.fleet()?;
        let mut observed = block_on(fleet.look(&wish))?;
        let seen = observed.hosts.get_mut(&host);
        let state = match seen {
            Some(Ok(state)) => state,
            Some(Err(fault)) => return Err(self.silent(&fault.message)),
            None => return Err(self.silent("nobody has looked at it")),
        };
        // The same word said twice stays that of the first.
        let is_same =
            |seen: &Drained| mark.as_ref().is_some_and(|it| it.is_forced == seen.is_forced);
        let mark = state.drained.take().filter(is_same).or(mark);
        state.drained.clone_from(&mark);
        let planned = fleet.plan_on(&wish, &scope, observed);
        let Planned { plan, observed, .. } = planned.map_err(|error| no_plan(self.verb, error))?;
        let job = Job::new(run, &session, self.execution, self.verb);
        job.show(&plan)?;
        self.tell_of_proxies(&session, &host, mark.is_some());
        if mark.is_some() {
            self.tell_of_the_rest(&plan, &observed, &host);
        }
        if !plan.is_empty() && !self.execution.auto_approve && !job.is_approved(&plan)? {
            run.screen.note("nothing was changed");
            return Ok(Exit::Failed);
        }
        self.say(&session, &host, mark.as_ref())?;
        job.execute(&wish, &plan, &scope)
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

    fn silent(&self, why: &str) -> Failure {
        Failure::new(format!(
            "could not {}: {} did not answer ({why}); nothing was changed",
            self.verb, self.host
        ))
        .exit(Exit::Unreachable)
        .hint(self.run.cli.global.next_command("hosts"))
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
            return Err(self.silent("there is no way to it"));
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
