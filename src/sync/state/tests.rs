//! Decisions, with a clock that the tests hold.

mod heal;
mod hold;
mod orders;
mod recall;
mod rounds;
mod times;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::State;
use crate::model::{CommitId, HostName, Millis, Name, PlanId, StackName};
use crate::sync::{
    Asked, Begin, Decision, Deviation, Difference, Finding, GitOp, Health, HostView, Memory, News,
    NoticeKind, Order, OrderKind, PlanView, Refusal, RoundEnd, Rules, Seen, Sight, Source,
    StackRules, StackView, Target, Times, Transport, Wake,
};

const SECOND: Millis = 1000;
const MINUTE: Millis = 60 * SECOND;

/// A Monday at noon in UTC.
const NOON: Millis = 1_772_452_800_000;

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn stack(text: &str) -> StackName {
    name(text).into()
}

fn commit(text: &str) -> CommitId {
    CommitId::new(text)
}

/// A daemon with one source, and the world it is told of.
struct Case {
    state: State,
    now: Millis,
    /// What the newest commit has.
    news: News,
    /// What has been decided and not yet been looked at.
    decided: Vec<Decision>,
}

fn news(head: &str, stacks: &[(&str, u64)]) -> News {
    let target = |version: u64| Target { version, fault: None, mark: format!("wants {version}") };
    News {
        head: commit(head),
        summary: format!("commit {head}"),
        branch: "main".to_owned(),
        environment: "production".to_owned(),
        stacks: stacks.iter().map(|(name, version)| (stack(name), target(*version))).collect(),
        hosts: BTreeSet::from([HostName::from(name("web-1"))]),
        ground: 1,
        max_deletes: None,
    }
}

fn source() -> Source {
    Source::of("/srv/shop".to_owned())
}

fn differs(plan: &str, to: &str, what: &str) -> Finding {
    Finding::Differs(Box::new(Difference {
        plan: Arc::new(PlanView {
            id: PlanId(plan.to_owned()),
            commit: Some(commit(to)),
            at: 0,
            text: String::new(),
            summary: String::new(),
            totals: (1, 0, 0),
        }),
        what: vec![Deviation {
            line: what.to_owned(),
            hosts: BTreeSet::from([HostName::from(name("web-1"))]),
        }],
        deletes: 0,
    }))
}

fn seen(head: Finding) -> Seen {
    Seen { head, held: None, released: None, health: Health::Healthy, replicas: Arc::default() }
}

fn up() -> HostView {
    HostView { is_up: true, trouble: None, seen: None, took: None, transport: Transport::Ssh }
}

impl Case {
    /// A daemon that has just started.
    fn with(every: StackRules) -> Self {
        Self::of(Source { every, ..source() })
    }

    fn of(source: Source) -> Self {
        let rules = Rules::of(name("shop"), source);
        let mut case = Self {
            state: State::new(rules, NOON),
            now: NOON,
            news: news("a", &[("web", 1)]),
            decided: Vec::new(),
        };
        case.tick(0);
        case
    }

    /// The same, after everything was found as its first commit wants it.
    fn synced(every: StackRules) -> Self {
        Self::with(every).found_well()
    }

    /// The same, and no regular look comes in between.
    fn quiet(every: StackRules) -> Self {
        Self::of(Source { every, look: minutes(1_000_000), ..source() }).found_well()
    }

    fn found_well(self) -> Self {
        let mut case = self;
        case.fetched();
        case.looked(&[("web", seen(Finding::Same))]);
        case.forget();
        case
    }

    /// The daemon that comes after this one, with what it has left, as text.
    fn restarted(self) -> Self {
        let text = self.state.memory(self.now).text();
        let mut state = State::new(self.state.rules.clone(), self.now);
        state.recall(self.now, &Memory::read(&text).expect("our own text"));
        let mut case = Self { state, decided: Vec::new(), ..self };
        case.tick(0);
        case
    }

    fn wake(&mut self, wake: Wake) {
        let decided = self.state.handle(self.now, wake);
        self.decided.extend(decided);
        let next = self.state.next();
        assert!(next.is_none_or(|next| next > self.now), "what is due at {next:?} is never done");
    }

    fn tick(&mut self, later: Millis) {
        self.now += later;
        self.wake(Wake::Tick);
    }

