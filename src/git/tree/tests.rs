use git2::FileMode;

use super::super::fixture::Fixture;
use super::*;

fn files(fixture: &Fixture) -> CommitFiles {
    let repository = fixture.open();
    let commit = repository.resolve("main").expect("a commit");
    repository.files(&commit).expect("readable")
}

fn text(files: &CommitFiles, path: &str) -> Option<String> {
    let file = files.read(path).expect("readable")?;
    Some(String::from_utf8_lossy(&file.content).into_owned())
}

fn refusal(files: &CommitFiles, path: &str) -> String {
    files.read(path).expect_err("refused").to_string()
}

#[test]
fn files_are_read_from_the_commit_and_not_from_the_work_tree() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("stacks/shop/compose.yaml", "committed"), ("top", "1")]);
    fixture.write("stacks/shop/compose.yaml", "changed since");
    let files = files(&fixture);
    assert_eq!(text(&files, "stacks/shop/compose.yaml").as_deref(), Some("committed"));
    assert_eq!(text(&files, "stacks/shop/none.yaml"), None);
    assert_eq!(text(&files, "top/below"), None);
    assert_eq!(text(&files, "no/where/at/all"), None);
    assert!(files.is_file("top").expect("readable"));
    assert!(!files.is_file("stacks").expect("readable"));
}

#[test]
fn directories_are_listed_in_order() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("b.yaml", "1"), ("b/x", "1"), ("a", "1")]);
    let files = files(&fixture);
    let entries = files.list("").expect("readable").expect("there");
    let shown: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    assert_eq!(
        shown,
        [("a", EntryKind::File), ("b", EntryKind::Directory), ("b.yaml", EntryKind::File)]
    );
    assert!(files.list("nope").expect("readable").is_none());
    assert!(files.list("a").expect("readable").is_none());
}

#[test]
fn a_directory_is_not_read_as_a_file() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("dir/x", "1")]);
    assert_eq!(refusal(&files(&fixture), "dir"), "`dir` is a directory, not a file");
}

#[test]
fn links_are_refused_by_name_wherever_they_stand() {
    let fixture = Fixture::new();
    let (file, up) = (fixture.blob("x"), fixture.blob("../../etc"));
    fixture.commit_entries(
        "main",
        &[("dir/link", up, FileMode::Link), ("dir/file", file, FileMode::Blob)],
    );
    let files = files(&fixture);
    for path in ["dir/link", "dir/link/passwd", "dir/link/a/b"] {
        assert!(refusal(&files, path).starts_with("`dir/link` is a symbolic link"));
        assert!(matches!(files.list(path), Err(FileError::Symlink { .. })));
        assert!(matches!(files.is_file(path), Err(FileError::Symlink { .. })));
        assert!(matches!(files.fingerprint(path), Err(FileError::Symlink { .. })));
    }
    let entries = files.list("dir").expect("readable").expect("there");
    assert_eq!(entries[1].kind, EntryKind::Refused(Refusal::Symlink));
}

#[test]
fn submodules_are_refused_by_name() {
    let fixture = Fixture::new();
    let elsewhere = Oid::from_str(&"1".repeat(40)).expect("an id");
    fixture.commit_entries("main", &[("lib/sub", elsewhere, FileMode::Commit)]);
    let files = files(&fixture);
    assert!(refusal(&files, "lib/sub/x").starts_with("`lib/sub` lies in a submodule"));
}

#[test]
fn paths_that_leave_the_commit_are_refused() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("a/b", "1")]);
    let files = files(&fixture);
    for path in ["../x", "a/../../x", "/etc/passwd", "a/../a/b", ".."] {
        assert!(matches!(files.read(path), Err(FileError::Outside { .. })), "{path}");
    }
    assert_eq!(text(&files, "./a//b").as_deref(), Some("1"));
}

#[test]
fn names_that_are_not_utf8_are_refused_by_the_directory_that_has_them() {
    let fixture = Fixture::new();
    let id = fixture.blob("x");
    fixture.commit_raw("main", &[("100644", b"b\xff\xfe", id), ("100644", b"good", id)]);
    let files = files(&fixture);
    let error = files.list("").expect_err("refused").to_string();
    assert_eq!(error, r"a name in `` is not UTF-8: b\xff\xfe");
    assert_eq!(text(&files, "good").as_deref(), Some("x"));
}

