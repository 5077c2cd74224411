//! Every line of a small fleet.

use super::*;
use crate::model::CommitId;
use crate::server::view::fixture::picture;
use crate::sync::{Carried, Notice, NoticeKind};

fn page() -> String {
    let shop = Name::parse("shop").expect("a name");
    text(&picture(), &counts(&shop), &BTreeMap::from([(shop, 4999)]))
}

/// A round that took 3 s and went back, drift, a commit and a delivery.
fn counts(source: &Name) -> Counts {
    let mut counts = Counts::default();
    let commit = CommitId::new("3f2a1c9d8e7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b");
    let carried = Carried { took: 2_400, setback: Some(Setback::Readiness) };
    let ended = NoticeKind::Ended {
        round: 7,
        commit: commit.clone(),
        end: RoundEnd::RolledBack,
        message: "web was not ready".to_owned(),
        carried: Some(carried),
    };
    for (at, kind) in [
        (0, NoticeKind::Fetched { commit: commit.clone() }),
        (1_000, NoticeKind::Began { round: 7, commit }),
        (4_000, ended),
        (5_000, NoticeKind::Drifted { what: vec!["web.image".to_owned()] }),
        (6_000, NoticeKind::Troubled { message: "it cannot be fetched".to_owned() }),
    ] {
        let stack = Some(Name::parse("web").expect("a name").into());
        counts.happened(&Notice { number: 1, at, source: source.clone(), stack, kind });
    }
    counts.delivery(source, "taken");
    counts
}

