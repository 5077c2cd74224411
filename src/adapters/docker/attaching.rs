//! Networks of a container that is being made: all of its request, whatever the engine takes at
//! once.
//!
//! An engine before API 1.44 takes one network at creation, so every engine gets one. The others
//! follow before the start, so that the first process already sees all of them; a try that was cut
//! off is completed by the next.

use bollard::models::{EndpointSettings, NetworkConnectRequest};
use serde_json::{Map, Value};

use super::client::{Docker, SLOW, within};
use super::live::text;
use super::request;
use crate::ports::PortError;

/// The request as any engine takes it: with the first network alone.
pub(super) fn at_creation(body: &Value) -> Value {
    let mut body = body.clone();
    let first = text(&body, "/HostConfig/NetworkMode").to_owned();
    let endpoints = body.pointer_mut("/NetworkingConfig/EndpointsConfig");
    if let Some(Value::Object(endpoints)) = endpoints
        && endpoints.contains_key(&first)
    {
        endpoints.retain(|name, _| *name == first);
    }
    body
}

impl Docker {
    /// Connects the container `seen` to the networks of `body` that it lacks.
    pub(super) async fn connect_the_rest(
        &self,
        name: &str,
        seen: &Value,
        body: &Value,
    ) -> Result<(), PortError> {
        for (network, endpoint) in missing(seen, body) {
            let what = format!("connect container {name} to network {network}");
            let settings: EndpointSettings = request::typed(endpoint, &[], &what)?;
            let asked = NetworkConnectRequest {
                container: text(seen, "/Id").to_owned(),
                endpoint_config: Some(settings),
            };
            let api = self.api().await?;
            within(SLOW, &what, api.connect_network(network, asked)).await?;
        }
        Ok(())
    }
}

/// What is asked for and not there.
fn missing<'a>(seen: &Value, body: &'a Value) -> Vec<(&'a String, &'a Value)> {
    let all = |value: &'a Value, path: &str| value.pointer(path).and_then(Value::as_object);
    let wanted = all(body, "/NetworkingConfig/EndpointsConfig");
    let has = seen.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let is_there = |name: &str| has.is_some_and(|has| has.contains_key(name));
    wanted.into_iter().flat_map(Map::iter).filter(|(name, _)| !is_there(name)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_container_is_made_in_its_first_network_alone() {
        let body = json!({
            "HostConfig": {"NetworkMode": "b"},
            "NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": {"Aliases": ["x"]}}},
        });
        let made = at_creation(&body);
        let first = json!({"b": {"Aliases": ["x"]}});
        assert_eq!(made["NetworkingConfig"]["EndpointsConfig"], first);
        let host = json!({"HostConfig": {"NetworkMode": "host"}});
        assert_eq!(at_creation(&host), host);
    }

    #[test]
    fn networks_that_are_there_are_not_connected_again() {
        let body =
            json!({"NetworkingConfig": {"EndpointsConfig": {"a": {}, "b": {"Aliases": ["x"]}}}});
        let seen = json!({"NetworkSettings": {"Networks": {"a": {"NetworkID": ""}}}});
        let names = |seen: &Value| {
            missing(seen, &body).into_iter().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(names(&seen), ["b"]);
        assert_eq!(names(&json!({})), ["a", "b"]);
    }
}
