//! What becomes of each replica of a service: the one that stays, the ones that go for it, and
//! the host of the one that comes. Slots, not counts: a replica keeps its number for life.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::judge::Worth;
use super::judged::{Judged, Worths};
use super::place::{Ask, Eligible, Placer, beside, limit};
use super::wanted::Wanted;
use super::world::{Sighting, World};
use crate::model::{
    Cause, Count, FieldDifference, Generation, HostName, Seating, Seen, ServiceName, Slot,
    StackName,
};

/// What becomes of one service.
pub(super) struct Decision<'a> {
    pub(super) wanted: Wanted<'a>,
    /// The replicas that there shall be.
    pub(super) slots: Vec<SlotDecision<'a>>,
    /// Containers that go, and nothing comes for them.
    pub(super) going: Vec<Going<'a>>,
    /// Replicas that are left to a host that does not answer.
    pub(super) waiting: Vec<Slot>,
    /// Networks that must be made anew before its containers can be.
    pub(super) remade: BTreeSet<String>,
    /// Why each replica is where it is, when somebody wants to know.
    pub(super) seatings: Vec<Seating>,
}

/// What becomes of one replica.
pub(super) struct SlotDecision<'a> {
    pub(super) slot: Slot,
    pub(super) host: HostName,
    pub(super) does: Does<'a>,
    /// Containers of this slot that go once the right one serves.
    pub(super) olds: Vec<Sighting<'a>>,
    /// Why, when anything is done.
    pub(super) cause: Cause,
    pub(super) fields: Vec<FieldDifference>,
}

/// What is done to get the right container into a slot.
#[derive(Debug, Clone, Copy)]
pub(super) enum Does<'a> {
    /// It is there and trusted.
    Keep(Sighting<'a>),
    /// It is none of this plan's business.
    Leave(Sighting<'a>),
    /// It runs and has not been trusted with requests yet.
    Prove(Sighting<'a>),
    /// It has ended and is started again.
    Start(Sighting<'a>),
    /// It was made and never started: it is made complete and started.
    Finish(Sighting<'a>),
    /// It is made.
    Create,
}

/// A container that goes.
#[derive(Debug, Clone)]
pub(super) struct Going<'a> {
    pub(super) sighting: Sighting<'a>,
    pub(super) cause: Cause,
}

/// What a decision on a service must know of those before it.
pub(super) struct Before<'s> {
    /// The lowest generation among the replicas that each service of the stack will have.
    pub(super) generations: &'s BTreeMap<ServiceName, Generation>,
    /// Networks that are made anew, by host.
    pub(super) remade: &'s BTreeMap<HostName, BTreeSet<String>>,
}

impl Does<'_> {
    /// Whether something must happen before it can be trusted with requests.
    pub(super) fn is_fresh(&self) -> bool {
        !matches!(self, Self::Keep(_) | Self::Leave(_))
    }
}

impl<'a> Does<'a> {
    /// The container that is there already.
    pub(super) fn current(&self) -> Option<Sighting<'a>> {
        match self {
            Self::Keep(it)
            | Self::Leave(it)
            | Self::Prove(it)
            | Self::Start(it)
            | Self::Finish(it) => Some(*it),
            Self::Create => None,
        }
    }
}

