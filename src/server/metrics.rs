//! `GET /metrics`: numbers in the text form of Prometheus.
//!
//! No commit, round or container is ever a label: each would be a series that never ends. What can
//! be read off the picture is read off it; only what is gone afterwards is counted.

use std::collections::BTreeMap;
use std::fmt::{Display, Write as _};
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::counts::{BUCKETS, Counts, Histogram};
use super::serve::Front;
use crate::model::{Millis, Name, StackName};
use crate::sync::{
    Asked, Health, Measured, Mode, Picture, RoundEnd, Setback, StackView, Sync, Times, Transport,
};

pub(super) async fn show(State(front): State<Arc<Front>>) -> Response {
    let picture = Arc::clone(&front.doors.picture.borrow());
    let page = text(&picture, &front.counts(), &(front.doors.limits)());
    let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (kind, page).into_response()
}

/// All of them.
pub(super) fn text(picture: &Picture, counts: &Counts, limits_of: &BTreeMap<Name, u64>) -> String {
    let mut page = Page::default();
    page.family("gitdeploy_build_info", "gauge", "The version that runs.");
    page.line("", &[("version", env!("CARGO_PKG_VERSION"))], 1);
    page.family("gitdeploy_start_timestamp_seconds", "gauge", "When the daemon started.");
    page.line("", &[], Seconds(picture.started));
    page.family("gitdeploy_ready", "gauge", "1 once every source has been looked at.");
    page.line("", &[], u8::from(picture.is_ready));
    sources(&mut page, picture);
    measured(&mut page, picture);
    limits(&mut page, limits_of);
    hosts(&mut page, picture);
    stacks(&mut page, picture);
    counted(&mut page, counts);
    page.text
}

fn sources(page: &mut Page, picture: &Picture) {
    page.family("gitdeploy_source_up", "gauge", "1 while nothing is wrong with a whole source.");
    for (name, source) in &picture.sources {
        page.line("", &[("source", name.as_str())], u8::from(source.trouble.is_none()));
    }
    let help = "When the branch was last asked for successfully.";
    page.family("gitdeploy_last_fetch_timestamp_seconds", "gauge", help);
    for (name, source) in &picture.sources {
        if let Some(fetched) = source.fetched {
            page.line("", &[("source", name.as_str())], Seconds(fetched));
        }
    }
}

fn measured(page: &mut Page, picture: &Picture) {
    let each = || picture.sources.iter().map(|(name, source)| (name.as_str(), &source.measured));
    let asked = || {
        each().flat_map(|(source, it)| {
            let asked = [("open", it.opens), ("ls-remote", it.lists), ("fetch", it.fetches)];
            let asked = asked.into_iter().filter(|(_, it)| *it != Asked::default());
            asked.map(move |(op, it)| ([("source", source), ("op", op)], it))
        })
    };
    let help = "Times that a repository was asked, by how that ended.";
    page.family("gitdeploy_git_requests_total", "counter", help);
    for (labels, it) in asked() {
        for (result, times) in [("done", it.done), ("failed", it.failed)] {
            page.line("", &[labels.as_slice(), &[("result", result)]].concat(), times.count);
        }
    }
    page.family("gitdeploy_git_request_duration_seconds", "summary", "How long that took.");
    for (labels, Asked { done, failed }) in asked() {
        page.line("_sum", &labels, Seconds(done.sum + failed.sum));
        page.line("_count", &labels, done.count + failed.count);
    }
    let mut summary = |name, help, pick: fn(&Measured) -> Times| {
        page.family(name, "summary", help);
        for (source, it) in each() {
            page.line("_sum", &[("source", source)], Seconds(pick(it).sum));
            page.line("_count", &[("source", source)], pick(it).count);
        }
    };
    let help = "How long proxies took to let go of replicas.";
    summary("gitdeploy_drain_duration_seconds", help, |it| it.drains);
    let help = "How long rounds waited because another run held their stack.";
    summary("gitdeploy_lock_wait_seconds", help, |it| it.locks);
}

fn limits(page: &mut Page, limits: &BTreeMap<Name, u64>) {
    let help = "Questions that the forge of a source still takes, as it last said.";
    page.family("gitdeploy_forge_rate_limit_remaining", "gauge", help);
    for (source, left) in limits {
        page.line("", &[("forge", source.as_str())], left);
    }
}

