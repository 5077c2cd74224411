//! One test's world: a repository, proxies, an owner's name, and the program run in it.
//!
//! Everything on the engine that bears the owner's name goes when the world is dropped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use super::images::{Variant, app_image};
use super::ports::Ports;
use super::process::{Ended, docker, finish, try_docker};
use super::proxies::{Kind, RealProxy, Runs};
use super::tell_failures_at_once;

/// How long the program may take; a deployment that drains is the longest.
const RUN_MAX: Duration = Duration::from_secs(400);

/// A test's own surroundings.
pub(crate) struct World {
    /// Everything on the engine bears this name; no other test has it.
    pub(crate) project: String,
    /// In the order they were asked for. Before `folder`, so that they end before it goes.
    pub(crate) proxies: Vec<RealProxy>,
    pub(crate) ports: Ports,
    /// How the engine of the host `local` is reached, and what else its entry says.
    host: String,
    tags: Vec<String>,
    folder: TempDir,
}

impl World {
    /// A repository with the settings of the environment `test` and an inventory of this machine's
    /// engine. `name` is for people who look at the engine meanwhile.
    pub(crate) fn new(name: &str) -> Self {
        tell_failures_at_once();
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let project = format!("{name}-{}-{count}", std::process::id());
        let folder = tempfile::Builder::new().prefix("gitdeploy-").tempdir();
        let folder = folder.expect("a temporary folder");
        let world = Self {
            project,
            proxies: Vec::new(),
            ports: Ports::claim(),
            host: "docker: unix:///var/run/docker.sock".to_owned(),
            tags: Vec::new(),
            folder,
        };
        git2::Repository::init(world.path()).expect("a repository");
        let project = &world.project;
        world
            .write("gitdeploy.yaml", format!("project: {project}\nenvironments: {{test: {{}}}}\n"));
        world.write_inventory();
        world
    }

    /// Starts a proxy and enters it in the inventory.
    pub(crate) fn with_proxy(mut self, kind: Kind, runs: Runs) -> Self {
        let proxy = RealProxy::start(kind, runs, &self.project, self.folder.path(), &self.ports);
        self.proxies.push(proxy);
        self.write_inventory();
        self
    }

    /// The same on the host, and clients have to speak TLS to it.
    pub(crate) fn with_tls_proxy(mut self, kind: Kind) -> Self {
        let on_host = Runs::OnHost;
        let proxy = RealProxy::start(kind, on_host, &self.project, self.folder.path(), &self.ports);
        self.proxies.push(proxy.with_tls());
        self.write_inventory();
        self
    }

    /// Describes the host otherwise: the lines of its entry but for its ports.
    pub(crate) fn reach(&mut self, host: &str) {
        self.host = host.replace('\n', "\n    ");
        self.write_inventory();
    }

    /// The home of whoever runs the program, outside of the repository.
    pub(crate) fn home(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The repository.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("repository")
    }

    /// Where the repository is, and what else belongs to this world.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    fn write_inventory(&self) {
        let ports = self.ports.replicas();
        let (first, last) = (ports.start(), ports.end());
        let mut text = format!("hosts:\n  local:\n    {}\n    ports: {first}-{last}\n", self.host);
        if !self.proxies.is_empty() {
            text += "proxies:\n";
            text.extend(self.proxies.iter().map(RealProxy::inventory));
        }
        self.write("inventory.yaml", text);
    }

    /// Commits all that is in the repository's folder; gives the hash.
    pub(crate) fn commit(&self, message: &str) -> String {
        let repository = git2::Repository::open(self.path()).expect("a repository");
        let mut index = repository.index().expect("an index");
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("files");
        index.update_all(["*"], None).expect("files");
        index.write().expect("an index");
        let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
        let who = git2::Signature::now("test", "test@example.com").expect("a signature");
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let id = repository.commit(Some("HEAD"), &who, &who, message, &tree, &parents);
        id.expect("a commit").to_string()
    }

    /// Runs the program in the repository.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with(arguments, &[], RUN_MAX)
    }

    /// The same, with variables, and killed (and the test with it) after `limit`.
    pub(crate) fn run_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
        limit: Duration,
    ) -> Ended {
        finish(self.command(arguments).envs(variables.iter().copied()), Vec::new(), limit)
    }

    /// The program, not yet started, for tests that interrupt it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gitdeploy"));
        command
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var("PATH").unwrap_or_default());
        command
    }

    /// An image name of this test alone, which now means `variant`; said again, it moves.
    pub(crate) fn tag(&mut self, name: &str, variant: Variant) -> String {
        let tag = format!("{}/{name}", self.project);
        docker(&["tag", &app_image(variant), &tag]);
        if !self.tags.contains(&tag) {
            self.tags.push(tag.clone());
        }
        tag
    }

    /// Names of the containers of this owner that run, in alphabetical order; of one stack only,
    /// when given.
    pub(crate) fn running(&self, stack: Option<&str>) -> Vec<String> {
        let project = format!("label=gitdeploy.project={}", self.project);
        let mut arguments = vec!["ps", "--filter", &project, "--format", "{{.Names}}"];
        let stack = stack.map(|name| format!("label=gitdeploy.stack={name}"));
        if let Some(stack) = &stack {
            arguments.extend(["--filter", stack]);
        }
        let mut names: Vec<String> = docker(&arguments).lines().map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Removes what bears this owner's name. Problems are not the test's: the next one has another
    /// name, and a second panic would hide the first.
    fn clear(&self) {
        let owned = format!("label=gitdeploy.project={}", self.project);
        let started = format!("label=gitdeploy-test={}", self.project);
        for label in [&owned, &started] {
            remove(&["ps", "-aq", "--filter", label], &["rm", "-fv"]);
        }
        self.clear_leases();
        remove(&["network", "ls", "-q", "--filter", &owned], &["network", "rm"]);
        remove(&["volume", "ls", "-q", "--filter", &owned], &["volume", "rm", "-f"]);
        for tag in &self.tags {
            drop(try_docker(&["rmi", tag], Vec::new()));
        }
    }

    /// Leases are containers too, but their label names what they protect.
    fn clear_leases(&self) {
        let format = "{{.ID}} {{.Label \"gitdeploy.lease\"}}";
        let filter = "label=gitdeploy.lease";
        let list = ["ps", "-a", "--filter", filter, "--format", format];
        let listed = try_docker(&list, Vec::new()).unwrap_or_default();
        for line in listed.lines().filter(|line| line.contains(&self.project)) {
            let id = line.split(' ').next().unwrap_or_default();
            drop(try_docker(&["rm", "-fv", id], Vec::new()));
        }
    }
}

fn remove(list: &[&str], remove: &[&str]) {
    let Ok(listed) = try_docker(list, Vec::new()) else { return };
    if !listed.is_empty() {
        let arguments: Vec<&str> = remove.iter().copied().chain(listed.lines()).collect();
        drop(try_docker(&arguments, Vec::new()));
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.clear();
    }
}
