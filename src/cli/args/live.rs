//! Arguments of the commands that talk to hosts.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{Inputs, SnapshotKeys};

/// Which part of the repository a plan is about.
#[derive(Debug, Clone, Default, Args)]
pub struct Narrowing {
    /// Only this service or replica, and what it needs. May be given several times.
    #[arg(long = "target", value_name = "STACK/SERVICE[/SLOT]")]
    pub targets: Vec<String>,
    /// All but this service or replica. May be given several times.
    #[arg(long = "exclude", value_name = "STACK/SERVICE[/SLOT]")]
    pub excludes: Vec<String>,
    /// Replace these containers although nothing differs. May be given several times.
    #[arg(long = "replace", value_name = "STACK/SERVICE[/SLOT]")]
    pub replace: Vec<String>,
    /// Go on without hosts that do not answer; nothing is moved or removed because of them.
    #[arg(long)]
    pub skip_unreachable: bool,
    /// Allow that many containers, networks and volumes to go without a successor [default: what
    /// `protect.max_deletes` allows].
    #[arg(long, value_name = "NUMBER")]
    pub allow_deletes: Option<u32>,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Only these stacks [default: all].
    #[arg(value_name = "STACK")]
    pub stacks: Vec<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// What the plan is about.
    #[command(flatten)]
    pub narrowing: Narrowing,
    /// Plan for the uncommitted files; such a plan cannot be saved or applied.
    #[arg(long, conflicts_with_all = ["rev", "out"])]
    pub worktree: bool,
    /// Save the plan for `apply FILE`. There is no secret in it.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Say for each replica why it is on its host, and which hosts could not have it.
    #[arg(long)]
    pub explain: bool,
    /// Plan for the hosts as this file of `snapshot` has them; no host is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "out")]
    pub snapshot: Option<PathBuf>,
    /// Whose snapshot it must be.
    #[command(flatten)]
    pub keys: SnapshotKeys,
    /// End with exit code 2 when there is something to do.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// The form of the plan.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
}

/// The forms of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// For reviews.
    Markdown,
}

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// Only these stacks [default: all]; or one file that `plan --out` wrote.
    #[arg(value_name = "STACK|FILE")]
    pub stacks: Vec<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// What the plan is about.
    #[command(flatten)]
    pub narrowing: Narrowing,
    /// How it is carried out.
    #[command(flatten)]
    pub execution: Execution,
    /// End with exit code 2 when something was done.
    #[arg(long)]
    pub detailed_exitcode: bool,
    /// The form of the plan that is shown before it is carried out.
    #[arg(long, value_enum, default_value_t = PlanFormat::Text)]
    pub format: PlanFormat,
}

/// What a plan may do that none does unasked.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Leave {
    /// Go on without hosts that do not answer; nothing is moved or removed because of them.
    #[arg(long)]
    pub skip_unreachable: bool,
    /// Allow that many containers, networks and volumes to go without a successor [default: what
    /// `protect.max_deletes` allows].
    #[arg(long, value_name = "NUMBER")]
    pub allow_deletes: Option<u32>,
}

/// How a plan is carried out.
#[derive(Debug, Clone, Args)]
pub struct Execution {
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub auto_approve: bool,
    /// Leave containers that failed, for a look at them; the next run removes them.
    #[arg(long)]
    pub keep_failed: bool,
    /// Wait that many seconds for another run to end.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    pub lock_timeout: u64,
}

