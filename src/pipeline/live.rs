//! From a commit to hosts that are as it wants them: look, plan, carry out, look again.
//!
//! Every front walks this road: a person at a terminal, a job in CI, the daemon. Nothing is
//! remembered between two runs but what the hosts themselves say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::moved::{Moved, moved};
use super::{Answers, Contents, Snapshot, observe_but, settle_images, wanted};
use crate::exec::{self, Guard, Options, Report, Stop};
use crate::model::{
    CommitId, ContentKey, Course, Desired, Event, FailureAction, Fault, FileSource, Health,
    HostName, LiveContainer, Observed, Op, Outcome, Owner, Plan, ProxyName, ProxyPlace,
    ServiceName, StackName, StackTarget, Verdict,
};
use crate::planner::{self, Problem, Request, Scope, Violation};
use crate::ports::{Lease, PortError, Ports};
use crate::proxy::Site;
use crate::settings::Inventory;

/// What one commit wants of one environment, with all it takes to bring it about.
pub struct Wish {
    /// The desired state.
    pub desired: Desired,
    /// The commit; `None` when nothing of it is wanted any more.
    pub commit: Option<CommitId>,
    /// The commits of stacks that are wanted as another one has them.
    pub commits: BTreeMap<StackName, CommitId>,
    /// Files that containers get.
    pub contents: Contents,
    /// Templates of proxies that the repository brings, by proxy.
    pub templates: BTreeMap<ProxyName, String>,
    /// Digests of the variables that secrets come from, by name.
    pub variables: BTreeMap<String, String>,
}

/// The hosts and proxies of one environment, and who we are to them.
pub struct Fleet<'a> {
    /// Whose everything is.
    pub owner: Owner,
    /// What is known of hosts and proxies without asking them.
    pub inventory: &'a Inventory,
    /// The way to them.
    pub ports: Ports,
    /// Hosts that are known not to answer, and what came instead: they are not asked.
    pub absent: BTreeMap<HostName, Fault>,
    /// What registries have said to it.
    pub answers: Answers,
}

/// A plan with what it was made of.
pub struct Planned {
    /// The plan.
    pub plan: Plan,
    /// What was seen.
    pub observed: Observed,
    /// How each proxy's file is written.
    pub sites: BTreeMap<ProxyPlace, Site>,
}

/// Why there is no plan.
#[derive(Debug)]
pub enum PlanError {
    /// What is wanted cannot be done, or must not be done unasked.
    Problems(Vec<Problem>),
    /// The plan breaks a rule that every plan must keep: a fault of this program, so nothing is
    /// done.
    Unsafe(Vec<Violation>),
}

/// Why nothing was done.
#[derive(Debug)]
pub enum ApplyError {
    /// Another run holds a lease.
    Locked(Box<Lease>),
    /// A lease could not be asked for.
    Lease(PortError),
    /// The hosts are not as the plan saw them; what has changed.
    Stale(BTreeSet<Moved>),
    /// There is no plan any more.
    Plan(PlanError),
}

/// What a run may do, and how it is told to stop.
pub struct Orders<'a> {
    /// How far, and which stacks.
    pub scope: &'a Scope,
    /// Limits and names.
    pub options: &'a Options,
    /// Where events go.
    pub events: &'a UnboundedSender<Event>,
    /// Whether to stop.
    pub stop: watch::Receiver<Stop>,
    /// Reads another commit, to go back to it. `Err` says why it cannot be read.
    pub earlier: &'a dyn Fn(&CommitId) -> Result<Wish, String>,
}

impl Wish {
    /// What it wants of one stack, without what its containers get: enough to plan it.
    pub fn of(&self, stack: &StackName) -> Self {
        let mut desired = Desired {
            project: self.desired.project.clone(),
            environment: self.desired.environment.clone(),
            stacks: BTreeMap::new(),
        };
        let target = self.desired.stacks.get(stack);
        desired.stacks.extend(target.map(|target| (stack.clone(), target.clone())));
        let named: BTreeSet<&str> = inputs(&desired).into_iter().map(|(_, name)| name).collect();
        let variables = self.variables.iter().filter(|(name, _)| named.contains(name.as_str()));
        let variables = variables.map(|(name, digest)| (name.clone(), digest.clone())).collect();
        drop(named);
        Self {
            commit: self.commit.clone(),
            commits: self.commits.clone(),
            contents: Contents::default(),
            templates: self.templates.clone(),
            variables,
            desired,
        }
    }

