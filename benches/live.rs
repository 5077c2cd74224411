//! Against a real engine: what a look at a host costs, and what a release costs.
//!
//! Run with `make bench`. Measures, and compares with what cannot be avoided,
//!
//! * a plan with nothing to do, where 50 containers run, with the bare questions to the engine:
//!   facts, lists, 50 detailed looks, images. Once as a look alone over a client that is connected,
//!   as a daemon has it; once as the program that is run, against a process that starts, connects,
//!   asks and ends. `gitdeploy validate` shows what start and commit take;
//! * a release of 4 replicas, behind nginx and behind HAProxy, with the same containers made,
//!   started, asked until they are ready, stopped and removed by hand, in a network of their own as
//!   a stack's are: no proxy, no lease, no plan, and none of the 2 s in which nginx before 1.27.4
//!   must let idle connections run out;
//! * a look at three hosts over SSH, near and far (`live/hosts.rs`).
//!
//! After `--`, `look`, `release` and `hosts` are one of these alone.
//!
//! Both sides in turns, and medians, since a machine does other things too. Everything it makes goes
//! with it; what an interrupted run left of the containers made by hand goes at the next start.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark runs the program and reads the clock"
)]

#[path = "live/hosts.rs"]
mod hosts;
#[path = "../tests/engine/rig/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a part of what the tests stand on is enough here")]
mod rig;

use std::process::Command;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, NetworkCreateRequest, PortBinding};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, ListContainersOptions, ListNetworksOptions,
    ListVolumesOptions, RemoveContainerOptions, StopContainerOptions,
};
use futures_util::future::{join_all, try_join_all};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use tokio::runtime::{Builder, Runtime};

use gitdeploy::model::Owner;
use gitdeploy::ports::{Engine as _, Wanted};
use rig::{Kind, Runs, Variant, World, get};

const SOCKET: &str = "/var/run/docker.sock";
/// As many as a survey has under way at a time.
const AT_A_TIME: usize = 16;
const CONTAINERS: usize = 50;
const REPLICAS: u32 = 4;
const RUNS: usize = 9;
const RELEASES: usize = 8;
/// What may be measured alone, named after `--`.
const PARTS: [&str; 3] = ["look", "release", "hosts"];
/// Containers made by hand begin with this.
const BY_HAND: &str = "bench-by-hand-";
/// The network that they are in.
const NETWORK: &str = "bench-by-hand";
/// What this program is started with to ask the bare questions and nothing else.
const ASK: &str = "--only-ask";
/// As the stack below says.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many good answers in a row are believed.
const ANSWERS: u32 = 2;
const READY_MAX: Duration = Duration::from_secs(30);

type Failure = bollard::errors::Error;

fn main() {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let [word, project, image] = given.as_slice()
        && word == ASK
    {
        // As the program itself runs: a client needs no threads of its own.
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let docker = connected(&runtime);
        runtime.block_on(questions(&docker, project, image)).expect("answers");
        return;
    }
    let runtime = Runtime::new().expect("a runtime");
    let docker = connected(&runtime);
    runtime.block_on(clean(&docker)).expect("an engine");
    let is_all = !PARTS.iter().any(|part| given.iter().any(|word| word == part));
    let [look, release, hosts] = PARTS.map(|part| is_all || given.iter().any(|word| word == part));
    if look {
        looks(&runtime, &docker);
    }
    if release {
        println!("\n{REPLICAS} replicas, new before old; median of {RELEASES}\n");
        head();
        releases(&runtime, &docker, Kind::Nginx, "release behind nginx");
        releases(&runtime, &docker, Kind::Haproxy, "release behind HAProxy");
    }
    if hosts {
        hosts::looks();
    }
}

fn connected(runtime: &Runtime) -> Docker {
    let docker =
        Docker::connect_with_unix(SOCKET, 60, bollard::API_DEFAULT_VERSION).expect("a client");
    runtime.block_on(docker.negotiate_version()).expect("an engine")
}

/// What a process takes that asks the bare questions and ends.
fn process(project: &str, image: &str) -> Duration {
    let own = std::env::current_exe().expect("this program");
    let begin = Instant::now();
    let ended = Command::new(own).args([ASK, project, image]).status().expect("a process");
    assert!(ended.success());
    begin.elapsed()
}

