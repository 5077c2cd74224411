//! What a seed throws.

use gitdeploy::exec::Stop;
use gitdeploy::sim::{Fault, Moment};

use super::event::{Ask, Attempt, End, Event, Hand, Refusal, Schedule, Timed, Trouble};

/// Marsaglia's xorshift.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        let mut dice = Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        // Seeds that are near each other begin alike.
        for _ in 0..4 {
            dice.roll(2);
        }
        dice
    }

    /// Less than `sides`.
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % sides
    }

    fn index(&mut self, sides: u64) -> usize {
        usize::try_from(self.roll(sides)).unwrap_or(0)
    }

    fn one_of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.index(all.len() as u64)]
    }
}

/// Everything that a seed does.
pub(crate) fn schedule(seed: u64) -> Schedule {
    let mut dice = Dice::new(seed);
    let is_spread = dice.roll(3) == 0;
    let mut events = Vec::new();
    let mut at = 0;
    for _ in 0..=dice.roll(4) {
        let event = Event::Run(attempt(&mut dice));
        events.push(Timed { at, event });
        for _ in 0..dice.roll(3) {
            let later = at + dice.roll(9_000);
            let event = mishap(&mut dice, is_spread);
            events.push(Timed { at: later, event });
        }
        // At once, in the middle, or when it is over.
        let most = dice.one_of(&[300, 5_000, 60_000]);
        at += dice.roll(most);
    }
    events.sort_by_key(|it| it.at);
    Schedule { is_spread, goal: 1 + dice.roll(4), events }
}

/// The same with daemons: one that is there from the beginning, others that come, and people who
/// push, ask and apply meanwhile.
pub(crate) fn watched(seed: u64) -> Schedule {
    let mut dice = Dice::new(!seed);
    let is_spread = dice.roll(3) == 0;
    let mut events = vec![Timed { at: 0, event: Event::Daemon(daemon(&mut dice)) }];
    let mut at = 0;
    for _ in 0..=dice.roll(5) {
        let most = dice.one_of(&[300, 5_000, 60_000]);
        at += dice.roll(most);
        let event = match dice.roll(8) {
            0..=2 => Event::Push(dice.roll(super::play::COMMITS)),
            3 | 4 => Event::Daemon(daemon(&mut dice)),
            5 => Event::Run(attempt(&mut dice)),
            6 => Event::Order(dice.one_of(Ask::ALL)),
            _ => mishap(&mut dice, is_spread),
        };
        events.push(Timed { at, event });
        for _ in 0..dice.roll(3) {
            let later = at + dice.roll(9_000);
            let event = mishap(&mut dice, is_spread);
            events.push(Timed { at: later, event });
        }
    }
    events.sort_by_key(|it| it.at);
    Schedule { is_spread, goal: 1 + dice.roll(4), events }
}

/// A daemon works for longer than a run, and never thinks.
fn daemon(dice: &mut Dice) -> Attempt {
    let mut daemon = Attempt { thinks: 0, ..attempt(dice) };
    for fault in &mut daemon.faults {
        if let Fault::Kill(at, _) | Fault::Lose(at, _) | Fault::Delay(at, _) | Fault::Double(at) =
            fault
        {
            *at += dice.index(200);
        }
    }
    daemon
}

fn attempt(dice: &mut Dice) -> Attempt {
    let commit = dice.roll(super::play::COMMITS);
    let thinks = if dice.roll(4) == 0 { dice.roll(9_000) } else { 0 };
    let rung = dice.one_of(&[Stop::Finish, Stop::Abandon]);
    let stops = (dice.roll(5) == 0).then(|| (dice.roll(9_000), rung));
    let clock = dice.one_of(&[0, 0, -90_000, 90_000, 86_400_000]);
    let faults = (0..dice.roll(4)).map(|_| fault(dice)).collect();
    Attempt { commit, thinks, stops, clock, faults }
}

fn fault(dice: &mut Dice) -> Fault {
    let at = dice.index(140);
    let moment = dice.one_of(&[Moment::Before, Moment::After]);
    match dice.roll(6) {
        0 => Fault::Kill(at, moment),
        1 | 2 => Fault::Lose(at, moment),
        3 | 4 => Fault::Delay(at, 10 + dice.roll(25_000)),
        _ => Fault::Double(at),
    }
}

fn mishap(dice: &mut Dice, is_spread: bool) -> Event {
    let hosts = if is_spread { 3 } else { 1 };
    let proxies = if is_spread { 3 } else { 2 };
    let most = dice.one_of(&[500, 6_000, 20_000, 90_000]);
    let time = 1 + dice.roll(most);
    match dice.roll(14) {
        0..=3 => Event::Host(dice.index(hosts), dice.one_of(Trouble::ALL), time),
        4 => match (dice.index(hosts), dice.index(hosts)) {
            (from, to) if from == to => Event::Leases(to),
            (from, to) => Event::Way(from, to, time),
        },
        5 | 6 => Event::Proxy(dice.index(proxies), dice.one_of(Refusal::ALL), time),
        7 | 8 => Event::File(dice.index(proxies), dice.one_of(Hand::ALL)),
        9..=11 => Event::Container(dice.index(hosts), dice.index(9), dice.one_of(End::ALL)),
        12 => Event::Image(format!("app:{}", 1 + dice.roll(2)), time),
        _ => Event::Leases(dice.index(hosts)),
    }
}