fn hosts(page: &mut Page, picture: &Picture) {
    let hosts = || {
        picture.sources.iter().flat_map(|(source, view)| {
            view.hosts.iter().map(move |(host, view)| (source, host, view))
        })
    };
    page.family("gitdeploy_host_up", "gauge", "1 while a host answers.");
    for (source, host, view) in hosts() {
        let labels = [("source", source.as_str()), ("host", host.as_str())];
        page.line("", &labels, u8::from(view.is_up));
    }
    let help = "How long a host took to answer when it was last looked at.";
    page.family("gitdeploy_host_probe_duration_seconds", "gauge", help);
    for (source, host, view) in hosts() {
        if let Some(took) = view.took {
            let transport = ("transport", transport_word(view.transport));
            let labels = [("source", source.as_str()), ("host", host.as_str()), transport];
            page.line("", &labels, Seconds(took));
        }
    }
}

fn stacks(page: &mut Page, picture: &Picture) {
    let each = |page: &mut Page, write: &Write<'_>| {
        for (source, view) in &picture.sources {
            for (stack, view) in &view.stacks {
                let labels = [("source", source.as_str()), ("stack", stack.as_str())];
                write(page, &labels, view);
            }
        }
    };
    page.family("gitdeploy_stack_info", "gauge", "How a stack is, in words; always 1.");
    for (source, view) in &picture.sources {
        for (stack, it) in &view.stacks {
            let labels = [
                ("source", source.as_str()),
                ("stack", stack.as_str()),
                ("environment", view.environment.as_str()),
                ("repo", view.repository.as_str()),
                ("sync_status", sync_word(it.sync)),
                ("health_status", health_word(it.health)),
                ("suspended", suspended(&it.mode)),
            ];
            page.line("", &labels, 1);
        }
    }
    let help = "Things that differ from the last synced commit by themselves.";
    page.family("gitdeploy_drifted_resources", "gauge", help);
    each(page, &|page, labels, it| {
        for (host, count) in drifted(it) {
            page.line("", &[labels, &[("host", host)]].concat(), count);
        }
    });
    let help = "When a commit was last brought about whole.";
    page.family("gitdeploy_last_sync_timestamp_seconds", "gauge", help);
    each(page, &|page, labels, it| {
        if let Some(at) = it.synced_at {
            page.line("", labels, Seconds(at));
        }
    });
    page.family("gitdeploy_stack_waiting", "gauge", "1 while something is to do and waits.");
    each(page, &|page, labels, it| page.line("", labels, u8::from(it.waiting.is_some())));
    page.family("gitdeploy_round_running", "gauge", "1 while a round of the stack runs.");
    each(page, &|page, labels, it| page.line("", labels, u8::from(it.running.is_some())));
    let help = "Things that the last plan of a stack would create, change, remove.";
    page.family("gitdeploy_plan_changes", "gauge", help);
    each(page, &|page, labels, it| {
        let Some(plan) = &it.plan else { return };
        let (create, change, remove) = plan.totals;
        for (action, count) in [("create", create), ("change", change), ("remove", remove)] {
            page.line("", &[labels, &[("action", action)]].concat(), count);
        }
    });
}

/// How much has drifted on each host that has something of a stack; nothing is a number, too.
fn drifted(view: &StackView) -> BTreeMap<&str, usize> {
    let hosts = view.replicas.iter().filter_map(|row| row.get("host")?.as_str());
    let mut counts: BTreeMap<&str, usize> = hosts.map(|host| (host, 0)).collect();
    counts.extend(view.drifted.iter().map(|(host, count)| (host.as_str(), *count)));
    counts
}

fn rounds(page: &mut Page, counts: &Counts) {
    let by_end = |page: &mut Page, all: &BTreeMap<(Name, StackName, RoundEnd), u64>| {
        for ((source, stack, end), count) in all {
            let result = ("result", end_word(*end));
            let labels = [("source", source.as_str()), ("stack", stack.as_str()), result];
            page.line("", &labels, count);
        }
    };
    page.family("gitdeploy_reconciles_total", "counter", "Rounds that ended, by how.");
    by_end(page, &counts.rounds);
    page.family("gitdeploy_reconcile_duration_seconds", "histogram", "How long rounds took.");
    histograms(page, &counts.durations);
    let help = "Rounds that carried out a plan, by how they ended.";
    page.family("gitdeploy_apply_total", "counter", help);
    by_end(page, &counts.applies);
    let help = "How long plans took to be carried out.";
    page.family("gitdeploy_apply_duration_seconds", "histogram", help);
    histograms(page, &counts.apply_durations);
    let help = "Rounds that failed and went back, by what failed.";
    page.family("gitdeploy_rollbacks_total", "counter", help);
    for ((source, stack, setback), count) in &counts.rollbacks {
        let reason = ("reason", setback_word(*setback));
        page.line("", &[("source", source.as_str()), ("stack", stack.as_str()), reason], count);
    }
}

