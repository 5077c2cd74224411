//! Times in which rounds may or may not begin. Pure: the moment comes in.

use super::{Window, WindowKind};
use crate::model::Millis;

/// Whether something may begin now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may.
    Open,
    /// It may not.
    Shut {
        /// Because of which window.
        name: String,
        /// Which way that one works.
        kind: WindowKind,
        /// When that is looked at again.
        until: Option<Millis>,
    },
}

/// Where a moment lies.
enum Phase {
    Inside { ends: Millis },
    Outside { begins: Option<Millis> },
}

/// Says what is wrong with a schedule in a time zone.
pub fn check_schedule(schedule: &str, zone: &str) -> Result<(), String> {
    let fields = schedule.split_whitespace().count();
    if fields != 5 {
        return Err(format!("it has {fields} fields; minute, hour, day, month and weekday are 5"));
    }
    let crontab = cronexpr::parse_crontab(&format!("{schedule} {zone}"));
    crontab.map(drop).map_err(|error| {
        let text = error.to_string();
        let last = text.lines().last().unwrap_or_default().trim_matches(['^', ' ']);
        last.split(';').next().unwrap_or_default().to_owned()
    })
}

/// A moment as people write it: `2026-01-31T12:00:00Z`, or with an offset.
pub fn parse_moment(text: &str) -> Result<Millis, String> {
    let moment: jiff::Timestamp = text
        .parse()
        .map_err(|_| "it is written with date, time and offset: 2026-01-31T12:00:00Z".to_owned())?;
    u64::try_from(moment.as_millisecond()).map_err(|_| "it is before 1970".to_owned())
}

/// Whether a round may begin at `now`; `is_order` when a person asks for it.
pub(super) fn gate(windows: &[Window], now: Millis, is_order: bool) -> Gate {
    let mut shut = None;
    let (mut has_allow, mut is_inside, mut next) = (false, false, None::<(&Window, Millis)>);
    for window in windows {
        let is_passed = is_order && window.allows_orders;
        match (window.kind, phase(window, now)) {
            (WindowKind::Deny, Phase::Inside { ends }) if !is_passed => {
                shut = Some(closed(window, Some(ends)));
            }
            (WindowKind::Deny, _) => {}
            (WindowKind::Allow, Phase::Inside { .. }) => (has_allow, is_inside) = (true, true),
            (WindowKind::Allow, Phase::Outside { begins }) => {
                has_allow = true;
                is_inside |= is_passed;
                let begins = begins.unwrap_or(Millis::MAX);
                if next.is_none_or(|(_, soonest)| begins < soonest) {
                    next = Some((window, begins));
                }
            }
        }
    }
    match (shut, has_allow && !is_inside, next) {
        (Some(shut), _, _) => shut,
        (None, true, Some((window, begins))) => {
            closed(window, Some(begins).filter(|begins| *begins != Millis::MAX))
        }
        _ => Gate::Open,
    }
}

fn closed(window: &Window, until: Option<Millis>) -> Gate {
    Gate::Shut { name: window.name.clone(), kind: window.kind, until }
}

/// A schedule that cannot be read never opens; the reader of the settings has refused it before.
fn phase(window: &Window, now: Millis) -> Phase {
    let length = u64::try_from(window.duration.as_millis()).unwrap_or(Millis::MAX);
    let opened = next_after(window, now.saturating_sub(length));
    match opened {
        Some(begins) if begins <= now => Phase::Inside { ends: begins.saturating_add(length) },
        begins => Phase::Outside { begins },
    }
}

