//! Arguments of the commands that ask a daemon.

use std::path::PathBuf;

use clap::Args;

/// Which daemon.
#[derive(Debug, Clone, Default, Args)]
pub struct Daemon {
    /// Ask the daemon at this URL.
    #[arg(long, value_name = "URL", env = "GITDEPLOY_SERVER")]
    pub server: Option<String>,
    /// Read its token from this file [default: the variable GITDEPLOY_TOKEN].
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
}

/// Arguments of `approve`.
#[derive(Debug, Args)]
pub struct ApproveArgs {
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
    /// The stack whose plan waits; with its source before it where several have such a stack.
    #[arg(value_name = "[SOURCE/]STACK")]
    pub stack: String,
    /// The plan, as `status --server` shows it [default: the one that waits, after a look at it].
    #[arg(value_name = "PLAN")]
    pub plan: Option<String>,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub auto_approve: bool,
}

/// Arguments of `pause`.
#[derive(Debug, Args)]
pub struct PauseArgs {
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
    /// The stack.
    #[arg(value_name = "[SOURCE/]STACK")]
    pub stack: String,
    /// Until then: `30m`, `2h`, or a moment such as `2026-01-31T12:00:00Z` [default: until it is resumed].
    #[arg(long, value_name = "DURATION|MOMENT")]
    pub until: Option<String>,
    /// Why, for whoever wonders later.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Arguments of `resume`.
#[derive(Debug, Args)]
pub struct ResumeArgs {
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
    /// The stack.
    #[arg(value_name = "[SOURCE/]STACK")]
    pub stack: String,
}

/// Arguments of `retry`.
#[derive(Debug, Args)]
pub struct RetryArgs {
    /// Which daemon.
    #[command(flatten)]
    pub daemon: Daemon,
    /// The stack.
    #[arg(value_name = "[SOURCE/]STACK")]
    pub stack: String,
}
