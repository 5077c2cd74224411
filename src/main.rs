//! The `gitdeploy` command.

fn main() {}
