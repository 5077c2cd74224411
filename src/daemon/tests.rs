//! The loop over real repositories and simulated hosts, in simulated time.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, RepositoryInitOptions, Signature, Time};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, LocalSet};

use super::*;
use crate::git::Access;
use crate::model::{CommitId, HostName, PlanId};
use crate::sim::{App, Fault, SimImage, World};
use crate::sync::{Mode, Order, OrderKind, Refusal, StackRules, StackView, Sync, Trigger};

mod hosts;
mod measured;

/// The longest that a test waits, in simulated time.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

const INVENTORY: &str = "hosts: {web-1: {docker: 'unix:///var/run/docker.sock'}}\n";

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn stack(text: &str) -> StackName {
    name(text).into()
}

/// A stack with one service.
fn service(image: &str) -> String {
    format!(
        "services:\n  web:\n    image: {image}\n    x-gitdeploy: {{health: {{tcp: 80, interval: \
         200ms, within: 10s}}}}\n"
    )
}

/// A repository whose branch `main` is written commit by commit.
struct Remote {
    folder: TempDir,
    git: git2::Repository,
}

impl Remote {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head("main").external_template(false);
        let git = git2::Repository::init_opts(folder.path(), &options).expect("a repository");
        Self { folder, git }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Commits these stacks and nothing else.
    fn push(&self, stacks: &[(&str, &str)]) -> CommitId {
        self.push_to(INVENTORY, stacks)
    }

    /// The same with another inventory.
    fn push_to(&self, inventory: &str, stacks: &[(&str, &str)]) -> CommitId {
        let file = |path: &str, text: &str| (path.to_owned(), text.to_owned(), FileMode::Blob);
        let stacks =
            stacks.iter().map(|(name, text)| file(&format!("stacks/{name}/compose.yaml"), text));
        self.commit(stacks.chain([file("inventory.yaml", inventory)]).collect(), true)
    }

    fn commit(&self, files: Vec<(String, String, FileMode)>, has_parent: bool) -> CommitId {
        let empty = self.git.treebuilder(None).and_then(|tree| tree.write()).expect("a tree");
        let empty = self.git.find_tree(empty).expect("a tree");
        let mut update = TreeUpdateBuilder::new();
        let settings = [
            ("gitdeploy.yaml".to_owned(), "project: acme\n".to_owned(), FileMode::Blob),
            ("inventory.yaml".to_owned(), INVENTORY.to_owned(), FileMode::Blob),
        ];
        let mut all: BTreeMap<String, (String, FileMode)> = BTreeMap::new();
        for (path, text, mode) in settings.into_iter().chain(files) {
            all.insert(path, (text, mode));
        }
        for (path, (text, mode)) in all {
            let blob = self.git.blob(text.as_bytes()).expect("a blob");
            update.upsert(path, blob, mode);
        }
        let tree: Oid = update.create_updated(&self.git, &empty).expect("a tree");
        let tree = self.git.find_tree(tree).expect("a tree");
        let who = Signature::new("anna", "anna@example.com", &Time::new(1, 0)).expect("somebody");
        let head = self.git.find_reference("refs/heads/main").ok();
        let parent = head.and_then(|head| head.peel_to_commit().ok()).filter(|_| has_parent);
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let id = self.git.commit(None, &who, &who, "a commit", &tree, &parents).expect("a commit");
        self.git.reference("refs/heads/main", id, true, "pushed").expect("a branch");
        CommitId::new(id.to_string())
    }
}

/// A world with a repository, and daemons that are in it.
struct Case {
    world: World,
    remote: Remote,
    mirrors: TempDir,
}

/// One daemon.
struct Running {
    hub: Hub,
    commands: mpsc::Sender<Command>,
    told: Rc<RefCell<Vec<String>>>,
    ended: JoinHandle<Ended>,
}