fn histograms(page: &mut Page, of: &BTreeMap<Name, Histogram>) {
    for (source, lengths) in of {
        let source = ("source", source.as_str());
        let mut below = 0;
        for (end, count) in BUCKETS.iter().zip(lengths.counts) {
            below += count;
            page.line("_bucket", &[source, ("le", &end.to_string())], below);
        }
        page.line("_bucket", &[source, ("le", "+Inf")], lengths.count);
        page.line("_sum", &[source], Seconds(lengths.sum));
        page.line("_count", &[source], lengths.count);
    }
}

fn counted(page: &mut Page, counts: &Counts) {
    rounds(page, counts);
    page.family("gitdeploy_drifts_total", "counter", "Times that drift of a stack was found.");
    for ((source, stack), count) in &counts.drifts {
        page.line("", &[("source", source.as_str()), ("stack", stack.as_str())], count);
    }
    page.family("gitdeploy_commits_total", "counter", "New commits that were fetched.");
    for (source, count) in &counts.fetches {
        page.line("", &[("source", source.as_str())], count);
    }
    let help = "Times that a whole source came into trouble.";
    page.family("gitdeploy_source_troubles_total", "counter", help);
    for (source, count) in &counts.troubles {
        page.line("", &[("source", source.as_str())], count);
    }
    page.family(
        "gitdeploy_webhook_requests_total",
        "counter",
        "Deliveries, by what became of them.",
    );
    for ((hook, result), count) in &counts.deliveries {
        page.line("", &[("hook", hook.as_str()), ("result", result)], count);
    }
    let help = "Notices that came faster than they could be counted.";
    page.family("gitdeploy_notices_missed_total", "counter", help);
    page.line("", &[], counts.missed);
}

/// Writes the lines of one stack, with the labels that it has anyway.
type Write<'a> = dyn Fn(&mut Page, &[(&str, &str)], &StackView) + 'a;

/// Milliseconds, written as seconds.
struct Seconds(Millis);

impl Display for Seconds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

#[derive(Default)]
struct Page {
    text: String,
    name: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn line(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let quoted = |(name, value): &(&str, &str)| format!("{name}=\"{}\"", escaped(value));
        let labels: Vec<String> = labels.iter().map(quoted).collect();
        let labels = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{}}}", labels.join(",")),
        };
        let _ = writeln!(self.text, "{}{suffix}{labels} {value}", self.name);
    }
}

/// Inside the quotes of a label; nothing from a repository begins a line of its own.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\r', " ")
}

fn suspended(mode: &Mode) -> &'static str {
    match mode {
        Mode::Paused { .. } => "true",
        Mode::Automatic | Mode::PlanOnly => "false",
    }
}

pub(super) fn sync_word(sync: Sync) -> &'static str {
    match sync {
        Sync::Synced => "Synced",
        Sync::OutOfSync => "OutOfSync",
        Sync::Unknown => "Unknown",
    }
}

pub(super) fn health_word(health: Health) -> &'static str {
    match health {
        Health::Healthy => "Healthy",
        Health::Progressing => "Progressing",
        Health::Missing => "Missing",
        Health::Degraded => "Degraded",
        Health::Unknown => "Unknown",
    }
}

pub(super) fn end_word(end: RoundEnd) -> &'static str {
    match end {
        RoundEnd::Synced => "synced",
        RoundEnd::RolledBack => "rolled-back",
        RoundEnd::Failed => "failed",
        RoundEnd::Partly => "partly",
        RoundEnd::Interrupted => "interrupted",
        RoundEnd::Locked => "locked",
        RoundEnd::Refused => "refused",
    }
}

fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Unix => "unix",
        Transport::Ssh => "ssh",
        Transport::Tls => "tls",
        Transport::Tcp => "tcp",
    }
}

fn setback_word(setback: Setback) -> &'static str {
    match setback {
        Setback::Image => "image",
        Setback::Create => "create",
        Setback::Start => "start",
        Setback::Hook => "hook",
        Setback::Readiness => "readiness",
        Setback::Completion => "completion",
        Setback::Proxy => "proxy",
        Setback::Drain => "drain",
        Setback::Removal => "removal",
        Setback::Record => "record",
        Setback::Superseded => "superseded",
        Setback::Other => "other",
    }
}

#[cfg(test)]
mod tests;
