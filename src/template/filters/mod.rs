//! The filters, tests and functions of templates: those of the engine, held to the limits, and
//! those that people know from Ansible and Helm.
//!
//! [`reference`](reference()) describes each; the reference documentation is made from it and every example
//! in it is a test.

mod collections;
mod data;
mod network;
mod paths;
mod reference;
mod regexes;
mod text;

use std::borrow::Cow;

use minijinja::functions::Function;
use minijinja::value::{FunctionArgs, FunctionResult, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, ErrorKind, State, Value, filters, functions};

use super::limits::{limit, spend_value};

pub use reference::{Entry, Kind, reference};

/// An error in what a filter was given.
fn wrong(message: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::InvalidOperation, message)
}

/// Adds a filter whose input and output are measured.
fn add<F, Rv, Args>(environment: &mut Environment<'static>, name: &'static str, filter: F)
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    environment.add_filter(name, guarded(filter));
}

fn guarded<F, Rv, Args>(
    filter: F,
) -> impl Fn(&mut State, Rest<ValueOrKwargs>) -> Result<Value, Error> + Send + Sync + 'static
where
    F: Function<Rv, Args>,
    Rv: FunctionResult,
    Args: for<'a> FunctionArgs<'a>,
{
    let filter = Value::from_function(filter);
    move |state: &mut State, args: Rest<ValueOrKwargs>| {
        let args = args.into_values();
        for arg in &args {
            spend_value(state, arg)?;
        }
        let result = filter.call(state, &args)?;
        spend_value(state, &result)?;
        Ok(result)
    }
}

/// Adds everything.
pub(super) fn install(environment: &mut Environment<'static>) {
    engine_filters(environment);
    text::install(environment);
    data::install(environment);
    collections::install(environment);
    regexes::install(environment);
    paths::install(environment);
    network::install(environment);
    environment.add_function("range", range);
}

/// The engine's own filters, measured. Those that could make much from little are not here: they
/// are written anew.
fn engine_filters(environment: &mut Environment<'static>) {
    macro_rules! measured {
        ($($name:literal => $filter:ident),* $(,)?) => {
            $(add(environment, $name, filters::$filter);)*
        };
    }
    measured! {
        "lower" => lower, "upper" => upper, "title" => title, "capitalize" => capitalize,
        "length" => length, "count" => length, "dictsort" => dictsort, "items" => items,
        "reverse" => reverse, "trim" => trim, "split" => split, "lines" => lines,
        "round" => round, "abs" => abs, "int" => int, "float" => float, "attr" => attr,
        "first" => first, "last" => last, "min" => min, "max" => max, "sort" => sort,
        "list" => list, "string" => string, "sum" => sum, "select" => select,
        "reject" => reject, "selectattr" => selectattr, "rejectattr" => rejectattr,
        "map" => map, "groupby" => groupby, "unique" => unique, "chain" => chain, "zip" => zip,
        "pprint" => pprint, "e" => escape, "escape" => escape, "safe" => safe,
    }
}

/// How many numbers a `range` may have.
const RANGE_MAX: u64 = 100_000;

fn range(lower: i64, upper: Option<i64>, step: Option<i64>) -> Result<Value, Error> {
    let (from, to) = upper.map_or((0, lower), |upper| (lower, upper));
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(wrong("a range with a step of 0 has no end"));
    }
    let distance = if (step > 0) == (from < to) { from.abs_diff(to) } else { 0 };
    if distance / step.unsigned_abs() > RANGE_MAX {
        return Err(limit(format!("a range has more than {RANGE_MAX} numbers")));
    }
    let narrow = |number: i64| isize::try_from(number).map_err(|_| wrong("number out of range"));
    functions::range(narrow(from)?, Some(narrow(to)?), Some(narrow(step)?))
}

/// Names of all filters.
pub(super) fn filter_names() -> Vec<&'static str> {
    names(Kind::Filter)
}

/// Names of all tests.
pub(super) fn test_names() -> Vec<&'static str> {
    names(Kind::Test)
}

fn names(kind: Kind) -> Vec<&'static str> {
    let entries = reference().filter(|entry| entry.kind == kind);
    entries
        .flat_map(|entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied()))
        .collect()
}

#[cfg(test)]
mod tests;
