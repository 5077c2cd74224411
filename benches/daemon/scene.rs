//! A repository of many stacks, simulated hosts that are as it wants them, and a daemon for both.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gitdeploy::daemon::{self, Aside, Ended, Hub, Reading, Setup, hub};
use gitdeploy::exec::{Options, Stop};
use gitdeploy::git::{Access, Repository};
use gitdeploy::model::{Name, Verdict};
use gitdeploy::pipeline::{Answers, Cache, Choice, Fleet, Orders, Snapshot, Tree, Wish};
use gitdeploy::planner::Scope;
use gitdeploy::sim::{App, Fault, SimImage, World};
use gitdeploy::sync::{NoticeKind, Order, OrderKind, Picture, Rules, Source};
use serde_json::json;
use tokio::sync::{broadcast::error::RecvError, mpsc, watch};
use tokio::task::{JoinHandle, LocalSet};

pub(crate) const HOSTS: usize = 20;

/// What the watched source is called.
const SOURCE: &str = "bench";

/// Makes the repository and the world that the parts begin with.
pub(crate) fn prepare(folder: &Path, stacks: usize) {
    let repository = folder.join("repository");
    let mut inventory = "hosts:\n".to_owned();
    for host in hosts() {
        let _ = writeln!(inventory, "  {host}: {{docker: 'ssh://{host}'}}");
    }
    write(&repository, "inventory.yaml", &inventory);
    write(&repository, "gitdeploy.yaml", "project: bench\n");
    for number in 0..stacks {
        write(&repository, &file(number), &compose(number, 0));
    }
    git(&repository, &["init", "-q", "-b", "main"]);
    commit(&repository);
    let world = played(async {
        let world = World::default();
        hosts().for_each(|host| world.host(&host.into()));
        let digest = format!("sha256:{:0<64}", "a");
        let (id, app) = (digest.clone(), App { ready_after: Some(0), ..App::default() });
        let image = SimImage { id, digest: Some(digest), config: json!({}), app };
        world.image("app:1", image);
        deploy(&world, &repository).await;
        world.begin_anew();
        world.stored()
    });
    std::fs::write(folder.join("world"), world).expect("a file");
}

/// Everything is brought about in one run, as `apply` would.
async fn deploy(world: &World, folder: &Path) {
    let repository = Repository::open(folder).expect("a repository");
    let head = repository.resolve("HEAD").expect("a commit");
    let tree = Tree::of_commit(repository, head, "bench");
    let snapshot = Snapshot::open(tree, Choice::default()).expect("good settings");
    let outcome = snapshot.resolve(&mut Cache::default());
    assert!(!outcome.has_errors());
    let wish = Wish::new(&snapshot, outcome.desired).expect("all files are there");
    let fleet = Fleet {
        owner: snapshot.owner(),
        inventory: &snapshot.inventory,
        ports: world.run(Fault::None).ports(),
        absent: BTreeMap::new(),
        answers: Answers::default(),
    };
    let scope = Scope::default();
    let planned = fleet.plan(&wish, &scope).await.expect("a plan");
    let options = Options {
        keep_failed: false,
        per_host: 8,
        holder: "a person".to_owned(),
        purpose: "the beginning".to_owned(),
        lease: Duration::from_secs(30),
        lease_wait: Duration::ZERO,
    };
    let (events, mut told) = mpsc::unbounded_channel();
    let (_, stop) = watch::channel(Stop::None);
    let earlier = |_: &_| Err("there is none".to_owned());
    let orders =
        Orders { scope: &scope, options: &options, events: &events, stop, earlier: &earlier };
    let verdict = fleet.apply(&wish, &planned.plan, &orders).await.expect("nobody else is there");
    assert_eq!(verdict, Verdict::Done);
    while told.try_recv().is_ok() {}
}

