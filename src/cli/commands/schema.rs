//! `schema`: what editors need to complete and check our files.

use super::Run;
use crate::cli::args::{Schema, SchemaFile};
use crate::cli::{Exit, Failure};
use crate::settings::shapes;
use crate::ui::plan;

pub(super) fn run(run: &Run<'_>, args: &Schema) -> Result<Exit, Failure> {
    let schema = match args.file {
        SchemaFile::Gitdeploy => shapes::settings_schema(),
        SchemaFile::Inventory => shapes::inventory_schema(),
        SchemaFile::Sync => shapes::daemon_schema(),
        SchemaFile::Extension => shapes::extension_schema(),
        SchemaFile::Compose => shapes::compose_schema(),
        SchemaFile::Plan => plan::schema(),
    };
    run.screen.result(&format!("{schema:#}\n"))?;
    Ok(Exit::Done)
}