/// Decides on a service of the desired state.
pub(super) fn decide<'a>(
    world: &World<'a>,
    judged: Judged<'a>,
    placer: &mut Placer,
    before: &Before<'_>,
) -> Result<Decision<'a>, Vec<Problem>> {
    let Judged { wanted, worths } = judged;
    let eligible = placer.eligible(world, &wanted);
    let allowed = placer.allowed(world, &wanted, &eligible).map_err(|problem| vec![problem])?;
    let is_stopped = placer.is_stopped(world, &wanted, &eligible);
    placer.ledger.open(&wanted);
    let sightings = world.of_service(wanted.stack, wanted.service);
    let seats = if is_stopped { Vec::new() } else { seats(&wanted, &eligible, sightings) };
    let (limit, worths) = (limit(&wanted), &worths);
    let table =
        Table { world, wanted: &wanted, before, allowed: &allowed, limit, sightings, worths };
    let going = table.without_a_seat(&seats);
    let mut round = Round::default();
    let mut filled = Vec::new();
    let slot_of = |it: &Sighting<'_>| it.live.identity.slot;
    let mut by_slot = sightings.to_vec();
    by_slot.sort_by_key(slot_of);
    for seat in &seats {
        let first = by_slot.partition_point(|it| slot_of(it) < seat.slot);
        let here = by_slot[first..].iter().take_while(|it| slot_of(it) == seat.slot);
        let here: Vec<_> = here.filter(|it| seat.has(it)).copied().collect();
        match table.fill(seat, here, &round.taken) {
            Ok(Some(slot)) => {
                if slot.does.current().is_some() {
                    round.seat(&table, placer, &slot, "it is there, and stays");
                } else {
                    round.expect(&slot);
                }
                filled.push((seat, slot));
            }
            Ok(None) => {}
            Err(problem) => round.problems.push(problem),
        }
    }
    let mut slots = Vec::new();
    for (seat, mut slot) in filled {
        if matches!(slot.does, Does::Create) {
            match table.seat_host(seat, &slot, &eligible, placer, &round) {
                Ok(Some((host, why))) => {
                    slot.host = host;
                    round.seat(&table, placer, &slot, why);
                }
                Ok(None) => {
                    round.waiting.push(slot.slot);
                    continue;
                }
                Err(problem) => {
                    round.problems.push(problem);
                    continue;
                }
            }
        }
        slots.push(slot);
    }
    for (host, leaving) in &round.leaving {
        placer.ledger.promise(&wanted, host, beside(&wanted, *leaving));
    }
    let Round { waiting, mut seatings, problems, .. } = round;
    if !problems.is_empty() {
        return Err(problems);
    }
    seatings.sort();
    let remade = remade(&wanted, &slots, before);
    Ok(Decision { wanted, slots, going, waiting, remade, seatings })
}

/// The seats of one service while they are given away.
#[derive(Default)]
struct Round {
    /// Replicas by host.
    taken: BTreeMap<HostName, u32>,
    /// Containers by host that go only when the new ones serve.
    leaving: BTreeMap<HostName, usize>,
    waiting: Vec<Slot>,
    seatings: Vec<Seating>,
    problems: Vec<Problem>,
}

impl Round {
    fn ask(&self, slot: Slot) -> Ask<'_> {
        Ask { slot, taken: &self.taken, leaving: &self.leaving }
    }

    /// Notes containers that a new one will take the place of.
    fn expect(&mut self, slot: &SlotDecision<'_>) {
        for old in slot.olds.iter().filter(|old| old.live.state.is_running()) {
            *self.leaving.entry(old.host.clone()).or_default() += 1;
        }
    }

    fn seat(
        &mut self,
        table: &Table<'_, '_>,
        placer: &mut Placer,
        slot: &SlotDecision<'_>,
        why: impl Into<String>,
    ) {
        let (world, wanted) = (table.world, table.wanted);
        if world.request.scope.explain {
            let mut barred = placer.bars(world, wanted, self.ask(slot.slot));
            barred.values_mut().for_each(|hosts| hosts.retain(|host| *host != slot.host));
            barred.retain(|_, hosts| !hosts.is_empty());
            self.seatings.push(Seating {
                service: wanted.service.clone(),
                slot: slot.slot,
                host: slot.host.clone(),
                why: why.into(),
                barred,
            });
        }
        *self.taken.entry(slot.host.clone()).or_default() += 1;
        placer.settle(world, wanted, &slot.host);
    }
}

