//! One file a command.

mod apply;
mod completions;
mod destroy;
mod diff;
mod drain;
mod exec;
mod hosts;
mod init;
mod locks;
mod logs;
mod man;
mod orders;
mod plan;
mod render;
mod review;
mod rollback;
mod schema;
pub(super) mod simulate;
mod snapshot;
mod status;
mod sync;
mod validate;

use super::{Cli, Command, Exit, Failure, Screen, World};

/// What every command is given.
pub(super) struct Run<'a> {
    pub(super) cli: &'a Cli,
    pub(super) world: &'a World,
    pub(super) screen: &'a Screen,
}

pub(super) fn run(cli: &Cli, world: &World, screen: &Screen) -> Result<Exit, Failure> {
    let run = Run { cli, world, screen };
    match &cli.command {
        Command::Validate(args) => validate::run(&run, args),
        Command::Render(args) => render::run(&run, args),
        Command::Plan(args) => plan::run(&run, args),
        Command::Apply(args) => apply::run(&run, args),
        Command::Sync(args) => sync::run(&run, args),
        Command::Simulate(args) => simulate::run(&run, args),
        Command::Diff(args) => diff::run(&run, args),
        Command::Review(args) => review::run(&run, args),
        Command::Snapshot(args) => snapshot::run(&run, args),
        Command::Status(args) => status::run(&run, args),
        Command::Approve(args) => orders::approve(&run, args),
        Command::Pause(args) => orders::pause(&run, args),
        Command::Resume(args) => orders::resume(&run, args),
        Command::Retry(args) => orders::retry(&run, args),
        Command::Logs(args) => logs::run(&run, args),
        Command::Exec(args) => exec::run(&run, args),
        Command::Rollback(args) => rollback::run(&run, args),
        Command::Destroy(args) => destroy::run(&run, args),
        Command::Hosts(args) => hosts::run(&run, args),
        Command::Drain(args) => drain::drain(&run, args),
        Command::Undrain(args) => drain::undrain(&run, args),
        Command::Locks(args) => locks::list(&run, args),
        Command::Unlock(args) => locks::unlock(&run, args),
        Command::Init(args) => init::run(&run, args),
        Command::Schema(args) => schema::run(&run, args),
        Command::Completions(args) => completions::run(&run, args),
        Command::Man(args) => man::run(&run, args),
    }
}
