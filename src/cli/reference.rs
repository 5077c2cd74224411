//! The help texts of all commands as a page of the reference.

use std::fmt::Write as _;

use clap::CommandFactory as _;

use super::Cli;

/// The help of every command, in Markdown. Wrapped as on a terminal of 100 columns.
pub fn command_reference() -> String {
    let mut command = Cli::command().term_width(100);
    command.build();
    let mut page = String::new();
    let names: Vec<String> =
        command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let Some(sub) = command.find_subcommand_mut(&name) else { continue };
        let help = sub.render_long_help().to_string();
        let help: Vec<&str> = help.lines().map(str::trim_end).collect();
        let _ = writeln!(page, "### {name}\n\n```text\n{}\n```\n", help.join("\n").trim_end());
    }
    page
}
