//! One look at a host.

use std::collections::BTreeSet;
use std::net::TcpListener;

use gitdeploy::model::{CommitId, Release};
use gitdeploy::ports::{Applied, Engine, Wanted};
use serde_json::json;

use super::world::{Foreign, World, image, run};

fn release(generation: u64, commits: &[&str]) -> Release {
    let commits = commits.iter().map(|it| CommitId::new(*it)).collect();
    Release { generation, commits, ..Release::default() }
}

#[tokio::test]
async fn a_survey_tells_ours_from_theirs() {
    let world = World::new("survey");
    let network = world.name("net");
    let body = json!({"Driver": "bridge", "Labels": world.labels(),
        "IPAM": {"Config": [{"Subnet": "10.213.77.0/24"}]}});
    world.docker.create_network(&network, &body).await.unwrap();
    let mut replica = world.replica("a", "while true; do sleep 0.1; done");
    replica.body["HostConfig"]["NetworkMode"] = json!(network);
    replica.body["NetworkingConfig"] = json!({"EndpointsConfig": {&network: {"Aliases": ["web"]}}});
    world.docker.create(&replica, &[]).await.unwrap();
    world.docker.start(&replica.name).await.unwrap();
    let theirs = world.name("theirs");
    run(&[
        "create",
        "--name",
        &theirs,
        "--network",
        &network,
        "-p",
        "127.0.0.1:39481:80",
        image(),
        "true",
    ]);
    let foreign = Foreign("container", theirs.clone());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let wanted = Wanted {
        images: BTreeSet::from([
            (image().to_owned(), None),
            ("docker-no-such/image:1".to_owned(), None),
        ]),
        ..Wanted::default()
    };
    let seen = world.docker.survey(&world.owner, &wanted).await.unwrap();

    assert!(seen.engine.clock > 0 && seen.engine.cpus > 0, "{:?}", seen.engine);
    assert_eq!(seen.containers.keys().collect::<Vec<_>>(), [&replica.name]);
    let live = &seen.containers[&replica.name];
    assert!(live.addresses.get(&network).is_some(), "{live:?}");
    // An engine from 28 on tells the hardware address too.
    let place = &live.config["NetworkingConfig"]["EndpointsConfig"][&network];
    assert_eq!(place["Aliases"], json!(["web"]));
    let net = &seen.networks[&network];
    assert_eq!(net.stack.as_ref(), Some(&world.stack));
    assert_eq!(net.gateways, ["10.213.77.1".parse::<std::net::IpAddr>().unwrap()]);
    assert_eq!(net.others, BTreeSet::from([theirs.clone()]));
    assert_eq!(seen.images[image()].as_ref().unwrap().id, replica.image);
    assert!(seen.images[&*live.image].is_ok());
    assert_eq!(seen.images["docker-no-such/image:1"].as_ref().unwrap().id, None);
    assert!(seen.foreign.names.contains(&theirs));
    assert!(!seen.foreign.names.contains(&replica.name));
    assert_eq!(seen.foreign.ports[&39481], format!("container {theirs}"));
    assert!(seen.foreign.ports.contains_key(&listener.local_addr().unwrap().port()));
    drop(foreign);
}

#[tokio::test]
async fn the_last_release_is_remembered_alone() {
    let world = World::new("release");
    let docker = &world.docker;
    let record =
        async |release: &Release| docker.record(&world.owner, &world.stack, release).await.unwrap();
    let seen = async || {
        let seen = docker.survey(&world.owner, &Wanted::default()).await.unwrap();
        assert!(seen.volumes.is_empty(), "{:?}", seen.volumes);
        seen.releases.get(&world.stack).cloned()
    };
    let (first, second) = (release(1, &["c1"]), release(2, &["c2", "c1"]));
    assert_eq!(record(&first).await, Applied::Changed);
    assert_eq!(record(&second).await, Applied::Changed);
    assert_eq!(record(&second).await, Applied::AlreadyTrue);
    assert_eq!(seen().await, Some(second));
    let again = release(2, &["c3"]);
    assert_eq!(record(&again).await, Applied::Changed);
    assert_eq!(seen().await, Some(again));
    assert_eq!(record(&release(3, &[])).await, Applied::Changed);
    assert_eq!(seen().await, None);
}
