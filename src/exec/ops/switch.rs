//! The only step that moves traffic, and the only one with more than one effect.
//!
//! Under the proxy's own lease: read the file and the table in it, change the table, have the proxy
//! check the new file, put it in place if the old one is still there, make the proxy follow it, see
//! that it does, and send one request through every changed backend. What fails after the file was
//! put in place brings the old file back. Done again after a crash it goes on wherever it was: the
//! file is the only memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use tokio::time::Instant;

use crate::exec::context::{Left, Task};
use crate::exec::lease::{Hold, take_lease};
use crate::exec::repeat::{Done, Trouble, made_so, repeated};
use crate::model::{
    BackendChange, BackendKey, Cause, Endpoint, Generation, Op, ProxyFile, ProxyPlace, RouteChange,
    RoutingTable, Rule,
};
use crate::ports::{Activation, Applied, LeaseKey, PortError, Proxy, Taken};
use crate::proxy::{self, Managed, Site};

/// How long somebody else's lease of the proxy is waited for: longer than it can last when its
/// holder has died.
const LEASE_WAIT: Duration = Duration::from_secs(120);

/// How long the way forward may take. Waiting for idle connections before a reload is within.
const FORWARD: Duration = Duration::from_secs(60);

/// How long the way back may take.
const BACK: Duration = Duration::from_secs(30);

/// The whole step.
pub(super) const LIMIT: Duration = Duration::from_secs(240);

/// How long the proxy is asked whether it follows the file.
const CONFIRM: Duration = Duration::from_secs(10);

/// How long a request through the proxy is tried.
const PROVE: Duration = Duration::from_secs(5);

/// Between two questions. Most proxies follow within 20 ms, nginx after the 100 ms that it gives its
/// new workers.
const INTERVAL: Duration = Duration::from_millis(10);

/// After how many of them it is looked whether the file is still there, and how often then: about
/// 100 ms, and 400 ms.
const FILE_FIRST: u32 = 10;
const FILE_EVERY: u32 = 40;

/// Between two tries to take the lease.
const LEASE_INTERVAL: Duration = Duration::from_millis(500);

/// Changes what a proxy sends where.
pub(super) async fn switch(task: &Task<'_>, place: &ProxyPlace, change: &RouteChange) -> Done {
    let proxy = task.proxy(place)?;
    let site = task.site(place)?;
    let planned = change;
    let change = possible(task, place, planned)?;
    if change.set.is_empty() && !planned.set.is_empty() {
        return Ok(Applied::AlreadyTrue);
    }
    let turn = task.context.turn(place).await;
    // The wait for the turn is no part of the switch itself.
    let task = task.until(Instant::now() + LIMIT);
    let hold = lease(&task, place).await?;
    let task = task.until(Instant::now() + FORWARD);
    let done = Switch { task: &task, place, proxy, site, change: &change, hold: &hold };
    let done = kept(&hold, done.run()).await;
    task.context.give_back(hold, turn);
    if done.is_ok() {
        task.context.switched(place);
        for (key, made) in change.set {
            match made.to == planned.set[&key].to {
                true => task.context.leave_as_planned(place, &key),
                false => {
                    let left = Left { backend: made.to, is_switched: true };
                    task.context.leave(place, &key, left);
                }
            }
        }
    }
    done
}

/// Keeps the lease alive meanwhile.
async fn kept(hold: &Hold, work: impl Future<Output = Done>) -> Done {
    let keep = async {
        hold.keep().await;
        std::future::pending::<std::convert::Infallible>().await
    };
    tokio::select! {
        biased;
        done = work => done,
        // Cancel-safe: a renewal more or less harms nobody.
        never = keep => match never {},
    }
}

