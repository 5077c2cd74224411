//! Containers from their creation to their removal, networks and volumes.

use std::collections::BTreeMap;
use std::time::Duration;

use gitdeploy::model::{Hook, Status};
use gitdeploy::ports::{Applied, Engine, LogOptions, PortError};
use serde_json::json;

use super::world::{Foreign, World, file, image, run};

const GRACE: Duration = Duration::from_secs(2);

/// Ends at the signal.
const SERVE: &str = "trap 'exit 3' TERM; echo ready; while true; do sleep 0.1; done";

async fn state(world: &World, name: &str) -> Status {
    world.docker.inspect(name).await.unwrap().unwrap().state.status
}

#[tokio::test]
async fn a_container_lives_and_each_step_can_be_repeated() {
    let world = World::new("life");
    let docker = &world.docker;
    let replica = world.replica("a", SERVE);
    let name = replica.name.as_str();
    assert_eq!(docker.inspect(name).await, Ok(None));
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(docker.create(&replica, &[]).await, Ok(expected));
    }
    assert_eq!(state(&world, name).await, Status::Created);
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(docker.start(name).await, Ok(expected));
    }
    let live = docker.inspect(name).await.unwrap().unwrap();
    assert_eq!(live.identity, replica.identity);
    assert!(live.state.is_running() && live.state.started_at > 0);
    let refused = docker.remove(name, None).await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(docker.stop(name, Some(&live.id), GRACE).await, Ok(expected));
    }
    let ended = docker.inspect(name).await.unwrap().unwrap();
    assert_eq!((ended.state.status, ended.state.exit_code), (Status::Exited, 3));
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(docker.remove(name, Some(&live.id)).await, Ok(expected));
    }
}

#[tokio::test]
async fn a_deaf_or_frozen_container_ends_after_its_grace() {
    let world = World::new("deaf");
    let replica = world.replica("a", "trap '' TERM; while true; do sleep 0.1; done");
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    run(&["pause", &replica.name]);
    let grace = Duration::from_secs(1);
    assert_eq!(world.docker.stop(&replica.name, None, grace).await, Ok(Applied::Changed));
    assert_eq!(state(&world, &replica.name).await, Status::Exited);
}

#[tokio::test]
async fn a_container_that_is_restarted_all_the_time_can_be_stopped() {
    let world = World::new("loop");
    let mut replica = world.replica("a", "exit 1");
    replica.body["HostConfig"]["RestartPolicy"] = json!({"Name": "always"});
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    assert_eq!(world.docker.stop(&replica.name, None, GRACE).await, Ok(Applied::Changed));
    assert_eq!(world.docker.remove(&replica.name, None).await, Ok(Applied::Changed));
}

#[tokio::test]
async fn a_name_that_is_taken_is_never_taken_over() {
    let world = World::new("taken");
    let replica = world.replica("a", SERVE);
    world.docker.create(&replica, &[]).await.unwrap();
    let mut other = replica.clone();
    other.body["Labels"]["gitdeploy.spec"] = json!("cd34");
    let moved = world.docker.create(&other, &[]).await;
    assert!(matches!(moved, Err(PortError::Moved(_))), "{moved:?}");
    world.docker.start(&replica.name).await.unwrap();
    let moved = world.docker.create(&replica, &[]).await;
    assert!(matches!(moved, Err(PortError::Moved(_))), "{moved:?}");
}

#[tokio::test]
async fn nothing_is_made_of_another_image() {
    let world = World::new("image");
    let mut replica = world.replica("a", SERVE);
    replica.image = Some("sha256:00".into());
    let moved = world.docker.create(&replica, &[]).await;
    assert!(matches!(moved, Err(PortError::Moved(_))), "{moved:?}");
    assert_eq!(world.docker.inspect(&replica.name).await, Ok(None));
}

#[tokio::test]
async fn another_container_of_that_name_is_left_alone() {
    let world = World::new("other");
    let replica = world.replica("a", SERVE);
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    let other = "0".repeat(64);
    let stopped = world.docker.stop(&replica.name, Some(&other), GRACE).await;
    let removed = world.docker.remove(&replica.name, Some(&other)).await;
    assert_eq!((stopped, removed), (Ok(Applied::AlreadyTrue), Ok(Applied::AlreadyTrue)));
    assert_eq!(state(&world, &replica.name).await, Status::Running);
}

#[tokio::test]
async fn files_have_their_owner_rights_and_place_before_the_start() {
    let world = World::new("files");
    let mut replica = world.replica("a", "stat -c '%n %u:%g %a' /run/secrets /run/secrets/* /new/*; cat /run/secrets/key /new/deep/b");
    replica.files = vec![file("/run/secrets/key", 0o440), file("/new/deep/b", 0o644)];
    let contents = [b"one\n".to_vec(), b"two\n".to_vec()];
    for _ in 0..2 {
        world.docker.create(&replica, &contents).await.unwrap();
    }
    world.docker.start(&replica.name).await.unwrap();
    let lines = output(&world, &replica.name).await;
    assert_eq!(
        lines,
        [
            "/run/secrets 0:0 755",
            "/run/secrets/key 1000:1001 440",
            "/new/deep 0:0 755",
            "one",
            "two",
        ]
    );
}

