//! The real program in a simulated world, session by session: `fixtures/scripts/*.txt` hold what is
//! typed and all that comes back.
//!
//! `UPDATE_SCRIPTS=1` writes what comes back into the files. A line begins with `#` (a remark), `$`
//! (a command), `|` (a line of the file that the command writes); below it two spaces (standard
//! output), `!` (standard error), `?` (an exit code other than 0).
//!
//! Commands beside `gitdeploy`, which may have variables before it (`NAME=VALUE gitdeploy …`):
//! `use FOLDER` takes a repository of `fixtures/scripts/` and commits it, `write FILE`, `remove
//! FILE`, `replace FILE OLD NEW`, `commit MESSAGE`; `cat FILE`; and `world …`, which does something
//! to the hosts by hand (see `scripts/hands.rs`).
#![cfg(debug_assertions)]

mod hands;

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use super::environment::{Repo, run_in};

/// Sessions that there are at least: an empty folder proves nothing.
const LEAST: usize = 25;

/// One session while it goes on.
struct Session {
    repo: Repo,
    /// What goes wrong in the next call.
    faults: String,
    /// Variables of the next call.
    variables: Vec<(String, String)>,
}

/// What a command said.
#[derive(Default)]
struct Said {
    stdout: String,
    stderr: String,
    code: i32,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/scripts")
}

#[test]
fn every_session_goes_as_it_is_written() {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|it| it == "txt"))
        .collect();
    files.sort();
    assert!(files.len() >= LEAST, "{} sessions", files.len());
    let is_update = std::env::var_os("UPDATE_SCRIPTS").is_some();
    let half = files.len().div_ceil(2);
    let wrong = std::thread::scope(|scope| {
        let parts = files.chunks(half);
        let threads = parts.map(|part| scope.spawn(move || tried(part, is_update)));
        let threads: Vec<_> = threads.collect();
        threads.into_iter().flat_map(|it| it.join().expect("a session")).collect::<Vec<_>>()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Plays sessions, and says where they do not go as they are written.
fn tried(files: &[PathBuf], is_update: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for file in files {
        let written = fs::read_to_string(file).expect("a session");
        let played = played(&written);
        if played == written {
            continue;
        }
        if is_update {
            fs::write(file, &played).expect("a file");
            continue;
        }
        let number = written.lines().zip(played.lines()).take_while(|(a, b)| a == b).count();
        let line = |text: &str| text.lines().nth(number).unwrap_or("(the end)").to_owned();
        wrong.push(format!(
            "{}:{}\n  written: {}\n  played:  {}\n{played}",
            file.display(),
            number + 1,
            line(&written),
            line(&played)
        ));
    }
    wrong
}

/// The session as it goes now.
fn played(written: &str) -> String {
    let mut session = Session { repo: Repo::new(), faults: String::new(), variables: Vec::new() };
    fs::write(session.world(), "").expect("a world");
    let mut page = String::new();
    let mut lines = written.lines().peekable();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            writeln!(page, "{line}").expect("text");
            // Other empty lines are of what comes back.
            while lines.next_if(|line| line.is_empty()).is_some() {
                writeln!(page).expect("text");
            }
        }
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut file = String::new();
        writeln!(page, "{line}").expect("text");
        while let Some(text) = lines.next_if(|line| line.starts_with('|')) {
            writeln!(page, "{text}").expect("text");
            let text = text.strip_prefix("| ").unwrap_or_default();
            writeln!(file, "{text}").expect("text");
        }
        let said = session.command(command, &file);
        page += &shown(&said);
    }
    page
}

fn shown(said: &Said) -> String {
    let mut page = String::new();
    let mut add = |prefix: &str, text: &str| {
        for line in text.lines() {
            writeln!(page, "{}", format!("{prefix} {line}").trim_end()).expect("text");
        }
    };
    add(" ", &said.stdout);
    add("!", &said.stderr);
    if said.code != 0 {
        add("?", &said.code.to_string());
    }
    page
}

/// The shop, in a simulated world beside it that nothing is deployed in yet.
pub(crate) fn shop() -> Repo {
    let session = Session { repo: Repo::new(), faults: String::new(), variables: Vec::new() };
    fs::write(session.world(), "").expect("a world");
    session.take("shop");
    session.repo
}

impl Session {
    fn world(&self) -> PathBuf {
        self.repo.path().parent().expect("a folder").join("world.json")
    }

