//! Generated parts of `docs/` are what the program says; examples in it work.
//!
//! `make docs` writes the generated parts anew.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use gitdeploy::cli::command_reference;
use gitdeploy::settings::shapes;
use gitdeploy::shape::{Record, reference};
use gitdeploy::template;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Compares the part of a page between its two markers with `fresh`, or writes it.
fn generated(page: &str, part: &str, fresh: &str) {
    let path = root().join("docs").join(page);
    let text = fs::read_to_string(&path).expect("the page is there");
    let (open, close) = (format!("<!-- begin {part} -->\n"), format!("<!-- end {part} -->"));
    let start = text.find(&open).expect("the part begins") + open.len();
    let end = start + text[start..].find(&close).expect("the part ends");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let page = format!("{}{fresh}{}", &text[..start], &text[end..]);
        fs::write(&path, page).expect("the page can be written");
        return;
    }
    assert!(text[start..end] == *fresh, "docs/{page} ({part}) is old: run `make docs`");
}

#[test]
fn the_reference_of_files_is_up_to_date() {
    let parts: [(&str, &'static Record); 3] = [
        ("gitdeploy.yaml", &shapes::SETTINGS),
        ("inventory.yaml", &shapes::INVENTORY),
        ("x-gitdeploy", &shapes::EXTENSION),
    ];
    for (part, record) in parts {
        generated("reference.md", part, &reference(record));
    }
}

#[test]
fn the_reference_of_templates_is_up_to_date() {
    let mut table =
        String::from("| name | use | meaning | example | gives |\n|---|---|---|---|---|\n");
    for entry in template::reference() {
        let cell = |text: &str| text.replace('|', "\\|").replace('\n', "⏎");
        let names: Vec<String> =
            [entry.name].iter().chain(entry.aliases).map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            table,
            "| {} | `{}` | {} | `{}` | `{}` |",
            names.join(", "),
            cell(entry.signature),
            cell(entry.text),
            cell(entry.example),
            cell(entry.result)
        );
    }
    generated("reference.md", "templates", &table);
}

#[test]
fn the_reference_of_commands_is_up_to_date() {
    generated("reference.md", "commands", &command_reference());
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut wrong = Vec::new();
    let mut pages = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        pages.push(entry.expect("an entry").path());
    }
    for page in pages.iter().filter(|page| page.extension().is_some_and(|e| e == "md")) {
        let text = fs::read_to_string(page).expect("text");
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            if !page.parent().expect("a folder").join(target).exists() {
                wrong.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