/// Removes what an interrupted run has left.
async fn clean(docker: &Docker) -> Result<(), Failure> {
    let filters = [("name".to_owned(), vec![format!("^/{BY_HAND}")])];
    let all = ListContainersOptions {
        all: true,
        filters: Some(filters.into()),
        ..ListContainersOptions::default()
    };
    let left = docker.list_containers(Some(all)).await?;
    try_join_all(left.into_iter().filter_map(|it| it.id).map(|id| async move {
        let options = RemoveContainerOptions { force: true, ..Default::default() };
        docker.remove_container(&id, Some(options)).await
    }))
    .await?;
    // Gone already, unless a run was interrupted.
    drop(docker.remove_network(NETWORK).await);
    Ok(())
}

/// A plan with nothing to do, and its bare questions.
fn looks(runtime: &Runtime, docker: &Docker) {
    println!("{CONTAINERS} containers on one host; median of {RUNS}\n");
    let mut world = World::new("bench-look");
    let image = world.tag("one", Variant::V1);
    let text =
        format!("services:\n  web:\n    image: {image}\n    deploy: {{replicas: {CONTAINERS}}}\n");
    world.write("stacks/many/compose.yaml", text);
    world.commit("many");
    world.run(&["apply", "-y"]).succeeded();
    let (mut bare, mut processes) = (Vec::new(), Vec::new());
    let (mut surveys, mut plans, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    let engine = gitdeploy::adapters::docker::Docker::unix(SOCKET).expect("a client");
    let owner = owner(&world.project);
    // In turns, so that what else the machine does meets both.
    for _ in 0..RUNS {
        let begin = Instant::now();
        runtime.block_on(questions(docker, &world.project, &image)).expect("answers");
        bare.push(begin.elapsed());
        let begin = Instant::now();
        runtime.block_on(engine.survey(&owner, &Wanted::default())).expect("answers");
        surveys.push(begin.elapsed());
        processes.push(process(&world.project, &image));
        let plan = world.run(&["plan", "--detailed-exitcode"]);
        plan.succeeded();
        plans.push(plan.took);
        let read = world.run(&["validate"]);
        read.succeeded();
        reads.push(read.took);
    }
    let (bare, process) = (median(bare), median(processes));
    let plan = median(plans);
    head();
    row("look at the host", median(surveys), bare, Some(1.5));
    row("plan, process against process", plan, process, Some(1.5));
    row("plan's process, against the questions", plan, bare, None);
    row("of it: start, commit (`validate`)", median(reads), bare, None);
}

fn owner(project: &str) -> Owner {
    let labels = [("gitdeploy.project", project), ("gitdeploy.environment", "test")];
    let labels = labels.into_iter().chain([("gitdeploy.stack", "many")]);
    let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    Owner::read(&labels).expect("an owner").0
}

/// What has to be asked of the engine for a plan.
async fn questions(docker: &Docker, project: &str, image: &str) -> Result<(), Failure> {
    let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
    let (_, listed, _, _) = futures_util::try_join!(
        docker.info(),
        docker.list_containers(Some(all)),
        docker.list_networks(None::<ListNetworksOptions>),
        docker.list_volumes(None::<ListVolumesOptions>),
    )?;
    let is_ours = |labels: &std::collections::HashMap<String, String>| {
        labels.get("gitdeploy.project").is_some_and(|it| it == project)
    };
    let ids = listed.into_iter().filter(|it| it.labels.as_ref().is_some_and(is_ours));
    let ids: Vec<String> = ids.filter_map(|it| it.id).collect();
    assert_eq!(ids.len(), CONTAINERS);
    let ask = |id: String| async move {
        docker.inspect_container(&id, None::<InspectContainerOptions>).await
    };
    let seen: Vec<_> = stream::iter(ids).map(ask).buffered(AT_A_TIME).try_collect().await?;
    let id = seen[0].image.clone().unwrap_or_default();
    futures_util::try_join!(docker.inspect_image(image), docker.inspect_image(&id))?;
    Ok(())
}

/// What a release takes, and what the application itself takes of it.
fn releases(runtime: &Runtime, docker: &Docker, kind: Kind, name: &str) {
    let mut world = World::new("bench-release").with_proxy(kind, Runs::OnHost);
    let images = [world.tag("one", Variant::V1), world.tag("two", Variant::V2)];
    let release = |image: &str| {
        world.write("stacks/shop/compose.yaml", stack(&world, image));
        world.commit("a release");
        world.run(&["apply", "-y"]).succeeded().took
    };
    release(&images[0]);
    let network = NetworkCreateRequest { name: NETWORK.to_owned(), ..Default::default() };
    runtime.block_on(docker.create_network(network)).expect("an engine");
    let (mut whole, mut by_hands) = (Vec::new(), Vec::new());
    for count in 1..=RELEASES {
        whole.push(release(&images[count % 2]));
        by_hands.push(runtime.block_on(by_hand(docker, &images[0])).expect("an engine"));
    }
    runtime.block_on(docker.remove_network(NETWORK)).expect("an engine");
    row(name, median(whole), median(by_hands), Some(1.15));
}

fn stack(world: &World, image: &str) -> String {
    let route = |name: &str| format!("        - {{host: a.example, port: 8080, proxy: {name}}}\n");
    let routes: String = world.proxies.iter().map(|proxy| route(&proxy.name)).collect();
    format!(
        "services:\n  web:\n    image: {image}\n    environment: {{START_DELAY_MS: '300', \
         READY_AFTER_MS: '700'}}\n    deploy: {{replicas: {REPLICAS}}}\n    x-gitdeploy:\n      \
         health: {{http: /health, port: 8080, interval: 200ms, timeout: 1s, within: 30s}}\n      \
         drain: {{timeout: 10s}}\n      routes:\n{routes}"
    )
}

/// The same containers without this program: until all are ready, and then gone.
async fn by_hand(docker: &Docker, image: &str) -> Result<Duration, Failure> {
    let begin = Instant::now();
    let names: Vec<String> =
        (0..REPLICAS).map(|slot| format!("{BY_HAND}{}-{slot}", std::process::id())).collect();
    try_join_all(names.iter().map(|name| run(docker, name, image))).await?;
    join_all(names.iter().map(|name| ready(docker, name))).await;
    try_join_all(names.iter().map(|name| async move {
        docker.stop_container(name, None::<StopContainerOptions>).await?;
        docker.remove_container(name, None::<RemoveContainerOptions>).await
    }))
    .await?;
    Ok(begin.elapsed())
}

async fn run(docker: &Docker, name: &str, image: &str) -> Result<(), Failure> {
    let any = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: None };
    let host = HostConfig {
        port_bindings: Some([("8080/tcp".to_owned(), Some(vec![any]))].into()),
        network_mode: Some(NETWORK.to_owned()),
        ..HostConfig::default()
    };
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        env: Some(vec!["START_DELAY_MS=300".to_owned(), "READY_AFTER_MS=700".to_owned()]),
        exposed_ports: Some(vec!["8080/tcp".to_owned()]),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions { name: Some(name.to_owned()), ..Default::default() };
    docker.create_container(Some(options), body).await?;
    docker.start_container(name, None).await
}