    fn fetched(&mut self) {
        let news = Box::new(self.news.clone());
        self.wake(Wake::Fetched { source: name("shop"), news });
    }

    /// A commit comes, with other versions of its stacks.
    fn pushed(&mut self, head: &str, stacks: &[(&str, u64)]) {
        let before = self.news.clone();
        self.news = News { ground: before.ground, ..news(head, stacks) };
        self.fetched();
    }

    /// Answers the last look that was asked for.
    fn looked(&mut self, stacks: &[(&str, Seen)]) {
        let (number, asked, _) = self.look().expect("a look was asked for");
        self.answer(number, asked.is_none(), stacks);
    }

    fn answer(&mut self, number: u64, is_whole: bool, stacks: &[(&str, Seen)]) {
        let sight = Sight {
            head: Some(self.news.head.clone()),
            hosts: BTreeMap::from([(HostName::from(name("web-1")), up())]),
            stacks: stacks.iter().map(|(name, seen)| (stack(name), seen.clone())).collect(),
            is_whole,
        };
        let (source, sight) = (name("shop"), Box::new(sight));
        self.decided.retain(|it| !matches!(it, Decision::Look { number: it, .. } if *it == number));
        self.wake(Wake::Looked { source, number, sight });
    }

    /// The oldest look that was asked for and not answered.
    #[expect(clippy::type_complexity, reason = "the parts of one decision")]
    fn look(&self) -> Option<(u64, Option<BTreeSet<StackName>>, BTreeMap<StackName, CommitId>)> {
        self.decided.iter().find_map(|decision| match decision {
            Decision::Look { number, stacks, held, .. } => {
                Some((*number, stacks.clone(), held.clone()))
            }
            _ => None,
        })
    }

    fn ended(&mut self, end: RoundEnd) {
        self.ended_of("web", end);
    }

    fn ended_of(&mut self, of: &str, end: RoundEnd) {
        let (source, stack, message) = (name("shop"), stack(of), "it says why".to_owned());
        self.wake(Wake::Ended { source, stack, end, message });
    }

    fn stirred(&mut self, of: &str) {
        self.wake(Wake::Stirred { source: name("shop"), stack: Some(stack(of)) });
    }

    fn order(&mut self, kind: OrderKind) -> Result<(), Refusal> {
        let order = Order { source: name("shop"), by: "anna".to_owned(), kind };
        let answer = self.state.order(self.now, order);
        self.tick(0);
        answer
    }

    /// Rounds that were begun since the last call.
    fn begun(&mut self) -> Vec<Begin> {
        let mut begun = Vec::new();
        self.decided.retain(|decision| match decision {
            Decision::Begin(begin) => {
                begun.push((**begin).clone());
                false
            }
            _ => true,
        });
        begun
    }

    /// The commit of the one round that began; `None` when none did.
    fn begun_for(&mut self) -> Option<String> {
        let begun = self.begun();
        assert!(begun.len() <= 1, "{begun:?}");
        begun.first().map(|begin| begin.commit.to_string())
    }

    fn fetches(&mut self) -> usize {
        let before = self.decided.len();
        self.decided.retain(|decision| !matches!(decision, Decision::Fetch { .. }));
        before - self.decided.len()
    }

    fn told(&mut self) -> Vec<NoticeKind> {
        let mut told = Vec::new();
        self.decided.retain(|decision| match decision {
            Decision::Tell(notice) => {
                told.push(notice.kind.clone());
                false
            }
            _ => true,
        });
        told
    }

    fn forget(&mut self) {
        self.decided.clear();
    }

    fn view(&self, of: &str) -> StackView {
        let picture = self.state.picture(self.now);
        picture.sources[&name("shop")].stacks[&stack(of)].clone()
    }

    fn waits(&self, of: &str) -> String {
        self.view(of).waiting.map(|waiting| waiting.reason).unwrap_or_default()
    }

    /// A commit is pushed, looked at, and a round for it begins.
    fn upgrading(&mut self, head: &str, version: u64) -> Option<String> {
        self.pushed(head, &[("web", version)]);
        self.looked(&[("web", seen(differs("p", head, "web.image")))]);
        self.begun_for()
    }

    /// The round ends, and what is looked at afterwards is found so.
    fn ends(&mut self, end: RoundEnd, head: Finding) {
        self.ended(end);
        self.looked(&[("web", seen(head))]);
    }
}

fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(60 * minutes)
}