    fn command(&mut self, line: &str, file: &str) -> Said {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let given = words.iter().map_while(|word| word.split_once('='));
        self.variables = given.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        match &words[self.variables.len()..] {
            ["gitdeploy", arguments @ .., ">/dev/null"] => {
                return Said { stdout: String::new(), ..self.gitdeploy(arguments) };
            }
            ["gitdeploy", arguments @ ..] => return self.gitdeploy(arguments),
            ["use", name] => self.take(name),
            ["write", path] => self.repo.write(path, file),
            ["remove", path] => fs::remove_file(self.repo.path().join(path)).expect("a file"),
            ["replace", path, old, new] => {
                let text = fs::read_to_string(self.repo.path().join(path)).expect("a file");
                assert!(text.contains(old), "{line}: {text}");
                self.repo.write(path, text.replace(old, new));
            }
            ["commit", message] => drop(self.repo.commit_as(message)),
            ["cat", path] => {
                let stdout = fs::read_to_string(self.repo.path().join(path)).expect("a file");
                return Said { stdout, ..Said::default() };
            }
            ["world", "fault", faults @ ..] => self.faults = faults.join(" "),
            ["world", order @ ..] => {
                let stdout = hands::change(&self.world(), order);
                return Said { stdout, ..Said::default() };
            }
            _ => panic!("`{line}` is no command"),
        }
        Said::default()
    }

    fn take(&self, name: &str) {
        let from = folder().join(name);
        let mut folders = vec![from.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let below = path.strip_prefix(&from).expect("below it");
                let text = fs::read_to_string(&path).expect("a file");
                self.repo.write(below.to_str().expect("text"), text);
            }
        }
        hands::change(&self.world(), &["begin"]);
        self.repo.commit_as("Shop 1");
    }

    fn gitdeploy(&mut self, arguments: &[&str]) -> Said {
        let faults = std::mem::take(&mut self.faults);
        let variables = [
            ("GITDEPLOY_SIMULATED_WORLD", "../world.json"),
            ("GITDEPLOY_SIMULATED_FAULTS", &faults),
            ("USER", "ann"),
            ("HOSTNAME", "desk"),
        ];
        let own = self.variables.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<(&str, &str)> = variables.into_iter().chain(own).collect();
        let run = run_in(&self.repo.path(), arguments, &variables, "");
        let folder = self.repo.path();
        let folder = folder.to_str().expect("text");
        Said {
            stdout: without_accidents(&run.stdout, folder),
            stderr: without_note(&without_accidents(&run.stderr, folder)),
            code: run.code,
        }
    }
}

/// What differs from run to run: the folder, the number of the process, the time of an event.
fn without_accidents(text: &str, folder: &str) -> String {
    let text = text.replace(folder, "FOLDER");
    let process = Regex::new(r"process \d+").expect("an expression");
    let time = Regex::new(r#""@timestamp":"[^"]*""#).expect("an expression");
    let text = process.replace_all(&text, "process 1");
    time.replace_all(&text, r#""@timestamp":"NOW""#).into_owned()
}

/// Every call says that it is simulated; in a session that is known.
fn without_note(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.starts_with("simulated: ../world.json stands"));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The words of a command; quotes keep spaces together, `\"` and `\n` stand for what they mean.
fn words(line: &str) -> Vec<String> {
    let word = Regex::new(r#""((?:[^"\\]|\\.)*)"|(\S+)"#).expect("an expression");
    let words = word.captures_iter(line).map(|it| it.get(1).or(it.get(2)).expect("a word"));
    words.map(|word| word.as_str().replace("\\n", "\n").replace("\\\"", "\"")).collect()
}

#[test]
fn a_command_says_that_its_world_is_simulated() {
    let mut session = Session { repo: Repo::new(), faults: String::new(), variables: Vec::new() };
    fs::write(session.world(), "").expect("a world");
    session.command("use shop", "");
    let variables = [("GITDEPLOY_SIMULATED_WORLD", "../world.json")];
    let run = run_in(&session.repo.path(), &["status"], &variables, "");
    assert!(run.stderr.contains("nothing real is asked or changed"), "{}", run.stderr);
}

#[test]
fn a_world_that_is_not_there_is_no_reason_to_ask_real_hosts() {
    let repo = Repo::new();
    let run = repo.run_with(&["status"], &[("GITDEPLOY_SIMULATED_WORLD", "nowhere.json")]);
    assert_eq!(run.code, 1, "{}", run.stdout);
    assert!(run.stderr.contains("could not read the world of"), "{}", run.stderr);
}
