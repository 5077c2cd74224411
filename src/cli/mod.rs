//! The command line: arguments in, an exit code out.
//!
//! One file a command in `commands/`. Commands decide nothing: they ask `pipeline` and show what
//! comes back.

mod args;
mod commands;
mod failure;
mod front;
mod live;
mod past;
mod picture;
mod reference;
mod remote;
mod report;
mod repository;
mod screen;
mod ssh;
mod stage;
mod wire;
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
    let arguments: Vec<OsString> = arguments.collect();
    let mut cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, &arguments, world),
    };
    cli.global.heed(world);
    let mut screen = Screen::new(&cli.global, world);
    let is_diff = matches!(cli.command, Command::Diff(_));
    let begun = screen.begin(&cli.global, world);
    let staged = begun.and_then(|()| stage::begin(world, &screen));
    let code = match staged.and_then(|_time| commands::run(&cli, world, &screen)) {
        Ok(exit) if !screen.is_broken() => exit.code(),
        Ok(_) => failed(is_diff),
        Err(failure) => {
            screen.failure(&failure);
            failure.exit.map_or_else(|| failed(is_diff), Exit::code)
        }
    };
    screen.end(cli.command.name(), code);
    code
}

/// Help and version are results; wrong usage is exit code 1, not the parser's 2, but for `diff`,
/// where 1 says that there are differences.
fn usage(error: &clap::Error, arguments: &[OsString], world: &World) -> u8 {
    let has = |word: &str| arguments.iter().skip(1).any(|argument| argument == word);
    let text = error.render();
    if !error.use_stderr() {
        let shown =
            if world.stdout_is_terminal { text.ansi().to_string() } else { text.to_string() };
        return match Screen::write(&shown) {
            Ok(()) => Exit::Done.code(),
            Err(_) => Exit::Failed.code(),
        };
    }
    if has("--json") {
        Screen::for_events().failure(&Failure::new(text.to_string().trim_end()));
    } else {
        // Nobody is left to tell when the stream is gone.
        drop(error.print());
    }
    failed(has("diff"))
}

/// `diff` follows kubectl: 1 says that there are differences, so failing needs another code.
fn failed(is_diff: bool) -> u8 {
    if is_diff { Exit::Trouble.code() } else { Exit::Failed.code() }
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