fn hosts() -> impl Iterator<Item = Name> {
    (0..HOSTS).map(|number| name(&format!("h{number}")))
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn file(number: usize) -> String {
    format!("stacks/s{number}/compose.yaml")
}

/// A stack of two services, as small ones are.
fn compose(number: usize, version: usize) -> String {
    let place = format!(
        "deploy: {{placement: {{constraints: [node.hostname == h{}]}}}}\n    x-gitdeploy: \
         {{health: {{tcp: 80, interval: 200ms}}}}",
        number % HOSTS
    );
    format!(
        "services:\n  web:\n    image: app:1\n    environment: {{VERSION: '{version}', MODE: \
         production}}\n    {place}\n  worker:\n    image: app:1\n    command: [worker]\n    \
         environment: {{QUEUE: 'q{number}'}}\n    {place}\n"
    )
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("a file");
}

fn commit(folder: &Path) {
    git(folder, &["add", "-A"]);
    git(folder, &["-c", "gc.auto=0", "commit", "-q", "-m", "a commit"]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(arguments);
    for role in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{role}_NAME"), "a");
        command.env(format!("GIT_{role}_EMAIL"), "a@example.com");
    }
    assert!(command.status().expect("git").success());
}

/// Does some work in simulated time.
fn played<T>(work: impl Future<Output = T>) -> T {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    LocalSet::new().block_on(&runtime, work)
}

/// The prepared repository and world.
pub(crate) struct Scene {
    world: World,
    repository: PathBuf,
}

impl Scene {
    /// Plays a part in what was prepared in a folder.
    pub(crate) fn play(folder: &Path, part: impl AsyncFnOnce(Self)) {
        played(async {
            let text = std::fs::read_to_string(folder.join("world")).expect("a world");
            let world = World::restored(&text).await.expect("a world");
            drop(text);
            part(Self { world, repository: folder.join("repository") }).await;
        });
    }

    /// Commits another version of a stack.
    pub(crate) fn change(&self, number: usize, version: usize) {
        write(&self.repository, &file(number), &compose(number, version));
        commit(&self.repository);
    }

    /// Starts a daemon that nothing wakes but a knock and the engines.
    pub(crate) fn start(&self) -> Watching {
        let ports = self.world.run(Fault::None).ports();
        let clock = Arc::clone(&ports.clock);
        let repository = self.repository.display().to_string();
        let never = Duration::from_secs(365 * 24 * 3600);
        let source = Source { interval: never, look: never, ..Source::of(repository) };
        let reading = Reading {
            access: Access::default(),
            mirrors: None,
            folder: self.repository.clone(),
            variables: BTreeMap::new(),
            connect: Arc::new(move |_, _| Ok(ports.clone())),
            aside: Aside::Threads,
        };
        let rules = Rules::of(name(SOURCE), source);
        let store = daemon::Store::at(self.repository.join(".git/gitdeploy-state.json"));
        let setup =
            Setup { rules, reading, clock, holder: "a daemon".to_owned(), store, is_once: false };
        Watching::new(setup)
    }

    /// Forgets what the world has written down for tests.
    pub(crate) fn forget(&self) {
        self.world.begin_anew();
    }
}

/// A daemon that runs.
pub(crate) struct Watching {
    hub: Hub,
    commands: mpsc::Sender<daemon::Command>,
    rounds: Rc<Cell<usize>>,
    ended: JoinHandle<Ended>,
}

impl Watching {
    fn new(setup: Setup) -> Self {
        let (hub, host) = hub();
        let (commands, taken) = mpsc::channel(1);
        let (mut notices, rounds) = (hub.notices.resubscribe(), Rc::<Cell<usize>>::default());
        let count = Rc::clone(&rounds);
        tokio::task::spawn_local(async move {
            loop {
                match notices.recv().await {
                    Ok(notice) if matches!(notice.kind, NoticeKind::Began { .. }) => {
                        count.set(count.get() + 1);
                    }
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => panic!("notices were missed"),
                    Err(RecvError::Closed) => return,
                }
            }
        });
        let ended = tokio::task::spawn_local(daemon::run(setup, host, taken));
        Self { hub, commands, rounds, ended }
    }

    /// Waits until what the daemon shows is so.
    pub(crate) async fn until(&mut self, is_so: impl Fn(&Picture) -> bool) {
        self.hub.picture.wait_for(|picture| is_so(picture)).await.expect("it runs");
    }

    /// Waits until it shows something else.
    pub(crate) async fn next(&mut self) {
        self.hub.picture.changed().await.expect("it runs");
    }

    /// Rounds that it has begun.
    pub(crate) fn rounds(&self) -> usize {
        self.rounds.get()
    }

    /// What a good delivery of a webhook does.
    pub(crate) async fn knock(&self) {
        let (source, by) = (name(SOURCE), "a webhook".to_owned());
        let order = Order { source, by, kind: OrderKind::Fetch };
        self.hub.ask(order).await.expect("it is taken");
    }

    pub(crate) async fn stop(self) {
        self.commands.send(daemon::Command::Stop(Stop::Finish)).await.expect("it runs");
        self.ended.await.expect("it ends well");
    }
}