#[tokio::test]
async fn files_get_into_a_volume_where_the_rest_is_only_read() {
    let world = World::new("read");
    let mut replica = world.replica("a", "cat /conf/a /conf/sub/b; echo x > /c || echo no");
    replica.body["HostConfig"]["ReadonlyRootfs"] = json!(true);
    replica.body["HostConfig"]["Mounts"] =
        json!([{"Type": "volume", "Target": "/conf", "VolumeOptions": {"NoCopy": true}}]);
    replica.files = vec![file("/conf/a", 0o444), file("/conf/sub/b", 0o444)];
    let contents = [b"one\n".to_vec(), b"two\n".to_vec()];
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(world.docker.create(&replica, &contents).await, Ok(expected));
    }
    world.docker.start(&replica.name).await.unwrap();
    let mut lines = output(&world, &replica.name).await;
    lines.retain(|line| !line.contains("Read-only"));
    assert_eq!(lines, ["one", "two", "no"]);
    let volume = run(&["inspect", "-f", "{{(index .Mounts 0).Name}}", &replica.name]);
    world.docker.remove(&replica.name, None).await.unwrap();
    assert!(!run(&["volume", "ls", "-q"]).contains(&volume));
}

/// All lines of a container that ends by itself.
async fn output(world: &World, name: &str) -> Vec<String> {
    run(&["wait", name]);
    let mut lines = Vec::new();
    let mut keep = |line: gitdeploy::ports::LogLine| {
        lines.push(line.text);
        true
    };
    world.docker.logs(name, &LogOptions::default(), &mut keep).await.unwrap();
    lines
}

#[tokio::test]
async fn a_hook_says_how_it_ended() {
    let world = World::new("hook");
    let replica = world.replica("a", SERVE);
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    let hook = Hook {
        command: ["sh", "-c", "echo $WORD; exit 4"].map(str::to_owned).to_vec(),
        image: None,
        user: None,
        privileged: None,
        working_dir: Some("/bin".into()),
        env: BTreeMap::from([("WORD".into(), Some("hello".into()))]),
        per_replica: None,
    };
    let end = world.docker.run_hook(&replica.name, &hook).await.unwrap();
    assert_eq!((end.code, end.output.as_str()), (4, "hello"));
}

#[tokio::test]
async fn logs_are_followed_until_no_more_are_wanted() {
    let world = World::new("logs");
    let replica = world.replica("a", SERVE);
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    let options = LogOptions { follow: true, ..LogOptions::default() };
    let mut seen = String::new();
    let mut first = |line: gitdeploy::ports::LogLine| {
        seen = line.text;
        false
    };
    world.docker.logs(&replica.name, &options, &mut first).await.unwrap();
    assert_eq!(seen, "ready");
}

#[tokio::test]
async fn networks_and_volumes_come_and_go() {
    let world = World::new("things");
    let docker = &world.docker;
    let name = world.name("thing");
    let network = json!({"Driver": "bridge", "Internal": true, "Labels": world.labels()});
    let volume = json!({"Driver": "local", "Labels": world.labels()});
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(docker.create_network(&name, &network).await, Ok(expected));
        assert_eq!(docker.create_volume(&name, &volume).await, Ok(expected));
    }
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(docker.remove_network(&name).await, Ok(expected));
        assert_eq!(docker.remove_volume(&name).await, Ok(expected));
    }
}

#[tokio::test]
async fn what_is_not_ours_is_never_touched() {
    let world = World::new("foreign");
    let docker = &world.docker;
    let name = world.name("theirs");
    run(&["run", "-d", "--name", &name, "--network", "none", image(), "sleep", "60"]);
    let _container = Foreign("container", name.clone());
    run(&["network", "create", "--internal", &name]);
    let _network = Foreign("network", name.clone());
    run(&["volume", "create", &name]);
    let _volume = Foreign("volume", name.clone());
    let mut answers = vec![
        docker.start(&name).await,
        docker.stop(&name, None, GRACE).await,
        docker.remove(&name, None).await,
        docker.remove_network(&name).await,
        docker.remove_volume(&name).await,
        docker.inspect(&name).await.map(|_| Applied::Changed),
    ];
    for answer in answers.drain(..) {
        assert!(matches!(answer, Err(PortError::Refused(_))), "{answer:?}");
    }
    let made = [
        docker.create_network(&name, &json!({"Labels": world.labels()})).await,
        docker.create_volume(&name, &json!({"Labels": world.labels()})).await,
    ];
    for answer in made {
        assert!(matches!(answer, Err(PortError::Moved(_))), "{answer:?}");
    }
    assert_eq!(run(&["inspect", "-f", "{{.State.Running}}", &name]), "true");
}
