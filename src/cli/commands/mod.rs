//! One file a command.

mod completions;
mod diff;
mod init;
mod man;
mod render;
mod schema;
mod validate;

use super::{Cli, Command, Exit, Failure, Screen, World};

/// What every command is given.
struct Run<'a> {
    cli: &'a Cli,
    world: &'a World,
    screen: &'a Screen,
}

pub(super) fn run(cli: &Cli, world: &World, screen: &Screen) -> Result<Exit, Failure> {
    let run = Run { cli, world, screen };
    match &cli.command {
        Command::Validate(args) => validate::run(&run, args),
        Command::Render(args) => render::run(&run, args),
        Command::Diff(args) => diff::run(&run, args),
        Command::Init(args) => init::run(&run, args),
        Command::Schema(args) => schema::run(&run, args),
        Command::Completions(args) => completions::run(&run, args),
        Command::Man(args) => man::run(&run, args),
    }
}
