//! The `gitdeploy` command: reads the world once, runs, gives back an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let world = gitdeploy::cli::World::from_process();
    ExitCode::from(gitdeploy::cli::run(std::env::args_os(), &world))
}
