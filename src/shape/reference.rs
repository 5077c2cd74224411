//! A shape as a page of the reference.

use std::fmt::Write as _;

use super::{Record, Shape};

/// One table for `record` and one for each record below it, in Markdown.
pub fn reference(record: &'static Record) -> String {
    let mut page = String::new();
    let mut seen = vec![record.name];
    let mut queue = vec![record];
    while !queue.is_empty() {
        let record = queue.remove(0);
        table(record, &mut page);
        for field in record.fields {
            collect(&field.shape, &mut |found: &'static Record| {
                if !seen.contains(&found.name) {
                    seen.push(found.name);
                    queue.push(found);
                }
            });
        }
    }
    page
}

fn table(record: &Record, page: &mut String) {
    let _ = writeln!(page, "### {}\n\n| key | value | default | meaning |", record.name);
    let _ = writeln!(page, "|---|---|---|---|");
    for field in record.fields {
        let name = if field.required { format!("**{}**", field.name) } else { field.name.into() };
        let default = match field.default {
            "" => String::new(),
            default => format!("`{default}`"),
        };
        let value = words(&field.shape).replace('|', "\\|");
        let _ =
            writeln!(page, "| {name} | {value} | {default} | {} |", field.doc.replace('|', "\\|"));
    }
    page.push('\n');
}

/// The kind of value, with links to the tables of records.
fn words(shape: &Shape) -> String {
    let link = |record: &Record| {
        format!("[{}](#{})", record.name, record.name.to_lowercase().replace(' ', "-"))
    };
    match shape {
        Shape::Record(record) | Shape::Open(record) => link(record),
        Shape::List(list) => format!("list: {}", words(&list.item)),
        Shape::Map(of) => format!("mapping of names: {}", words(&of.value)),
        Shape::OneOf(shapes) => {
            let mut all: Vec<String> =
                shapes.iter().filter(|shape| !matches!(shape, Shape::Null)).map(words).collect();
            all.dedup();
            all.join(" or ")
        }
        other => other.words(),
    }
}

fn collect(shape: &Shape, found: &mut impl FnMut(&'static Record)) {
    match shape {
        Shape::Record(record) | Shape::Open(record) => found(record),
        Shape::List(list) => collect(&list.item, found),
        Shape::Map(of) => collect(&of.value, found),
        Shape::OneOf(shapes) => {
            for shape in *shapes {
                collect(shape, found);
            }
        }
        Shape::Any
        | Shape::Null
        | Shape::Bool
        | Shape::Int { .. }
        | Shape::Integral { .. }
        | Shape::Number
        | Shape::Str
        | Shape::Text(_)
        | Shape::Enum(_) => {}
    }
}
