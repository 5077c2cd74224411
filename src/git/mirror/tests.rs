//! Mirrors of repositories on this machine.

use tempfile::TempDir;

use super::super::fixture::Fixture;
use super::*;

/// A place for a mirror, and the repository it is of.
struct Scene {
    remote: Fixture,
    cache: TempDir,
    url: RemoteUrl,
}

impl Scene {
    fn new() -> Self {
        let remote = Fixture::bare();
        remote.commit("main", &[("a", "1")]);
        let url = address(&remote.dir().to_string_lossy());
        Self { remote, cache: tempfile::tempdir().expect("a folder"), url }
    }

    fn dir(&self) -> PathBuf {
        self.cache.path().join("repos/mirror")
    }

    fn update(&self) -> Result<Mirror, FetchError> {
        self.update_watched(&mut |_| {})
    }

    fn update_watched(
        &self,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<Mirror, FetchError> {
        let never = AtomicBool::new(false);
        Mirror::update(&self.url, &self.dir(), &Access::default(), &never, progress)
    }

    fn freshness(&self) -> Freshness {
        self.update().expect("a mirror").freshness()
    }

    fn resolved(&self, revision: &str) -> Option<String> {
        let commit = Mirror::stored(&self.dir()).expect("a mirror").resolve(revision).ok()?;
        Some(commit.id.to_string())
    }
}

fn address(text: &str) -> RemoteUrl {
    RemoteUrl::parse(text, Path::new("/")).expect("an address")
}

#[test]
fn a_first_update_clones_all_branches_and_tags() {
    let scene = Scene::new();
    let tip = scene.remote.commit("release/1", &[("a", "2")]);
    scene.remote.tag("v1", tip);
    assert_eq!(scene.freshness(), Freshness::Cloned);
    assert_eq!(scene.resolved("release/1"), Some(tip.to_string()));
    assert_eq!(scene.resolved("v1"), Some(tip.to_string()));
    let repository = Mirror::stored(&scene.dir()).expect("a mirror");
    let commit = repository.resolve("HEAD").expect("a commit");
    let files = repository.files(&commit).expect("readable");
    assert!(crate::files::Files::read(&files, "a").expect("readable").is_some());
    assert_eq!(repository.work_dir(), None);
}

#[test]
fn an_update_without_news_fetches_nothing() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let mut seen = Vec::new();
    let mirror = scene.update_watched(&mut |progress| seen.push(progress)).expect("a mirror");
    assert_eq!(mirror.freshness(), Freshness::Unchanged);
    assert_eq!(seen, [FetchProgress::Connecting]);
}

#[test]
fn an_update_brings_what_is_new() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let tip = scene.remote.commit("main", &[("a", "2")]);
    assert_eq!(scene.freshness(), Freshness::Updated { references: 1 });
    assert_eq!(scene.resolved("main"), Some(tip.to_string()));
    assert_eq!(scene.freshness(), Freshness::Unchanged);
}

#[test]
fn a_branch_that_was_pushed_by_force_is_followed() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let other = scene.remote.commit("other", &[("b", "1")]);
    scene.remote.point("refs/heads/main", other);
    scene.remote.point("refs/tags/moved", other);
    scene.update().expect("a mirror");
    assert_eq!(scene.resolved("main"), Some(other.to_string()));
}

#[test]
fn a_branch_that_was_deleted_is_gone() {
    let scene = Scene::new();
    scene.remote.commit("topic", &[("b", "1")]);
    scene.update().expect("a mirror");
    assert!(scene.resolved("topic").is_some());
    let mut branch = scene.remote.git.find_reference("refs/heads/topic").expect("a branch");
    branch.delete().expect("deleted");
    let below = scene.remote.commit("topic/one", &[("b", "2")]);
    assert_eq!(scene.freshness(), Freshness::Updated { references: 2 });
    assert_eq!(scene.resolved("topic"), None);
    assert_eq!(scene.resolved("topic/one"), Some(below.to_string()));
}

#[test]
fn the_default_branch_is_the_remotes() {
    let scene = Scene::new();
    let tip = scene.remote.commit("trunk", &[("a", "9")]);
    scene.remote.git.set_head("refs/heads/trunk").expect("a head");
    scene.update().expect("a mirror");
    assert_eq!(scene.resolved("HEAD"), Some(tip.to_string()));
}

#[test]
fn file_addresses_and_odd_paths_are_mirrored() {
    let mut scene = Scene::new();
    scene.url = address(&format!("file://{}", scene.remote.dir().display()));
    assert_eq!(scene.freshness(), Freshness::Cloned);
    let odd = scene.cache.path().join("odd: name %41");
    fs::rename(scene.remote.dir(), &odd).expect("renamed");
    scene.url = address(&odd.to_string_lossy());
    assert_eq!(scene.freshness(), Freshness::Unchanged);
}