#[test]
fn names_that_git_would_never_write_lead_nowhere() {
    let fixture = Fixture::new();
    let id = fixture.blob("x");
    fixture.commit_raw(
        "main",
        &[("100644", b"..", id), ("100644", b"a/b", id), ("100644", b".git", id)],
    );
    let files = files(&fixture);
    assert!(matches!(files.read(".."), Err(FileError::Outside { .. })));
    assert_eq!(text(&files, "a/b"), None);
    let entries = files.list("").expect("readable").expect("there");
    let odd = entries.iter().filter(|entry| entry.kind == EntryKind::Refused(Refusal::Special));
    assert_eq!(odd.count(), 2);
}

#[test]
fn a_file_that_is_too_large_is_refused_by_name_and_size() {
    let fixture = Fixture::new();
    let limit = usize::try_from(FILE_SIZE_MAX).expect("it fits");
    let (large, allowed) = (fixture.blob(vec![0; limit + 1]), fixture.blob(vec![0; limit]));
    fixture.commit_entries(
        "main",
        &[("large", large, FileMode::Blob), ("allowed", allowed, FileMode::Blob)],
    );
    let files = files(&fixture);
    assert_eq!(refusal(&files, "large"), "`large` has 16777217 bytes; at most 16777216 are read");
    assert!(files.read("allowed").is_ok());
}

#[test]
fn a_pointer_of_git_lfs_is_refused() {
    let fixture = Fixture::new();
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n";
    fixture.commit("main", &[("dump.sql", pointer)]);
    insta::assert_snapshot!(refusal(&files(&fixture), "dump.sql"), @"`dump.sql` is a Git LFS pointer; only files whose content is in Git itself are read");
}

#[test]
fn a_tree_that_names_a_lost_object_is_an_error() {
    let fixture = Fixture::new();
    let lost = Oid::from_str(&"2".repeat(40)).expect("an id");
    let good = fixture.blob("x");
    fixture.commit_raw(
        "main",
        &[("40000", b"dir", lost), ("100644", b"file", lost), ("100644", b"good", good)],
    );
    let files = files(&fixture);
    assert!(matches!(files.read("file"), Err(FileError::Io { .. })));
    assert!(matches!(files.list("dir"), Err(FileError::Io { .. })));
    assert_eq!(text(&files, "good").as_deref(), Some("x"));
}

#[test]
fn an_object_of_another_kind_than_its_mode_says_is_an_error() {
    let fixture = Fixture::new();
    let file = fixture.blob("x");
    let commit = fixture.commit("other", &[("a", "1")]);
    fixture.commit_raw("main", &[("40000", b"dir", file), ("100644", b"file", commit)]);
    let files = files(&fixture);
    assert!(matches!(files.read("dir/x"), Err(FileError::Io { .. })));
    assert!(matches!(files.read("file"), Err(FileError::Io { .. })));
}

#[test]
fn fingerprints_follow_the_content_and_not_the_commit() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("a/x", "1"), ("b/x", "1"), ("c", "1")]);
    let before = files(&fixture);
    fixture.commit("main", &[("a/x", "1"), ("b/x", "2"), ("c", "1")]);
    let after = files(&fixture);
    let same = |path| {
        let (then, now) = (before.fingerprint(path), after.fingerprint(path));
        then.expect("readable") == now.expect("readable")
    };
    assert!(same("a") && same("a/x") && same("c") && same("none"));
    assert!(!same("b") && !same("b/x") && !same(""));
    assert_eq!(before.fingerprint("none").expect("readable"), None);
}

#[test]
fn several_threads_read_one_commit() {
    let fixture = Fixture::new();
    fixture.commit("main", &[("a/x", "1"), ("b/x", "2")]);
    let first = files(&fixture);
    let second = first.reopen().expect("readable");
    let read =
        |files: CommitFiles, path: &'static str| std::thread::spawn(move || text(&files, path));
    let (a, b) = (read(first, "a/x"), read(second, "b/x"));
    assert_eq!(a.join().expect("no panic").as_deref(), Some("1"));
    assert_eq!(b.join().expect("no panic").as_deref(), Some("2"));
}

#[test]
fn a_thousand_folders_are_parsed_once_each() {
    let fixture = Fixture::new();
    let paths: Vec<String> = (0..1000).map(|n| format!("stacks/s{n}/compose.yaml")).collect();
    let entries: Vec<_> = paths.iter().map(|path| (path.as_str(), "services: {}")).collect();
    fixture.commit("main", &entries);
    let files = files(&fixture);
    for _ in 0..3 {
        for path in &paths {
            assert!(files.is_file(path).expect("readable"));
        }
    }
    assert_eq!(files.listings.borrow().len(), 1002);
}
