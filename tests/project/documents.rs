//! Generated parts of `docs/` are what the program says; examples in it work: commands parse with
//! the program's own parser, and files that a section shows are valid together.
//!
//! `make docs` writes the generated parts anew.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Parser as _;
use clap::error::ErrorKind;
use gitdeploy::cli::{Cli, Exit, command_reference};
use gitdeploy::diag::Sources;
use gitdeploy::files::Memory;
use gitdeploy::model::labels;
use gitdeploy::settings::{load_daemon, shapes};
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
    let parts: [(&str, &'static Record); 4] = [
        ("gitdeploy.yaml", &shapes::SETTINGS),
        ("inventory.yaml", &shapes::INVENTORY),
        ("x-gitdeploy", &shapes::EXTENSION),
        ("sync.yaml", &shapes::DAEMON),
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
    for (page, text) in pages() {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let target = link.split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            if !root().join(&page).parent().expect("a folder").join(target).exists() {
                wrong.push(format!("{page}: {link}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The pages that people read, with their text.
fn pages() -> Vec<(String, String)> {
    let mut paths = vec![root().join("README.md")];
    for entry in fs::read_dir(root().join("docs")).expect("docs") {
        paths.push(entry.expect("an entry").path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(root()).expect("below the root").display().to_string();
        (name, fs::read_to_string(path).expect("text"))
    };
    paths.iter().map(read).collect()
}

/// The code blocks of a page: the word behind the opening fence, and the text.
fn blocks(page: &str) -> Vec<(&str, &str)> {
    let fenced = page.split("\n```").skip(1).step_by(2);
    fenced.filter_map(|block| block.split_once('\n')).collect()
}

/// The commands of ours in a line of a shell, without what a shell does with them.
fn commands(line: &str) -> Vec<Vec<&str>> {
    let line = line.split(" #").next().unwrap_or(line);
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_end = |word: &&str| ["&&", "||", "|", ";", ">", "2>", "<"].contains(word);
    let parts = words.split(is_end);
    let ours = parts.filter_map(|part| {
        let start = part.iter().position(|word| *word == "gitdeploy")?;
        Some(part[start..].to_vec())
    });
    ours.collect()
}

/// Commands in blocks that people copy, and those named in a sentence as `gitdeploy …`.
fn all_commands(page: &str) -> Vec<Vec<&str>> {
    let is_copied = |kind: &str| ["console", "sh", "yaml"].contains(&kind);
    let copied = blocks(page).into_iter().filter(|(kind, _)| is_copied(kind));
    let lines = copied.flat_map(|(kind, block)| {
        let is_command = move |line: &&str| match kind {
            "console" => line.starts_with("$ "),
            "yaml" => !line.trim_start().starts_with('#') && line.contains("gitdeploy "),
            _ => true,
        };
        block.lines().filter(is_command)
    });
    let sentences =
        page.split('`').filter(|span| span.starts_with("gitdeploy ") && !span.contains('\n'));
    lines.chain(sentences).flat_map(commands).collect()
}

#[test]
fn commands_in_the_documents_exist_with_their_options() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (name, text) in pages() {
        for words in all_commands(&text) {
            count += 1;
            let Err(error) = Cli::try_parse_from(&words) else { continue };
            // A sentence may name a command without saying what for.
            let is_named = words.len() == 2 && error.kind() == ErrorKind::MissingRequiredArgument;
            if error.use_stderr() && !is_named {
                wrong.push(format!("{name}: `{}`: {}", words.join(" "), error.kind()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(count > 40, "only {count} commands were found");
}

#[test]
fn hints_name_commands_that_exist() {
    let mut wrong = Vec::new();
    let known = command_reference();
    for (path, text) in super::architecture::sources() {
        for rest in text.split("gitdeploy ").skip(1) {
            let name = rest.split(|c: char| !c.is_ascii_lowercase()).next().unwrap_or_default();
            let is_command = text.contains(&format!("`gitdeploy {name}"));
            if is_command && !name.is_empty() && !known.contains(&format!("### {name}\n")) {
                wrong.push(format!("{}: gitdeploy {name}", path.display()));
            }
        }
    }
    wrong.dedup();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The files that a section shows: blocks whose first line is `# path`.
fn files(section: &str) -> Vec<(&str, &str)> {
    let named = blocks(section).into_iter().filter_map(|(kind, block)| {
        let path = block.lines().next()?.strip_prefix("# ")?;
        (kind == "yaml" && path.ends_with(".yaml")).then_some((path, block))
    });
    named.collect()
}

#[test]
fn files_in_the_documents_are_valid_together() {
    let mut count = 0;
    for (name, text) in pages() {
        for section in text.split("\n## ") {
            let files = files(section);
            if files.is_empty() {
                continue;
            }
            let title = section.lines().next().unwrap_or_default();
            let folder = tempfile::tempdir().expect("a folder");
            let run = |program: &str, arguments: &[&str]| {
                let mut command = Command::new(program);
                command.current_dir(folder.path()).args(arguments);
                let output = command.output().expect("the program starts");
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(output.status.success(), "{name}, {title}: {said}");
                assert!(!said.contains("warning"), "{name}, {title}: {said}");
            };
            run("git", &["init", "-q"]);
            // A later file of the same name is another way to write it.
            let mut has_stack = false;
            for (path, block) in files {
                has_stack |= path.ends_with("compose.yaml");
                let path = folder.path().join(path);
                fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
                fs::write(path, block).expect("a file");
                count += 1;
                if has_stack {
                    run(env!("CARGO_BIN_EXE_gitdeploy"), &["validate", "--worktree"]);
                }
            }
        }
    }
    assert!(count > 7, "only {count} files were found");
}

#[test]
fn files_of_the_daemon_in_the_documents_are_valid() {
    let mut count = 0;
    for (name, text) in pages() {
        for (_, block) in files(&text).into_iter().filter(|(path, _)| *path == "sync.yaml") {
            count += 1;
            let files = Memory::new().with("sync.yaml", block);
            let (sources, mut problems) = (Sources::default(), Vec::new());
            let rules = load_daemon(&files, &sources, "sync.yaml", &mut problems);
            assert!(rules.is_some(), "{name}: {problems:?}");
        }
    }
    assert!(count > 0, "none was found");
}

#[test]
fn every_exit_code_is_explained() {
    let page = fs::read_to_string(root().join("docs/failures.md")).expect("text");
    let codes = [
        Exit::Done,
        Exit::Failed,
        Exit::Changes,
        Exit::Trouble,
        Exit::Stale,
        Exit::Locked,
        Exit::Refused,
        Exit::RolledBack,
        Exit::Partly,
        Exit::Unreachable,
        Exit::Unverified,
        Exit::Interrupted,
    ];
    for exit in codes {
        assert!(page.contains(&format!("\n| {} |", exit.code())), "{exit:?} is not explained");
    }
}

#[test]
fn every_label_is_explained() {
    let page = fs::read_to_string(root().join("docs/how-it-works.md")).expect("text");
    let more = [labels::RELEASE, labels::LEASE, labels::LEASE_HOLDER, labels::LEASE_PURPOSE];
    for label in labels::RESERVED.iter().chain(&more) {
        assert!(page.contains(&format!("`{label}`")), "{label} is not explained");
    }
}