#[test]
fn a_damaged_mirror_is_cloned_again() {
    let damage: [fn(&Path); 4] = [
        |dir| fs::remove_file(dir.join("HEAD")).expect("removed"),
        |dir| fs::remove_dir_all(dir.join("objects")).expect("removed"),
        |dir| fs::write(dir.join("config"), "[garbage").expect("written"),
        |dir| fs::write(dir.join("refs/heads/main"), "garbage").expect("written"),
    ];
    for damage in damage {
        let scene = Scene::new();
        scene.update().expect("a mirror");
        damage(&scene.dir());
        assert_eq!(scene.freshness(), Freshness::Cloned);
        assert!(scene.resolved("main").is_some());
        assert_eq!(scene.freshness(), Freshness::Unchanged);
    }
}

#[test]
fn leftovers_of_a_crash_do_no_harm() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let folders = Folders::of(&scene.dir());
    // The crash came between moving the old mirror away and moving the new one in.
    fs::rename(&folders.mirror, &folders.old).expect("renamed");
    fs::create_dir(&folders.fresh).expect("a folder");
    fs::write(folders.fresh.join("half"), "x").expect("a file");
    assert_eq!(scene.freshness(), Freshness::Unchanged);
    assert!(!folders.old.exists() && !folders.fresh.exists());
}

#[test]
fn an_interrupted_reference_lock_does_no_harm() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    fs::write(scene.dir().join("refs/heads/main.lock"), "").expect("a file");
    let tip = scene.remote.commit("main", &[("a", "2")]);
    assert_eq!(scene.freshness(), Freshness::Cloned);
    assert_eq!(scene.resolved("main"), Some(tip.to_string()));
}

#[test]
fn an_empty_repository_is_told_from_a_missing_one() {
    let mut scene = Scene::new();
    let empty = Fixture::bare();
    scene.url = address(&empty.dir().to_string_lossy());
    let error = scene.update().expect_err("empty");
    assert!(matches!(error, FetchError::EmptyRepository { .. }), "{error:?}");
    assert!(!scene.dir().exists());
    scene.url = address("/no/such/repository");
    let error = scene.update().expect_err("missing");
    assert!(matches!(error, FetchError::RepositoryNotFound { .. }), "{error:?}");
}

#[test]
fn an_emptied_repository_leaves_the_mirror_alone() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let mut branch = scene.remote.git.find_reference("refs/heads/main").expect("a branch");
    branch.delete().expect("deleted");
    assert!(matches!(scene.update(), Err(FetchError::EmptyRepository { .. })));
    assert!(scene.resolved("main").is_some());
}

#[test]
fn a_cache_that_cannot_be_written_says_so() {
    let scene = Scene::new();
    fs::write(scene.cache.path().join("repos"), "a file").expect("a file");
    let error = scene.update().expect_err("not writable");
    assert!(matches!(error, FetchError::CacheNotWritable { .. }), "{error:?}");
}

#[test]
fn a_cancelled_update_stops_and_leaves_nothing() {
    let scene = Scene::new();
    let cancel = AtomicBool::new(true);
    let result = Mirror::update(&scene.url, &scene.dir(), &Access::default(), &cancel, &mut |_| {});
    assert!(matches!(result, Err(FetchError::Cancelled { .. })), "{result:?}");
    assert!(!scene.dir().exists());
}

#[test]
fn a_mirror_in_use_is_waited_for() {
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let other = File::open(Folders::of(&scene.dir()).lock).expect("a lock");
    other.lock().expect("locked");
    let mut other = Some(other);
    let mut seen = Vec::new();
    scene
        .update_watched(&mut |progress| {
            seen.push(progress);
            other.take();
        })
        .expect("a mirror");
    assert_eq!(seen, [FetchProgress::Waiting, FetchProgress::Connecting]);
}

#[cfg(unix)]
#[test]
fn a_mirror_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let scene = Scene::new();
    scene.update().expect("a mirror");
    let mode = fs::metadata(scene.dir()).expect("there").permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn a_reference_that_is_asked_for_is_brought_and_one_that_is_not_there_is_no_trouble() {
    let scene = Scene::new();
    let tip = scene.remote.commit("fork", &[("a", "of a fork")]);
    scene.remote.point("refs/pull/7/head", tip);
    let mut branch = scene.remote.git.find_reference("refs/heads/fork").expect("a branch");
    branch.delete().expect("deleted");
    scene.update().expect("a mirror");
    assert_eq!(scene.resolved("refs/pull/7/head"), None, "nobody asked for it");
    let also = ["refs/pull/7/head", "refs/merge-requests/7/head"].map(str::to_owned);
    let never = AtomicBool::new(false);
    let (url, dir, access) = (&scene.url, scene.dir(), Access::default());
    Mirror::update_with(url, &dir, &access, &also, &never, &mut |_| {}).expect("a mirror");
    assert_eq!(scene.resolved("refs/pull/7/head"), Some(tip.to_string()));
    assert_eq!(scene.freshness(), Freshness::Updated { references: 1 }, "it is not kept");
    assert_eq!(scene.resolved(&tip.to_string()), Some(tip.to_string()));
}
