//! What every engine does. One behaviour a function; its name says it.

use std::collections::BTreeMap;
use std::time::Duration;

use gitdeploy::model::{
    CommitId, Health, Hook, HostState, LiveContainer, Name, ProxyPlace, Release, Replica, Status,
};
use gitdeploy::ports::{Applied, LogLine, LogOptions, PortError, Wanted};
use serde_json::json;

use super::{Process, Subject, Thing, until};

const GRACE: Duration = Duration::from_secs(2);

/// A port that nothing else on a test machine has.
const PORT: &str = "28917";

fn name<T: From<Name>>(text: &str) -> T {
    Name::parse(text).expect("a name").into()
}

async fn survey(subject: &impl Subject) -> HostState {
    subject.engine().survey(subject.owner(), &Wanted::default()).await.expect("a survey")
}

async fn seen(subject: &impl Subject, name: &str) -> LiveContainer {
    subject.engine().inspect(name).await.expect("an answer").expect("a container")
}

async fn started(subject: &impl Subject, replica: &Replica) {
    assert_eq!(subject.engine().create(replica, &[]).await, Ok(Applied::Changed));
    assert_eq!(subject.engine().start(&replica.name).await, Ok(Applied::Changed));
}

fn is_refused<T: std::fmt::Debug>(answer: Result<T, PortError>) {
    assert!(matches!(answer, Err(PortError::Refused(_))), "{answer:?}");
}

fn is_moved(answer: Result<Applied, PortError>) {
    assert!(matches!(answer, Err(PortError::Moved(_))), "{answer:?}");
}

fn is_missing<T: std::fmt::Debug>(answer: Result<T, PortError>) {
    assert!(matches!(answer, Err(PortError::NotFound(_))), "{answer:?}");
}

pub(crate) async fn each_step_of_a_life_can_be_repeated(subject: &impl Subject) {
    let engine = subject.engine();
    let replica = subject.replica("a", Process::Serves);
    let name = replica.name.as_str();
    let status = async || survey(subject).await.containers.get(name).map(|it| it.state.status);
    assert_eq!(status().await, None);
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(engine.create(&replica, &[]).await, Ok(expected));
    }
    assert_eq!(status().await, Some(Status::Created));
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(engine.start(name).await, Ok(expected));
    }
    assert_eq!(status().await, Some(Status::Running));
    let live = seen(subject, name).await;
    assert_eq!((&live.identity, live.name.as_str()), (&replica.identity, name));
    assert!(live.state.started_at > 0);
    is_refused(engine.remove(name, Some(&live.id)).await);
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(engine.stop(name, Some(&live.id), GRACE).await, Ok(expected));
    }
    assert_eq!(status().await, Some(Status::Exited));
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(engine.remove(name, Some(&live.id)).await, Ok(expected));
    }
    assert_eq!(status().await, None);
}

pub(crate) async fn a_name_that_is_taken_is_never_taken_over(subject: &impl Subject) {
    let engine = subject.engine();
    let replica = subject.replica("a", Process::Serves);
    engine.create(&replica, &[]).await.expect("made");
    let mut other = replica.clone();
    other.identity.generation += 1;
    other.body["Labels"] = json!(other.identity.labels());
    is_moved(engine.create(&other, &[]).await);
    engine.start(&replica.name).await.expect("started");
    is_moved(engine.create(&replica, &[]).await);
    let theirs = subject.replica("theirs", Process::Serves);
    subject.foreign(Thing::Container, &theirs.name);
    is_moved(engine.create(&theirs, &[]).await);
}

pub(crate) async fn another_container_of_that_name_is_left_alone(subject: &impl Subject) {
    let replica = subject.replica("a", Process::Serves);
    started(subject, &replica).await;
    let other = "f".repeat(64);
    let stopped = subject.engine().stop(&replica.name, Some(&other), GRACE).await;
    let removed = subject.engine().remove(&replica.name, Some(&other)).await;
    assert_eq!((stopped, removed), (Ok(Applied::AlreadyTrue), Ok(Applied::AlreadyTrue)));
    assert_eq!(seen(subject, &replica.name).await.state.status, Status::Running);
}

pub(crate) async fn what_is_not_ours_is_never_touched(subject: &impl Subject) {
    let engine = subject.engine();
    let name = subject.name("theirs");
    for thing in [Thing::Container, Thing::Network, Thing::Volume] {
        subject.foreign(thing, &name);
    }
    is_refused(engine.start(&name).await);
    is_refused(engine.stop(&name, None, GRACE).await);
    is_refused(engine.remove(&name, None).await);
    is_refused(engine.inspect(&name).await);
    is_refused(engine.remove_network(&name).await);
    is_refused(engine.remove_volume(&name).await);
    let labels = json!({"Labels": subject.owner().labels(subject.stack())});
    is_moved(engine.create_network(&name, &labels).await);
    is_moved(engine.create_volume(&name, &labels).await);
    let state = survey(subject).await;
    assert!(!state.containers.contains_key(&name) && state.foreign.names.contains(&name));
}

