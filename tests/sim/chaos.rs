//! Many faults at once, by seed: the same seed is the same world to the last millisecond.
//!
//! `GITDEPLOY_SEEDS=1000` tries more of them, `GITDEPLOY_SEED=7` one and prints all that it did.

use std::time::Duration;

use gitdeploy::model::{CommitId, HostName};
use gitdeploy::pipeline::Wish;
use gitdeploy::settings::Inventory;
use gitdeploy::sim::{Fault, Moment, World};

use super::commit::{name, wish};
use super::rounds::{Round, left, no_earlier, round, steps};
use super::scenario::{edge, one_host, rolling, web, world};

/// Seeds of an ordinary test run.
const SEEDS: u64 = 64;

/// Rounds after the last fault.
const ROUNDS: usize = 6;

/// Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// Less than `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }
}

/// Commits that may be wanted; the number is the commit.
fn commit(number: u64, inventory: &Inventory) -> Wish {
    let both: &[&str] = &["edge", "inner"];
    let shop = match number {
        0 => web("app:1", 2, &["edge"], ""),
        1 => web("app:2", 2, &["edge"], ""),
        2 => web("app:2", 3, both, ""),
        3 => rolling("app:1", 3, 1),
        4 => rolling("app:2", 4, 2),
        5 => web("bad:1", 2, &["edge"], ""),
        6 => web("app:1", 1, both, "    environment: {A: '6'}\n"),
        _ => rolling("bad:1", 3, 1),
    };
    wish(&format!("{number:040}"), inventory, &[("shop", shop)])
}

/// One fault of the world, at a moment and for a while.
async fn mishap(world: &World, kind: u64, pick: u64, at: u64, time: u64) {
    let local: HostName = name("local").into();
    let nth = |world: &World| {
        world.with_host(&local, |host| {
            let names: Vec<String> = host.containers.keys().cloned().collect();
            names.get(usize::try_from(pick).unwrap_or(0) % names.len().max(1)).cloned()
        })
    };
    tokio::time::sleep(Duration::from_millis(at)).await;
    let pause = || tokio::time::sleep(Duration::from_millis(time));
    match kind {
        0 => {
            world.with_host(&local, |host| host.is_down = true);
            pause().await;
            world.with_host(&local, |host| host.is_down = false);
        }
        1 => {
            world.with_proxy(&edge(), |proxy| proxy.rejects = true);
            pause().await;
            world.with_proxy(&edge(), |proxy| proxy.rejects = false);
        }
        2 => {
            world.with_proxy(&edge(), |proxy| proxy.ignores_reload = true);
            pause().await;
            world.with_proxy(&edge(), |proxy| proxy.ignores_reload = false);
        }
        3 => nth(world).into_iter().for_each(|name| world.crash(&local, &name)),
        4 => nth(world).into_iter().for_each(|name| world.take_away(&local, &name)),
        5 => world.with_proxy(&edge(), |proxy| {
            proxy.file.iter_mut().for_each(|file| file.push_str("# by hand\n"));
        }),
        _ => world.with_host(&local, |host| host.leases.clear()),
    }
}

fn fault(dice: &mut Dice) -> Fault {
    let at = usize::try_from(dice.roll(140)).unwrap_or(0);
    let moment = if dice.roll(2) == 0 { Moment::Before } else { Moment::After };
    match dice.roll(6) {
        0 => Fault::Kill(at, moment),
        1 | 2 => Fault::Lose(at, moment),
        3 => Fault::Delay(at, 10 + dice.roll(25_000)),
        _ => Fault::None,
    }
}

/// A run or two with their faults, while things happen to the world.
async fn episode(world: &World, dice: &mut Dice, inventory: &Inventory) {
    let earlier = |id: &CommitId| {
        let number = id.as_str().parse().map_err(|_| "is not known".to_owned())?;
        Ok(commit(number, inventory))
    };
    let (first, second) = (commit(dice.roll(8), inventory), commit(dice.roll(8), inventory));
    let faults = (0..dice.roll(4)).map(|_| fault(dice)).collect();
    let (one, other) = (world.run_with(faults), world.run(fault(dice)));
    let later = match dice.roll(3) {
        0 => Some(dice.roll(4_000)),
        _ => None,
    };
    let rival = async {
        if let Some(later) = later {
            tokio::time::sleep(Duration::from_millis(later)).await;
            round(&other, inventory, &second, &earlier).await;
        }
    };
    let mut rolls = || (dice.roll(7), dice.roll(9), dice.roll(6_000), dice.roll(20_000));
    let mishaps = [rolls(), rolls()];
    let happens = |(kind, pick, at, time)| mishap(world, kind, pick, at, time);
    let [a, b] = mishaps;
    tokio::join!(round(&one, inventory, &first, &earlier), rival, happens(a), happens(b));
}

/// What a seed did, and what was wrong with it.
async fn played(seed: u64) -> (Vec<String>, Option<String>) {
    let inventory = one_host();
    let mut dice = Dice::new(seed);
    let world = world(&inventory);
    let first = commit(0, &inventory);
    round(&world.run(Fault::None), &inventory, &first, &no_earlier).await;
    for _ in 0..=dice.roll(3) {
        episode(&world, &mut dice, &inventory).await;
    }
    let last = commit(1 + dice.roll(4), &inventory);
    let mut rounds = Vec::new();
    for _ in 0..=ROUNDS {
        rounds.push(round(&world.run(Fault::None), &inventory, &last, &no_earlier).await);
        if matches!(rounds.last(), Some(Round::Nothing)) {
            break;
        }
    }
    let violations = world.violations();
    let wrong = match rounds.last() {
        _ if !violations.is_empty() => Some(format!("{violations:#?}")),
        Some(Round::Nothing) => None,
        _ => {
            let plan = left(&world, &inventory, &last).await;
            Some(format!("not settled: {rounds:?}{}", steps(&plan)))
        }
    };
    (world.log(), wrong)
}

/// In a runtime of its own, so that time begins anew.
fn play(seed: u64) -> (Vec<String>, Option<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime");
    runtime.block_on(played(seed))
}

fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how much is tried is said to the test itself")]
    let text = std::env::var(variable).ok()?;
    text.parse().ok()
}

fn try_seeds(seeds: impl Iterator<Item = u64>) {
    for seed in seeds {
        let (log, wrong) = play(seed);
        if let Some(wrong) = wrong {
            panic!("GITDEPLOY_SEED={seed}: {wrong}\n{}", log.join("\n"));
        }
    }
}

#[test]
fn whatever_happens_no_request_is_lost_and_the_next_runs_end_it() {
    match (number("GITDEPLOY_SEED"), number("GITDEPLOY_SEEDS").unwrap_or(SEEDS)) {
        (Some(seed), _) => try_seeds(seed..=seed),
        (None, most) => try_seeds((0..most).step_by(2)),
    }
}

#[test]
fn whatever_else_happens_no_request_is_lost_either() {
    try_seeds((1..number("GITDEPLOY_SEEDS").unwrap_or(SEEDS)).step_by(2));
}

#[test]
fn a_seed_is_the_same_world_every_time() {
    for seed in 0..8 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
}
