//! Arguments of `review` and of what it posts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Inputs, PlanFormat};
use crate::forge::ForgeKind;
use crate::ssh::PublicKey;

/// Arguments of `review`.
#[derive(Debug, Args)]
pub struct ReviewArgs {
    /// Only these stacks [default: all].
    #[arg(value_name = "STACK")]
    pub stacks: Vec<String>,
    /// What the change would be merged into; settings, inventory and protections are read from it
    /// [default: what the CI says].
    #[arg(long, value_name = "REV")]
    pub base: Option<String>,
    /// The change [default: what the CI says, else the head of the pull request that `--number`
    /// names, else HEAD].
    #[arg(long, value_name = "REV")]
    pub head: Option<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// What the plan is made against [default: the hosts if all answer, else the base].
    #[arg(long, value_enum, value_name = "WHAT", conflicts_with = "snapshot")]
    pub against: Option<Against>,
    /// Plan for the hosts as this file of `snapshot` has them; no host is asked.
    #[arg(long, value_name = "FILE")]
    pub snapshot: Option<PathBuf>,
    /// Whose snapshot it must be.
    #[command(flatten)]
    pub keys: SnapshotKeys,
    /// Allow that many containers, networks and volumes to go without a successor [default: what
    /// `protect.max_deletes` of the base allows].
    #[arg(long, value_name = "NUMBER")]
    pub allow_deletes: Option<u32>,
    /// Plan without hosts that do not answer, instead of taking the base for all of them.
    #[arg(long)]
    pub skip_unreachable: bool,
    /// End with exit code 2 when there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// The form of the review on standard output.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
    /// Where it is posted.
    #[command(flatten)]
    pub post: PostArgs,
}

/// Who must have signed a snapshot that is planned with.
#[derive(Debug, Clone, Default, Args)]
pub struct SnapshotKeys {
    /// The key of the snapshot, to compare what is hidden in it [default: the variable
    /// GITDEPLOY_SNAPSHOT_KEY].
    #[arg(long, value_name = "FILE", requires = "snapshot")]
    pub key: Option<PathBuf>,
    /// Refuse the snapshot unless it is signed with this key, which `snapshot --public-key` prints.
    /// May be given several times [default: `snapshot.trusted_keys` of the settings].
    #[arg(long = "trusted-key", value_name = "KEY", requires = "snapshot")]
    pub trusted_keys: Vec<PublicKey>,
}

/// Arguments of `snapshot`.
#[derive(Debug, Args)]
pub struct SnapshotArgs {
    /// Write it to this file.
    #[arg(short, long, value_name = "FILE", required_unless_present = "public_key")]
    pub out: Option<PathBuf>,
    /// Print the public half of the key, which is no secret and all that is needed to tell genuine
    /// snapshots, and do nothing else.
    #[arg(long, conflicts_with = "out")]
    pub public_key: bool,
    /// Sign it, and hash what could be secret, with the key in this file [default: the variable
    /// GITDEPLOY_SNAPSHOT_KEY].
    #[arg(long, value_name = "FILE")]
    pub key: Option<PathBuf>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
}

/// What a review's plan is made against.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Against {
    /// The hosts as they are now.
    Live,
    /// A fleet that has what the base wants; no host is asked.
    Base,
}

/// Where a review is posted: a comment and a status of the commit. All but the token is what the CI
/// says, unless it is given.
#[derive(Debug, Clone, Args)]
pub struct PostArgs {
    /// Post nothing.
    #[arg(long)]
    pub no_post: bool,
    /// The kind of forge.
    #[arg(long, value_enum, value_name = "KIND")]
    pub forge: Option<ForgeName>,
    /// The address of its API: `https://codeberg.org/api/v1`.
    #[arg(long, value_name = "URL")]
    pub forge_api: Option<String>,
    /// The repository there.
    #[arg(long, value_name = "OWNER/NAME")]
    pub forge_repository: Option<String>,
    /// The pull request. With `--repo` its head is fetched too, also from a fork.
    #[arg(long, value_name = "NUMBER")]
    pub number: Option<u64>,
    /// Read the token from this file [default: the variables GITDEPLOY_FORGE_TOKEN, GITHUB_TOKEN,
    /// GITEA_TOKEN, FORGEJO_TOKEN, GITLAB_TOKEN].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// The kinds of forges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ForgeName {
    /// GitHub.
    Github,
    /// GitLab.
    Gitlab,
    /// Gitea.
    Gitea,
    /// Forgejo.
    Forgejo,
}

impl From<ForgeName> for ForgeKind {
    fn from(name: ForgeName) -> Self {
        match name {
            ForgeName::Github => Self::Github,
            ForgeName::Gitlab => Self::Gitlab,
            ForgeName::Gitea => Self::Gitea,
            ForgeName::Forgejo => Self::Forgejo,
        }
    }
}
