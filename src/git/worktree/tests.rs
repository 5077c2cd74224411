use super::super::fixture::Fixture;
use super::*;

fn files(fixture: &Fixture) -> WorktreeFiles {
    fixture.open().worktree().expect("a work tree")
}

fn text(files: &WorktreeFiles, path: &str) -> Option<String> {
    let file = files.read(path).expect("readable")?;
    Some(String::from_utf8_lossy(&file.content).into_owned())
}

fn listed(files: &WorktreeFiles, path: &str) -> Vec<String> {
    let entries = files.list(path).expect("readable").expect("there");
    entries.into_iter().map(|entry| entry.name).collect()
}

#[test]
fn untracked_files_are_there_and_ignored_ones_are_not() {
    let fixture = Fixture::new();
    fixture.write(".gitignore", "*.log\nbuild/\n.env\n!keep.log\n");
    fixture.write("new.yaml", "untracked");
    fixture.write("a.log", "ignored");
    fixture.write("keep.log", "not ignored");
    fixture.write("dir/b.log", "ignored");
    fixture.write("dir/.env", "ignored");
    fixture.write("dir/c.yaml", "untracked");
    fixture.write("build/out.yaml", "ignored");
    let files = files(&fixture);
    assert_eq!(listed(&files, ""), [".gitignore", "dir", "keep.log", "new.yaml"]);
    assert_eq!(listed(&files, "dir"), ["c.yaml"]);
    assert_eq!(text(&files, "new.yaml").as_deref(), Some("untracked"));
    for path in ["a.log", "dir/b.log", "dir/.env", "build/out.yaml"] {
        assert_eq!(text(&files, path), None, "{path}");
    }
    assert!(files.list("build").expect("readable").is_none());
}

#[test]
fn a_tracked_file_is_there_although_it_is_ignored() {
    let fixture = Fixture::new();
    fixture.write("build/kept.yaml", "tracked");
    fixture.write("build/other.yaml", "ignored");
    fixture.stage("build/kept.yaml");
    fixture.write(".gitignore", "build/\n");
    let files = files(&fixture);
    assert_eq!(listed(&files, ""), [".gitignore", "build"]);
    assert_eq!(listed(&files, "build"), ["kept.yaml"]);
    assert_eq!(text(&files, "build/kept.yaml").as_deref(), Some("tracked"));
    assert_eq!(text(&files, "build/other.yaml"), None);
}

#[test]
fn the_repository_itself_is_invisible() {
    let fixture = Fixture::new();
    fixture.write("a", "1");
    let files = files(&fixture);
    assert_eq!(listed(&files, ""), ["a"]);
    assert_eq!(text(&files, ".git/config"), None);
    assert_eq!(text(&files, ".GIT/config"), None);
}

#[cfg(unix)]
#[test]
fn links_are_refused_by_name_wherever_they_lead() {
    let fixture = Fixture::new();
    fixture.write("dir/real", "1");
    let link = |to: &str, name: &str| {
        std::os::unix::fs::symlink(to, fixture.dir().join(name)).expect("a link");
    };
    link("real", "dir/link");
    link("/etc", "etc");
    link("nowhere", "dangling");
    let files = files(&fixture);
    for (path, name) in [("dir/link", "dir/link"), ("etc/passwd", "etc"), ("dangling", "dangling")]
    {
        let error = files.read(path).expect_err("refused").to_string();
        assert!(error.starts_with(&format!("`{name}` is a symbolic link")), "{error}");
    }
    let entries = files.list("").expect("readable").expect("there");
    let refused = entries.iter().filter(|e| e.kind == EntryKind::Refused(Refusal::Symlink));
    assert_eq!(refused.count(), 2);
    assert!(files.fingerprint("").is_ok());
}

#[test]
fn repositories_inside_are_refused() {
    let fixture = Fixture::new();
    fixture.write("vendor/lib/x.yaml", "1");
    git2::Repository::init(fixture.dir().join("vendor/lib")).expect("a repository");
    let files = files(&fixture);
    assert!(matches!(
        files.read("vendor/lib/x.yaml"),
        Err(FileError::Submodule { path }) if path == "vendor/lib"
    ));
    let entries = files.list("vendor").expect("readable").expect("there");
    assert_eq!(entries[0].kind, EntryKind::Refused(Refusal::Submodule));
}

#[test]
fn paths_that_leave_the_work_tree_are_refused() {
    let fixture = Fixture::new();
    let files = files(&fixture);
    for path in ["../x", "/etc/passwd", "a/../../x"] {
        assert!(matches!(files.read(path), Err(FileError::Outside { .. })), "{path}");
    }
}

#[test]
fn a_file_that_is_too_large_is_refused_without_reading() {
    let fixture = Fixture::new();
    let place = fixture.write("large", "");
    fs::File::options()
        .write(true)
        .open(place)
        .and_then(|file| file.set_len(FILE_SIZE_MAX + 1))
        .expect("a sparse file");
    assert!(matches!(files(&fixture).read("large"), Err(FileError::TooLarge { .. })));
}

#[cfg(unix)]
#[test]
fn a_socket_is_refused_as_something_special() {
    let fixture = Fixture::new();
    let _listener =
        std::os::unix::net::UnixListener::bind(fixture.dir().join("sock")).expect("a socket");
    assert!(matches!(files(&fixture).read("sock"), Err(FileError::Special { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_not_utf8_is_refused_by_its_directory() {
    use std::os::unix::ffi::OsStrExt;
    let fixture = Fixture::new();
    fixture.write("dir/good", "1");
    let name = std::ffi::OsStr::from_bytes(b"b\xff");
    fs::write(fixture.dir().join("dir").join(name), "x").expect("a file");
    let files = files(&fixture);
    let error = files.list("dir").expect_err("refused").to_string();
    assert_eq!(error, r"a name in `dir` is not UTF-8: b\xff");
    assert_eq!(text(&files, "dir/good").as_deref(), Some("1"));
}

#[test]
fn fingerprints_follow_what_is_visible() {
    let fixture = Fixture::new();
    fixture.write(".gitignore", "*.log\n");
    fixture.write("dir/a", "1");
    let files = files(&fixture);
    let first = files.fingerprint("dir").expect("readable");
    fixture.write("dir/x.log", "ignored");
    assert_eq!(files.fingerprint("dir").expect("readable"), first);
    fixture.write("dir/a", "2");
    assert_ne!(files.fingerprint("dir").expect("readable"), first);
    assert_eq!(files.fingerprint("none").expect("readable"), None);
}
