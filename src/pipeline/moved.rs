//! What has changed of what a plan rests on, since it was made.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Basis, Fact};

/// How a fact of a plan's basis has changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moved {
    /// It was not there when the plan was made.
    Came,
    /// It is not there any more.
    Went,
    /// It is otherwise.
    Changed,
}

/// What differs between two bases.
pub fn moved(then: &Basis, now: &Basis) -> BTreeMap<Fact, Moved> {
    let all = then.iter().chain(now);
    let facts: BTreeSet<Fact> = all
        .flat_map(|(host, facts)| {
            facts.keys().map(|what| Fact { host: host.clone(), what: what.clone() })
        })
        .collect();
    let how = |fact: &Fact| {
        let mark = |basis: &Basis| basis.get(&fact.host)?.get(&fact.what).copied();
        match (mark(then), mark(now)) {
            (None, _) => Some(Moved::Came),
            (_, None) => Some(Moved::Went),
            (then, now) => (then != now).then_some(Moved::Changed),
        }
    };
    facts.into_iter().filter_map(|fact| how(&fact).map(|how| (fact, how))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{HostName, Mark, Name};

    fn host(name: &str) -> HostName {
        Name::parse(name).expect("a name").into()
    }

    /// What there is on the hosts `a` and `b`.
    fn basis(a: &[(&str, &str)], b: &[(&str, &str)]) -> Basis {
        let facts = |facts: &[(&str, &str)]| {
            let fact =
                |(what, how): &(&str, &str)| ((*what).to_owned(), Mark::of([how.as_bytes()]));
            facts.iter().map(fact).collect()
        };
        Basis::from([(host("a"), facts(a)), (host("b"), facts(b))])
    }

    #[test]
    fn what_came_went_or_changed_is_told_by_host_and_name_and_nothing_else() {
        let then = basis(&[("gone", "1"), ("other", "1"), ("same", "1")], &[("same", "1")]);
        let now = basis(&[("other", "2"), ("same", "1")], &[("new", "1"), ("same", "1")]);
        let told = moved(&then, &now).into_iter();
        let told: Vec<_> =
            told.map(|(fact, how)| (fact.host.to_string(), fact.what, how)).collect();
        let expected =
            [("a", "gone", Moved::Went), ("a", "other", Moved::Changed), ("b", "new", Moved::Came)];
        let expected = expected.map(|(host, what, how)| (host.to_owned(), what.to_owned(), how));
        assert_eq!(told, expected);
        assert_eq!(moved(&now, &now), BTreeMap::new());
    }

    #[test]
    fn of_a_host_that_is_gone_everything_is() {
        let then = basis(&[("one", "1")], &[]);
        let told = moved(&then, &Basis::new());
        assert_eq!(told.into_values().collect::<Vec<_>>(), [Moved::Went]);
    }
}