pub(crate) async fn what_is_not_there_is_told_by_what_was_asked(subject: &impl Subject) {
    let engine = subject.engine();
    let name = subject.name("nobody");
    is_missing(engine.start(&name).await);
    is_missing(engine.run_hook(&name, &hook("exit 0")).await);
    is_missing(engine.logs(&name, &LogOptions::default(), &mut |_| true).await);
    assert_eq!(engine.inspect(&name).await, Ok(None));
    let gone = [
        engine.stop(&name, None, GRACE).await,
        engine.remove(&name, None).await,
        engine.remove_network(&name).await,
        engine.remove_volume(&name).await,
    ];
    assert_eq!(gone, [const { Ok(Applied::AlreadyTrue) }; 4]);
}

pub(crate) async fn networks_and_volumes_come_and_go(subject: &impl Subject) {
    let engine = subject.engine();
    let name = subject.name("thing");
    let mut labels = subject.owner().labels(subject.stack());
    labels.insert("team".into(), "shop".into());
    let network = json!({"Driver": "bridge", "Internal": true, "Labels": labels});
    let volume = json!({"Driver": "local", "Labels": labels});
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(engine.create_network(&name, &network).await, Ok(expected));
        assert_eq!(engine.create_volume(&name, &volume).await, Ok(expected));
    }
    let own = BTreeMap::from([("team".to_owned(), "shop".to_owned())]);
    let state = survey(subject).await;
    let live = &state.networks[&name];
    assert_eq!((live.stack.as_ref(), &live.labels), (Some(subject.stack()), &own));
    assert_eq!((live.driver.as_str(), live.internal), ("bridge", true));
    let live = &state.volumes[&name];
    assert_eq!((live.stack.as_ref(), &live.labels), (Some(subject.stack()), &own));
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(engine.remove_network(&name).await, Ok(expected));
        assert_eq!(engine.remove_volume(&name).await, Ok(expected));
    }
    let state = survey(subject).await;
    assert!(!state.networks.contains_key(&name) && !state.volumes.contains_key(&name));
}

pub(crate) async fn a_network_stays_while_a_container_runs_in_it(subject: &impl Subject) {
    let engine = subject.engine();
    let name = subject.name("net");
    let labels = json!({"Internal": true, "Labels": subject.owner().labels(subject.stack())});
    engine.create_network(&name, &labels).await.expect("made");
    let mut replica = subject.replica("a", Process::Serves);
    replica.body["HostConfig"]["NetworkMode"] = json!(name);
    replica.body["NetworkingConfig"] = json!({"EndpointsConfig": {name.as_str(): {}}});
    started(subject, &replica).await;
    is_refused(engine.remove_network(&name).await);
    engine.stop(&replica.name, None, GRACE).await.expect("stopped");
    engine.remove(&replica.name, None).await.expect("removed");
    assert_eq!(engine.remove_network(&name).await, Ok(Applied::Changed));
}

pub(crate) async fn a_volume_stays_while_a_container_has_it(subject: &impl Subject) {
    let engine = subject.engine();
    let name = subject.name("data");
    let labels = json!({"Labels": subject.owner().labels(subject.stack())});
    engine.create_volume(&name, &labels).await.expect("made");
    let mut replica = subject.replica("a", Process::Serves);
    replica.body["HostConfig"]["Mounts"] =
        json!([{"Type": "volume", "Source": name, "Target": "/data"}]);
    engine.create(&replica, &[]).await.expect("made");
    is_refused(engine.remove_volume(&name).await);
    engine.remove(&replica.name, None).await.expect("removed");
    assert_eq!(engine.remove_volume(&name).await, Ok(Applied::Changed));
}

pub(crate) async fn nothing_is_made_of_an_image_that_is_not_there(subject: &impl Subject) {
    let mut replica = subject.replica("a", Process::Serves);
    replica.body["Image"] = json!("gitdeploy-contract/nobody-has-it:1");
    is_missing(subject.engine().create(&replica, &[]).await);
    assert_eq!(subject.engine().inspect(&replica.name).await, Ok(None));
}

