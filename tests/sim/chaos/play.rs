//! Plays a schedule from its first event to the last round after it.

use std::time::Duration;

use futures_util::future::join_all;
use gitdeploy::exec::Stop;
use gitdeploy::model::{CommitId, Drained, HostName, ProxyPlace};
use gitdeploy::pipeline::Wish;
use gitdeploy::planner::Scope;
use gitdeploy::settings::Inventory;
use gitdeploy::sim::{Fault, Rule, SimImage, World};
use tokio::task::LocalSet;

use super::daemons::Daemons;
use super::event::{Attempt, End, Event, Hand, Refusal, Schedule, Timed, Trouble};
use crate::commit::{inventory, wish};
use crate::repository::Repository;
use crate::rounds::{Manner, Round, left, no_earlier, round, round_with, steps};
use crate::scenario::{
    ONE_HOST, THREE_HOSTS, rolling, stop_first, web, with_config, with_secret, world,
};

/// How many commits there are.
pub(crate) const COMMITS: u64 = 10;

/// Rounds after the last event, before there must be nothing left to do.
const ROUNDS: usize = 6;

/// How much longer every call takes on a slow host, in milliseconds.
const SLOWNESS: u64 = 2_000;

/// What became of a schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Played {
    /// All that was done.
    pub(crate) log: Vec<String>,
    /// What was wrong; the first word says of which kind.
    pub(crate) wrong: Option<String>,
}

/// In a runtime of its own, so that time begins anew.
pub(crate) fn play(schedule: &Schedule) -> Played {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, played(schedule))
}

/// What commits want of the stack `shop`; the number is the commit.
fn shop(number: u64) -> String {
    let both: &[&str] = &["edge", "inner"];
    match number {
        0 => web("app:1", 2, &["edge"], ""),
        1 => web("app:2", 2, &["edge"], ""),
        2 => web("app:2", 3, both, ""),
        3 => rolling("app:1", 3, 1),
        4 => rolling("app:2", 4, 2),
        5 => with_secret(&web("bad:1", 2, &["edge"], "")),
        6 => web("app:1", 1, both, "    environment: {A: '6'}\n"),
        7 => rolling("bad:1", 3, 1),
        8 => with_secret(&with_config("app:1", "eight")),
        _ => stop_first("app:2", 3),
    }
}

struct Stage<'a> {
    world: &'a World,
    inventory: &'a Inventory,
    hosts: Vec<HostName>,
    places: Vec<ProxyPlace>,
    /// Those who watch a repository, in schedules that have them.
    daemons: Option<Daemons>,
    /// Whether somebody breaks leases.
    is_robbed: bool,
}

async fn played(schedule: &Schedule) -> Played {
    let fleet = if schedule.is_spread { THREE_HOSTS } else { ONE_HOST };
    let inventory = inventory(fleet);
    let world = world(&inventory);
    let daemons = schedule.is_watched().then(|| {
        let repository = Repository::new(fleet);
        let commit = |number| repository.commit(&format!("{number}"), &[("shop", shop(number))]);
        let commits = (0..COMMITS).map(commit).collect();
        Daemons::new(repository, commits)
    });
    let stage = Stage {
        world: &world,
        inventory: &inventory,
        hosts: inventory.hosts.keys().map(|name| name.clone().into()).collect(),
        places: world.places(),
        daemons,
        is_robbed: schedule.events.iter().any(|it| matches!(it.event, Event::Leases(_))),
    };
    let first = stage.commit(0);
    round(&world.run(Fault::None), &inventory, &first, &no_earlier).await;
    world.settled(&first.desired);
    let wrongs = join_all(schedule.events.iter().map(|it| stage.happens(it))).await;
    let wrong = match wrongs.into_iter().flatten().next() {
        Some(wrong) => Some(wrong),
        None => stage.ends(schedule.goal).await,
    };
    Played { log: world.log(), wrong }
}

