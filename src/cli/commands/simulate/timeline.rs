//! What was seen in a simulation, for people and programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::Exit;
use crate::model::{Millis, Verdict};
use crate::sim::{Counts, ServiceId, Violation, World};

/// What is no part of it.
const LEFT_OUT: &str = "Simulated: no host was asked and nothing was pulled. Every image is taken \
to be there and ready 1 s after its start; a request takes 0.5 s. Not modelled: the applications \
themselves, load, memory, disks, packets, names inside networks.";

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// With a verdict.
    Ended(Verdict),
    /// There was nothing to do.
    Nothing,
    /// It was killed.
    Killed,
    /// It was not begun.
    NotBegun(String),
}

/// Who served, moment by moment, and what came of it.
pub(super) struct Timeline {
    began: Millis,
    took: Millis,
    /// Changes of each service's counts.
    services: BTreeMap<ServiceId, Vec<(Millis, Counts)>>,
    pub(super) violations: Vec<Violation>,
    tried: Vec<Tried>,
}

impl Timeline {
    pub(super) fn of(world: &World, began: Millis, tried: Vec<Tried>) -> Self {
        let samples = world.samples();
        let mut services = BTreeMap::<ServiceId, Vec<(Millis, Counts)>>::new();
        for sample in &samples {
            for id in sample.services.keys() {
                services.entry(id.clone()).or_default();
            }
            for (id, line) in &mut services {
                let counts = sample.services.get(id).copied().unwrap_or_default();
                if line.last().is_none_or(|(_, last)| *last != counts) {
                    line.push((sample.at, counts));
                }
            }
        }
        let took = world.now() - began;
        Self { began, took, services, violations: world.violations(), tried }
    }

    /// The exit code of the last run.
    pub(super) fn exit(&self) -> Exit {
        match self.tried.last() {
            Some(Tried::Nothing | Tried::Ended(Verdict::Done)) => Exit::Done,
            Some(Tried::Ended(Verdict::RolledBack)) => Exit::RolledBack,
            Some(Tried::Ended(Verdict::Partly)) => Exit::Partly,
            _ => Exit::Failed,
        }
    }

    pub(super) fn text(&self) -> String {
        let mut page = String::new();
        let mut line = |text: String| writeln!(page, "{text}").expect("text takes all text");
        for ((stack, service), moments) in &self.services {
            line(format!("{stack}/{service}"));
            line("      time  running  ready  routed  draining".to_owned());
            for (at, counts) in moments {
                let Counts { running, ready, routed, draining } = counts;
                let time = seconds(at - self.began.min(*at));
                line(format!("{time:>10}  {running:>7}  {ready:>5}  {routed:>6}  {draining:>8}"));
            }
            let (what, least) = least(moments);
            line(format!("  at least {least} {what} at any time\n"));
        }
        for violation in &self.violations {
            let time = seconds(violation.at - self.began.min(violation.at));
            line(format!("{time}: {}", violation.what));
        }
        line(match self.violations.len() {
            0 => "No request was lost.".to_owned(),
            count => format!("Requests were lost: {count} times, see above."),
        });
        let runs: Vec<String> = self.tried.iter().map(words).collect();
        line(format!("{}, {}.", runs.join(", then "), seconds(self.took)));
        line(format!("\n{LEFT_OUT}"));
        page
    }

    pub(super) fn json(&self) -> Value {
        let moment = |(at, counts): &(Millis, Counts)| {
            let Counts { running, ready, routed, draining } = counts;
            let at_ms = at - self.began.min(*at);
            json!({"at_ms": at_ms, "running": running, "ready": ready, "routed": routed,
                "draining": draining})
        };
        let service = |((stack, service), moments): (&ServiceId, &Vec<(Millis, Counts)>)| {
            let moments_json: Vec<Value> = moments.iter().map(moment).collect();
            json!({"stack": stack.as_str(), "service": service.as_str(),
                "least": least(moments).1, "timeline": moments_json})
        };
        let violation =
            |it: &Violation| json!({"at_ms": it.at - self.began.min(it.at), "what": it.what});
        json!({
            "services": self.services.iter().map(service).collect::<Vec<_>>(),
            "violations": self.violations.iter().map(violation).collect::<Vec<_>>(),
            "runs": self.tried.iter().map(words).collect::<Vec<_>>(),
            "took_ms": self.took,
            "not_modelled": LEFT_OUT,
        })
    }
}

/// The least number that served: of those that a proxy sends to, where one does.
fn least(moments: &[(Millis, Counts)]) -> (&'static str, usize) {
    let counts = || moments.iter().map(|(_, counts)| counts);
    match counts().any(|it| it.routed > 0) {
        true => ("routed", counts().map(|it| it.routed).min().unwrap_or(0)),
        false => ("ready", counts().map(|it| it.ready).min().unwrap_or(0)),
    }
}

fn seconds(time: Millis) -> String {
    format!("{}.{} s", time / 1_000, time % 1_000 / 100)
}

fn words(tried: &Tried) -> String {
    match tried {
        Tried::Ended(Verdict::Done) => "done".to_owned(),
        Tried::Ended(Verdict::RolledBack) => "rolled back".to_owned(),
        Tried::Ended(Verdict::Failed) => "failed".to_owned(),
        Tried::Ended(Verdict::Partly) => "done in part".to_owned(),
        Tried::Ended(Verdict::Interrupted) => "interrupted".to_owned(),
        Tried::Nothing => "nothing to do".to_owned(),
        Tried::Killed => "killed".to_owned(),
        Tried::NotBegun(why) => why.clone(),
    }
}
