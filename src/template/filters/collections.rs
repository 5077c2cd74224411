//! Filters on lists and mappings.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use minijinja::value::{Kwargs, Rest, ValueKind, ValueOrKwargs};
use minijinja::{Environment, Error, Value};

use super::super::limits::limit;
use super::{add, wrong};

/// The most pieces that `batch` and `slice` make, or fill up to.
const PIECES_MAX: usize = 10_000;

pub(super) fn install(environment: &mut Environment<'static>) {
    add(environment, "dict2items", dict_to_items);
    add(environment, "items2dict", items_to_dict);
    add(environment, "combine", combine);
    add(environment, "union", |a: Value, b: Value| set_of(&a, &b, Set::Union));
    add(environment, "intersect", |a: Value, b: Value| set_of(&a, &b, Set::Intersection));
    add(environment, "difference", |a: Value, b: Value| set_of(&a, &b, Set::Difference));
    add(environment, "symmetric_difference", |a: Value, b: Value| set_of(&a, &b, Set::Either));
    add(environment, "flatten", flatten);
    add(environment, "batch", batch);
    add(environment, "slice", slice);
    environment.add_test("contains", |list: Value, item: Value| contains(&list, &item));
    for name in ["subset", "issubset"] {
        environment.add_test(name, |a: Value, b: Value| is_within(&a, &b));
    }
    for name in ["superset", "issuperset"] {
        environment.add_test(name, |a: Value, b: Value| is_within(&b, &a));
    }
}

fn mapping(value: &Value) -> Result<IndexMap<Value, Value>, Error> {
    if value.kind() != ValueKind::Map {
        return Err(wrong(format!("a mapping is needed here, not {}", value.kind())));
    }
    value.try_iter()?.map(|key| value.get_item(&key).map(|item| (key, item))).collect()
}

fn dict_to_items(value: Value, named: Kwargs) -> Result<Value, Error> {
    let key_name = named.get::<Option<String>>("key_name")?.unwrap_or_else(|| "key".to_owned());
    let value_name =
        named.get::<Option<String>>("value_name")?.unwrap_or_else(|| "value".to_owned());
    named.assert_all_used()?;
    let pair =
        |(key, item)| Value::from_pairs([(key_name.clone(), key), (value_name.clone(), item)]);
    Ok(mapping(&value)?.into_iter().map(pair).collect())
}

fn items_to_dict(value: Value, named: Kwargs) -> Result<Value, Error> {
    let key_name = named.get::<Option<String>>("key_name")?.unwrap_or_else(|| "key".to_owned());
    let value_name =
        named.get::<Option<String>>("value_name")?.unwrap_or_else(|| "value".to_owned());
    named.assert_all_used()?;
    let mut pairs = IndexMap::new();
    for item in value.try_iter()? {
        let (key, value) = (item.get_attr(&key_name)?, item.get_attr(&value_name)?);
        if key.is_undefined() || value.is_undefined() {
            return Err(wrong(format!("an item has no `{key_name}` or no `{value_name}`")));
        }
        pairs.insert(key, value);
    }
    Ok(Value::from_pairs(pairs))
}

fn combine(value: Value, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let (others, named) = match args.split_last() {
        Some((last, others)) if last.is_kwargs() => (others, Some(last.clone())),
        _ => (&args[..], None),
    };
    let recursive = match named {
        Some(named) => {
            let named = Kwargs::try_from(named)?;
            let recursive = named.get::<Option<bool>>("recursive")?.unwrap_or(false);
            named.assert_all_used()?;
            recursive
        }
        None => false,
    };
    others.iter().try_fold(value, |merged, other| merge(&merged, other, recursive))
}

fn merge(lower: &Value, upper: &Value, recursive: bool) -> Result<Value, Error> {
    let mut merged = mapping(lower)?;
    for (key, item) in mapping(upper)? {
        let item = match merged.get(&key) {
            Some(below)
                if recursive && below.kind() == ValueKind::Map && item.kind() == ValueKind::Map =>
            {
                merge(below, &item, true)?
            }
            _ => item,
        };
        merged.insert(key, item);
    }
    Ok(Value::from_pairs(merged))
}

#[derive(Clone, Copy)]
enum Set {
    Union,
    Intersection,
    Difference,
    Either,
}

fn items(value: &Value) -> Result<Vec<Value>, Error> {
    Ok(value.try_iter()?.collect())
}

/// In order of first appearance, each item once.
fn set_of(a: &Value, b: &Value, set: Set) -> Result<Value, Error> {
    let (a, b) = (items(a)?, items(b)?);
    let in_a: BTreeSet<Value> = a.iter().cloned().collect();
    let in_b: BTreeSet<Value> = b.iter().cloned().collect();
    let mut seen = BTreeSet::new();
    Ok(a.into_iter()
        .chain(b)
        .filter(|item| match set {
            Set::Union => true,
            Set::Intersection => in_a.contains(item) && in_b.contains(item),
            Set::Difference => !in_b.contains(item),
            Set::Either => in_a.contains(item) != in_b.contains(item),
        })
        .filter(|item| seen.insert(item.clone()))
        .collect())
}

fn is_within(a: &Value, b: &Value) -> Result<bool, Error> {
    let b: BTreeSet<Value> = items(b)?.into_iter().collect();
    Ok(items(a)?.iter().all(|item| b.contains(item)))
}

fn contains(list: &Value, item: &Value) -> Result<bool, Error> {
    match (list.as_str(), item.as_str()) {
        (Some(text), Some(part)) => Ok(text.contains(part)),
        (Some(_), None) => Ok(false),
        (None, _) => Ok(list.try_iter()?.any(|other| other == *item)),
    }
}

fn flatten(value: Value, levels: Option<usize>) -> Result<Value, Error> {
    let mut out = Vec::new();
    flatten_into(&value, levels.unwrap_or(usize::MAX), &mut out)?;
    Ok(out.into())
}

fn flatten_into(value: &Value, levels: usize, out: &mut Vec<Value>) -> Result<(), Error> {
    for item in value.try_iter()? {
        let is_list = matches!(item.kind(), ValueKind::Seq | ValueKind::Iterable);
        match levels.checked_sub(1) {
            Some(levels) if is_list => flatten_into(&item, levels, out)?,
            _ => out.push(item),
        }
    }
    Ok(())
}

fn pieces(count: usize) -> Result<usize, Error> {
    match count {
        0 => Err(wrong("0 pieces cannot be made")),
        _ if count > PIECES_MAX => Err(limit(format!("at most {PIECES_MAX} pieces are made"))),
        _ => Ok(count),
    }
}

fn batch(value: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    let count = pieces(count)?;
    let items = items(&value)?;
    Ok(items
        .chunks(count)
        .map(|chunk| {
            let missing = fill.iter().cycle().take(count - chunk.len()).cloned();
            chunk.iter().cloned().chain(missing).collect::<Value>()
        })
        .collect())
}

fn slice(value: Value, count: usize, fill: Option<Value>) -> Result<Value, Error> {
    let count = pieces(count)?;
    let items = items(&value)?;
    let (size, longer) = (items.len() / count, items.len() % count);
    let mut from = 0;
    Ok((0..count)
        .map(|index| {
            let length = size + usize::from(index < longer);
            let part = &items[from..from + length];
            from += length;
            let is_short = longer > 0 && index >= longer;
            let missing = fill.iter().filter(|_| is_short).cloned();
            part.iter().cloned().chain(missing).collect::<Value>()
        })
        .collect())
}