/// The change without replicas that did not become ready, from what this run has left. A backend
/// that would be without any server by that is not switched: it is an error, but where the proxy's
/// file is only to say again what it serves.
fn possible(
    task: &Task<'_>,
    place: &ProxyPlace,
    planned: &RouteChange,
) -> Result<RouteChange, Trouble> {
    let mut change = RouteChange::default();
    let is_rewrite = task.step.cause == Cause::NotServed;
    for (key, BackendChange { from, to }) in &planned.set {
        let left = task.context.left(place, key).map(|left| left.backend);
        let from = left.unwrap_or_else(|| from.clone());
        let Some(mut backend) = to.clone() else {
            change.set.insert(key.clone(), BackendChange { from, to: None });
            continue;
        };
        // Whom the proxy sends to already, nobody had to prove for it.
        let is_served =
            |name: &String| !is_rewrite && from.iter().any(|from| from.servers.contains_key(name));
        let is_absent = |name: &String| {
            task.absent.failed.contains(name)
                || task.absent.unproved.contains(name) && !is_served(name)
        };
        backend.servers.retain(|name, _| !is_absent(name));
        let had_servers = to.iter().any(|to| !to.servers.is_empty());
        if !had_servers || !backend.servers.is_empty() {
            change.set.insert(key.clone(), BackendChange { from, to: Some(backend) });
        } else if is_rewrite {
            task.context.leave(place, key, Left { backend: from, is_switched: false });
            task.warn(format!("{} goes on as it is: nobody for {key} is ready", place.proxy));
        } else {
            return Err(Trouble::Failed(format!("no replica for {key} became ready")));
        }
    }
    Ok(change)
}

/// The proxy's file as the plan saw it.
fn planned_file<'t>(task: &Task<'t>, place: &ProxyPlace) -> Option<&'t ProxyFile> {
    task.context.work.plan.files.iter().find(|file| file.place == *place)
}

/// Whether the proxy does not serve what its file says, as far as the plan knows.
fn serves_something_else(task: &Task<'_>, place: &ProxyPlace) -> bool {
    planned_file(task, place).is_some_and(|file| file.cause == Cause::NotServed)
}

/// Whether a file of ours was there when the plan was made, or has been written since.
fn had_file(task: &Task<'_>, place: &ProxyPlace) -> bool {
    let old = planned_file(task, place).and_then(|file| file.old.as_deref());
    let seen = proxy::read(&task.context.work.plan.owner, old);
    matches!(seen, Managed::Ours { .. }) || task.context.has_followed(place)
}

/// Why a switch is not made: nobody can read any more whom the proxy sends to.
const REMOVED: &str = "somebody has removed the file since";

/// The file that a switch will write if nothing comes in between, where `text` is there now: to be
/// checked ahead. Only where one of ours is followed already by another one of ours.
pub(super) fn candidate(
    task: &Task<'_>,
    place: &ProxyPlace,
    change: &RouteChange,
    text: Option<&str>,
) -> Option<String> {
    let Managed::Ours { table, .. } = proxy::read(&task.context.work.plan.owner, text) else {
        return None;
    };
    let next = table.changed(change, task.context.moment(place)).ok()?;
    if next.generation == table.generation || serves_something_else(task, place) {
        return None;
    }
    task.site(place).ok()?.render(&next).ok()
}

/// Takes the proxy's lease, and waits for whoever has it.
async fn lease(task: &Task<'_>, place: &ProxyPlace) -> Result<Hold, Trouble> {
    let work = task.context.work;
    let Some(leases) = work.ports.leases.get(&place.host) else {
        return Err(Trouble::Failed(format!("{} was not connected", place.host)));
    };
    let key = LeaseKey::Proxy(place.proxy.clone());
    let limit = Instant::now() + LEASE_WAIT;
    let mut is_told = false;
    loop {
        if task.is_abandoned() {
            return Err(Trouble::Abandoned);
        }
        let time = work.options.lease;
        let taken = take_lease(&**leases, &key, work.options, time, task.deadline).await?;
        let theirs = match taken {
            (Taken::Ours(held), asked) => {
                return Ok(Hold::new(place.host.clone(), Arc::clone(leases), held, asked, time));
            }
            (Taken::Theirs(lease), _) => lease,
        };
        if Instant::now() >= limit {
            let (holder, purpose) = (theirs.holder, theirs.purpose);
            let why = format!("{holder} has held {} for {purpose} all the time", place.proxy);
            return Err(Trouble::Failed(why));
        }
        if !is_told {
            task.progress(format!("waits for {}, who changes {} now", theirs.holder, place.proxy));
            is_told = true;
        }
        task.wait(LEASE_INTERVAL).await?;
    }
}