    /// What `snapshot` wants, once it has been resolved to `desired`.
    pub fn new(snapshot: &Snapshot, desired: Desired) -> Result<Self, String> {
        let contents = snapshot.contents(&desired.stacks)?;
        let variables = variables(&desired, &contents)?;
        Ok(Self {
            commit: snapshot.tree().commit().map(|commit| commit.id.clone()),
            commits: BTreeMap::new(),
            templates: snapshot.proxy_templates()?,
            contents,
            variables,
            desired,
        })
    }

    /// The same as [`Wish::new`] after an earlier wish for the same environment, without what
    /// containers get: stacks that were taken over from it as they are, are not read again.
    pub fn after(before: &Self, snapshot: &Snapshot, desired: Desired) -> Result<Self, String> {
        let is_known = |name: &StackName, target: &Arc<StackTarget>| {
            before.desired.stacks.get(name).is_some_and(|then| Arc::ptr_eq(then, target))
        };
        let mut fresh = desired.clone();
        fresh.stacks.retain(|name, target| !is_known(name, target));
        let mut wish = Self::new(snapshot, fresh)?;
        let named: BTreeSet<&str> = inputs(&desired).into_iter().map(|(_, name)| name).collect();
        let kept = before.variables.iter().filter(|(name, _)| named.contains(name.as_str()));
        for (name, digest) in kept {
            wish.variables.entry(name.clone()).or_insert_with(|| digest.clone());
        }
        drop(named);
        (wish.contents, wish.desired) = (Contents::default(), desired);
        Ok(wish)
    }

    /// The same for somebody without all the secrets: what variables hold that are not set is taken
    /// to be what the containers have. Gives their names too.
    pub fn without_secrets(
        snapshot: &Snapshot,
        desired: Desired,
    ) -> Result<(Self, BTreeSet<String>), String> {
        let mut contents = snapshot.contents(&desired.stacks)?;
        let mut missing = BTreeSet::new();
        for (stack, name) in inputs(&desired) {
            let key = ContentKey::Variable(name.to_owned());
            if contents.get(stack, &key).is_err() {
                contents = contents.with_variable(name, "");
                missing.insert(name.to_owned());
            }
        }
        let variables = variables(&desired, &contents)?;
        let wish = Self {
            commit: snapshot.tree().commit().map(|commit| commit.id.clone()),
            commits: BTreeMap::new(),
            templates: snapshot.proxy_templates()?,
            contents,
            variables,
            desired,
        };
        Ok((wish, missing))
    }

    /// Nothing at all, for `destroy`.
    pub fn nothing(owner: &Owner) -> Self {
        Self {
            desired: Desired {
                project: owner.project.clone(),
                environment: owner.environment.clone(),
                stacks: BTreeMap::new(),
            },
            commit: None,
            commits: BTreeMap::new(),
            contents: Contents::default(),
            templates: BTreeMap::new(),
            variables: BTreeMap::new(),
        }
    }
}

