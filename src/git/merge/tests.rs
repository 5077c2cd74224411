use std::fs;

use super::super::fixture::Fixture;
use super::*;
use crate::files::Files as _;

/// A commit with two files, from which `main` and `topic` have gone on.
fn parted(main: &[(&str, &str)], topic: &[(&str, &str)]) -> (Fixture, Commit, Commit) {
    let fixture = Fixture::new();
    let from = fixture.commit("main", &[("s/a", "1\n2\n3\n4\n5\n6\n"), ("s/b", "b\n")]);
    fixture.point("refs/heads/topic", from);
    fixture.commit("main", main);
    fixture.commit("topic", topic);
    let (main, topic) = (fixture.resolve("main"), fixture.resolve("topic"));
    (fixture, main, topic)
}

fn merge(fixture: &Fixture, base: &Commit, head: &Commit) -> Merge {
    fixture.open().merge(base, head).expect("a repository")
}

fn content(files: &super::super::CommitFiles, path: &str) -> Option<String> {
    let file = files.read(path).expect("readable")?;
    Some(String::from_utf8_lossy(&file.content).into_owned())
}

/// All files below a folder.
fn stored(folder: &std::path::Path) -> usize {
    let entries = fs::read_dir(folder).expect("a folder");
    entries
        .map(|entry| entry.expect("an entry").path())
        .map(|path| if path.is_dir() { stored(&path) } else { 1 })
        .sum()
}

#[test]
fn a_merge_has_what_both_have_changed_and_nothing_is_written() {
    let (fixture, main, topic) = parted(
        &[("s/a", "1\n2\n3\n4\n5\nsix\n"), ("s/b", "b\n"), ("new/c", "c\n")],
        &[("s/a", "one\n2\n3\n4\n5\n6\n"), ("d", "d\n")],
    );
    let before = stored(&fixture.dir().join(".git"));
    let Merge::Merged { commit, repository } = merge(&fixture, &main, &topic) else {
        panic!("no merge")
    };
    assert_eq!(commit.id, topic.id, "the head keeps its name");
    let handle = repository.reopen().expect("a handle");
    let files = handle.files(&commit).expect("files").reopen().expect("another reader");
    assert_eq!(content(&files, "s/a").as_deref(), Some("one\n2\n3\n4\n5\nsix\n"));
    assert_eq!(content(&files, "new/c").as_deref(), Some("c\n"));
    assert_eq!(content(&files, "d").as_deref(), Some("d\n"));
    assert_eq!(content(&files, "s/b"), None, "the head has removed it");
    assert_eq!(stored(&fixture.dir().join(".git")), before);
}

#[test]
fn one_line_that_both_have_changed_is_a_conflict() {
    let (fixture, main, topic) = parted(
        &[("s/a", "1\n2\n3\n4\n5\nmine\n"), ("s/b", "b\n")],
        &[("s/a", "1\n2\n3\n4\n5\nyours\n"), ("s/b", "b\n")],
    );
    let Merge::Conflicts { files, ancestor } = merge(&fixture, &main, &topic) else {
        panic!("no conflict")
    };
    assert_eq!(files, ["s/a"]);
    assert_eq!(ancestor.id, fixture.resolve("main~1").id);
}

#[test]
fn a_head_that_has_all_of_the_base_is_taken_as_it_is() {
    let (fixture, main, _) = parted(&[("a", "1")], &[("b", "1")]);
    let first = fixture.resolve("main~1");
    assert!(matches!(merge(&fixture, &first, &main), Merge::Forward));
    assert!(matches!(merge(&fixture, &main, &main), Merge::Forward));
}

#[test]
fn a_base_that_has_all_of_the_head_stays_as_it_is() {
    let (fixture, main, _) = parted(&[("a", "1")], &[("b", "1")]);
    let first = fixture.resolve("main~1");
    let Merge::Merged { commit, .. } = merge(&fixture, &main, &first) else { panic!("no merge") };
    assert_eq!((commit.id, commit.tree), (first.id, main.tree));
}

#[test]
fn histories_that_never_met_cannot_be_merged() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("a", "1")]);
    fixture.commit("other", &[("b", "1")]);
    let (main, other) = (fixture.resolve("main"), fixture.resolve("other"));
    let Merge::Unknown { is_shallow, ancestor } = merge(&fixture, &main, &other) else {
        panic!("a merge")
    };
    assert!(!is_shallow && ancestor.is_none());
}

#[test]
fn history_that_was_cut_off_is_told_from_one_that_is_enough() {
    let (fixture, main, topic) = parted(&[("a", "1")], &[("b", "1")]);
    let shallow = format!("{}\n{}\n", main.id, fixture.resolve("topic").id);
    // The commit before them is gone, as in a clone with a depth of one.
    let first = fixture.resolve("main~1").id.to_string();
    fs::write(fixture.dir().join(".git/shallow"), shallow).expect("a file");
    fs::remove_file(fixture.dir().join(format!(".git/objects/{}/{}", &first[..2], &first[2..])))
        .expect("an object");
    let Merge::Unknown { is_shallow, ancestor } = merge(&fixture, &main, &topic) else {
        panic!("a merge")
    };
    assert!(is_shallow && ancestor.is_none());
    fixture.commit("main", &[("a", "2")]);
    let newer = fixture.resolve("main");
    assert!(matches!(merge(&fixture, &main, &newer), Merge::Forward));
}