fn next_after(window: &Window, moment: Millis) -> Option<Millis> {
    let crontab = cronexpr::parse_crontab(&format!("{} {}", window.schedule, window.zone)).ok()?;
    let moment = cronexpr::MakeTimestamp::from_millisecond(i64::try_from(moment).ok()?).ok()?;
    let next = crontab.find_next(moment).ok()?;
    u64::try_from(next.timestamp().as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn window(kind: WindowKind, schedule: &str, hours: u64, zone: &str) -> Window {
        Window {
            name: format!("{kind:?}").to_lowercase(),
            kind,
            schedule: schedule.to_owned(),
            duration: Duration::from_secs(hours * 3600),
            zone: zone.to_owned(),
            allows_orders: false,
        }
    }

    fn at(text: &str) -> Millis {
        let moment: jiff::Timestamp = text.parse().expect("a moment");
        u64::try_from(moment.as_millisecond()).expect("after 1970")
    }

    fn until(gate: &Gate) -> Option<Millis> {
        match gate {
            Gate::Open => None,
            Gate::Shut { until, .. } => *until,
        }
    }

    #[test]
    fn without_windows_everything_may_begin() {
        assert_eq!(gate(&[], 5, false), Gate::Open);
    }

    #[test]
    fn an_allow_window_lets_in_from_its_first_to_its_last_millisecond() {
        let office = [window(WindowKind::Allow, "0 9 * * 1-5", 8, "Europe/Berlin")];
        for (moment, is_open) in [
            ("2026-03-02T07:59:59.999Z", false),
            ("2026-03-02T08:00:00Z", true),
            ("2026-03-02T15:59:59.999Z", true),
            ("2026-03-02T16:00:00Z", false),
            ("2026-03-07T10:00:00Z", false),
        ] {
            assert_eq!(gate(&office, at(moment), false) == Gate::Open, is_open, "{moment}");
        }
    }

    #[test]
    fn outside_it_is_known_when_the_next_one_begins() {
        let office = [window(WindowKind::Allow, "0 9 * * 1-5", 8, "Europe/Berlin")];
        let shut = gate(&office, at("2026-03-06T20:00:00Z"), false);
        assert_eq!(until(&shut), Some(at("2026-03-09T08:00:00Z")));
    }

    #[test]
    fn summer_time_moves_a_window_with_the_clocks_on_the_wall() {
        let office = [window(WindowKind::Allow, "0 9 * * *", 1, "Europe/Berlin")];
        assert_eq!(gate(&office, at("2026-03-28T08:30:00Z"), false), Gate::Open);
        assert_eq!(gate(&office, at("2026-03-29T07:30:00Z"), false), Gate::Open);
        assert_ne!(gate(&office, at("2026-03-29T08:30:00Z"), false), Gate::Open);
    }

    #[test]
    fn deny_beats_allow() {
        let both = [
            window(WindowKind::Allow, "0 0 * * *", 24, "UTC"),
            window(WindowKind::Deny, "0 12 * * *", 2, "UTC"),
        ];
        assert_eq!(gate(&both, at("2026-03-02T11:59:00Z"), false), Gate::Open);
        let shut = gate(&both, at("2026-03-02T12:30:00Z"), false);
        assert_eq!(until(&shut), Some(at("2026-03-02T14:00:00Z")));
    }

    #[test]
    fn with_deny_windows_alone_everything_else_is_open() {
        let deny = [window(WindowKind::Deny, "0 12 * * *", 2, "UTC")];
        assert_eq!(gate(&deny, at("2026-03-02T15:00:00Z"), false), Gate::Open);
    }

    #[test]
    fn a_person_passes_where_the_window_says_so_and_nowhere_else() {
        let mut deny = window(WindowKind::Deny, "0 12 * * *", 2, "UTC");
        let mut allow = window(WindowKind::Allow, "0 9 * * *", 1, "UTC");
        let noon = at("2026-03-02T12:30:00Z");
        for (window, passes) in [(&mut deny, true), (&mut allow, true)] {
            assert_ne!(gate(std::slice::from_ref(window), noon, passes), Gate::Open);
            window.allows_orders = true;
            assert_eq!(gate(std::slice::from_ref(window), noon, passes), Gate::Open);
            assert_ne!(gate(std::slice::from_ref(window), noon, false), Gate::Open);
        }
    }

    #[test]
    fn a_schedule_that_never_comes_stays_shut() {
        let never = [window(WindowKind::Allow, "0 0 30 2 *", 1, "UTC")];
        assert_eq!(until(&gate(&never, at("2026-03-02T12:30:00Z"), false)), None);
        assert_ne!(gate(&never, at("2026-03-02T12:30:00Z"), false), Gate::Open);
    }

    #[test]
    fn what_is_no_schedule_says_why() {
        assert_eq!(check_schedule("0 9 * * 1-5", "Europe/Berlin"), Ok(()));
        assert!(check_schedule("0 9 * *", "UTC").is_err_and(|why| why.contains("4 fields")));
        assert!(check_schedule("61 9 * * *", "UTC").is_err());
        assert!(check_schedule("0 9 * * *", "Mars/Olympus").is_err());
    }
}