/// Arguments of `simulate`.
#[derive(Debug, Args)]
pub struct SimulateArgs {
    /// Only these stacks [default: all].
    #[arg(value_name = "STACK")]
    pub stacks: Vec<String>,
    /// Variables and profiles.
    #[command(flatten)]
    pub inputs: Inputs,
    /// What runs before: a revision, `live` for what the hosts have now, `nothing` for an empty fleet
    /// [default: `live` if all hosts answer, else the commit before].
    #[arg(long, value_name = "REV|live|nothing")]
    pub from: Option<String>,
    /// What goes wrong: `kill@N` and `lose@N` (the answer) at the Nth call; `dies=STACK/SERVICE/SLOT`,
    /// `new-dies=…`, `unreachable=HOST`, `engine-restarts=HOST`, `host-down=HOST`, each with `@1.5s`
    /// for the moment; `never-ready=IMAGE`, `proxy-rejects`, `proxy-stuck`. May be given several
    /// times [default: each of them, in a table].
    #[arg(long = "fault", value_name = "FAULT")]
    pub faults: Vec<crate::cli::commands::simulate::Mishap>,
    /// Add a fault by dice; the same seed is the same fault.
    #[arg(long, value_name = "NUMBER")]
    pub seed: Option<u64>,
    /// Try a setting that the commit does not have: `shop/web.parallelism=1`. Keys: strategy,
    /// parallelism, order, delay, monitor, failure_action, drain, replicas. May be given several times.
    #[arg(long = "set", value_name = "STACK/SERVICE.KEY=VALUE")]
    pub settings: Vec<crate::cli::commands::simulate::Set>,
    /// Only this service or replica, and what it needs. May be given several times.
    #[arg(long = "target", value_name = "STACK/SERVICE[/SLOT]")]
    pub targets: Vec<String>,
    /// Replace these containers although nothing differs. May be given several times.
    #[arg(long = "replace", value_name = "STACK/SERVICE[/SLOT]")]
    pub replace: Vec<String>,
    /// How long a replica takes from its start until it is ready.
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = crate::settings::parse_duration)]
    pub ready_after: std::time::Duration,
    /// How long the longest request takes.
    #[arg(long, value_name = "DURATION", default_value = "500ms", value_parser = crate::settings::parse_duration)]
    pub request: std::time::Duration,
    /// Print the plan before.
    #[arg(long)]
    pub plan: bool,
    /// Leave out what each fault would do and what other settings would cost.
    #[arg(long)]
    pub brief: bool,
    /// The form of the timeline.
    #[arg(long, value_enum, default_value_t = SimulationFormat::Text)]
    pub format: SimulationFormat,
    /// Write it to this file.
    #[arg(short, long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// The forms of a simulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SimulationFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
    /// A picture of the timeline.
    Svg,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// Only these stacks [default: all].
    #[arg(value_name = "STACK")]
    pub stacks: Vec<String>,
    /// Ask the daemon at this URL in place of the hosts. GITDEPLOY_SERVER is not read here: no
    /// variable changes what the table is of.
    #[arg(long, value_name = "URL", conflicts_with_all = ["directory", "repo", "env", "rev"])]
    pub server: Option<String>,
    /// Read the daemon's token from this file [default: the variable GITDEPLOY_TOKEN].
    #[arg(long, value_name = "FILE", requires = "server")]
    pub token_file: Option<PathBuf>,
    /// The form of the table.
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub format: TableFormat,
}

/// The forms of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Whose output: a stack, one of its services, or one replica.
    #[arg(value_name = "STACK[/SERVICE[/SLOT]]", required = true)]
    pub of: Vec<String>,
    /// Go on as new lines come, also from replicas that take the place of others.
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines of each replica.
    #[arg(long, value_name = "NUMBER")]
    pub tail: Option<usize>,
    /// Only lines since then: `10m`, `1h30m`, `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "DURATION|MOMENT")]
    pub since: Option<String>,
    /// Say when each line was written.
    #[arg(short, long)]
    pub timestamps: bool,
}

