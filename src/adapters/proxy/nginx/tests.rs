//! How often nginx's checker is asked, and about which text.

use std::collections::BTreeMap;
use std::time::Duration;

use super::*;
use crate::adapters::proxy::kernel::Socket;
use crate::adapters::proxy::shell::{Stream, Surroundings};
use crate::diag::Sources;
use crate::files::Memory;
use crate::settings::Inventory;

const MAIN: &str = "/etc/nginx/nginx.conf";
const OURS: &str = "/etc/nginx/conf.d/ours.conf";
const OTHER: &str = "/etc/nginx/conf.d/other.conf";

/// A host with nginx's files, whose checker refuses what says `REJECT`.
struct Host {
    files: Mutex<BTreeMap<String, String>>,
    /// What each check was about, all its files.
    checks: Mutex<Vec<String>>,
    /// What somebody else who checks ahead writes right before each check.
    intrusion: Option<String>,
}

impl Host {
    fn new() -> Self {
        let files = [
            (MAIN, "pid /run/nginx.pid; http { include conf.d/*.conf; }\n"),
            (OURS, "# first\n"),
            (OTHER, "# theirs\n"),
            ("/run/nginx.pid", "7\n"),
        ];
        let files = files.map(|(path, text)| (path.to_owned(), text.to_owned()));
        Self { files: Mutex::new(files.into()), checks: Mutex::default(), intrusion: None }
    }

    fn files(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, String>> {
        self.files.lock().expect("nobody panics with it")
    }

    /// How often a check was about a text.
    fn checks_of(&self, text: &str) -> usize {
        let checks = self.checks.lock().expect("nobody panics with it");
        checks.iter().filter(|check| check.contains(text)).count()
    }

    fn dump(&self) -> String {
        let files = self.files();
        let file =
            |path: &str| Some(format!("# configuration file {path}:\n{}\n", files.get(path)?));
        [MAIN, OTHER, OURS].into_iter().filter_map(file).collect()
    }

    fn check(&self, main: &str) -> Ran {
        // The main file is copied last, so it has the highest number.
        let prefix = main.trim_end_matches(|c: char| c.is_ascii_digit());
        if let Some(text) = &self.intrusion {
            self.files().insert(format!("{prefix}0"), text.clone());
        }
        let files = self.files();
        let copies = files.iter().filter(|(path, _)| path.starts_with(prefix));
        let text: String = copies.map(|(_, text)| text.as_str()).collect();
        let code = i64::from(text.contains("REJECT"));
        self.checks.lock().expect("nobody panics with it").push(text);
        Ran { code, ..Ran::default() }
    }
}

#[async_trait]
impl Shell for Host {
    async fn read(&self, path: &str) -> Result<Option<String>, PortError> {
        Ok(self.files().get(path).cloned())
    }

    async fn replace(&self, path: &str, text: &str) -> Result<(), PortError> {
        self.files().insert(path.to_owned(), text.to_owned());
        Ok(())
    }

    async fn remove(&self, path: &str) -> Result<(), PortError> {
        self.files().remove(path);
        Ok(())
    }

    async fn run(&self, argv: &[String], _: Duration) -> Result<Ran, PortError> {
        if argv.iter().any(|word| word == "-T") {
            return Ok(Ran { stdout: self.dump(), ..Ran::default() });
        }
        assert!(argv.iter().any(|word| word == "-t"), "{argv:?}");
        Ok(self.check(argv.last().expect("a file")))
    }

    async fn dial(&self, _: std::net::SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        Err(PortError::Unreachable("nobody listens".into()))
    }

    async fn dial_socket(&self, _: &str) -> Result<Box<dyn Stream>, PortError> {
        unreachable!("it has no socket")
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        Ok(Vec::new())
    }

    async fn listening(&self) -> Result<Vec<Socket>, PortError> {
        Ok(Vec::new())
    }

    async fn sockets_of(&self, _: u32) -> Result<Option<Vec<u64>>, PortError> {
        Ok(Some(Vec::new()))
    }

    async fn surroundings(&self, _: &str) -> Result<Surroundings, PortError> {
        Ok(Surroundings::default())
    }
}

fn nginx(host: &Arc<Host>) -> Nginx {
    let inventory = "hosts: {here: {docker: 'unix:///run/docker.sock'}}\n\
        proxies: {edge: {kind: nginx, hosts: [here], runs: host, listen: [80], \
        config: /etc/nginx/conf.d/ours.conf}}\n";
    let files = Memory::new().with("inventory.yaml", inventory);
    let mut problems = Vec::new();
    let inventory = Inventory::load(&files, &Sources::default(), None, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let settings = inventory.proxies.values().next().expect("a proxy");
    Nginx::new(settings, Arc::clone(host) as Arc<dyn Shell>)
}

/// A host and its nginx after a check ahead of `# second`.
async fn checked_ahead() -> (Arc<Host>, Nginx) {
    let host = Arc::new(Host::new());
    let nginx = nginx(&host);
    nginx.check_ahead("# second\n").await.expect("an answer");
    assert_eq!(host.checks_of("# second"), 1);
    (host, nginx)
}

#[tokio::test]
async fn what_was_found_good_ahead_counts_once() {
    let (host, nginx) = checked_ahead().await;
    for checks in [1, 2] {
        assert_eq!(nginx.test("# second\n").await, Ok(()));
        assert_eq!(host.checks_of("# second"), checks);
    }
}

#[tokio::test]
async fn another_text_than_the_one_checked_ahead_is_checked() {
    let (host, nginx) = checked_ahead().await;
    assert_eq!(nginx.test("# second \n").await, Ok(()));
    assert_eq!(host.checks_of("# second \n"), 1);
}

#[tokio::test]
async fn what_was_checked_ahead_is_checked_again_when_a_file_around_it_has_changed() {
    for path in [MAIN, OURS, OTHER] {
        let (host, nginx) = checked_ahead().await;
        host.files().get_mut(path).expect("a file").push_str("# since\n");
        assert_eq!(nginx.test("# second\n").await, Ok(()));
        assert_eq!(host.checks_of("# second"), 2, "{path}");
    }
}

#[tokio::test]
async fn what_the_checker_refused_ahead_is_checked_again() {
    let host = Arc::new(Host::new());
    let nginx = nginx(&host);
    nginx.check_ahead("REJECT\n").await.expect("an answer");
    assert!(matches!(nginx.test("REJECT\n").await, Err(PortError::Refused(_))));
    assert_eq!(host.checks_of("REJECT"), 2);
}

#[tokio::test]
async fn a_check_ahead_of_somebody_elses_text_proves_nothing() {
    let intrusion = Some("# somebody else's\n".to_owned());
    let host = Arc::new(Host { intrusion, ..Host::new() });
    let nginx = nginx(&host);
    nginx.check_ahead("# second\n").await.expect("an answer");
    assert_eq!((host.checks_of("# second"), host.checks_of("# somebody")), (0, 1));
    assert!(!nginx.was_found_good(&Dump::parse(&host.dump()).expect("a dump"), "# second\n"));
}

#[tokio::test]
async fn a_check_leaves_no_file_behind() {
    let (host, nginx) = checked_ahead().await;
    nginx.test("# third\n").await.expect("good");
    let paths: Vec<String> = host.files().keys().cloned().collect();
    assert_eq!(paths, [OTHER, OURS, MAIN, "/run/nginx.pid"]);
}
