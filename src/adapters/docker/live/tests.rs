use bollard::models::ContainerInspectResponse;
use serde_json::json;

use super::*;

/// What a 20.10 engine said about a running container, as the library hands it on.
fn recorded() -> Value {
    let seen: ContainerInspectResponse =
        serde_json::from_str(include_str!("running.json")).unwrap();
    serde_json::to_value(seen).unwrap()
}

fn live(seen: &Value) -> LiveContainer {
    live_container(seen).unwrap()
}

#[test]
fn a_container_is_read_whole() {
    let live = live(&recorded());
    assert_eq!(live.name, "docker-rec");
    assert_eq!(live.identity.slot, 2);
    assert_eq!(
        live.addresses.get("docker-rec-net").map(|it| it.to_string()).as_deref(),
        Some("10.213.99.9")
    );
    let state = ContainerState {
        status: Status::Running,
        started_at: 1_795_246_710_701,
        exit_code: 0,
        restarts: 0,
        health: Some(Health::Healthy),
    };
    assert_eq!(live.state, state);
}

#[test]
fn the_configuration_has_the_shape_of_a_request() {
    let config = live(&recorded()).config;
    assert_eq!(config["Env"], json!(["A=1"]));
    assert_eq!(config["ExposedPorts"], json!({"80/tcp": {}}));
    assert_eq!(config["HostConfig"]["Memory"], json!(64 << 20));
    assert_eq!(
        config["HostConfig"]["PortBindings"],
        json!({"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": "39555"}]})
    );
}

#[test]
fn what_the_engine_added_is_no_part_of_the_request() {
    let config = live(&recorded()).config;
    assert_eq!(config.get("Hostname"), None);
    assert_eq!(
        config["NetworkingConfig"]["EndpointsConfig"],
        json!({"docker-rec-net": {
            "IPAMConfig": {"IPv4Address": "10.213.99.9"}, "Aliases": ["web"],
        }})
    );
}

#[test]
fn a_mac_address_that_was_asked_for_is_kept() {
    for (mac, is_kept) in
        [("02:42:ac:11:65:43", true), ("9e:00:00:00:00:01", true), ("02:77:12:34:56:78", false)]
    {
        let mut seen = recorded();
        seen["NetworkSettings"]["Networks"]["docker-rec-net"]["MacAddress"] = json!(mac);
        let config = live(&seen).config;
        let place = &config["NetworkingConfig"]["EndpointsConfig"]["docker-rec-net"];
        assert_eq!(place.get("MacAddress").is_some(), is_kept, "{mac}");
    }
}

#[test]
fn a_failed_check_says_what_it_said_last() {
    let mut seen = recorded();
    seen["State"]["Health"]["Status"] = json!("unhealthy");
    seen["State"]["Health"]["Log"] = json!([{"Output": "old"}, {"Output": "no route\n"}]);
    assert_eq!(live(&seen).state.health, Some(Health::Unhealthy("no route".into())));
}

#[test]
fn what_lacks_a_label_is_not_ours() {
    let mut seen = recorded();
    seen["Config"]["Labels"].as_object_mut().unwrap().remove("gitdeploy.spec");
    assert_eq!(live_container(&seen), None);
}

#[test]
fn a_container_that_never_ran_has_no_start() {
    let mut seen = recorded();
    assert!(was_started(&seen));
    seen["State"]["StartedAt"] = json!("0001-01-01T00:00:00Z");
    assert!(!was_started(&seen));
}
