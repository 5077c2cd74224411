//! The `gitdeploy` command: reads the world once, runs, gives back an exit code.

use std::process::ExitCode;

#[expect(unsafe_code, reason = "only here is it sure that no thread runs yet")]
fn main() -> ExitCode {
    // SAFETY: nothing has run before.
    unsafe { gitdeploy::git::start() };
    let world = gitdeploy::cli::World::from_process();
    ExitCode::from(gitdeploy::cli::run(std::env::args_os(), &world))
}