impl Fleet<'_> {
    /// Looks at everything.
    pub async fn look(&self, wish: &Wish) -> Observed {
        let wanted = wanted(&wish.desired);
        let mut observed = observe_but(&self.ports, &self.owner, &wanted, &self.absent).await;
        let desired = &wish.desired;
        settle_images(&self.ports, self.inventory, desired, &mut observed, &self.answers).await;
        observed
    }

    /// Looks and plans.
    pub async fn plan(&self, wish: &Wish, scope: &Scope) -> Result<Planned, PlanError> {
        let observed = self.look(wish).await;
        self.plan_on(wish, scope, observed)
    }

    /// Plans on what was seen.
    pub fn plan_on(
        &self,
        wish: &Wish,
        scope: &Scope,
        observed: Observed,
    ) -> Result<Planned, PlanError> {
        let (plan, sites) = self.plan_from(wish, scope, &observed)?;
        Ok(Planned { plan, observed, sites })
    }

    /// The same for whoever goes on with what was seen.
    pub fn plan_from(
        &self,
        wish: &Wish,
        scope: &Scope,
        observed: &Observed,
    ) -> Result<(Plan, BTreeMap<ProxyPlace, Site>), PlanError> {
        let sites = self.sites(wish, observed);
        let request = Request {
            owner: &self.owner,
            desired: &wish.desired,
            observed,
            inventory: self.inventory,
            sites: &sites,
            commit: wish.commit.clone(),
            commits: wish.commits.clone(),
            scope: scope.clone(),
            variables: &wish.variables,
        };
        let plan = planner::plan(&request).map_err(PlanError::Problems)?;
        let violations = planner::check::check(&plan, observed);
        if !violations.is_empty() {
            return Err(PlanError::Unsafe(violations));
        }
        Ok((plan, sites))
    }

    /// Carries `plan` out: takes the leases, looks again, and refuses when the plan would be
    /// another one now. A stack that fails is brought back to its release before, as its settings
    /// say.
    pub async fn apply(
        &self,
        wish: &Wish,
        plan: &Plan,
        orders: &Orders<'_>,
    ) -> Result<Verdict, ApplyError> {
        let began = tokio::time::Instant::now();
        let mut guard = Guard::take(plan, &self.ports, orders.options).await.map_err(locked)?;
        let result = self.under_lease(wish, plan, orders, &mut guard).await;
        guard.release().await;
        if let Ok(verdict) = &result {
            let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
            // Whoever listened may have gone; the run is over either way.
            drop(orders.events.send(Event::Finished { verdict: verdict.clone(), took }));
        }
        result
    }

    async fn under_lease(
        &self,
        wish: &Wish,
        plan: &Plan,
        orders: &Orders<'_>,
        guard: &mut Guard,
    ) -> Result<Verdict, ApplyError> {
        let now = self.plan(wish, orders.scope).await.map_err(ApplyError::Plan)?;
        if now.plan.id != plan.id {
            return Err(ApplyError::Stale(moved(&plan.basis, &now.plan.basis)));
        }
        let Planned { plan, observed, sites } = now;
        let report = self.run(&plan, &sites, &wish.contents, orders, guard).await;
        if report.interrupted {
            return Ok(cut_short(&report));
        }
        if report.failed.is_empty() {
            return Ok(Verdict::Done);
        }
        let touched: BTreeSet<&StackName> = plan.steps.iter().map(|step| &step.stack).collect();
        let mut is_back = true;
        let mut has_changed = false;
        for (stack, failure) in &report.failed {
            has_changed |= failure.changed;
            if !failure.changed {
                continue;
            }
            let of = failure.service.as_ref();
            let action = failure_action(wish, orders.scope.course, stack, of);
            is_back &= action == FailureAction::Rollback
                && self.bring_back(stack, &failure.reason, &observed, orders, guard).await;
        }
        Ok(match (has_changed, touched.len() > report.failed.len(), is_back) {
            (false, false, _) => Verdict::Failed,
            (_, false, true) => Verdict::RolledBack,
            _ => Verdict::Partly,
        })
    }

    /// Brings one stack back to where it was before the run. `observed` is what was seen before it.
    async fn bring_back(
        &self,
        stack: &StackName,
        reason: &str,
        before: &Observed,
        orders: &Orders<'_>,
        guard: &mut Guard,
    ) -> bool {
        let tell = |event: Event| drop(orders.events.send(event));
        tell(Event::RollingBack { stack: stack.clone(), reason: reason.to_owned() });
        let warn = |message: String| tell(Event::Warned { message });
        let earlier = match release_of(before, stack) {
            Past::Nothing => Ok(Wish::nothing(&self.owner)),
            Past::At(commit) => (orders.earlier)(&commit)
                .map_err(|why| format!("{stack} stays as it is: {} {why}", commit.short())),
            Past::Unknown => {
                Err(format!("{stack} stays as it is: nobody knows a release of it that was well"))
            }
        };
        let mut wish = match earlier {
            Ok(wish) => wish,
            Err(why) => {
                warn(why);
                return false;
            }
        };
        wish.desired.stacks.retain(|name, _| name == stack);
        let scope = Scope {
            stacks: Some(BTreeSet::from([stack.clone()])),
            skip_unreachable: orders.scope.skip_unreachable,
            course: Course::Rollback,
            taken: orders.scope.taken.clone(),
            ..Scope::default()
        };
        let mut planned = match self.way_back(&wish, &scope, orders, guard).await {
            Ok(planned) => planned,
            Err(why) => {
                warn(format!("{stack} stays as it is: {why}"));
                return false;
            }
        };
        if orders.options.keep_failed {
            leave_containers(&mut planned.plan, before);
        }
        let report = self.run(&planned.plan, &planned.sites, &wish.contents, orders, guard).await;
        for failure in report.failed.values() {
            warn(format!("{stack} could not be brought back: {}", failure.reason));
        }
        report.failed.is_empty() && !report.interrupted
    }

    /// A plan back, under the leases of every host it touches: the earlier commit may have been on
    /// others than the one that failed.
    async fn way_back(
        &self,
        wish: &Wish,
        scope: &Scope,
        orders: &Orders<'_>,
        guard: &mut Guard,
    ) -> Result<Planned, String> {
        loop {
            let planned = self.plan(wish, scope).await.map_err(|error| words(&error))?;
            let taken = guard.extend(&planned.plan, &self.ports, orders.options).await;
            match taken {
                Ok(false) => return Ok(planned),
                Ok(true) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }

    async fn run(
        &self,
        plan: &Plan,
        sites: &BTreeMap<ProxyPlace, Site>,
        contents: &Contents,
        orders: &Orders<'_>,
        guard: &Guard,
    ) -> exec::Report {
        let work = exec::Work {
            plan,
            ports: &self.ports,
            sites,
            contents,
            options: orders.options,
            events: orders.events,
        };
        exec::run(&work, guard, orders.stop.clone()).await
    }

    /// How each proxy's file is written, as far as the proxy could be seen.
    fn sites(&self, wish: &Wish, observed: &Observed) -> BTreeMap<ProxyPlace, Site> {
        let mut sites = BTreeMap::new();
        for (place, state) in &observed.proxies {
            let proxy = self.inventory.proxies.get(place.proxy.as_str());
            if let (Some(proxy), Ok(state)) = (proxy, state) {
                let template = wish.templates.get(&place.proxy).cloned();
                let site = Site::of(proxy, &place.host, &self.owner, state, template);
                sites.insert(place.clone(), site);
            }
        }
        sites
    }
}

impl exec::Contents for Contents {
    fn get(&self, stack: &StackName, key: &ContentKey) -> Result<Vec<u8>, String> {
        Self::get(self, stack, key)
    }

    fn hidden(&self, stack: &StackName) -> Vec<exec::Hidden> {
        Self::hidden(self, stack)
    }
}

/// Where a stack was before a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Past {
    /// There was nothing of it.
    Nothing,
    /// It was at this commit, and well.
    At(CommitId),
    /// Something of it is there, and nothing says that it was ever well.
    Unknown,
}

