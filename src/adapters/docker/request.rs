//! A request in JSON as the library's type, without losing a word of it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ports::PortError;

/// `body` as the library sends it; refused when a key of it would be left out, because then the
/// engine would be asked for less than what was agreed to. Keys in `apart` travel otherwise.
pub(super) fn typed<T: DeserializeOwned + Serialize>(
    body: &Value,
    apart: &[&str],
    what: &str,
) -> Result<T, PortError> {
    let refused = |why: String| PortError::Refused(format!("could not {what}: {why}"));
    let mut body = body.clone();
    if let Some(keys) = body.as_object_mut() {
        keys.retain(|key, _| !apart.contains(&key.as_str()));
    }
    let typed: T =
        serde_json::from_value(body.clone()).map_err(|error| refused(error.to_string()))?;
    let sent = serde_json::to_value(&typed).map_err(|error| refused(error.to_string()))?;
    match lost(&body, &sent, "") {
        None => Ok(typed),
        Some(key) => Err(refused(format!("gitdeploy cannot ask the engine for `{key}`"))),
    }
}

/// The first key of `body` that `sent` has not.
fn lost(body: &Value, sent: &Value, at: &str) -> Option<String> {
    match (body, sent) {
        (Value::Object(body), Value::Object(sent)) => body.iter().find_map(|(key, value)| {
            let at = format!("{at}{}{key}", if at.is_empty() { "" } else { "." });
            match sent.get(key) {
                None if value.is_null() => None,
                None => Some(at),
                Some(sent) => lost(value, sent, &at),
            }
        }),
        (Value::Array(body), Value::Array(sent)) => {
            body.iter().zip(sent).find_map(|(body, sent)| lost(body, sent, at))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::ContainerCreateBody;
    use serde_json::json;

    use super::*;

    fn attempt(body: &Value) -> Result<ContainerCreateBody, PortError> {
        typed(body, &["Platform"], "create container web")
    }

    #[test]
    fn what_the_library_knows_is_taken() {
        let body = json!({
            "Image": "web:1", "Platform": "linux/amd64", "ExposedPorts": {"80/tcp": {}},
            "HostConfig": {"Memory": 1, "Mounts": [{"Type": "volume", "Target": "/data"}]},
        });
        assert_eq!(attempt(&body).unwrap().image.as_deref(), Some("web:1"));
    }

    #[test]
    fn what_would_be_left_out_is_refused() {
        let body = json!({"Image": "web:1", "HostConfig": {"Mounts": [{"Speed": 1}]}});
        insta::assert_snapshot!(
            attempt(&body).unwrap_err(),
            @"could not create container web: gitdeploy cannot ask the engine for `HostConfig.Mounts.Speed`"
        );
    }
}
