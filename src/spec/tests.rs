use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::model::{
    BindSource, ContainerSpec, ContentKey, FieldDifference, FileMount, FileSource, Identity,
    LiveNetwork, LiveVolume, Mount, MountKind, NetworkSpec, PlacedFile, Settled, VolumeSpec,
};

fn identity() -> Identity {
    let labels: BTreeMap<String, String> = [
        ("project", "acme"),
        ("environment", "test"),
        ("stack", "shop"),
        ("service", "web"),
        ("slot", "1"),
        ("spec", "ab"),
        ("generation", "1"),
        ("commit", "c0ffee"),
    ]
    .into_iter()
    .map(|(key, value)| (format!("gitdeploy.{key}"), value.to_owned()))
    .collect();
    Identity::read(&labels).expect("complete")
}

fn ask(spec: &ContainerSpec, version: &str) -> Result<Value, Vec<String>> {
    let identity = identity();
    let target = StackTarget {
        services: BTreeMap::new(),
        networks: BTreeMap::new(),
        volumes: BTreeMap::new(),
        files: BTreeMap::new(),
        settled: Settled::default(),
    };
    let surroundings = Surroundings {
        owner: &identity.owner,
        stack: &identity.stack,
        service: &identity.service,
        target: &target,
        engine: &EngineInfo { version: version.into(), ..EngineInfo::default() },
    };
    body(&surroundings, spec, &identity, &[])
}

fn lines(found: Vec<FieldDifference>) -> Vec<String> {
    found.into_iter().map(|it| format!("{}: {:?} -> {:?}", it.path, it.old, it.new)).collect()
}

fn paths(found: Vec<FieldDifference>) -> Vec<String> {
    found.into_iter().map(|it| it.path).collect()
}

#[test]
fn what_an_engine_cannot_do_is_refused_by_name() {
    let spec = ContainerSpec {
        annotations: [("a".to_owned(), "b".to_owned())].into(),
        network_mode: Some("service:db".into()),
        links: vec!["db".into(), "db:database".into()],
        volumes_from: vec!["db".into(), "container:x".into()],
        security_opt: vec!["seccomp=profile.json".into()],
        ..ContainerSpec::default()
    };
    let rest = [
        "network_mode: service:db",
        "volumes_from: db",
        "security_opt: seccomp=profile.json",
        "annotations (needs Docker 24.0)",
        "links: db:database",
    ];
    assert_eq!(ask(&spec, "20.10.24+dfsg1"), Err(rest.map(str::to_owned).to_vec()));
    assert_eq!(ask(&spec, "28.2.2").expect_err("some").len(), 4);
}

#[test]
fn unset_attributes_are_not_asked_for() {
    let spec = ContainerSpec { image: "shop:1".into(), ..ContainerSpec::default() };
    let mut asked = ask(&spec, "").expect("possible");
    asked["Labels"].take();
    assert_eq!(asked, json!({"Image": "shop:1", "Labels": null, "HostConfig": {}}));
}

#[test]
fn what_the_image_gives_is_no_difference() {
    let image = json!({
        "Env": ["PATH=/bin", "LEVEL=info"], "Labels": {"maker": "us"}, "Cmd": ["run"],
        "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}}, "User": "1000",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5},
    });
    let want = json!({"Env": ["LEVEL=debug"], "Healthcheck": {"Retries": 3}});
    let live = json!({
        "Env": ["LEVEL=debug", "PATH=/bin"], "Labels": {"maker": "us"}, "Cmd": ["run"],
        "Volumes": {"/data": {}}, "ExposedPorts": {"80/tcp": {}}, "User": "1000",
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 5, "Retries": 3},
    });
    assert_eq!(lines(differences(&want, &live, &image)), [""; 0]);
    assert_eq!(lines(differences(&want, &live, &Value::Null)), [""; 0]);
    assert_eq!(paths(differences(&json!({}), &live, &image)), ["env.LEVEL", "healthcheck.retries"]);
}

#[test]
fn what_other_engines_add_is_no_difference() {
    let live = json!({
        "Hostname": "0123456789ab", "StopTimeout": null, "Brand": "new",
        "HostConfig": {
            "ShmSize": 67_108_864, "Runtime": "runc", "IpcMode": "private", "CgroupnsMode": "host",
            "LogConfig": {"Type": "local", "Config": {"max-size": "1m"}}, "NetworkMode": "bridge",
            "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}, "PidsLimit": null,
            "OomKillDisable": false, "Devices": [], "Binds": null, "ConsoleSize": [0, 0],
            "MaskedPaths": ["/proc/kcore"], "Memory": 64, "MemorySwap": 128, "NewKey": true,
        },
        "NetworkingConfig": {"EndpointsConfig": {"bridge": {"MacAddress": "02:42:ac:11:00:02"}}},
    });
    let want = json!({"HostConfig": {"Memory": 64, "NetworkMode": "default"}});
    assert_eq!(lines(differences(&want, &live, &json!({}))), [""; 0]);
}

#[test]
fn an_address_that_a_swarm_chose_is_no_difference() {
    let place = |key: &str, at: &str| {
        json!({
            "HostConfig": {"NetworkMode": "o"},
            "NetworkingConfig": {"EndpointsConfig": {"o": {key: {"IPv4Address": at}}}},
        })
    };
    let none = json!({
        "HostConfig": {"NetworkMode": "o"},
        "NetworkingConfig": {"EndpointsConfig": {"o": {}}},
    });
    let live = place("GivenAddresses", "10.0.1.2");
    let said = |want: &Value| lines(differences(want, &live, &json!({})));
    assert_eq!(said(&none), [""; 0]);
    assert_eq!(said(&place("IPAMConfig", "10.0.1.2")), [""; 0]);
    assert_eq!(said(&place("IPAMConfig", "10.0.1.9")).len(), 1);
}

