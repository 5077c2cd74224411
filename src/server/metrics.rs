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

use super::counts::{BUCKETS, Counts};
use super::serve::Front;
use crate::model::{Millis, Name};
use crate::sync::{Health, Measured, Mode, Picture, RoundEnd, StackView, Sync, Times};

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
    let help = "Times that the branch was asked for and read, by how that ended.";
    page.family("gitdeploy_git_requests_total", "counter", help);
    for (source, it) in each() {
        for (result, times) in [("done", it.fetches), ("failed", it.failures)] {
            page.line("", &[("source", source), ("result", result)], times.count);
        }
    }
    let mut summary = |name, help, pick: fn(&Measured) -> [Times; 2]| {
        page.family(name, "summary", help);
        for (source, it) in each() {
            let [one, other] = pick(it);
            page.line("_sum", &[("source", source)], Seconds(one.sum + other.sum));
            page.line("_count", &[("source", source)], one.count + other.count);
        }
    };
    let help = "How long that took.";
    summary("gitdeploy_git_request_duration_seconds", help, |it| [it.fetches, it.failures]);
    let help = "How long proxies took to let go of replicas.";
    summary("gitdeploy_drain_duration_seconds", help, |it| [it.drains, Times::default()]);
    let help = "How long rounds waited because another run held their stack.";
    summary("gitdeploy_lock_wait_seconds", help, |it| [it.locks, Times::default()]);
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
    let help = "How long the last look at a host took.";
    page.family("gitdeploy_host_probe_duration_seconds", "gauge", help);
    for (source, host, view) in hosts() {
        if let Some(took) = view.took {
            let labels = [("source", source.as_str()), ("host", host.as_str())];
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
    each(page, &|page, labels, it| page.line("", labels, it.drift.len()));
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

fn counted(page: &mut Page, counts: &Counts) {
    page.family("gitdeploy_reconciles_total", "counter", "Rounds that ended, by how.");
    for ((source, stack, end), count) in &counts.rounds {
        let labels =
            [("source", source.as_str()), ("stack", stack.as_str()), ("result", end_word(*end))];
        page.line("", &labels, count);
    }
    page.family("gitdeploy_rollbacks_total", "counter", "Rounds that failed and went back.");
    for ((source, stack, end), count) in &counts.rounds {
        if *end == RoundEnd::RolledBack {
            page.line("", &[("source", source.as_str()), ("stack", stack.as_str())], count);
        }
    }
    page.family("gitdeploy_reconcile_duration_seconds", "histogram", "How long rounds took.");
    for (source, lengths) in &counts.durations {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::view::fixture::picture;

    fn page() -> String {
        let shop = Name::parse("shop").expect("a name");
        text(&picture(), &Counts::default(), &BTreeMap::from([(shop, 4999)]))
    }

    #[test]
    fn every_stack_and_host_has_its_lines() {
        let page = page();
        for line in [
            "gitdeploy_host_up{source=\"shop\",host=\"web-2\"} 0",
            "gitdeploy_drifted_resources{source=\"shop\",stack=\"api\"} 1",
            "gitdeploy_git_requests_total{source=\"shop\",result=\"done\"} 12",
            "gitdeploy_drain_duration_seconds_sum{source=\"shop\"} 1.500",
            "gitdeploy_lock_wait_seconds_count{source=\"shop\"} 0",
            "gitdeploy_forge_rate_limit_remaining{forge=\"shop\"} 4999",
            "gitdeploy_plan_changes{source=\"shop\",stack=\"web\",action=\"create\"} 4",
            "gitdeploy_last_sync_timestamp_seconds{source=\"shop\",stack=\"web\"} 1699999100.000",
        ] {
            assert!(page.lines().any(|it| it == line), "{line}\n{page}");
        }
    }

    #[test]
    fn no_commit_is_a_label() {
        let page = page();
        assert!(!page.contains("3f2a1c9"), "{page}");
    }

    #[test]
    fn every_line_is_of_the_family_above_it() {
        let mut family = "";
        for line in page().leak().lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                family = rest.split(' ').next().expect("a name");
            } else if !line.starts_with('#') {
                assert!(line.starts_with(family), "{line}");
            }
        }
    }

    #[test]
    fn a_label_cannot_end_its_own_quotes() {
        let mut page = Page::default();
        page.family("x", "gauge", "X.");
        page.line("", &[("repo", "a\"} 1\ny{b=\"\\")], 1);
        assert_eq!(page.text.lines().last(), Some("x{repo=\"a\\\"} 1\\ny{b=\\\"\\\\\"} 1"));
    }
}
