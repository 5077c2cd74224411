//! Finds the repository that the options name, and the tree in it.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::{Failure, Global, Screen, World};
use crate::git::{
    Access, Commit, FetchProgress, Freshness, Merge, Mirror, RemoteUrl, Repository, Timeouts, Token,
};
use crate::pipeline::{Choice, Snapshot, Tree};

/// How often a line on a terminal moves; the first time within what people take for at once.
const TICK: Duration = Duration::from_millis(100);

/// An opened repository and the name it is known by.
pub(super) struct Opened {
    repository: Repository,
    name: String,
}

impl Opened {
    /// Opens the repository of `-C` or brings the mirror of `--repo` up to date.
    pub(super) fn new(global: &Global, world: &World, screen: &Screen) -> Result<Self, Failure> {
        Self::with(global, world, screen, None)
    }

    /// The same with the head of a pull request, which may be in no branch of the repository.
    pub(super) fn with(
        global: &Global,
        world: &World,
        screen: &Screen,
        pull: Option<u64>,
    ) -> Result<Self, Failure> {
        match &global.repo {
            Some(url) => mirror(url, world, screen, &pull.map_or_else(Vec::new, heads)),
            None => {
                let folder = world.folder.join(&global.directory);
                let repository = Repository::open(&folder).map_err(|error| {
                    Failure::because("could not open the repository", &error).hint(error.hint())
                })?;
                let name = repository.name();
                Ok(Self { repository, name })
            }
        }
    }

    /// What names the head of a pull request that was brought.
    pub(super) fn head_of(&self, pull: u64) -> Result<String, Failure> {
        let names = heads(pull);
        let found = names.iter().find(|name| self.repository.resolve(name).is_ok());
        found.cloned().ok_or_else(|| {
            let why = format!("could not find pull request {pull}: {} has no ", self.name);
            Failure::new(why + &names.join(" and no ")).hint("name the change with --head REV")
        })
    }

    /// The tree of a revision.
    pub(super) fn tree(&self, revision: &str) -> Result<Tree, Failure> {
        let commit = self.repository.resolve(revision).map_err(|error| {
            Failure::because(&format!("could not use revision `{revision}`"), &error)
                .hint(error.hint())
        })?;
        let repository = self.reopen()?;
        Ok(Tree::of_commit(repository, commit, &self.name))
    }

    /// What comes of merging one commit into another.
    pub(super) fn merge(&self, base: &Commit, head: &Commit) -> Result<Merge, Failure> {
        self.repository
            .merge(base, head)
            .map_err(|error| Failure::because("could not merge", &error).hint(error.hint()))
    }

    /// The tree of a commit that is known, in a repository that has it.
    pub(super) fn tree_in(&self, repository: Repository, commit: Commit) -> Tree {
        Tree::of_commit(repository, commit, &self.name)
    }

    /// The uncommitted work tree.
    pub(super) fn worktree(&self) -> Result<Tree, Failure> {
        Ok(Tree::uncommitted(self.reopen()?, &self.name))
    }

    fn reopen(&self) -> Result<Repository, Failure> {
        self.repository
            .reopen()
            .map_err(|error| Failure::because("could not open the repository", &error))
    }
}

/// Opens the repository and reads its settings.
///
/// Without `--rev`, the commit is `HEAD`; with `--repo`, the branch of the environment.
pub(super) fn snapshot(
    global: &Global,
    world: &World,
    screen: &Screen,
    is_worktree: bool,
    choice: Choice,
) -> Result<Snapshot, Failure> {
    opened(global, world, screen, is_worktree, choice).map(|(_, snapshot)| snapshot)
}

/// The same, and the repository for whoever needs other commits of it too.
pub(super) fn opened(
    global: &Global,
    world: &World,
    screen: &Screen,
    is_worktree: bool,
    choice: Choice,
) -> Result<(Opened, Snapshot), Failure> {
    let opened = Opened::new(global, world, screen)?;
    if is_worktree {
        if global.repo.is_some() {
            return Err(Failure::new("could not read uncommitted files: `--repo` has none")
                .hint("gitdeploy validate --repo URL"));
        }
        let snapshot = open(opened.worktree()?, choice, screen)?;
        return Ok((opened, snapshot));
    }
    let tree = opened.tree(global.rev.as_deref().unwrap_or("HEAD"))?;
    let snapshot = open(tree, choice.clone(), screen)?;
    let snapshot = match (&global.repo, &global.rev, &snapshot.environment.branch) {
        (Some(_), None, Some(branch)) => open(opened.tree(&branch.value)?, choice, screen)?,
        _ => snapshot,
    };
    Ok((opened, snapshot))
}