/// Where a stack is, as far as what was seen can tell: what its hosts remember, else the newest of
/// its containers that a proxy sends to. Any other one may be of a run that failed: one that had
/// ended well would be remembered.
pub fn release_of(observed: &Observed, stack: &StackName) -> Past {
    let hosts = || observed.hosts.values().filter_map(|host| host.as_ref().ok());
    let releases = hosts().filter_map(|host| host.releases.get(stack));
    let recorded = releases.max_by_key(|release| release.generation);
    if let Some(commit) = recorded.and_then(|release| release.commits.first()) {
        return Past::At(commit.clone());
    }
    let own = || {
        let all = hosts().flat_map(|host| host.containers.values());
        all.filter(|container| &container.identity.stack == stack)
    };
    let tables = || {
        let states = observed.proxies.values().filter_map(|state| state.as_ref().ok());
        states.filter_map(|state| state.table.as_ref())
    };
    let is_routed =
        |it: &&LiveContainer| tables().any(|table| table.backends_of(&it.name).next().is_some());
    let is_well = |it: &&LiveContainer| {
        it.state.is_running() && !matches!(it.state.health, Some(Health::Unhealthy(_)))
    };
    let serving = own().filter(is_well).filter(is_routed);
    match serving.max_by_key(|it| it.identity.generation) {
        Some(container) => Past::At(container.identity.commit.clone()),
        None if own().next().is_none() => Past::Nothing,
        None => Past::Unknown,
    }
}

