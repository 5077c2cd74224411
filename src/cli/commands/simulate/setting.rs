//! Settings of a rollout that are tried without a commit: `--set shop/web.parallelism=1`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::play::{Played, Stage, Tried};
use crate::cli::Failure;
use crate::model::{
    Action, Count, Desired, FailureAction, Name, Nanos, Plan, ResourceKind, ServiceName,
    ServiceTarget, StackName, Strategy, UpdateOrder, Verdict,
};
use crate::pipeline::Wish;
use crate::sim::Frozen;
use crate::ui::simulate::Setting;

/// Services that are compared without being asked for.
const SERVICES_MAX: usize = 4;

/// One setting of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    stack: StackName,
    service: ServiceName,
    key: String,
    value: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Strategy(Strategy),
    Parallelism(u64),
    Order(UpdateOrder),
    FailureAction(FailureAction),
    Delay(Nanos),
    Monitor(Nanos),
    Drain(Nanos),
    Replicas(u32),
}

impl FromStr for Set {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let form = || "it is written `shop/web.parallelism=1`".to_owned();
        let (target, value) = text.split_once('=').ok_or_else(form)?;
        let (of, key) = target.rsplit_once('.').ok_or_else(form)?;
        let (stack, service) = of.split_once('/').ok_or_else(form)?;
        Ok(Self {
            stack: Name::parse(stack)?.into(),
            service: ServiceName::new(service),
            key: key.to_owned(),
            value: Value::parse(key, value)?,
        })
    }
}

impl Value {
    fn parse(key: &str, value: &str) -> Result<Self, String> {
        let number = || value.parse::<u32>().map_err(|_| format!("`{value}` is no number"));
        let time = || {
            let time = crate::settings::parse_duration(value)?;
            Ok::<_, String>(Nanos(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)))
        };
        Ok(match (key, value) {
            ("strategy", "all-at-once") => Self::Strategy(Strategy::AllAtOnce),
            ("strategy", "rolling") => Self::Strategy(Strategy::Rolling),
            ("strategy", "host-by-host") => Self::Strategy(Strategy::HostByHost),
            ("strategy", _) => {
                return Err("`strategy` is all-at-once, rolling or host-by-host".to_owned());
            }
            ("order", "start-first") => Self::Order(UpdateOrder::StartFirst),
            ("order", "stop-first") => Self::Order(UpdateOrder::StopFirst),
            ("order", _) => return Err("`order` is start-first or stop-first".to_owned()),
            ("failure_action", "rollback") => Self::FailureAction(FailureAction::Rollback),
            ("failure_action", "pause") => Self::FailureAction(FailureAction::Pause),
            ("failure_action", "continue") => Self::FailureAction(FailureAction::Continue),
            ("failure_action", _) => {
                return Err("`failure_action` is rollback, pause or continue".to_owned());
            }
            ("parallelism", _) => Self::Parallelism(number()?.into()),
            ("replicas", _) => Self::Replicas(number()?),
            ("delay", _) => Self::Delay(time()?),
            ("monitor", _) => Self::Monitor(time()?),
            ("drain", _) => Self::Drain(time()?),
            _ => {
                return Err(format!(
                    "`{key}` is none of strategy, parallelism, order, delay, monitor, \
                     failure_action, drain, replicas"
                ));
            }
        })
    }

    fn apply(&self, service: &mut ServiceTarget) {
        let ServiceTarget { rollout, replicas, .. } = service;
        match self {
            Self::Strategy(strategy) => rollout.strategy = *strategy,
            Self::Parallelism(count) => rollout.update.parallelism = Some(*count),
            Self::Order(order) => rollout.update.order = Some(*order),
            Self::FailureAction(action) => rollout.update.failure_action = Some(*action),
            Self::Delay(time) => rollout.update.delay = Some(*time),
            Self::Monitor(time) => rollout.update.monitor = Some(*time),
            Self::Drain(time) => rollout.drain_timeout = *time,
            Self::Replicas(count) => *replicas = Count::Replicas(*count),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Strategy(Strategy::AllAtOnce) => f.write_str("all-at-once"),
            Self::Strategy(Strategy::Rolling) => f.write_str("rolling"),
            Self::Strategy(Strategy::HostByHost) => f.write_str("host-by-host"),
            Self::Order(UpdateOrder::StartFirst) => f.write_str("start-first"),
            Self::Order(UpdateOrder::StopFirst) => f.write_str("stop-first"),
            Self::FailureAction(FailureAction::Rollback) => f.write_str("rollback"),
            Self::FailureAction(FailureAction::Pause) => f.write_str("pause"),
            Self::FailureAction(FailureAction::Continue) => f.write_str("continue"),
            Self::Parallelism(count) => count.fmt(f),
            Self::Replicas(count) => count.fmt(f),
            Self::Delay(time) | Self::Monitor(time) | Self::Drain(time) => time.fmt(f),
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stack, service, key, value } = self;
        write!(f, "{stack}/{service}.{key}={value}")
    }
}

