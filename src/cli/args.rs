//! What the user types.

mod live;
mod remote;
mod review;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(super) use live::{
    ApplyArgs, DestroyArgs, DrainArgs, ExecArgs, Execution, HostsArgs, Leave, LocksArgs, LogsArgs,
    Narrowing, PlanArgs, PlanFormat, RollbackArgs, SimulateArgs, SimulationFormat, StatusArgs,
    SyncArgs, TableFormat, UndrainArgs, UnlockArgs,
};
pub(super) use remote::{ApproveArgs, Daemon, PauseArgs, ResumeArgs, RetryArgs};
pub(super) use review::{Against, PostArgs, ReviewArgs, SnapshotArgs, SnapshotKeys};

/// Plans and applies Compose stacks from Git to plain Docker hosts, without losing a request.
#[derive(Debug, Parser)]
#[command(name = "gitdeploy", version, max_term_width = 100, disable_help_subcommand = true)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Use the repository that this folder belongs to.
    #[arg(short = 'C', long = "directory", value_name = "DIR", global = true, default_value = ".")]
    pub directory: PathBuf,
    /// Use the repository at this URL; a bare mirror is kept in the user's cache folder.
    #[arg(long, value_name = "URL", global = true, conflicts_with = "directory")]
    pub repo: Option<String>,
    /// Use this revision: a branch, tag, hash or `HEAD~2` [default: HEAD, or the environment's branch with --repo].
    #[arg(long, value_name = "REV", global = true)]
    pub rev: Option<String>,
    /// Use this environment of gitdeploy.yaml [default: the variable GITDEPLOY_ENV].
    #[arg(long, value_name = "NAME", global = true)]
    pub env: Option<String>,
    /// Print events as JSON, one a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// Write events as JSON into this file too, whatever is printed.
    #[arg(long, value_name = "FILE", global = true)]
    pub json_into: Option<PathBuf>,
    /// Write findings and numbers into a file as well: `sarif=FILE`, `junit=FILE`,
    /// `codequality=FILE`, `terraform=FILE` (how many come, change and go). May be given several
    /// times.
    #[arg(long = "report", value_name = "KIND=FILE", global = true)]
    pub reports: Vec<super::report::Wanted>,
    /// Print no colour, whatever the terminal can do.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Say more about what is done.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// Print results and errors only.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Global {
    /// Takes what the process's variables say where no option says anything. The parser does not
    /// read them: a variable must not be in the way of an option that has no use for it.
    pub fn heed(&mut self, world: &super::World) {
        let variable = || world.variable("GITDEPLOY_ENV").map(str::to_owned);
        self.env = self.env.take().or_else(variable);
    }

    /// The environment, when it was said; an empty option says nothing.
    pub fn environment(&self) -> Option<String> {
        self.env.clone().filter(|name| !name.is_empty())
    }

    /// A command to run next, on the same repository and environment.
    pub fn next_command(&self, command: &str) -> String {
        let mut words = vec!["gitdeploy".to_owned(), command.to_owned()];
        if let Some(url) = &self.repo {
            words.push(format!("--repo {url}"));
        } else if self.directory != std::path::Path::new(".") {
            words.push(format!("-C {}", self.directory.display()));
        }
        if let Some(environment) = self.environment() {
            words.push(format!("--env {environment}"));
        }
        words.join(" ")
    }
}

impl Command {
    /// Its name, for reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Validate(_) => "validate",
            Self::Plan(_) => "plan",
            Self::Apply(_) => "apply",
            Self::Review(_) => "review",
            Self::Render(_) => "render",
            Self::Diff(_) => "diff",
            _ => "run",
        }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check everything that can be checked without a host.
    Validate(Validate),
    /// Print stacks as they are after templates, interpolation and merges.
    Render(Render),
    /// Show what differs between the commit and the hosts, and the steps that would end it.
    Plan(PlanArgs),
    /// Make the hosts what the commit wants.
    Apply(ApplyArgs),
    /// Keep the hosts as the newest commit wants them, until it is stopped.
    Sync(SyncArgs),
    /// Play a rollout in a simulated fleet: who serves at every moment, with faults on demand.
    Simulate(SimulateArgs),
    /// Show what differs between the desired states of two commits.
    Diff(Diff),
    /// Show what a pull request would do, and tell the forge.
    Review(ReviewArgs),
    /// Write the hosts as they are now, without secrets, into a file to plan and review with.
    Snapshot(SnapshotArgs),
    /// Show every stack, service and replica as it is, and what has drifted.
    #[command(visible_alias = "ps")]
    Status(StatusArgs),
    /// Let a daemon carry out the plan that waits.
    Approve(ApproveArgs),
    /// Let a daemon leave a stack as it is for a while.
    Pause(PauseArgs),
    /// End a pause.
    Resume(ResumeArgs),
    /// Let a daemon plan a stack anew now, even if its commit has failed.
    Retry(RetryArgs),
    /// Show the output of all replicas of a service.
    Logs(LogsArgs),
    /// Run a command in a replica of a service, wherever it runs.
    Exec(ExecArgs),
    /// Bring a stack back to an earlier commit.
    Rollback(RollbackArgs),
    /// Remove what a stack has on the hosts.
    Destroy(DestroyArgs),
    /// Check every host and proxy: whether it answers, versions, clocks, configuration.
    Hosts(HostsArgs),
    /// Move replicas away from a host, and let none come.
    Drain(DrainArgs),
    /// Let replicas come to a drained host again.
    Undrain(UndrainArgs),
    /// Show who is changing what.
    Locks(LocksArgs),
    /// Take a dead run's lease away.
    Unlock(UnlockArgs),
    /// Write a small repository that works.
    Init(Init),
    /// Print the JSON Schema of a file.
    Schema(Schema),
    /// Print the completions of a shell.
    Completions(Completions),
    /// Print the manual page, or write one for each command.
    Man(Man),
}