impl Stage<'_> {
    fn commit(&self, number: u64) -> Wish {
        match &self.daemons {
            Some(daemons) => daemons.repository.wish(daemons.commit(number)),
            None => wish(&format!("{number:040}"), self.inventory, &[("shop", shop(number))]),
        }
    }

    /// What a commit wants that hosts remember.
    fn remembered(&self, id: &CommitId) -> Result<Wish, String> {
        let number = match &self.daemons {
            Some(daemons) => daemons.commits.iter().position(|commit| commit == id),
            None => id.as_str().parse().ok(),
        };
        let number = number.ok_or_else(|| "is not known".to_owned())?;
        Ok(self.commit(number as u64))
    }

    /// What was wrong until nothing was left to do.
    async fn ends(&self, goal: u64) -> Option<String> {
        let settled = match &self.daemons {
            Some(daemons) => daemons.end(self.world, goal).await,
            None => Ok(()),
        };
        self.rests(&self.commit(goal), settled).await
    }

    /// Rounds until nothing is left to do, and what was wrong until then.
    async fn rests(&self, goal: &Wish, settled: Result<(), String>) -> Option<String> {
        let Self { world, inventory, .. } = *self;
        let mut rounds = Vec::new();
        for _ in 0..=ROUNDS {
            rounds.push(round(&world.run(Fault::None), inventory, goal, &no_earlier).await);
            if matches!(rounds.last(), Some(Round::Nothing)) {
                break;
            }
        }
        let run = world.run(Fault::None);
        world.log().iter().for_each(|line| run.hear(line));
        let mut violations = world.violations();
        if self.is_robbed {
            // Who takes a lease away from a run that is at work lets two act at once.
            violations.retain(|it| matches!(it.rule, Rule::OnlyOurs | Rule::NoSecret));
        }
        if let Some(first) = violations.first() {
            return Some(format!("{} is broken: {violations:#?}", first.rule));
        }
        if settled.is_err() {
            return settled.err();
        }
        match rounds.last() {
            Some(Round::Nothing) if self.daemons.is_none() || rounds.len() == 1 => None,
            _ => {
                let plan = left(world, inventory, goal).await;
                Some(format!("I6 is broken: not settled: {rounds:?}{}", steps(&plan)))
            }
        }
    }

    /// Says when a run hangs.
    async fn happens(&self, it: &Timed) -> Option<String> {
        tokio::time::sleep(Duration::from_millis(it.at)).await;
        let world = self.world;
        match &it.event {
            Event::Run(attempt) => return self.run(attempt).await,
            Event::Host(host, trouble, time) => {
                self.host(&self.hosts[host % self.hosts.len()], *trouble, *time).await;
            }
            Event::Way(from, to, time) => {
                let from = &self.hosts[from % self.hosts.len()];
                let to = &self.hosts[to % self.hosts.len()];
                world.cut(from, to, true);
                pause(*time).await;
                world.cut(from, to, false);
            }
            Event::Proxy(proxy, refusal, time) => {
                let place = &self.places[proxy % self.places.len()];
                self.refuse(place, *refusal, true);
                pause(*time).await;
                self.refuse(place, *refusal, false);
            }
            Event::File(proxy, hand) => self.hand(&self.places[proxy % self.places.len()], *hand),
            Event::Container(host, nth, end) => {
                self.container(&self.hosts[host % self.hosts.len()], *nth, *end);
            }
            Event::Image(reference, time) => self.image(reference, *time).await,
            Event::Leases(host) => world.break_leases(&self.hosts[host % self.hosts.len()]),
            Event::Push(_) | Event::Daemon(_) | Event::Order(_) => self.watch(&it.event).await,
        }
        None
    }

    async fn watch(&self, event: &Event) {
        let (world, daemons) = (self.world, self.daemons.as_ref());
        let daemons = daemons.expect("a schedule with such events has daemons");
        match event {
            Event::Push(commit) => {
                daemons.push(world, *commit);
                daemons.tell().await;
            }
            Event::Daemon(attempt) => {
                daemons.push(world, attempt.commit);
                daemons.start(world, attempt);
            }
            Event::Order(ask) => daemons.order(*ask).await,
            _ => {}
        }
    }

    async fn run(&self, attempt: &Attempt) -> Option<String> {
        let inventory = self.inventory;
        let earlier = |id: &CommitId| self.remembered(id);
        let run = self.world.run_with(attempt.faults.clone()).with_clock(attempt.clock);
        let after = |(time, stop): (u64, Stop)| (Duration::from_millis(time), stop);
        let manner = Manner {
            thinks: Duration::from_millis(attempt.thinks),
            stops: attempt.stops.map(after),
        };
        let wish = self.commit(attempt.commit);
        let scope = Scope::default();
        let ended = round_with(&run, inventory, &wish, &scope, &earlier, &manner).await;
        match ended {
            Round::Hangs => Some(format!("I6 is broken: run {} does not end", run.number())),
            _ => None,
        }
    }

    async fn host(&self, name: &HostName, trouble: Trouble, time: u64) {
        let world = self.world;
        match trouble {
            Trouble::Down => world.with_host(name, |host| host.is_down = true),
            Trouble::Silent => world.with_host(name, |host| host.is_silent = true),
            Trouble::Drained => world.with_host(name, |host| {
                host.drained = Some(Drained { by: "ann".into(), is_forced: false });
            }),
            Trouble::Slow => world.with_host(name, |host| host.slowness = SLOWNESS),
            Trouble::Full => world.with_host(name, |host| host.is_full = true),
            Trouble::EngineEnds => {
                let ended = world.stop_engine(name);
                pause(time).await;
                return world.start_engine(name, &ended);
            }
            Trouble::Returns => {
                let old = world.remember(name);
                pause(time).await;
                return world.bring_back(name, old);
            }
        }
        pause(time).await;
        world.with_host(name, |host| match trouble {
            Trouble::Down => host.is_down = false,
            Trouble::Silent => host.is_silent = false,
            Trouble::Drained => host.drained = None,
            Trouble::Slow => host.slowness = 0,
            Trouble::Full => host.is_full = false,
            Trouble::EngineEnds | Trouble::Returns => {}
        });
    }

    fn refuse(&self, place: &ProxyPlace, refusal: Refusal, is_so: bool) {
        self.world.with_proxy(place, |proxy| match refusal {
            Refusal::Rejects => proxy.rejects = is_so,
            Refusal::Hangs => proxy.hangs = is_so,
            Refusal::KeepsTheOld => proxy.ignores_reload = is_so,
        });
    }

    fn hand(&self, place: &ProxyPlace, hand: Hand) {
        match hand {
            Hand::Edits => self.world.with_proxy(place, |proxy| {
                proxy.file.iter_mut().for_each(|file| file.push_str("# by hand\n"));
            }),
            Hand::Removes => self.world.lose_file(place),
            Hand::Reloads => self.world.reload(place),
        }
    }

    fn container(&self, host: &HostName, nth: usize, end: End) {
        let world = self.world;
        let name = world.with_host(host, |host| {
            let names: Vec<String> = host.containers.keys().cloned().collect();
            names.get(nth % names.len().max(1)).cloned()
        });
        let Some(name) = name else { return };
        match end {
            End::Dies => world.crash(host, &name),
            End::Removed => world.take_away(host, &name),
            End::Restarts => world.restart(host, &name),
            End::Flaps => world.flap(host, &name, 20_000),
            End::Changed => world.with_host(host, |host| {
                if let Some(container) = host.containers.get_mut(&name) {
                    container.config["HostConfig"]["Memory"] = serde_json::json!(64 << 20);
                }
            }),
        }
    }

    async fn image(&self, reference: &str, time: u64) {
        let Some(image): Option<SimImage> = self.world.withdraw(reference) else { return };
        pause(time).await;
        self.world.image(reference, image);
    }
}

async fn pause(time: u64) {
    tokio::time::sleep(Duration::from_millis(time)).await;
}
