//! What the owner of a daemon says it may do: the daemon's own file, as values.
//!
//! It lies beside the daemon and not in the repositories it watches, so that whoever may write a
//! commit cannot loosen what commits are held to.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::model::{Name, StackName};

/// The whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    /// Where HTTP is answered; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Who may use the API and the page. Without one, only health and metrics answer.
    pub token: Option<Secret>,
    /// What is watched, by name.
    pub sources: BTreeMap<Name, Source>,
    /// Who is told what.
    pub notify: Vec<Notify>,
    /// Rounds that may run at the same time over all sources.
    pub rounds: usize,
}

/// Where a secret is read from when it is needed. It is never kept in the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secret {
    /// A variable of the daemon's environment.
    Variable(String),
    /// A file; a newline at its end does not count.
    File(PathBuf),
}

/// One repository deployed to one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its address, or a folder.
    pub repository: String,
    /// The branch; `None`: that of the environment, else the one the repository starts on.
    pub branch: Option<String>,
    /// The environment; `None` as on the command line.
    pub environment: Option<Name>,
    /// How often the branch is asked for.
    pub interval: Duration,
    /// How often everything is looked at although nothing has happened.
    pub look: Duration,
    /// Who must have signed a commit; `None`: nobody.
    pub signed_by: Option<Signers>,
    /// The webhook that wakes it.
    pub hook: Option<Hook>,
    /// Where statuses of commits are written.
    pub forge: Option<Forge>,
    /// What holds for stacks that are not named.
    pub every: StackRules,
    /// What holds for those that are; whole, with `every` filled in.
    pub stacks: BTreeMap<StackName, StackRules>,
}

/// What holds for a stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackRules {
    /// Who starts its rounds.
    pub mode: super::Mode,
    /// When rounds for a new commit may begin by themselves. What runs is healed at any time.
    pub windows: Vec<Window>,
    /// How a round that failed is tried again.
    pub retry: Retry,
    /// How much is healed.
    pub heal: Budget,
    /// Fields and services whose drift is left alone: `web.image`, `web.replicas`, `*.labels.*`.
    pub ignore: Vec<String>,
    /// How many things one round may remove; `None`: what the repository says.
    pub max_deletes: Option<usize>,
}

/// A time in which rounds may or may not begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// What it is called in messages.
    pub name: String,
    /// Which way.
    pub kind: WindowKind,
    /// When it opens: five fields, as in a crontab.
    pub schedule: String,
    /// How long it stays open.
    pub duration: Duration,
    /// A name of the time zone database.
    pub zone: String,
    /// Whether an order of a person is taken outside of it.
    pub allows_orders: bool,
}

/// Which way a window works. No window: always allowed; any allow: only inside of one; deny beats
/// allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowKind {
    /// Rounds may begin inside of it.
    Allow,
    /// They may not.
    Deny,
}

/// How a round that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// How often.
    pub limit: u32,
    /// The first pause; each later one is twice as long.
    pub pause: Duration,
    /// The longest.
    pub max: Duration,
}

/// How often drift of one stack is healed before it is left for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// So many rounds.
    pub rounds: u32,
    /// Within this time.
    pub within: Duration,
}

/// Who may sign commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signers {
    /// A file as `ssh-keygen` reads it: principals and keys.
    Ssh(PathBuf),
    /// A keyring as `gpgv` reads it.
    Gpg(PathBuf),
}

/// A webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Whose.
    pub kind: HookKind,
    /// What it is signed with.
    pub secret: Secret,
}

/// Whose webhook it is: what its headers are called and how it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookKind {
    /// GitHub.
    Github,
    /// GitLab with its secret in a header.
    Gitlab,
    /// GitLab with signed messages.
    GitlabSigned,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
    /// `X-Signature: sha256=…` over the body.
    Generic,
}

/// Where a repository lives, for statuses and comments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forge {
    /// Whose API.
    pub kind: HookKind,
    /// Its address.
    pub api: String,
    /// The repository there: `acme/shop`.
    pub repository: String,
    /// The login.
    pub token: Secret,
}

/// Who is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Notify {
    /// How.
    pub kind: NotifyKind,
    /// About what: `synced`, `failed`, `drifted`, `rolled-back`, `waits`, `troubled`.
    pub about: Vec<String>,
    /// Of which sources; all when empty.
    pub sources: Vec<Name>,
}

/// How somebody is told.
#[derive(Debug, Clone, PartialEq)]
pub enum NotifyKind {
    /// A request with a body made from a template.
    Webhook {
        /// The address; it is a secret with many services.
        url: Secret,
        /// The template; `None`: the notice as JSON.
        template: Option<String>,
    },
    /// The same, with the body that Slack and those like it read.
    Slack {
        /// The address.
        url: Secret,
    },
    /// A letter.
    Mail {
        /// `smtp://` or `smtps://`, host and port.
        server: String,
        /// The login, when there is one.
        login: Option<(String, Secret)>,
        /// From whom.
        from: String,
        /// To whom.
        to: Vec<String>,
    },
}

impl Rules {
    /// One source and nothing else.
    pub fn of(name: Name, source: Source) -> Self {
        Self {
            listen: None,
            token: None,
            sources: BTreeMap::from([(name, source)]),
            notify: Vec::new(),
            rounds: Self::ROUNDS,
        }
    }

    /// Rounds at the same time, when nothing is said: enough that one which waits for a slow
    /// service does not hold up the others.
    pub const ROUNDS: usize = 4;
}

impl Default for StackRules {
    fn default() -> Self {
        Self {
            mode: super::Mode::Automatic,
            windows: Vec::new(),
            retry: Retry::default(),
            heal: Budget::default(),
            ignore: Vec::new(),
            max_deletes: None,
        }
    }
}

impl Default for Retry {
    fn default() -> Self {
        Self { limit: 5, pause: Duration::from_secs(5), max: Duration::from_secs(180) }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { rounds: 5, within: Duration::from_secs(600) }
    }
}

impl Source {
    /// How often a branch is asked for, when nothing is said.
    pub const INTERVAL: Duration = Duration::from_secs(120);

    /// How often everything is looked at, when nothing is said.
    pub const LOOK: Duration = Duration::from_secs(300);

    /// A repository of which nothing else is said.
    pub fn of(repository: String) -> Self {
        Self {
            repository,
            branch: None,
            environment: None,
            interval: Self::INTERVAL,
            look: Self::LOOK,
            signed_by: None,
            hook: None,
            forge: None,
            every: StackRules::default(),
            stacks: BTreeMap::new(),
        }
    }

    /// What holds for a stack.
    pub fn rules(&self, stack: &StackName) -> &StackRules {
        self.stacks.get(stack).unwrap_or(&self.every)
    }
}