/// In words, for a line of a log.
pub fn words(error: &PlanError) -> String {
    let all: Vec<String> = match error {
        PlanError::Problems(problems) => problems.iter().map(|it| it.message.clone()).collect(),
        PlanError::Unsafe(violations) => violations.iter().map(ToString::to_string).collect(),
    };
    all.join("; ")
}

fn locked(error: exec::GuardError) -> ApplyError {
    match error {
        exec::GuardError::Held(lease) => ApplyError::Locked(lease),
        exec::GuardError::Port(error) => ApplyError::Lease(error),
    }
}

/// Compose's default is to pause; ours is to go back, since nobody should be left with half a
/// release because they wrote nothing. From a rollback that somebody asked for, back is where it
/// began.
fn failure_action(
    wish: &Wish,
    course: Course,
    stack: &StackName,
    service: Option<&ServiceName>,
) -> FailureAction {
    let target = wish.desired.stacks.get(stack);
    let service = service.and_then(|name| target?.services.get(name));
    service
        .and_then(|service| service.rollout.order(course).failure_action)
        .unwrap_or(FailureAction::Rollback)
}

/// What a run came to that ended early: by a signal, or because it lost a lease, which is nobody's
/// wish.
fn cut_short(report: &Report) -> Verdict {
    let has_changed = report.outcomes.contains(&Outcome::Applied);
    match (&report.lost, has_changed) {
        (None, _) => Verdict::Interrupted,
        (Some(_), true) => Verdict::Partly,
        (Some(_), false) => Verdict::Failed,
    }
}

/// Leaves the containers that were not there before, for whoever wants to look at them.
fn leave_containers(plan: &mut Plan, before: &Observed) {
    let was_there = |name: &str| {
        let mut hosts = before.hosts.values().filter_map(|host| host.as_ref().ok());
        hosts.any(|host| host.containers.contains_key(name))
    };
    let is_left = |op: &Op| match op {
        Op::Stop { container, .. } | Op::Remove { container, .. } => !was_there(container),
        _ => false,
    };
    planner::without(plan, is_left);
}

/// The variables that secrets and configs come from, with the stacks that use them.
fn inputs(desired: &Desired) -> BTreeSet<(&StackName, &str)> {
    let mut names = BTreeSet::new();
    for (stack, target) in &desired.stacks {
        for container in target.services.values().map(|service| &service.container) {
            for file in container.configs.iter().chain(&container.secrets) {
                if let FileSource::Environment { name } = &file.content {
                    names.insert((stack, name.as_str()));
                }
            }
        }
    }
    names
}

/// A digest of each variable that a secret or config comes from.
pub(super) fn variables(
    desired: &Desired,
    contents: &Contents,
) -> Result<BTreeMap<String, String>, String> {
    let mut digests = BTreeMap::new();
    for (stack, target) in &desired.stacks {
        for container in target.services.values().map(|service| &service.container) {
            for file in container.configs.iter().chain(&container.secrets) {
                let FileSource::Environment { name } = &file.content else { continue };
                let content =
                    contents.get(stack, &ContentKey::Variable(name.clone())).map_err(|why| {
                        format!("`{}` of {stack}: {why}; list it under `pass_env`", file.source)
                    })?;
                digests.insert(name.clone(), digest(desired, name, &content));
            }
        }
    }
    Ok(digests)
}

/// Bound to project, environment and name, so that equal values do not look equal elsewhere.
fn digest(desired: &Desired, name: &str, content: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [desired.project.as_str(), desired.environment.as_str(), name] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(content);
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}