/// The desired state with these settings.
pub(super) fn apply(desired: &mut Desired, settings: &[Set]) -> Result<(), Failure> {
    for set in settings {
        let missing = || {
            Failure::new(format!(
                "could not use `--set {set}`: there is no service {}/{}",
                set.stack, set.service
            ))
        };
        let stack = desired.stacks.get_mut(&set.stack).ok_or_else(missing)?;
        let service = Arc::make_mut(stack).services.get_mut(&set.service).ok_or_else(missing)?;
        set.value.apply(service);
    }
    Ok(())
}

/// The rollout once more with each of the usual settings, for services of which several replicas
/// are replaced.
pub(super) async fn compare(
    stage: &Stage<'_>,
    from: &Frozen,
    wish: &mut Wish,
    plan: &Plan,
    plain: &Played,
) -> Vec<Setting> {
    let mut rows = Vec::new();
    for (stack, service) in replaced(plan).into_iter().take(SERVICES_MAX) {
        let name = format!("{stack}/{service}");
        rows.extend(row(String::new(), &name, plain));
        let is = wish.desired.clone();
        for settings in usual(&is, &stack, &service) {
            let mut desired = is.clone();
            if apply(&mut desired, &settings).is_err() || desired == is {
                continue;
            }
            wish.desired = desired;
            let played = stage.play(from, wish, &[]).await;
            if is_alike(&played, plain) {
                continue;
            }
            let words = settings.iter().map(|set| format!("{}={}", set.key, set.value));
            let words: Vec<String> = words.collect();
            rows.extend(row(words.join(" "), &name, &played));
        }
        wish.desired = is;
    }
    rows
}

/// Whether nobody could tell two rollouts apart by their course.
fn is_alike(one: &Played, other: &Played) -> bool {
    let course = |played: &Played| {
        let services = played.timeline.services.iter();
        let most: Vec<_> = services.map(|line| (line.least().0, line.most())).collect();
        (most, played.timeline.took)
    };
    course(one) == course(other)
}

fn row(what: String, name: &str, played: &Played) -> Option<Setting> {
    let timeline = &played.timeline;
    let line = timeline.services.iter().find(|line| line.name() == name)?;
    let is_done = matches!(played.tried.as_slice(), [Tried::Ended(Verdict::Done)]);
    Some(Setting {
        service: name.to_owned(),
        what,
        took: timeline.took,
        least: line.least().0,
        most: line.most(),
        ends: (!is_done).then(|| played.end()),
    })
}

fn replaced(plan: &Plan) -> Vec<(StackName, ServiceName)> {
    let mut found = Vec::new();
    for (stack, changes) in &plan.stacks {
        for change in &changes.changes {
            let is_replaced =
                matches!(change.action, Action::ReplaceStartFirst | Action::ReplaceStopFirst);
            if change.kind == ResourceKind::Service && is_replaced && change.count.1 > 1 {
                found.push((stack.clone(), ServiceName::new(change.name.clone())));
            }
        }
    }
    found
}

/// What people choose between, without what makes no difference to this service.
fn usual(desired: &Desired, stack: &StackName, service: &ServiceName) -> Vec<Vec<Set>> {
    let target = desired.stacks.get(stack).and_then(|it| it.services.get(service));
    let replicas = match target.map(|it| it.replicas) {
        Some(Count::Replicas(count)) => u64::from(count),
        Some(Count::Global) | None => u64::MAX,
    };
    let set = |key: &str, value: Value| Set {
        stack: stack.clone(),
        service: service.clone(),
        key: key.to_owned(),
        value,
    };
    let strategy = |strategy| set("strategy", Value::Strategy(strategy));
    let batch = |count| set("parallelism", Value::Parallelism(count));
    let order = |order| set("order", Value::Order(order));
    let (first, last) = (UpdateOrder::StartFirst, UpdateOrder::StopFirst);
    let mut usual = vec![
        vec![strategy(Strategy::AllAtOnce), batch(0), order(first)],
        vec![strategy(Strategy::Rolling), batch(1), order(first)],
    ];
    if replicas > 3 {
        usual.push(vec![
            strategy(Strategy::Rolling),
            batch(replicas.div_ceil(2).min(100)),
            order(first),
        ]);
    }
    usual.push(vec![batch(1), order(last)]);
    usual
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_written_as_it_is_read() {
        for text in [
            "shop/web.parallelism=1",
            "shop/web.order=stop-first",
            "shop/web.v2.strategy=rolling",
            "shop/web.delay=1m30s",
            "shop/web.replicas=7",
        ] {
            assert_eq!(text.parse::<Set>().map(|set| set.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn a_setting_that_there_is_not_is_named() {
        let wrong = |text: &str| text.parse::<Set>().expect_err("it is wrong");
        assert!(wrong("shop/web.paralelism=1").starts_with("`paralelism` is none of strategy,"));
        assert_eq!(wrong("shop/web.order=first"), "`order` is start-first or stop-first");
        assert_eq!(wrong("web=1"), "it is written `shop/web.parallelism=1`");
    }
}