pub(crate) async fn nothing_is_made_of_another_image(subject: &impl Subject) {
    let mut replica = subject.replica("a", Process::Serves);
    replica.image = Some("sha256:00".into());
    is_moved(subject.engine().create(&replica, &[]).await);
    assert_eq!(subject.engine().inspect(&replica.name).await, Ok(None));
}

pub(crate) async fn a_container_that_ends_at_once_says_how(subject: &impl Subject) {
    let replica = subject.replica("a", Process::Ends(3));
    started(subject, &replica).await;
    let name = replica.name.as_str();
    let has_ended = || async { seen(subject, name).await.state.status == Status::Exited };
    until("it ends", has_ended).await;
    assert_eq!(seen(subject, name).await.state.exit_code, 3);
    assert_eq!(subject.engine().stop(name, None, GRACE).await, Ok(Applied::AlreadyTrue));
    assert_eq!(subject.engine().remove(name, None).await, Ok(Applied::Changed));
}

pub(crate) async fn a_port_that_is_taken_stops_a_start(subject: &impl Subject) {
    let [first, second] = ["a", "b"].map(|what| {
        let mut replica = subject.replica(what, Process::Serves);
        let place = json!([{"HostIp": "127.0.0.1", "HostPort": PORT}]);
        replica.body["ExposedPorts"] = json!({"80/tcp": {}});
        replica.body["HostConfig"] =
            json!({"NetworkMode": "bridge", "PortBindings": {"80/tcp": place}});
        replica
    });
    started(subject, &first).await;
    assert_eq!(subject.engine().create(&second, &[]).await, Ok(Applied::Changed));
    is_moved(subject.engine().start(&second.name).await);
    assert!(!seen(subject, &second.name).await.state.is_running());
    subject.engine().stop(&first.name, None, GRACE).await.expect("stopped");
    assert_eq!(subject.engine().start(&second.name).await, Ok(Applied::Changed));
}

fn hook(script: &str) -> Hook {
    Hook { command: ["sh", "-c", script].map(str::to_owned).to_vec(), ..Hook::default() }
}

pub(crate) async fn a_hook_says_how_it_ended(subject: &impl Subject) {
    let replica = subject.replica("a", Process::Serves);
    subject.engine().create(&replica, &[]).await.expect("made");
    is_refused(subject.engine().run_hook(&replica.name, &hook("exit 0")).await);
    subject.engine().start(&replica.name).await.expect("started");
    for code in [0, 4] {
        let end = subject.engine().run_hook(&replica.name, &hook(&format!("exit {code}"))).await;
        assert_eq!(end.map(|end| end.code), Ok(code));
    }
}

pub(crate) async fn a_check_of_its_own_says_when_it_is_well(subject: &impl Subject) {
    let mut replica = subject.replica("a", Process::Serves);
    replica.body["Healthcheck"] = json!({"Test": ["CMD", "true"], "Interval": 200_000_000_u64});
    started(subject, &replica).await;
    let health = async || seen(subject, &replica.name).await.state.health;
    until("it is well", || async { health().await == Some(Health::Healthy) }).await;
    let plain = subject.replica("b", Process::Serves);
    started(subject, &plain).await;
    assert_eq!(seen(subject, &plain.name).await.state.health, None);
}

pub(crate) async fn lines_end_when_no_more_are_wanted(subject: &impl Subject) {
    let replica = subject.replica("a", Process::Serves);
    started(subject, &replica).await;
    let options = LogOptions { follow: true, ..LogOptions::default() };
    let mut lines = 0;
    let mut one = |_: LogLine| {
        lines += 1;
        false
    };
    subject.engine().logs(&replica.name, &options, &mut one).await.expect("lines");
    assert_eq!(lines, 1);
}

pub(crate) async fn a_release_is_remembered_until_it_is_forgotten(subject: &impl Subject) {
    let (owner, stack) = (subject.owner(), subject.stack());
    let record = async |release: &Release| subject.engine().record(owner, stack, release).await;
    let commit = |digit: &str| CommitId::new(digit.repeat(40));
    let edge = ProxyPlace { proxy: name("edge"), host: name("web-1") };
    let first = Release { generation: 1, commits: vec![commit("1")], proxies: [edge].into() };
    let second =
        Release { generation: 2, commits: vec![commit("2"), commit("1")], ..Release::default() };
    for release in [&first, &second] {
        for expected in [Applied::Changed, Applied::AlreadyTrue] {
            assert_eq!(record(release).await, Ok(expected));
        }
        assert_eq!(survey(subject).await.releases.get(stack), Some(release));
    }
    let none = Release { generation: 3, ..Release::default() };
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(record(&none).await, Ok(expected));
    }
    assert_eq!(survey(subject).await.releases.get(stack), None);
}
