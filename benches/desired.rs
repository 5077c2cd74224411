//! From a commit to its desired state: how long, and with how much memory.
//!
//! Run with `cargo bench`. Makes a repository of 1,000 stacks with 10 services each in a temporary
//! folder (templates, values, an included file, an `env_file`), and measures
//!
//! * all of it, from an opened repository to the desired state,
//! * a tenth of it, to see that time grows with the number of stacks and no faster,
//! * the next commit, which touches one stack, when the caller still holds the rest,
//! * `gitdeploy render -f` of one file, as a whole process.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark runs the program and reads the clock"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use gitdeploy::git::Repository;
use gitdeploy::pipeline::{Cache, Choice, Snapshot, Tree};

const STACKS: usize = 1_000;
const SERVICES: usize = 10;
const RUNS: usize = 5;

fn main() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    println!("{STACKS} stacks, {SERVICES} services each; median of {RUNS}\n");
    let commit = repository(&folder.path().join("all"), STACKS);
    let tenth = repository(&folder.path().join("tenth"), STACKS / 10);
    let all = median(RUNS, || resolve(&folder.path().join("all"), &commit, &mut Cache::default()));
    row("commit to desired state, all", all);
    let part =
        median(RUNS, || resolve(&folder.path().join("tenth"), &tenth, &mut Cache::default()));
    row("commit to desired state, a tenth", part);
    println!("  all / a tenth: {:.1} times", all.as_secs_f64() / part.as_secs_f64());
    let mut cache = Cache::default();
    resolve(&folder.path().join("all"), &commit, &mut cache);
    let next = change_one(&folder.path().join("all"));
    let mut commits = [&commit, &next].into_iter().cycle();
    commits.next();
    let one = median(RUNS, || {
        let commit = commits.next().expect("an endless circle");
        resolve(&folder.path().join("all"), commit, &mut cache)
    });
    row("the next commit, one stack changed", one);
    println!("  peak memory of this process: {} MiB", peak_mib());
    render(folder.path());
}

/// Resolves a commit; panics when anything in it is wrong, since then the figure says nothing.
fn resolve(folder: &Path, commit: &str, cache: &mut Cache) -> Duration {
    let start = Instant::now();
    let repository = Repository::open(folder).expect("a repository");
    let commit = repository.resolve(commit).expect("a commit");
    let tree = Tree::of_commit(repository, commit, "bench");
    let choice = Choice { environment: Some("production".into()), ..Choice::default() };
    let Ok(snapshot) = Snapshot::open(tree, choice) else { panic!("the settings are wrong") };
    let outcome = snapshot.resolve(cache);
    let time = start.elapsed();
    let wrong = outcome.stacks.iter().find(|stack| stack.target.is_none());
    assert!(wrong.is_none(), "{:?}", wrong.map(|stack| &stack.report.diagnostics));
    time
}

fn repository(folder: &Path, stacks: usize) -> String {
    let repository = git2::Repository::init(folder).expect("a repository");
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    };
    write(
        "gitdeploy.yaml",
        "project: bench\nenvironments:\n  production: {inventory: inventory.yaml, values: [values.yaml]}\n",
    );
    write(
        "inventory.yaml",
        "hosts:\n  web-1: {docker: \"ssh://deploy@10.0.0.1\", labels: {role: web}}\n",
    );
    write("values.yaml", "tag: \"1.4.2\"\nreplicas: 3\nenv: {LOG_LEVEL: info, REGION: eu-1}\n");
    write("lib/service.j2", include_str!("../fixtures/bench/service.j2"));
    for index in 0..stacks {
        let mut file = String::from("{% from \"lib/service.j2\" import service %}\nservices:\n");
        for service in 0..SERVICES {
            writeln!(file, "{{{{ service('web{service}', {service}) }}}}").expect("memory");
        }
        file.push_str("networks: {back: {}}\nvolumes: {data: {}}\n");
        write(&format!("stacks/stack{index:04}/compose.yaml.j2"), &file);
        write(&format!("stacks/stack{index:04}/common.env"), "TZ=UTC\nWORKERS=${WORKERS:-4}\n");
    }
    commit(&repository)
}

fn change_one(folder: &Path) -> String {
    std::fs::write(folder.join("stacks/stack0003/common.env"), "TZ=CET\n").expect("a file");
    commit(&git2::Repository::open(folder).expect("a repository"))
}

fn commit(repository: &git2::Repository) -> String {
    let mut index = repository.index().expect("an index");
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("files");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
    let who = git2::Signature::now("bench", "bench@example.com").expect("a signature");
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    let id = repository.commit(Some("HEAD"), &who, &who, "state", &tree, &parents);
    id.expect("a commit").to_string()
}

fn render(folder: &Path) {
    let file = folder.join("compose.yaml");
    std::fs::write(&file, include_str!("../fixtures/bench/compose.yaml")).expect("a file");
    let time = median(21, || {
        let start = Instant::now();
        let status = Command::new(env!("CARGO_BIN_EXE_gitdeploy"))
            .args(["render", "-f"])
            .arg(&file)
            .stdout(Stdio::null())
            .status()
            .expect("the program starts");
        assert!(status.success());
        start.elapsed()
    });
    row("render -f FILE, whole process", time);
}

fn median(runs: usize, mut run: impl FnMut() -> Duration) -> Duration {
    let mut times: Vec<Duration> = (0..runs).map(|_| run()).collect();
    times.sort();
    times[times.len() / 2]
}

fn row(what: &str, time: Duration) {
    println!("  {what:<40} {:>9.1} ms", time.as_secs_f64() * 1e3);
}

/// The most memory this process ever had, as the kernel counts it; 0 where it does not tell.
fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
