//! The guard before every change: what is there must carry our labels.
//!
//! The calls name things by name alone, so the guard asks whether some owner of ours is written on
//! them, not which one; that a plan names its own owner's things alone is the planner's promise.

use std::collections::BTreeMap;

use serde_json::Value;

use super::client::Docker;
use super::live::{labels, text};
use crate::model::Owner;
use crate::ports::PortError;

impl Docker {
    /// The container in the engine's words, if there is one and it is ours. With an id, the name is
    /// only for people: another container of that name is not looked at.
    pub(super) async fn ours(
        &self,
        name: &str,
        id: Option<&str>,
    ) -> Result<Option<Value>, PortError> {
        let Some(seen) = self.inspect_raw(id.unwrap_or(name)).await? else { return Ok(None) };
        // The engine also finds containers by the beginning of their id.
        let is_it = match id {
            Some(id) => text(&seen, "/Id") == id,
            None => text(&seen, "/Name").trim_start_matches('/') == name,
        };
        if !is_it {
            return Ok(None);
        }
        guard("container", name, &labels(seen.pointer("/Config/Labels")))?;
        Ok(Some(seen))
    }

    /// The same when it must be there.
    pub(super) async fn ours_present(&self, name: &str) -> Result<Value, PortError> {
        let missing = || PortError::NotFound(format!("there is no container {name}"));
        self.ours(name, None).await?.ok_or_else(missing)
    }
}

/// `Refused` for what nobody of us made.
pub(super) fn guard(
    kind: &str,
    name: &str,
    labels: &BTreeMap<String, String>,
) -> Result<(), PortError> {
    match Owner::read(labels) {
        Some(_) => Ok(()),
        None => Err(PortError::Refused(format!(
            "{kind} {name} was not made by gitdeploy, so it was left as it is"
        ))),
    }
}