impl Case {
    fn new() -> Self {
        let world = World::default();
        world.host(&name("web-1").into());
        let good = App::default();
        for (reference, app) in
            [("app:1", good), ("app:2", good), ("bad:1", App { ready_after: None, ..good })]
        {
            let digest: String = reference.bytes().map(|byte| format!("{byte:02x}")).collect();
            let digest = format!("sha256:{digest:0<64}");
            let image =
                SimImage { id: digest.clone(), digest: Some(digest), config: json!({}), app };
            world.image(reference, image);
        }
        let mirrors = tempfile::tempdir().expect("a folder");
        Self { world, remote: Remote::new(), mirrors }
    }

    fn source(&self, every: StackRules) -> Source {
        let repository = self.remote.path().display().to_string();
        // Nothing but what the test does shall wake it.
        let never = Duration::from_secs(365 * 24 * 3600);
        Source { every, interval: never, look: never, ..Source::of(repository) }
    }

    fn start(&self) -> Running {
        self.start_with(self.source(StackRules::default()))
    }

    fn start_with(&self, source: Source) -> Running {
        let run = self.world.run(Fault::None);
        let clock = run.ports().clock;
        let reading = Reading {
            access: Access::default(),
            mirrors: Some(self.mirrors.path().to_owned()),
            folder: self.mirrors.path().to_owned(),
            variables: BTreeMap::new(),
            connect: Arc::new(move |_, _| Ok(run.ports())),
            aside: Aside::Threads,
        };
        let setup = Setup {
            rules: Rules::of(name("shop"), source),
            reading,
            clock,
            holder: "a daemon".to_owned(),
            store: Store::at(self.mirrors.path().join("state.json")),
            is_once: false,
        };
        let (hub, host) = hub();
        let (commands, taken) = mpsc::channel(4);
        let told = Rc::new(RefCell::new(Vec::new()));
        let (mut notices, list) = (hub.notices.resubscribe(), Rc::clone(&told));
        tokio::task::spawn_local(async move {
            while let Ok(notice) = notices.recv().await {
                list.borrow_mut().push(format!("{:?}", notice.kind));
            }
        });
        let ended = tokio::task::spawn_local(run_daemon(setup, host, taken));
        Running { hub, commands, told, ended }
    }

    /// Containers that run.
    fn serving(&self) -> Vec<String> {
        self.world.with_host(&HostName::from(name("web-1")), |host| {
            let all = host.containers.iter();
            let run = all.filter(|(_, it)| it.status == crate::model::Status::Running);
            run.map(|(name, _)| name.clone()).collect()
        })
    }
}

async fn run_daemon(setup: Setup, host: Host, taken: mpsc::Receiver<Command>) -> Ended {
    run(setup, host, taken).await
}

impl Running {
    async fn until(&mut self, what: &str, is_so: impl Fn(&Picture) -> bool) {
        let waited = self.hub.picture.wait_for(|picture| is_so(picture));
        let is_late = tokio::time::timeout(PATIENCE, waited).await.is_err();
        assert!(!is_late, "{what}: not seen; told {:#?}", self.told.borrow());
    }

    async fn order(&self, kind: OrderKind) -> Result<(), Refusal> {
        self.hub.ask(Order { source: name("shop"), by: "anna".to_owned(), kind }).await
    }

    /// Has the repository asked for what is new.
    async fn fetch(&self) {
        self.order(OrderKind::Fetch).await.expect("the source is there");
    }

    async fn synced(&mut self, of: &str, commit: &CommitId) {
        self.until(&format!("{of} at {}", commit.short()), |picture| {
            view_of(picture, of)
                .is_some_and(|it| it.synced.as_ref() == Some(commit) && it.sync == Sync::Synced)
        })
        .await;
    }

    async fn waits(&mut self, of: &str, words: &str) {
        self.until(&format!("{of} waits: {words}"), |picture| {
            let waiting = view_of(picture, of).and_then(|it| it.waiting.clone());
            waiting.is_some_and(|waiting| waiting.reason.contains(words))
        })
        .await;
    }

    fn view(&self, of: &str) -> StackView {
        view_of(&self.hub.picture.borrow(), of).expect("the stack").clone()
    }