/// Arguments of `exec`.
#[derive(Debug, Args)]
pub struct ExecArgs {
    /// Where: a service, in the first of its replicas that runs; or one replica.
    #[arg(value_name = "STACK/SERVICE[/SLOT]")]
    pub of: String,
    /// In all running replicas at once, with nothing to read and no terminal.
    #[arg(long, conflicts_with_all = ["interactive", "tty"])]
    pub all: bool,
    /// Keep its input open, which is so anyway; for those used to `docker exec -it`.
    #[arg(short, long)]
    pub interactive: bool,
    /// Give it a terminal [default: if we have one].
    #[arg(short, long, overrides_with = "no_tty")]
    pub tty: bool,
    /// Give it none.
    #[arg(short = 'T', long)]
    pub no_tty: bool,
    /// Run it as this user.
    #[arg(short, long, value_name = "USER")]
    pub user: Option<String>,
    /// Run it in this folder of the container.
    #[arg(short, long, value_name = "FOLDER")]
    pub workdir: Option<String>,
    /// Set a variable for it (repeatable).
    #[arg(short = 'e', long = "variable", value_name = "NAME=VALUE")]
    pub variables: Vec<String>,
    /// The command and its arguments.
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub command: Vec<String>,
}

/// Arguments of `rollback`.
#[derive(Debug, Args)]
pub struct RollbackArgs {
    /// Which stack; may be left out when there is only one.
    #[arg(value_name = "STACK")]
    pub stack: Option<String>,
    /// Back to this commit [default: the release before the last one].
    #[arg(long, value_name = "COMMIT")]
    pub to: Option<String>,
    /// What the plan may do.
    #[command(flatten)]
    pub leave: Leave,
    /// How it is carried out.
    #[command(flatten)]
    pub execution: Execution,
}

/// Arguments of `destroy`.
#[derive(Debug, Args)]
pub struct DestroyArgs {
    /// Which stack.
    #[arg(value_name = "STACK")]
    pub stack: String,
    /// Remove its volumes, with all that is in them.
    #[arg(long)]
    pub volumes: bool,
    /// Go on without hosts that do not answer; what they have of it stays there.
    #[arg(long)]
    pub skip_unreachable: bool,
    /// How it is carried out.
    #[command(flatten)]
    pub execution: Execution,
}

/// Arguments of `drain`.
#[derive(Debug, Args)]
pub struct DrainArgs {
    /// Which host of the inventory.
    #[arg(value_name = "HOST")]
    pub host: String,
    /// Stop what no other host may have, such as services whose volumes are on this one.
    #[arg(long)]
    pub force: bool,
    /// What the plan may do.
    #[command(flatten)]
    pub leave: Leave,
    /// How it is carried out.
    #[command(flatten)]
    pub execution: Execution,
}

/// Arguments of `undrain`.
#[derive(Debug, Args)]
pub struct UndrainArgs {
    /// Which host of the inventory.
    #[arg(value_name = "HOST")]
    pub host: String,
    /// What the plan may do.
    #[command(flatten)]
    pub leave: Leave,
    /// How it is carried out.
    #[command(flatten)]
    pub execution: Execution,
}

/// Arguments of `hosts`.
#[derive(Debug, Args)]
pub struct HostsArgs {
    /// Make all hosts nodes of one swarm, so that networks with `driver: overlay` reach over them.
    #[arg(long)]
    pub init_overlay: bool,
    /// Do not ask before that.
    #[arg(long, short = 'y', requires = "init_overlay")]
    pub auto_approve: bool,
    /// The form of the table.
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub format: TableFormat,
}

/// Arguments of `locks`.
#[derive(Debug, Args)]
pub struct LocksArgs {
    /// The form of the table.
    #[arg(long, value_enum, default_value_t = TableFormat::Text)]
    pub format: TableFormat,
}

/// Arguments of `unlock`.
#[derive(Debug, Args)]
pub struct UnlockArgs {
    /// The lease, as `locks` shows it.
    #[arg(value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub id: String,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub auto_approve: bool,
}

/// Arguments of `sync`.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Do what this file says; without one, watch the repository of -C or --repo.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["directory", "repo", "env", "rev"])]
    pub config: Option<PathBuf>,
    /// End when every stack is as its newest commit wants it, or waits.
    #[arg(long)]
    pub once: bool,
}