#[test]
fn capabilities_and_mounts_have_two_forms() {
    let want = json!({"HostConfig": {
        "CapAdd": ["net_admin", "CAP_CHOWN"],
        "Mounts": [{"Type": "volume", "Source": "db", "Target": "/db/", "ReadOnly": true}],
    }});
    let live = json!({"HostConfig": {
        "CapAdd": ["CAP_CHOWN", "CAP_NET_ADMIN"], "Binds": ["db:/db:ro"],
    }});
    assert_eq!(lines(differences(&want, &live, &json!({}))), [""; 0]);
}

#[test]
fn secrets_are_hidden() {
    let one = json!({
        "Env": ["DB_PASSWORD=hunter2", "AT=postgres://u:hunter2@db/x"],
        "Cmd": ["serve", "--token", "hunter2"], "Labels": {"a.token": "hunter2"},
        "HostConfig": {"Sysctls": {"api_key": "hunter2"}},
    });
    let two = json!({
        "Env": ["DB_PASSWORD=hunter3", "AT=postgres://u:hunter3@db/y"],
        "Cmd": ["serve", "--token", "hunter3"], "Labels": {"a.token": "hunter3"},
        "HostConfig": {"Sysctls": {"api_key": "hunter3"}},
    });
    let found = lines(differences(&two, &one, &json!({})));
    assert_eq!(found.len(), 5);
    assert!(!found.concat().contains("hunter"), "{found:?}");
}

#[test]
fn files_of_the_commit_are_placed() {
    let mounted = |target: &str, files: &[(&str, &str)]| Mount {
        target: target.into(),
        kind: MountKind::Bind {
            source: BindSource::Repository {
                path: "s".into(),
                files: files.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
                executable: ["a/b".to_owned()].into(),
            },
        },
        read_only: Some(true),
        options: BTreeMap::new(),
    };
    let secret = FileMount {
        source: "pw".into(),
        target: "pw".into(),
        uid: Some("7".into()),
        gid: None,
        mode: Some("0400".into()),
        content: FileSource::Environment { name: "PW".into() },
    };
    let spec = ContainerSpec {
        volumes: vec![mounted("/etc/x", &[("a/b", "d1")]), mounted("/one", &[("", "d2")])],
        secrets: vec![secret],
        ..ContainerSpec::default()
    };
    let digest = |target: &str, digest: &str, mode: u32| PlacedFile {
        target: target.into(),
        content: ContentKey::Digest(digest.into()),
        uid: 0,
        gid: 0,
        mode,
        is_secret: false,
    };
    let variable = PlacedFile {
        target: "/run/secrets/pw".into(),
        content: ContentKey::Variable("PW".into()),
        uid: 7,
        gid: 0,
        mode: 0o400,
        is_secret: true,
    };
    assert_eq!(
        files(&spec),
        [digest("/etc/x/a/b", "d1", 0o755), digest("/one", "d2", 0o644), variable]
    );
    let mounts = &ask(&spec, "").expect("possible")["HostConfig"]["Mounts"];
    let own = json!([{"Type": "volume", "VolumeOptions": {"NoCopy": true}, "Target": "/etc/x"}]);
    assert_eq!(*mounts, own);
}

#[test]
fn a_directory_of_files_becomes_a_volume_where_nothing_can_be_written() {
    let file = |target: &str| FileMount {
        source: "x".into(),
        target: target.into(),
        uid: None,
        gid: None,
        mode: None,
        content: FileSource::Environment { name: "X".into() },
    };
    let volume = Mount {
        target: "/data".into(),
        kind: MountKind::Anonymous,
        read_only: None,
        options: BTreeMap::new(),
    };
    let mut spec = ContainerSpec {
        read_only: Some(true),
        volumes: vec![volume],
        secrets: vec![file("pw"), file("token")],
        configs: vec![file("/data/a"), file("/etc/app/b"), file("/database/c")],
        ..ContainerSpec::default()
    };
    let mounts = ask(&spec, "").expect("possible")["HostConfig"]["Mounts"].clone();
    let own = |target: &str| json!({"Type": "volume", "Target": target});
    let all = ["/data", "/database", "/etc/app", "/run/secrets"].map(own);
    assert_eq!(mounts, json!(all));
    spec.read_only = None;
    let mounts = &ask(&spec, "").expect("possible")["HostConfig"]["Mounts"];
    assert_eq!(*mounts, json!([own("/data")]));
}

#[test]
fn a_directory_of_the_stack_has_a_name_that_an_engine_takes() {
    let Identity { owner, stack, .. } = identity();
    assert_eq!(stack_volume_name(&owner, &stack, "shop/data ä"), "acme-test-shop-shop_data__");
}

#[test]
fn only_what_was_asked_of_a_network_or_volume_is_compared() {
    let pairs = |key: &str, value: &str| BTreeMap::from([(key.to_owned(), value.to_owned())]);
    let live = LiveNetwork {
        driver: "bridge".into(),
        internal: true,
        options: pairs("mtu", "1400"),
        labels: pairs("gitdeploy.stack", "shop"),
        ..LiveNetwork::default()
    };
    let want = NetworkSpec { driver_opts: pairs("mtu", "1500"), ..NetworkSpec::default() };
    assert_eq!(paths(network_differences(&want, &live)), ["driver_opts.mtu", "internal"]);
    let live = LiveVolume {
        driver: "local".into(),
        options: pairs("type", "nfs"),
        labels: pairs("tier", "x"),
        ..LiveVolume::default()
    };
    let want = VolumeSpec { driver: Some("local".into()), ..VolumeSpec::default() };
    assert_eq!(paths(volume_differences(&want, &live)), ["labels.tier"]);
}