/// The networks of a service that are made anew where it has replicas.
fn remade(
    wanted: &Wanted<'_>,
    slots: &[SlotDecision<'_>],
    before: &Before<'_>,
) -> BTreeSet<String> {
    let networks = wanted.networks();
    let hosts: BTreeSet<&HostName> = slots
        .iter()
        .flat_map(|slot| slot.olds.iter().map(|old| old.host).chain([&slot.host]))
        .collect();
    let remade = hosts.into_iter().filter_map(|host| before.remade.get(host)).flatten();
    remade.filter(|name| networks.contains(name.as_str())).cloned().collect()
}

/// A replica that there shall be, and its host when that is its sense.
struct Seat {
    slot: Slot,
    host: Option<HostName>,
}

impl Seat {
    fn has(&self, sighting: &Sighting<'_>) -> bool {
        sighting.live.identity.slot == self.slot
            && self.host.as_ref().is_none_or(|host| host == sighting.host)
    }
}

/// One seat for each replica; for `mode: global` one for each host, with the number its container
/// has already.
fn seats(wanted: &Wanted<'_>, eligible: &Eligible, sightings: &[Sighting<'_>]) -> Vec<Seat> {
    match wanted.target.replicas {
        Count::Replicas(count) => (1..=count).map(|slot| Seat { slot, host: None }).collect(),
        Count::Global => {
            let mut used = BTreeSet::new();
            let mut seats = Vec::new();
            let mut empty = Vec::new();
            let mut by_host: BTreeMap<&HostName, Vec<Slot>> = BTreeMap::new();
            for it in sightings {
                by_host.entry(it.host).or_default().push(it.live.identity.slot);
            }
            for host in eligible.answered.iter() {
                let here = by_host.get(host).into_iter().flatten().copied();
                let slots = here.filter(|slot| *slot > 0);
                match slots.filter(|slot| !used.contains(slot)).min() {
                    Some(slot) => {
                        used.insert(slot);
                        seats.push(Seat { slot, host: Some(host.clone()) });
                    }
                    None => empty.push(host.clone()),
                }
            }
            // Numbers that others have are not given again while they are there.
            used.extend(sightings.iter().map(|it| it.live.identity.slot));
            for host in empty {
                let slot =
                    (1..).find(|slot| !used.contains(slot)).expect("there are always more numbers");
                used.insert(slot);
                seats.push(Seat { slot, host: Some(host) });
            }
            seats.sort_by_key(|seat| seat.slot);
            seats
        }
    }
}

/// What seats are filled by.
struct Table<'t, 'a> {
    world: &'t World<'a>,
    wanted: &'t Wanted<'a>,
    before: &'t Before<'t>,
    allowed: &'t BTreeSet<HostName>,
    /// The most replicas on one host.
    limit: u32,
    /// The containers of the service.
    sightings: &'t [Sighting<'a>],
    /// What each of them is good for.
    worths: &'t Worths,
}