/// Which way the file is changed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To what the plan wants: nothing has begun yet, so both leases must be held.
    Forward,
    /// To what it was before: that ends what was begun.
    Back,
}

/// What a switch found.
struct Before<'t> {
    /// `None` when there is no file.
    file: Option<&'t str>,
    table: &'t RoutingTable,
    /// Whether the proxy goes on with a file that is gone.
    from_memory: bool,
}

/// A switch under its lease.
struct Switch<'a> {
    task: &'a Task<'a>,
    place: &'a ProxyPlace,
    proxy: &'a dyn Proxy,
    site: &'a Site,
    change: &'a RouteChange,
    hold: &'a Hold,
}

impl Switch<'_> {
    async fn run(&self) -> Done {
        let text = self.task.look(|| self.proxy.read()).await?;
        let owner = &self.task.context.work.plan.owner;
        let (table, is_absent) = match proxy::read(owner, text.as_deref()) {
            Managed::Absent if had_file(self.task, self.place) => {
                return Err(Trouble::Superseded(REMOVED.to_owned()));
            }
            Managed::Absent => (RoutingTable::default(), true),
            Managed::Ours { table, .. } => (table, false),
            Managed::Foreign { why } => {
                return Err(Trouble::Superseded(format!("the file {why}")));
            }
        };
        let now = self.task.context.moment(self.place);
        let moved = |moved: crate::model::Moved| Trouble::Superseded(moved.to_string());
        let mut next = table.changed(self.change, now).map_err(moved)?;
        let is_unknown = is_absent || serves_something_else(self.task, self.place);
        let remembers = is_unknown && next.remember(self.to_be_let_go());
        if next.generation == table.generation {
            if is_absent {
                // What it may still serve from a file that is gone, nobody wants any more.
                self.held().await?;
                let activated =
                    repeated(|| self.go_on(self.task.call(self.proxy.activate(&next)))).await?;
                return Ok(applied(activated));
            }
            let same = self.render(&table)?;
            if text.as_ref() == Some(&same) && !remembers {
                return self.follow_as_it_is(&same, &table).await;
            }
            // The same table in other words, after an edit by hand or with another template. It is
            // a generation of its own, or nobody could see that it serves.
            next.generation += 1;
            next.activated_at = now;
        }
        if is_unknown {
            next.generation = self.unserved(next.generation).await?;
        }
        let from_memory =
            is_absent && self.task.look(|| self.proxy.observe()).await?.serving.is_some();
        let before = Before { file: text.as_deref(), table: &table, from_memory };
        self.put(&before, &next).await
    }

    /// Whom the proxy is to let go of later in the plan: a run that is cut off before leaves nothing
    /// else that tells of them, where the file before does not.
    fn to_be_let_go(&self) -> impl Iterator<Item = Endpoint> {
        let steps = self.task.context.work.plan.steps.iter();
        let servers = steps.filter_map(|step| match &step.op {
            Op::AwaitDrained { place, servers, .. } if place == self.place => Some(servers),
            _ => None,
        });
        servers.flat_map(BTreeMap::values).flat_map(BTreeMap::values).cloned()
    }

    /// A generation that the proxy does not serve already, from a file that is gone or was replaced
    /// by an older one: it would seem to follow the new file before it has read that.
    async fn unserved(&self, mut generation: Generation) -> Result<Generation, Trouble> {
        while self.task.look(|| self.proxy.confirm(generation)).await? {
            generation += 1;
        }
        Ok(generation)
    }

    fn render(&self, table: &RoutingTable) -> Result<String, Trouble> {
        self.site.render(table).map_err(|error| Trouble::Failed(error.to_string()))
    }

    /// The file says it already; whether the proxy does, it is asked.
    async fn follow_as_it_is(&self, text: &str, table: &RoutingTable) -> Done {
        let generation = table.generation;
        let is_served = self.task.look(|| self.proxy.confirm(generation)).await?;
        self.held().await?;
        if is_served {
            // What was changed at its socket by hand shows in no generation.
            let activated =
                repeated(|| self.go_on(self.task.call(self.proxy.activate(table)))).await?;
            self.task.context.follows(self.place);
            return Ok(applied(activated));
        }
        self.follow(self.task, text, table).await.map_err(|trouble| {
            trouble.map(|why| format!("the file is in place, and the proxy goes without it: {why}"))
        })?;
        self.prove(table).await?;
        self.task.context.follows(self.place);
        Ok(Applied::Changed)
    }

    async fn put(&self, before: &Before<'_>, next: &RoutingTable) -> Done {
        let new = self.render(next)?;
        let refused = |error: PortError| {
            Trouble::from(error).map(|why| format!("the proxy's own check says: {why}"))
        };
        let tested = repeated(|| self.task.call(self.proxy.test(&new)));
        // Asked for meanwhile, so that what has just been answered need not be asked for again.
        let (tested, held) = join(tested, self.held()).await;
        tested.map_err(refused)?;
        held?;
        self.swap(self.task, before.file, Some(&new), Way::Forward).await?;
        let result = match self.follow(self.task, &new, next).await {
            Ok(()) => self.prove(next).await,
            Err(trouble) => Err(trouble),
        };
        let Err(trouble) = result else {
            self.task.context.follows(self.place);
            return Ok(Applied::Changed);
        };
        match self.restore(&new, before).await {
            Ok(()) => {
                let left = match before.from_memory {
                    true => "; its file is away again, as it was before",
                    false => "; the proxy is as it was before",
                };
                Err(Trouble::Failed(trouble.words() + left))
            }
            Err(second) => {
                let (first, second) = (trouble.words(), second.words());
                let why = format!("{first}; and its file could not be brought back: {second}");
                Err(Trouble::Unknown(why))
            }
        }
    }

    async fn swap(
        &self,
        task: &Task<'_>,
        expect: Option<&str>,
        new: Option<&str>,
        way: Way,
    ) -> Result<(), Trouble> {
        let is_so = || async {
            let text = task.look(|| self.proxy.read()).await?;
            Ok(text.as_deref() == new)
        };
        let act = || async {
            if way == Way::Forward {
                self.held().await?;
            }
            Ok(self.go_on(task.call(self.proxy.swap(expect, new))).await?)
        };
        made_so(is_so, act).await?;
        Ok(())
    }

    /// Refuses when another run may be at work. Both leases may have been waited for, and taken away
    /// meanwhile.
    async fn held(&self) -> Result<(), Trouble> {
        self.task.still_held().await?;
        self.hold.confirm().await.map_err(Trouble::Superseded)
    }

    /// One call of what has begun: ended even where a lease was taken away, since each change of the
    /// file is refused by whoever finds another one there; and not where one has run out.
    async fn go_on<T>(
        &self,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        tokio::select! {
            biased;
            // Cancel-safe: it only looks.
            why = self.hold.run_out() => Err(PortError::Unknown(why)),
            // Given up on purpose: its effect is unknown.
            answered = self.task.go_on(call) => answered,
        }
    }

    /// Makes the proxy follow the file and sees that it does.
    async fn follow(
        &self,
        task: &Task<'_>,
        text: &str,
        table: &RoutingTable,
    ) -> Result<(), Trouble> {
        match repeated(|| self.go_on(task.call(self.proxy.activate(table)))).await {
            // Whether it took effect, the proxy is asked next.
            Ok(_) | Err(PortError::Unknown(_)) => {}
            Err(error) => return Err(error.into()),
        }
        if self.confirm(task, text, table.generation).await? {
            return Ok(());
        }
        let why = format!("the new file did not serve within {}s", CONFIRM.as_secs());
        Err(Trouble::Failed(why))
    }

    async fn confirm(
        &self,
        task: &Task<'_>,
        text: &str,
        generation: Generation,
    ) -> Result<bool, Trouble> {
        let limit = (Instant::now() + CONFIRM).min(task.deadline);
        let mut asked = 0;
        loop {
            match task.call(self.proxy.confirm(generation)).await {
                Ok(true) => return Ok(true),
                Ok(false) => {}
                Err(error) if error.is_worth_repeating() => {}
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= limit {
                return Ok(false);
            }
            asked += 1;
            if asked % FILE_EVERY == FILE_FIRST {
                self.still_there(task, text).await?;
            }
            // No wait that could be given up: the file is in place, and either way must be ended.
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Refuses when the file that is to be followed is not in place any more: a proxy that has read
    /// what is there instead may send nobody anywhere.
    async fn still_there(&self, task: &Task<'_>, text: &str) -> Result<(), Trouble> {
        let why = match task.call(self.proxy.read()).await {
            Ok(Some(there)) if there != text => "somebody has changed the file since",
            Ok(None) => REMOVED,
            // Who does not answer now is asked again.
            Ok(Some(_)) | Err(_) => return Ok(()),
        };
        Err(Trouble::Superseded(why.to_owned()))
    }

    /// Sends one request through every changed backend that has servers.
    async fn prove(&self, table: &RoutingTable) -> Result<(), Trouble> {
        for key in self.change.set.keys() {
            let Some(backend) = table.backends.get(key).filter(|it| !it.servers.is_empty()) else {
                continue;
            };
            if let Some(rule) = backend.rules.first() {
                let servers = backend.servers.values().collect();
                self.prove_one(key, rule, &servers).await?;
            }
        }
        Ok(())
    }

    async fn prove_one(
        &self,
        key: &BackendKey,
        rule: &Rule,
        servers: &BTreeSet<&Endpoint>,
    ) -> Result<(), Trouble> {
        let limit = (Instant::now() + PROVE).min(self.task.deadline);
        loop {
            let said = match self.task.call(self.proxy.prove(rule)).await {
                Ok(Some(endpoint)) if servers.contains(&endpoint) => return Ok(()),
                Ok(Some(endpoint)) => format!("was answered by {endpoint}"),
                Ok(None) => "was answered by none of our servers".to_owned(),
                Err(error) => format!("was not answered: {error}"),
            };
            if Instant::now() >= limit {
                let asked = format!("{}{}", rule.host, rule.path);
                return Err(Trouble::Failed(format!("a request for {asked} of {key} {said}")));
            }
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Brings the file of before back, and the proxy to it.
    async fn restore(&self, new: &str, before: &Before<'_>) -> Result<(), Trouble> {
        let task = self.task.until(Instant::now() + BACK);
        let there = task.look(|| self.proxy.read()).await?;
        // What somebody took away meanwhile is in nobody's way.
        let expect = match proxy::read(&task.context.work.plan.owner, there.as_deref()) {
            Managed::Absent => there.as_deref(),
            Managed::Ours { .. } | Managed::Foreign { .. } => Some(new),
        };
        self.swap(&task, expect, before.file, Way::Back).await?;
        if let Some(old) = before.file {
            return self.follow(&task, old, before.table).await;
        }
        // A reload would take away what it serves from memory.
        if before.from_memory {
            return Ok(());
        }
        // Without a file there is no generation that could answer.
        repeated(|| self.go_on(task.call(self.proxy.activate(before.table)))).await?;
        Ok(())
    }
}

fn applied(activation: Activation) -> Applied {
    match activation {
        Activation::AlreadyTrue => Applied::AlreadyTrue,
        Activation::Runtime | Activation::Reload => Applied::Changed,
    }
}

#[cfg(test)]
mod tests;