    async fn stop(self) -> Ended {
        self.commands.send(Command::Stop(Stop::Finish)).await.expect("it runs");
        self.ended.await.expect("it ends well")
    }
}

fn view_of<'a>(picture: &'a Picture, of: &str) -> Option<&'a StackView> {
    picture.sources.get(&name("shop"))?.stacks.get(&stack(of))
}

/// Plays a test in simulated time.
fn played(test: impl AsyncFnOnce(Case)) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().start_paused(true).build().expect("a runtime");
    LocalSet::new().block_on(&runtime, async { test(Case::new()).await });
}

#[test]
fn what_is_pushed_is_deployed() {
    played(async |case| {
        let first = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &first).await;
        let second = case.remote.push(&[("web", &service("app:2"))]);
        daemon.fetch().await;
        daemon.synced("web", &second).await;
        assert_eq!(case.serving().len(), 1);
        assert_eq!(daemon.view("web").history.len(), 2);
        assert_eq!(case.world.violations(), []);
        daemon.stop().await;
    });
}

#[test]
fn a_container_that_dies_is_replaced_because_the_engine_tells() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &commit).await;
        let host = HostName::from(name("web-1"));
        let container = case.serving()[0].clone();
        let died = case.world.now();
        case.world.take_away(&host, &container);
        daemon
            .until("healed", |picture| {
                view_of(picture, "web").is_some_and(|it| {
                    it.history.first().is_some_and(|round| round.trigger == Trigger::Drift)
                })
            })
            .await;
        daemon.synced("web", &commit).await;
        assert_eq!(case.serving().len(), 1);
        let began = daemon.view("web").history[0].began;
        assert!(began - died < 500, "{} ms", began - died);
        daemon.stop().await;
    });
}

#[test]
fn a_bad_commit_is_taken_back_and_the_one_before_is_kept() {
    played(async |case| {
        let good = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &good).await;
        let bad = case.remote.push(&[("web", &service("bad:1"))]);
        daemon.fetch().await;
        daemon.waits("web", "when something changes").await;
        assert_eq!(daemon.view("web").history[0].end, Some(RoundEnd::RolledBack));
        assert_eq!(daemon.view("web").synced, Some(good.clone()));
        let container = case.serving()[0].clone();
        case.world.take_away(&HostName::from(name("web-1")), &container);
        daemon
            .until("healed", |picture| {
                view_of(picture, "web")
                    .is_some_and(|it| it.history.len() == 3 && it.running.is_none())
            })
            .await;
        let healed = daemon.view("web").history[0].clone();
        assert_eq!((healed.commit.clone(), healed.end), (good, Some(RoundEnd::Synced)));
        assert!(daemon.view("web").history.iter().filter(|round| round.commit == bad).count() == 1);
        let next = case.remote.push(&[("web", &service("app:2"))]);
        daemon.fetch().await;
        daemon.synced("web", &next).await;
        daemon.stop().await;
    });
}

#[test]
fn a_repository_that_vanishes_is_trouble_until_it_is_back() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &commit).await;
        let away = case.mirrors.path().join("away");
        std::fs::rename(case.remote.path(), &away).expect("a folder");
        daemon.fetch().await;
        daemon.until("trouble", |picture| picture.trouble.is_some()).await;
        let container = case.serving()[0].clone();
        std::fs::rename(&away, case.remote.path()).expect("a folder");
        daemon.fetch().await;
        daemon.until("no trouble", |picture| picture.trouble.is_none()).await;
        assert_eq!(case.serving(), [container], "nothing was touched");
        assert!(daemon.told.borrow().iter().any(|told| told == "Recovered"));
        daemon.stop().await;
    });
}

#[test]
fn a_force_pushed_branch_is_followed() {
    played(async |case| {
        let first = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &first).await;
        let file = ("stacks/web/compose.yaml".to_owned(), service("app:2"), FileMode::Blob);
        let other = case.remote.commit(vec![file], false);
        daemon.fetch().await;
        daemon.synced("web", &other).await;
        daemon.stop().await;
    });
}

