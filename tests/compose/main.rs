//! Conformance with Compose: what files mean, case by case.
//!
//! The archives beside this file hold small projects and what the reference implementation makes
//! of them (see [`archive`] for their form). Each archive is one test, which tells every case that
//! went another way. Places and words of refusals are this project's own; only that a case is
//! refused at all is the reference's doing.

mod archive;
mod corpus;
mod invocation;
mod loader;
mod verdict;

use archive::{Case, Expectation};

/// How many cases there are at least, so that none is lost without notice.
const CASES_MIN: usize = 1_335;

/// Declares one test per archive, and their list.
macro_rules! archives {
    ($($name:ident)*) => {
        const ARCHIVES: &[(&str, &str)] =
            &[$((stringify!($name), include_str!(concat!(stringify!($name), ".txt")))),*];

        $(#[test]
        fn $name() {
            check(include_str!(concat!(stringify!($name), ".txt")));
        })*
    };
}

archives! {
    anchors build configs_secrets consistency_errors depends_on deploy develop dotenv
    durations_sizes env_file environment extends extensions gpus_devices healthcheck hooks hostile
    include interpolation merge models_provider names networks ports profiles reset_override
    schema_errors service_scalars volumes yaml_syntax
}

/// Loads every case of `archive`; panics with all the complaints.
#[track_caller]
fn check(archive: &str) {
    let cases = archive::parse(archive).expect("the archive is well-formed");
    let complaints: Vec<String> = cases.iter().filter_map(complaint).collect();
    assert!(
        complaints.is_empty(),
        "\n{}\n{} of {} cases failed",
        complaints.join("\n"),
        complaints.len(),
        cases.len()
    );
}

fn complaint(case: &Case) -> Option<String> {
    let complaint = verdict::complaint(&case.expectation, &loader::load(case))?;
    Some(format!("=== {}\n{complaint}", case.title))
}

fn cases() -> Vec<Case> {
    ARCHIVES
        .iter()
        .flat_map(|(name, text)| {
            archive::parse(text).unwrap_or_else(|reason| panic!("{name}.txt: {reason}"))
        })
        .collect()
}

#[test]
fn no_case_has_vanished() {
    let found = cases().len();
    assert!(found >= CASES_MIN, "{found} cases are left of {CASES_MIN}");
}

#[test]
fn every_archive_is_tested() {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/compose");
    let mut on_disk: Vec<String> = std::fs::read_dir(directory)
        .expect("the archives lie beside this file")
        .filter_map(|entry| entry.expect("readable").file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".txt").map(str::to_owned))
        .collect();
    on_disk.sort();
    let tested: Vec<&str> = ARCHIVES.iter().map(|(name, _)| *name).collect();
    assert_eq!(on_disk, tested);
}

#[test]
fn titles_are_unique() {
    let mut titles: Vec<String> = cases().into_iter().map(|case| case.title).collect();
    titles.sort();
    for pair in titles.windows(2) {
        assert_ne!(pair[0], pair[1]);
    }
}

#[test]
fn refusals_point_into_files_of_their_case() {
    for case in cases() {
        let Expectation::Refusal { place, .. } = &case.expectation else { continue };
        if place == "-" {
            continue;
        }
        let (file, line) = place.rsplit_once(':').expect("FILE:LINE");
        let content = case.files.get(file).unwrap_or_else(|| panic!("{}: {file}", case.title));
        let lines = content.split(|byte| *byte == b'\n').count();
        let line: usize = line.parse().expect("a line number");
        assert!((1..=lines).contains(&line), "{}: {place}", case.title);
    }
}
