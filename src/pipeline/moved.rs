//! What has changed of what a plan rests on, since it was made.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{Basis, Facts, HostName, StackName};

/// Something that is not as the plan saw it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Moved {
    /// Something is to be done in a stack that the plan left alone.
    Begun(StackName),
    /// Nothing is to be done any more in a stack of the plan.
    Settled(StackName),
    /// A thing on a host.
    Thing {
        /// Where.
        host: HostName,
        /// What, as in a [`Basis`].
        what: String,
        /// What has become of it.
        fate: Fate,
    },
}

/// What has become of a thing that a plan rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// It was not there when the plan was made.
    Came,
    /// It is not there any more.
    Went,
    /// It is otherwise.
    Changed,
}

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begun(stack) => write!(f, "{stack}: there is something to do by now"),
            Self::Settled(stack) => write!(f, "{stack}: there is nothing to do any more"),
            Self::Thing { host, what, fate } => {
                let fate = match fate {
                    Fate::Came => "is new",
                    Fate::Went => "is gone",
                    Fate::Changed => "has changed",
                };
                write!(f, "{host}: {what} {fate}")
            }
        }
    }
}

/// What differs between two bases.
pub fn moved(then: &Basis, now: &Basis) -> BTreeSet<Moved> {
    let mut found = BTreeSet::new();
    let stacks: BTreeSet<&StackName> = then.stacks.keys().chain(now.stacks.keys()).collect();
    for stack in stacks {
        match (then.stacks.get(stack), now.stacks.get(stack)) {
            (Some(then), Some(now)) => things(then, now, &mut found),
            (None, _) => drop(found.insert(Moved::Begun(stack.clone()))),
            (_, None) => drop(found.insert(Moved::Settled(stack.clone()))),
        }
    }
    things(&then.hosts, &now.hosts, &mut found);
    found
}

fn things(
    then: &BTreeMap<HostName, Facts>,
    now: &BTreeMap<HostName, Facts>,
    found: &mut BTreeSet<Moved>,
) {
    let none = Facts::new();
    let hosts: BTreeSet<&HostName> = then.keys().chain(now.keys()).collect();
    for host in hosts {
        let (then, now) = (then.get(host).unwrap_or(&none), now.get(host).unwrap_or(&none));
        let all: BTreeSet<&String> = then.keys().chain(now.keys()).collect();
        for what in all {
            let fate = match (then.get(what), now.get(what)) {
                (None, _) => Fate::Came,
                (_, None) => Fate::Went,
                (then, now) if then != now => Fate::Changed,
                _ => continue,
            };
            found.insert(Moved::Thing { host: host.clone(), what: what.clone(), fate });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Mark, Name};

    fn name<N: From<Name>>(name: &str) -> N {
        Name::parse(name).expect("a name").into()
    }

    /// What there is on hosts.
    fn hosts(hosts: &[(&str, &[(&str, &str)])]) -> BTreeMap<HostName, Facts> {
        let fact = |(what, how): &(&str, &str)| ((*what).to_owned(), Mark::of([how.as_bytes()]));
        let host = |(host, facts): &(&str, &[(&str, &str)])| {
            (name(host), facts.iter().map(fact).collect::<Facts>())
        };
        hosts.iter().map(host).collect()
    }

    fn of(stack: &str, facts: BTreeMap<HostName, Facts>) -> Basis {
        Basis { stacks: [(name(stack), facts)].into(), ..Basis::default() }
    }

    fn words(then: &Basis, now: &Basis) -> Vec<String> {
        moved(then, now).iter().map(Moved::to_string).collect()
    }

    #[test]
    fn what_came_went_or_changed_is_told_by_host_and_name_and_nothing_else() {
        let then = of("shop", hosts(&[("a", &[("gone", "1"), ("other", "1"), ("same", "1")])]));
        let now =
            of("shop", hosts(&[("a", &[("other", "2"), ("same", "1")]), ("b", &[("new", "1")])]));
        assert_eq!(
            words(&then, &now),
            ["a: gone is gone", "a: other has changed", "b: new is new"]
        );
        assert_eq!(moved(&now, &now), BTreeSet::new());
        let file = |how| Basis { hosts: hosts(&[("a", &[("drain", how)])]), ..Basis::default() };
        assert_eq!(words(&file("1"), &file("2")), ["a: drain has changed"]);
    }

    #[test]
    fn what_is_there_of_a_stack_that_only_one_plan_touches_is_not_called_new_or_gone() {
        let facts = || hosts(&[("a", &[("container x", "1")])]);
        let (shop, blog) = (of("shop", facts()), of("blog", facts()));
        assert_eq!(
            words(&shop, &blog),
            ["blog: there is something to do by now", "shop: there is nothing to do any more"]
        );
    }
}