#[test]
fn what_is_wrong_with_one_stack_hinders_no_other() {
    let endless =
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}";
    let huge = "#".repeat(17 << 20);
    let wrong: [(&str, &str, FileMode); 6] = [
        ("stacks/bad/compose.yaml", "services: {web: {imag: x}}\n", FileMode::Blob),
        ("stacks/bad/compose.yaml", ": : :", FileMode::Blob),
        ("stacks/bad/compose.yaml", &huge, FileMode::Blob),
        ("stacks/bad/compose.yaml.j2", endless, FileMode::Blob),
        ("stacks/bad/compose.yaml", "/etc/passwd", FileMode::Link),
        ("stacks/bad", "/etc", FileMode::Link),
    ];
    for (path, text, mode) in wrong {
        played(async |case| {
            let good = ("stacks/web/compose.yaml".to_owned(), service("app:1"), FileMode::Blob);
            let commit = case.remote.commit(vec![good, (path.into(), text.into(), mode)], true);
            let mut daemon = case.start();
            daemon.synced("web", &commit).await;
            daemon.waits("bad", "has errors").await;
            daemon.stop().await;
        });
    }
}

#[test]
fn what_is_wrong_with_all_of_a_commit_leaves_everything_as_it_is() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &commit).await;
        for (path, text, mode) in [
            ("inventory.yaml", "hosts: 1\n", FileMode::Blob),
            ("inventory.yaml", "/etc/passwd", FileMode::Link),
        ] {
            let good = ("stacks/web/compose.yaml".to_owned(), service("app:2"), FileMode::Blob);
            case.remote.commit(vec![good, (path.to_owned(), text.to_owned(), mode)], true);
            daemon.fetch().await;
            let is_about = |why: &str| why.contains(path);
            daemon.until(path, |it| it.trouble.as_deref().is_some_and(is_about)).await;
            assert_eq!(case.serving().len(), 1);
        }
        daemon.stop().await;
    });
}

#[test]
fn a_plan_that_is_approved_is_carried_out_and_no_other() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let rules = StackRules { mode: Mode::PlanOnly, ..StackRules::default() };
        let mut daemon = case.start_with(case.source(rules));
        daemon.waits("web", "waits to be approved").await;
        let other = OrderKind::Approve(stack("web"), PlanId("0".repeat(16)));
        assert!(matches!(daemon.order(other).await, Err(Refusal::Conflict(_))));
        assert_eq!(case.serving(), Vec::<String>::new());
        let plan = daemon.view("web").plan.expect("a plan");
        assert!(plan.text.contains("2 to create"), "{}", plan.text);
        daemon.order(OrderKind::Approve(stack("web"), plan.id.clone())).await.expect("it waits");
        daemon.synced("web", &commit).await;
        assert_eq!(daemon.view("web").history[0].by, Some("anna".to_owned()));
        daemon.stop().await;
    });
}

#[test]
fn a_daemon_that_is_stopped_ends_its_round_and_leaves_no_lease() {
    played(async |case| {
        case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon
            .until("a round", |picture| {
                view_of(picture, "web")
                    .is_some_and(|it| it.running.as_ref().is_some_and(|round| round.done > 0))
            })
            .await;
        let ended = daemon.stop().await;
        assert!(view_of(&ended.picture, "web").is_some_and(|it| it.running.is_none()));
        let host = HostName::from(name("web-1"));
        case.world.with_host(&host, |host| assert!(host.leases.is_empty()));
    });
}

#[test]
fn two_daemons_do_not_do_one_thing_twice() {
    played(async |case| {
        let first = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemons = [case.start(), case.start()];
        for daemon in &mut daemons {
            daemon.synced("web", &first).await;
        }
        let second = case.remote.push(&[("web", &service("app:2"))]);
        for daemon in &daemons {
            daemon.fetch().await;
        }
        for daemon in &mut daemons {
            daemon.synced("web", &second).await;
        }
        assert_eq!(case.serving().len(), 1);
        assert_eq!(case.world.violations(), []);
    });
}