async fn ready(docker: &Docker, name: &str) {
    let seen = docker.inspect_container(name, None::<InspectContainerOptions>).await;
    let ports = seen.ok().and_then(|it| it.network_settings).and_then(|it| it.ports);
    let bindings = ports.and_then(|mut it| it.remove("8080/tcp")).flatten();
    let port = bindings.and_then(|it| it[0].host_port.clone()).expect("a published port");
    let address = format!("127.0.0.1:{port}").parse().expect("an address");
    let (begin, mut answers) = (Instant::now(), 0);
    loop {
        let asked = tokio::task::spawn_blocking(move || get(address, "a.example", "/health"));
        let is_well = matches!(asked.await, Ok(Ok((200, _))));
        answers = if is_well { answers + 1 } else { 0 };
        if answers == ANSWERS {
            return;
        }
        assert!(begin.elapsed() < READY_MAX, "{name} does not become ready");
        tokio::time::sleep(INTERVAL).await;
    }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn head() {
    println!("  {:<36} {:>11} {:>11} {:>7} {:>6}", "", "measured", "bare", "ratio", "goal");
}

fn row(what: &str, time: Duration, bare: Duration, goal: Option<f64>) {
    let millis = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let ratio = time.as_secs_f64() / bare.as_secs_f64();
    let goal = goal.map_or_else(String::new, |goal| goal.to_string());
    println!("  {what:<36} {:>11} {:>11} {ratio:>7.2} {goal:>6}", millis(time), millis(bare));
}
