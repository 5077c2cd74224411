//! When a new replica counts as ready, from the service's own words.

use serde_json::Value;

use super::wanted::Wanted;
use crate::model::{
    Endpoint, FailureAction, Gate, HealthCheck, Image, Nanos, OutsideProbe, Readiness,
    ServiceTarget,
};

const SECOND: u64 = 1_000_000_000;

/// How long a replica without any check must run before it counts as ready, when nothing is said.
pub(super) const RUNS_FOR: Nanos = Nanos(5 * SECOND);

/// The least time a replica has to become ready, when `within` is not said.
const WITHIN: Nanos = Nanos(60 * SECOND);

/// How long a job may take.
pub(super) const JOB: Nanos = Nanos(3600 * SECOND);

/// What is asked of a new replica. `endpoint` is where its probe's port is published.
pub(super) fn readiness(
    wanted: &Wanted<'_>,
    image: Option<&Image>,
    endpoint: Option<Endpoint>,
    fresh: usize,
) -> Readiness {
    let target = wanted.target;
    let check = target.container.healthcheck.as_ref();
    let has_check = has_check(check, image);
    let gate = target.health.as_ref();
    let probe = gate.map(|gate: &Gate| OutsideProbe {
        probe: gate.probe.clone(),
        endpoint,
        interval: gate.interval,
        timeout: gate.timeout,
    });
    let order = &wanted.order;
    let is_checked = has_check || probe.is_some();
    let unsaid = if is_checked { Nanos(0) } else { RUNS_FOR };
    Readiness {
        has_check,
        probe,
        within: gate.map_or_else(|| check_within(check), |gate| gate.within),
        stable_for: order.monitor.unwrap_or(unsaid),
        may_fail: may_fail(order.max_failure_ratio, fresh),
        goes_on: order.failure_action == Some(FailureAction::Continue),
    }
}

/// Whether nothing at all tells when a replica is ready.
pub(super) fn is_ungated(target: &ServiceTarget, image: Option<&Image>) -> bool {
    target.health.is_none() && !has_check(target.container.healthcheck.as_ref(), image)
}

/// Whether its containers may end without that being a fault: the commit says that they are not
/// restarted, and nothing is sent to them or asked of them.
pub(super) fn may_end(target: &ServiceTarget) -> bool {
    let restart = target.container.restart.as_ref();
    let is_final = restart.is_some_and(|it| matches!(it.condition.as_str(), "no" | "none"));
    is_final && target.routes.is_empty() && target.health.is_none()
}

fn has_check(check: Option<&HealthCheck>, image: Option<&Image>) -> bool {
    let is_none = |test: &[String]| test.first().is_some_and(|word| word == "NONE");
    match check {
        Some(check) if check.disable == Some(true) || is_none(&check.test) => false,
        Some(check) if !check.test.is_empty() => true,
        // Times alone change the image's own check.
        Some(_) | None => image.is_some_and(|image| {
            let test = image.config.pointer("/Healthcheck/Test").and_then(Value::as_array);
            test.and_then(|test| test.first()).is_some_and(|word| word != "NONE")
        }),
    }
}

/// The time after which Docker itself gives a container up, and never less than a minute.
fn check_within(check: Option<&HealthCheck>) -> Nanos {
    let Some(check) = check else { return WITHIN };
    let nanos = |value: Option<Nanos>, unsaid: u64| value.map_or(unsaid * SECOND, |it| it.0);
    let once = nanos(check.interval, 30).saturating_add(nanos(check.timeout, 30));
    let tries = once.saturating_mul(check.retries.unwrap_or(3));
    let all = nanos(check.start_period, 0).saturating_add(tries);
    Nanos(all.max(WITHIN.0))
}

fn may_fail(ratio: Option<f64>, fresh: usize) -> u32 {
    ratio.map_or(0, |ratio| (ratio.clamp(0.0, 1.0) * fresh as f64) as u32)
}