#[test]
fn after_a_restart_nothing_is_done_that_was_done_before() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.synced("web", &commit).await;
        daemon.stop().await;
        let mut daemon = case.start();
        daemon.synced("web", &commit).await;
        assert_eq!(daemon.view("web").history, []);
        daemon.stop().await;
    });
}

#[test]
fn a_damaged_file_holds_everything_until_it_is_out_of_the_way() {
    played(async |case| {
        let file = case.mirrors.path().join("state.json");
        std::fs::write(&file, "{").expect("a file");
        let commit = case.remote.push(&[("shop", &service("app:1"))]);
        let mut daemon = case.start();
        daemon
            .until("it waits", |picture| {
                let waiting = view_of(picture, "shop").and_then(|it| it.waiting.as_ref());
                waiting.is_some_and(|it| it.reason.contains("what was held before cannot be read"))
            })
            .await;
        assert!(!daemon.hub.picture.borrow().is_ready);
        assert_eq!(case.serving(), Vec::<String>::new());
        std::fs::remove_file(&file).expect("it is there");
        let rules = Rules::of(name("shop"), case.source(StackRules::default()));
        daemon.commands.send(Command::Reload(Box::new(rules))).await.expect("it lives");
        daemon.synced("shop", &commit).await;
        assert!(daemon.hub.picture.borrow().is_ready);
        daemon.stop().await;
    });
}

#[test]
fn a_pause_that_cannot_be_kept_holds_and_is_an_error_to_who_ordered_it() {
    played(async |case| {
        case.remote.push(&[("shop", &service("app:1"))]);
        let mut daemon = case.start();
        daemon.until("it is there", |picture| view_of(picture, "shop").is_some()).await;
        // Writing to this is answered as on a disk that is full.
        let beside = case.mirrors.path().join("state.next");
        drop(std::fs::remove_file(&beside));
        std::os::unix::fs::symlink("/dev/full", &beside).expect("a link");
        let pause =
            || OrderKind::Pause { stack: stack("shop"), until: None, reason: "audit".to_owned() };
        let Err(Refusal::Unkept(why)) = daemon.order(pause()).await else { panic!("it is kept") };
        assert!(why.contains("No space left"), "{why}");
        daemon
            .until("it is told", |picture| {
                picture.trouble.as_ref().is_some_and(|it| it.contains("No space left"))
            })
            .await;
        assert!(matches!(daemon.view("shop").mode, Mode::Paused { .. }));
        std::fs::remove_file(&beside).expect("it is there");
        assert_eq!(daemon.order(pause()).await, Ok(()));
        daemon.stop().await;
    });
}

#[test]
fn a_host_that_was_away_is_caught_up_with() {
    played(async |case| {
        let commit = case.remote.push(&[("web", &service("app:1"))]);
        let look = Duration::from_secs(60);
        let mut daemon = case.start_with(Source { look, ..case.source(StackRules::default()) });
        daemon.synced("web", &commit).await;
        let host = HostName::from(name("web-1"));
        case.world.with_host(&host, |host| host.is_down = true);
        daemon
            .until("down", |it| it.sources[&name("shop")].hosts.values().any(|it| !it.is_up))
            .await;
        let next = case.remote.push(&[("web", &service("app:2"))]);
        daemon.fetch().await;
        daemon.waits("web", "web-1").await;
        case.world.with_host(&host, |host| host.is_down = false);
        daemon.synced("web", &next).await;
        daemon.stop().await;
    });
}

#[test]
fn who_asks_after_the_end_is_told() {
    played(async |case| {
        case.remote.push(&[("web", &service("app:1"))]);
        let daemon = case.start();
        let hub = daemon.hub.clone();
        daemon.stop().await;
        let order = Order { source: name("shop"), by: "anna".to_owned(), kind: OrderKind::Fetch };
        assert!(matches!(hub.ask(order).await, Err(Refusal::Busy(_))));
        let (answer, _) = oneshot::channel();
        let order = Order { source: name("shop"), by: "anna".to_owned(), kind: OrderKind::Fetch };
        assert!(hub.orders.try_send((order, answer)).is_err());
    });
}