#[test]
#[expect(clippy::too_many_lines, reason = "every line that there is")]
fn this_is_all_that_is_told_of_a_small_fleet() {
    let page = page().replace(env!("CARGO_PKG_VERSION"), "VERSION");
    insta::assert_snapshot!(page, @r#"
    # HELP gitdeploy_build_info The version that runs.
    # TYPE gitdeploy_build_info gauge
    gitdeploy_build_info{version="VERSION"} 1
    # HELP gitdeploy_start_timestamp_seconds When the daemon started.
    # TYPE gitdeploy_start_timestamp_seconds gauge
    gitdeploy_start_timestamp_seconds 1699913600.000
    # HELP gitdeploy_ready 1 once every source has been looked at.
    # TYPE gitdeploy_ready gauge
    gitdeploy_ready 1
    # HELP gitdeploy_source_up 1 while nothing is wrong with a whole source.
    # TYPE gitdeploy_source_up gauge
    gitdeploy_source_up{source="shop"} 1
    # HELP gitdeploy_last_fetch_timestamp_seconds When the branch was last asked for successfully.
    # TYPE gitdeploy_last_fetch_timestamp_seconds gauge
    gitdeploy_last_fetch_timestamp_seconds{source="shop"} 1699999970.000
    # HELP gitdeploy_git_requests_total Times that a repository was asked, by how that ended.
    # TYPE gitdeploy_git_requests_total counter
    gitdeploy_git_requests_total{source="shop",op="ls-remote",result="done"} 12
    gitdeploy_git_requests_total{source="shop",op="ls-remote",result="failed"} 1
    # HELP gitdeploy_git_request_duration_seconds How long that took.
    # TYPE gitdeploy_git_request_duration_seconds summary
    gitdeploy_git_request_duration_seconds_sum{source="shop",op="ls-remote"} 23.400
    gitdeploy_git_request_duration_seconds_count{source="shop",op="ls-remote"} 13
    # HELP gitdeploy_drain_duration_seconds How long proxies took to let go of replicas.
    # TYPE gitdeploy_drain_duration_seconds summary
    gitdeploy_drain_duration_seconds_sum{source="shop"} 1.500
    gitdeploy_drain_duration_seconds_count{source="shop"} 2
    # HELP gitdeploy_lock_wait_seconds How long rounds waited because another run held their stack.
    # TYPE gitdeploy_lock_wait_seconds summary
    gitdeploy_lock_wait_seconds_sum{source="shop"} 0.000
    gitdeploy_lock_wait_seconds_count{source="shop"} 0
    # HELP gitdeploy_forge_rate_limit_remaining Questions that the forge of a source still takes, as it last said.
    # TYPE gitdeploy_forge_rate_limit_remaining gauge
    gitdeploy_forge_rate_limit_remaining{forge="shop"} 4999
    # HELP gitdeploy_host_up 1 while a host answers.
    # TYPE gitdeploy_host_up gauge
    gitdeploy_host_up{source="shop",host="web-1"} 1
    gitdeploy_host_up{source="shop",host="web-2"} 0
    # HELP gitdeploy_host_probe_duration_seconds How long a host took to answer when it was last looked at.
    # TYPE gitdeploy_host_probe_duration_seconds gauge
    gitdeploy_host_probe_duration_seconds{source="shop",host="web-1",transport="ssh"} 0.038
    # HELP gitdeploy_stack_info How a stack is, in words; always 1.
    # TYPE gitdeploy_stack_info gauge
    gitdeploy_stack_info{source="shop",stack="api",environment="production",repo="https://git.example.com/acme/shop",sync_status="OutOfSync",health_status="Degraded",suspended="false"} 1
    gitdeploy_stack_info{source="shop",stack="web",environment="production",repo="https://git.example.com/acme/shop",sync_status="Synced",health_status="Healthy",suspended="false"} 1
    # HELP gitdeploy_drifted_resources Things that differ from the last synced commit by themselves.
    # TYPE gitdeploy_drifted_resources gauge
    gitdeploy_drifted_resources{source="shop",stack="api",host="web-1"} 0
    gitdeploy_drifted_resources{source="shop",stack="api",host="web-2"} 1
    gitdeploy_drifted_resources{source="shop",stack="web",host="web-1"} 0
    # HELP gitdeploy_last_sync_timestamp_seconds When a commit was last brought about whole.
    # TYPE gitdeploy_last_sync_timestamp_seconds gauge
    gitdeploy_last_sync_timestamp_seconds{source="shop",stack="api"} 1699999100.000
    gitdeploy_last_sync_timestamp_seconds{source="shop",stack="web"} 1699999100.000
    # HELP gitdeploy_stack_waiting 1 while something is to do and waits.
    # TYPE gitdeploy_stack_waiting gauge
    gitdeploy_stack_waiting{source="shop",stack="api"} 1
    gitdeploy_stack_waiting{source="shop",stack="web"} 0
    # HELP gitdeploy_round_running 1 while a round of the stack runs.
    # TYPE gitdeploy_round_running gauge
    gitdeploy_round_running{source="shop",stack="api"} 0
    gitdeploy_round_running{source="shop",stack="web"} 0
    # HELP gitdeploy_plan_changes Things that the last plan of a stack would create, change, remove.
    # TYPE gitdeploy_plan_changes gauge
    gitdeploy_plan_changes{source="shop",stack="web",action="create"} 4
    gitdeploy_plan_changes{source="shop",stack="web",action="change"} 1
    gitdeploy_plan_changes{source="shop",stack="web",action="remove"} 4
    # HELP gitdeploy_reconciles_total Rounds that ended, by how.
    # TYPE gitdeploy_reconciles_total counter
    gitdeploy_reconciles_total{source="shop",stack="web",result="rolled-back"} 1
    # HELP gitdeploy_reconcile_duration_seconds How long rounds took.
    # TYPE gitdeploy_reconcile_duration_seconds histogram
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="0.5"} 0
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="1"} 0
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="2.5"} 0
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="5"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="10"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="30"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="60"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="120"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="300"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="900"} 1
    gitdeploy_reconcile_duration_seconds_bucket{source="shop",le="+Inf"} 1
    gitdeploy_reconcile_duration_seconds_sum{source="shop"} 3.000
    gitdeploy_reconcile_duration_seconds_count{source="shop"} 1
    # HELP gitdeploy_apply_total Rounds that carried out a plan, by how they ended.
    # TYPE gitdeploy_apply_total counter
    gitdeploy_apply_total{source="shop",stack="web",result="rolled-back"} 1
    # HELP gitdeploy_apply_duration_seconds How long plans took to be carried out.
    # TYPE gitdeploy_apply_duration_seconds histogram
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="0.5"} 0
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="1"} 0
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="2.5"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="5"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="10"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="30"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="60"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="120"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="300"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="900"} 1
    gitdeploy_apply_duration_seconds_bucket{source="shop",le="+Inf"} 1
    gitdeploy_apply_duration_seconds_sum{source="shop"} 2.400
    gitdeploy_apply_duration_seconds_count{source="shop"} 1
    # HELP gitdeploy_rollbacks_total Rounds that failed and went back, by what failed.
    # TYPE gitdeploy_rollbacks_total counter
    gitdeploy_rollbacks_total{source="shop",stack="web",reason="readiness"} 1
    # HELP gitdeploy_drifts_total Times that drift of a stack was found.
    # TYPE gitdeploy_drifts_total counter
    gitdeploy_drifts_total{source="shop",stack="web"} 1
    # HELP gitdeploy_commits_total New commits that were fetched.
    # TYPE gitdeploy_commits_total counter
    gitdeploy_commits_total{source="shop"} 1
    # HELP gitdeploy_source_troubles_total Times that a whole source came into trouble.
    # TYPE gitdeploy_source_troubles_total counter
    gitdeploy_source_troubles_total{source="shop"} 1
    # HELP gitdeploy_webhook_requests_total Deliveries, by what became of them.
    # TYPE gitdeploy_webhook_requests_total counter
    gitdeploy_webhook_requests_total{hook="shop",result="taken"} 1
    # HELP gitdeploy_notices_missed_total Notices that came faster than they could be counted.
    # TYPE gitdeploy_notices_missed_total counter
    gitdeploy_notices_missed_total 0
    "#);
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
