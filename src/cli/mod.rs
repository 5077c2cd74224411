//! The command line: arguments in, an exit code out.
//!
//! One file a command in `commands/`. Commands decide nothing: they ask `pipeline` and show what
//! comes back.

mod args;
mod commands;
mod failure;
mod reference;
mod repository;
mod screen;
mod world;

use std::ffi::OsString;

use clap::Parser as _;

pub use args::{Cli, Command, Global};
pub use failure::{Exit, Failure};
pub use reference::command_reference;
pub use screen::Screen;
pub use world::World;

/// Runs one command and gives the exit code.
pub fn run(arguments: impl Iterator<Item = OsString>, world: &World) -> u8 {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let screen = Screen::new(&cli.global, world);
    if screen.wants_events() {
        let version = env!("CARGO_PKG_VERSION");
        let more = serde_json::json!({"gitdeploy": version, "ui": "1.2"});
        screen.event("info", &format!("gitdeploy {version}"), "version", &more);
    }
    let is_diff = matches!(cli.command, Command::Diff(_));
    match commands::run(&cli, world, &screen) {
        Ok(exit) => exit.code(),
        Err(failure) => {
            screen.failure(&failure);
            // `diff` follows kubectl: 1 says that there are differences, so failing needs another.
            if is_diff { Exit::Trouble.code() } else { Exit::Failed.code() }
        }
    }
}

/// Help and version are results; wrong usage is exit code 1, not the parser's 2.
fn usage(error: &clap::Error) -> u8 {
    // Nobody is left to tell when the stream is gone.
    drop(error.print());
    if error.use_stderr() { Exit::Failed.code() } else { Exit::Done.code() }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