/// Reads the settings of a tree and shows what is odd about them.
pub(super) fn open(tree: Tree, choice: Choice, screen: &Screen) -> Result<Snapshot, Failure> {
    let snapshot = Snapshot::open(tree, choice)?;
    screen.findings(&snapshot.warnings.diagnostics, &snapshot.warnings.sources);
    let commit = snapshot.tree().commit();
    screen.detail(&format!(
        "project {}, environment {}, {} {}",
        snapshot.project,
        snapshot.environment.name,
        snapshot.tree().label(),
        commit.map_or("", |commit| commit.summary.as_str())
    ));
    Ok(snapshot)
}

/// Where forges keep the head of a pull request: GitHub, Gitea and Forgejo, then GitLab.
fn heads(pull: u64) -> Vec<String> {
    vec![format!("refs/pull/{pull}/head"), format!("refs/merge-requests/{pull}/head")]
}

fn mirror(url: &str, world: &World, screen: &Screen, also: &[String]) -> Result<Opened, Failure> {
    let url = RemoteUrl::parse(url, &world.folder)
        .map_err(|error| Failure::because("could not use the address of the repository", &error))?;
    let folder = mirrors(world)?.join(url.folder_name());
    let access = access(world)?;
    let bar = progress(screen, &url.to_string());
    let cancel = AtomicBool::new(false);
    let updated =
        Mirror::update_with(&url, &folder, &access, also, &cancel, &mut |now| show(&bar, now));
    bar.finish_and_clear();
    let failed = |error: &dyn std::error::Error, hint: String| {
        Failure::because(&format!("could not fetch {url}"), error).hint(hint)
    };
    let mirror = updated.map_err(|error| failed(&error, error.hint()))?;
    screen.detail(&match mirror.freshness() {
        Freshness::Cloned => format!("mirrored {url} in {}", folder.display()),
        Freshness::Updated { references } => format!("{url}: {references} references are new"),
        Freshness::Unchanged => format!("{url}: nothing new"),
    });
    let repository = mirror.repository().map_err(|error| failed(&error, error.hint()))?;
    Ok(Opened { repository, name: url.name().to_owned() })
}

/// Where mirrors are kept.
pub(super) fn mirrors(world: &World) -> Result<PathBuf, Failure> {
    let cache = world.cache_folder().ok_or_else(|| {
        Failure::new("could not find a folder for mirrors: neither HOME nor XDG_CACHE_HOME is set")
            .hint("HOME=/root gitdeploy …")
    })?;
    Ok(cache.join("repos"))
}

/// How remote repositories are reached, as the process environment says.
pub(super) fn access(world: &World) -> Result<Access, Failure> {
    Ok(Access {
        home: world.home().map(PathBuf::from),
        has_ssh_agent: world.variable("SSH_AUTH_SOCK").is_some(),
        identity: world.variable("GITDEPLOY_GIT_IDENTITY").map(PathBuf::from),
        known_hosts: world.variable("GITDEPLOY_KNOWN_HOSTS").map(PathBuf::from),
        user: None,
        asks_credential_helper: true,
        token: world.variable("GITDEPLOY_GIT_TOKEN").and_then(Token::new),
        timeouts: timeouts(world)?,
    })
}

/// The longest waits for a host, as `GITDEPLOY_GIT_TIMEOUT` wants them.
fn timeouts(world: &World) -> Result<Timeouts, Failure> {
    let Some(text) = world.variable("GITDEPLOY_GIT_TIMEOUT") else {
        return Ok(Timeouts::default());
    };
    match text.parse::<u32>() {
        Ok(seconds) if seconds > 0 => {
            Ok(Timeouts::with_silence(Duration::from_secs(u64::from(seconds))))
        }
        Ok(_) | Err(_) => Err(Failure::new(format!(
            "could not use GITDEPLOY_GIT_TIMEOUT: `{text}` is not a number of seconds above 0"
        ))
        .hint("GITDEPLOY_GIT_TIMEOUT=60")),
    }
}

/// A line on a terminal that says what is being worked on; nothing elsewhere.
pub(super) fn progress(screen: &Screen, what: &str) -> ProgressBar {
    if !screen.draws_progress() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar.enable_steady_tick(TICK);
    bar
}

fn show(bar: &ProgressBar, progress: FetchProgress) {
    bar.set_message(match progress {
        FetchProgress::Waiting => "waiting for another run".to_owned(),
        FetchProgress::Connecting => "connecting".to_owned(),
        FetchProgress::Receiving { objects, total, bytes } => {
            format!("{objects} of {total} objects, {} KiB", bytes / 1024)
        }
        FetchProgress::Resolving { deltas, total } => format!("unpacking {deltas} of {total}"),
    });
    bar.tick();
}