impl<'a> Table<'_, 'a> {
    /// Containers that no replica of the commit is meant by.
    fn without_a_seat(&self, seats: &[Seat]) -> Vec<Going<'a>> {
        let mut going = Vec::new();
        let seats: BTreeSet<_> = seats.iter().map(|seat| (seat.slot, seat.host.as_ref())).collect();
        let has_seat = |it: &Sighting<'_>| {
            let slot = it.live.identity.slot;
            seats.contains(&(slot, None)) || seats.contains(&(slot, Some(it.host)))
        };
        for sighting in self.sightings.iter().filter(|it| !has_seat(it)) {
            let slot = sighting.live.identity.slot;
            if slot == 0 {
                going.push(Going { sighting: *sighting, cause: Cause::LeftOver });
            } else if self.selects(slot) {
                let is_drained = self.is_drained(sighting.host);
                let cause = if is_drained { Cause::Drained } else { Cause::Scaled };
                going.push(Going { sighting: *sighting, cause });
            }
        }
        going
    }

    /// The host of a container that is made: its predecessor's if that may be, else the best one;
    /// `None` when it may be there already, on a host that is silent.
    fn seat_host(
        &self,
        seat: &Seat,
        slot: &SlotDecision<'a>,
        eligible: &Eligible,
        placer: &mut Placer,
        round: &Round,
    ) -> Result<Option<(HostName, String)>, Problem> {
        let (world, wanted, ask) = (self.world, self.wanted, round.ask(seat.slot));
        if let Some(host) = &seat.host {
            let leaving = round.leaving.get(host).copied().unwrap_or_default();
            let lacks = placer.ledger.lacks(world, wanted, host, beside(wanted, leaving));
            return match lacks {
                None => Ok(Some((host.clone(), "there is one on each host".to_owned()))),
                Some(why) => Err(Problem::invalid(format!(
                    "{}: its replica does not fit on {host} ({why})",
                    wanted.path()
                ))),
            };
        }
        let has_room = |host: &&HostName| placer.full(world, wanted, host, ask).is_none();
        let before = slot.olds.iter().map(|old| old.host);
        let mut before = before.filter(|host| self.allowed.contains(*host));
        if let Some(host) = before.find(has_room) {
            return Ok(Some((host.clone(), "the one before it is there".to_owned())));
        }
        if slot.olds.is_empty() && !eligible.silent.is_empty() {
            return Ok(None);
        }
        // A volume that a replica before this one brings may leave fewer hosts.
        let allowed = placer.allowed(world, wanted, eligible)?;
        placer.choose(world, wanted, &allowed, ask).map(Some)
    }

    /// Stands for the host of what is made until one is chosen.
    fn any_host(&self) -> Option<HostName> {
        let mut all = self.world.hosts.keys().chain(self.world.silent.keys());
        all.next().map(|it| (*it).clone())
    }

    /// Whether the service may be on a host that answered.
    fn allows(&self, host: &HostName) -> bool {
        // Nobody needs to look where all of them are allowed.
        self.allowed.len() == self.world.hosts.len() || self.allowed.contains(host)
    }

    fn is_drained(&self, host: &HostName) -> bool {
        self.world.hosts.get(host).is_some_and(|it| it.drained.is_some())
    }

    fn selects(&self, slot: Slot) -> bool {
        self.world.request.scope.selects(self.wanted.stack, self.wanted.service, slot)
    }

    /// The best of a seat's containers, if one may stay; `None` when the seat is not to be touched
    /// and is empty.
    fn fill(
        &self,
        seat: &Seat,
        mut here: Vec<Sighting<'a>>,
        taken: &BTreeMap<HostName, u32>,
    ) -> Result<Option<SlotDecision<'a>>, Problem> {
        let age = |it: &Sighting<'a>| std::cmp::Reverse(it.live.identity.generation);
        here.sort_by(|a, b| (age(a), &a.live.name).cmp(&(age(b), &b.live.name)));
        if !self.selects(seat.slot) {
            let running = here.iter().find(|it| it.live.state.is_running());
            return Ok(running.or(here.first()).map(|it| self.left(seat.slot, *it)));
        }
        let mut best: Option<(u8, Sighting<'a>, Worth)> = None;
        let mut why: Option<(Cause, Vec<FieldDifference>)> = None;
        for sighting in &here {
            let worth = self.worth(*sighting, taken)?;
            if let Worth::Unfit(cause, fields) = &worth {
                // What is asked now weighs more than what an older run left.
                let is_better = why.is_none() || self.is_routed(*sighting);
                if is_better {
                    why = Some((cause.clone(), fields.clone()));
                }
                continue;
            }
            let rank = if here.len() > 1 { self.rank(*sighting, &worth) } else { 0 };
            if best.as_ref().is_none_or(|(other, _, _)| rank < *other) {
                best = Some((rank, *sighting, worth));
            }
        }
        let Some((_, current, worth)) = best else {
            let (cause, fields) = why.unwrap_or_else(|| (self.missing(), Vec::new()));
            let host = seat.host.clone().or(here.first().map(|it| it.host.clone()));
            let host = host.or(self.allowed.first().cloned());
            let Some(host) = host.or_else(|| self.any_host()) else {
                return Ok(None);
            };
            return Ok(Some(SlotDecision {
                slot: seat.slot,
                host,
                does: Does::Create,
                olds: here,
                cause,
                fields,
            }));
        };
        here.retain(|it| it.live.name != current.live.name || it.host != current.host);
        let mut does = self.does(current, &worth);
        if let (Does::Keep(it), false) = (does, here.is_empty() || self.is_trusted(current)) {
            // A run ended before it took this one in the place of the others; whether it had
            // proved it, nobody knows.
            does = if worth == Worth::Done { Does::Keep(it) } else { Does::Prove(it) };
        }
        let cause = match (&does, why) {
            // Nothing is done that could have one.
            (Does::Keep(_), _) if here.is_empty() => Cause::Missing,
            (Does::Start(_), _) => Cause::Stopped,
            (_, Some((cause, _))) if !here.is_empty() => cause,
            _ if !here.is_empty() => Cause::LeftOver,
            (Does::Prove(_), None) => Cause::NotRouted,
            _ => self.missing(),
        };
        Ok(Some(SlotDecision {
            slot: seat.slot,
            host: current.host.clone(),
            does,
            olds: here,
            cause,
            fields: Vec::new(),
        }))
    }

    fn left(&self, slot: Slot, sighting: Sighting<'a>) -> SlotDecision<'a> {
        SlotDecision {
            slot,
            host: sighting.host.clone(),
            does: Does::Leave(sighting),
            olds: Vec::new(),
            cause: Cause::Missing,
            fields: Vec::new(),
        }
    }

    /// Why there is none where one should be.
    fn missing(&self) -> Cause {
        let (stack, service) = (self.wanted.stack, self.wanted.service);
        let others = self.sightings;
        match (others.is_empty(), self.wanted.target.replicas) {
            (true, _) if !self.was_there(stack, service) => Cause::Added,
            (false, Count::Replicas(count)) if self.highest(others) < count => Cause::Scaled,
            _ => Cause::Missing,
        }
    }

    fn highest(&self, others: &[Sighting<'_>]) -> Slot {
        let routed = self.world.backends_of(self.wanted.stack, self.wanted.service);
        let known = routed.iter().map(|it| it.backend.servers.len()).max();
        let known = Slot::try_from(known.unwrap_or_default()).unwrap_or(Slot::MAX);
        others.iter().map(|it| it.live.identity.slot).max().unwrap_or_default().max(known)
    }

    /// Whether proxies still know a service of which no container is left.
    fn was_there(&self, stack: &StackName, service: &ServiceName) -> bool {
        !self.world.backends_of(stack, service).is_empty()
    }

    fn worth(
        &self,
        sighting: Sighting<'a>,
        taken: &BTreeMap<HostName, u32>,
    ) -> Result<Worth, Problem> {
        let (wanted, slot) = (self.wanted, sighting.live.identity.slot);
        let unfit = |cause: Cause| Ok(Worth::Unfit(cause, Vec::new()));
        let is_allowed = self.allows(sighting.host);
        if !is_allowed && self.is_drained(sighting.host) {
            return unfit(Cause::Drained);
        }
        if !is_allowed || taken.get(sighting.host).copied().unwrap_or_default() >= self.limit {
            return unfit(Cause::Misplaced);
        }
        if self.world.request.scope.replaces(wanted.stack, wanted.service, slot) {
            return unfit(Cause::Asked);
        }
        let worth = self.worths.get(self.sightings, sighting)?;
        if matches!(worth, Worth::Unfit(..)) {
            return Ok(worth.clone());
        }
        let remade = self.before.remade.get(sighting.host).and_then(|remade| {
            let networks = wanted.networks();
            remade.iter().find(|name| networks.contains(name.as_str()))
        });
        if let Some(name) = remade {
            let path = format!("networks.{name}");
            let (old, new) = (Seen::Text("as it is".into()), Seen::Text("made anew".into()));
            let field = FieldDifference { path, old: Some(old), new: Some(new) };
            return Ok(Worth::Unfit(Cause::Changed, vec![field]));
        }
        Ok(match self.outdated_by(sighting) {
            Some(service) => Worth::Unfit(Cause::Dependency(service), Vec::new()),
            None => worth.clone(),
        })
    }

    /// A service that this one is restarted with, and all of whose replicas are younger.
    fn outdated_by(&self, sighting: Sighting<'_>) -> Option<ServiceName> {
        let restarts =
            self.wanted.target.depends_on.iter().filter(|(_, it)| it.restart == Some(true));
        let born = sighting.live.identity.generation;
        let is_younger = |name: &ServiceName| {
            self.before.generations.get(name).is_some_and(|generation| *generation > born)
        };
        restarts.map(|(name, _)| name).find(|name| is_younger(name)).cloned()
    }

    fn is_routed(&self, sighting: Sighting<'_>) -> bool {
        self.world.is_routed(&sighting.live.name)
    }

    fn rank(&self, sighting: Sighting<'_>, worth: &Worth) -> u8 {
        match worth {
            Worth::Done => 0,
            Worth::Runs if self.is_routed(sighting) => 0,
            Worth::Runs => 1,
            Worth::Ended => 2,
            Worth::Unstarted => 3,
            Worth::Unfit(..) => u8::MAX,
        }
    }

    fn does(&self, current: Sighting<'a>, worth: &Worth) -> Does<'a> {
        match worth {
            Worth::Ended => Does::Start(current),
            Worth::Unstarted => Does::Finish(current),
            Worth::Runs if self.wanted.places.is_empty() && !self.wanted.is_one_shot => {
                Does::Keep(current)
            }
            Worth::Runs if self.is_trusted(current) && !self.wanted.is_one_shot => {
                Does::Keep(current)
            }
            Worth::Runs => Does::Prove(current),
            Worth::Done | Worth::Unfit(..) => Does::Keep(current),
        }
    }

    /// Whether a proxy sends to it already: it has been proved then.
    fn is_trusted(&self, sighting: Sighting<'_>) -> bool {
        self.is_routed(sighting)
    }
}