/// What Compose files are read with, beside the repository.
#[derive(Debug, Clone, Args)]
pub struct Inputs {
    /// Read variables from this file instead of `.env`. May be given several times.
    #[arg(long = "env-file", value_name = "FILE")]
    pub env_files: Vec<String>,
    /// Enable this profile. May be given several times; `*` enables all.
    #[arg(long = "profile", value_name = "NAME")]
    pub profiles: Vec<String>,
}

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub struct Validate {
    /// Only these stacks [default: all].
    #[arg(value_name = "STACK")]
    pub stacks: Vec<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// Check the uncommitted files instead of a commit.
    #[arg(long, conflicts_with = "rev")]
    pub worktree: bool,
}

/// Arguments of `render`.
#[derive(Debug, Args)]
pub struct Render {
    /// Only these stacks; with -f, only these services [default: all].
    #[arg(value_name = "STACK")]
    pub names: Vec<String>,
    /// Render the uncommitted files instead of a commit.
    #[arg(long, conflicts_with = "rev")]
    pub worktree: bool,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t = ModelFormat::Yaml)]
    pub format: ModelFormat,
    /// Read this Compose file from disk, outside any repository; `-` is standard input. May be
    /// given several times, later ones are merged over earlier ones.
    #[arg(short, long = "file", value_name = "FILE", conflicts_with_all = ["rev", "repo", "worktree"])]
    pub files: Vec<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// The project's name, with -f.
    #[arg(short, long, value_name = "NAME", requires = "files")]
    pub project_name: Option<String>,
    /// What relative paths start from, with -f [default: the folder of the first file].
    #[arg(long, value_name = "DIR", requires = "files")]
    pub project_directory: Option<String>,
    /// Leave `${…}` as it is.
    #[arg(long)]
    pub no_interpolate: bool,
    /// Leave out what Compose adds: default network, names, implied dependencies.
    #[arg(long)]
    pub no_normalize: bool,
    /// Leave relative paths as they are.
    #[arg(long)]
    pub no_path_resolution: bool,
    /// Leave out the check that everything named is defined.
    #[arg(long)]
    pub no_consistency: bool,
    /// Leave `env_file` unread.
    #[arg(long)]
    pub no_env_resolution: bool,
    /// Write the result to this file.
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}

/// The forms of a Compose model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelFormat {
    /// YAML.
    Yaml,
    /// JSON, in the shape of `docker compose config --format json`.
    Json,
}

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    /// The commit to compare from.
    #[arg(value_name = "BASE")]
    pub base: String,
    /// The commit to compare to.
    #[arg(value_name = "HEAD")]
    pub head: String,
    /// Only these stacks [default: all].
    #[arg(value_name = "STACK")]
    pub stacks: Vec<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// The form of the result.
    #[arg(long, value_enum, default_value_t = DiffFormat::Text)]
    pub format: DiffFormat,
}

/// The forms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For reviews.
    Markdown,
}

/// Arguments of `init`.
#[derive(Debug, Args)]
pub struct Init {
    /// Where; nothing that is there is overwritten.
    #[arg(value_name = "DIR", default_value = ".")]
    pub folder: PathBuf,
}

/// Arguments of `schema`.
#[derive(Debug, Args)]
pub struct Schema {
    /// Which file.
    #[arg(value_enum, value_name = "FILE")]
    pub file: SchemaFile,
}

/// The files that have a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SchemaFile {
    /// gitdeploy.yaml
    Gitdeploy,
    /// inventory.yaml
    Inventory,
    /// sync.yaml, the daemon's own file
    Sync,
    /// The `x-gitdeploy` key of a service.
    Extension,
    /// A Compose file, `x-gitdeploy` included.
    Compose,
    /// What `plan --format json` prints.
    Plan,
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
pub struct Completions {
    /// Which shell.
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub struct Man {
    /// Write `gitdeploy.1` and one page for each command into this folder.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
}
