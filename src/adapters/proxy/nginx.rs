//! nginx, as a service or as a container: reloads only, and never one that loses a request.
//!
//! nginx says nothing of a reload that failed to bind, so only an answering generation is believed.
//! A reload closes idle connections of clients; where nginx itself cannot wait for them (before
//! 1.27.4), the managed file has a switch: while a flag file beside it exists, every answer closes
//! its connection, so that none is idle when the reload comes. The flag goes with the old workers. It
//! may be raised before the file is changed: what it needs is time, not the new file. A connection
//! that is opened under the flag ends with its first answer, so nothing is left to wait for once
//! those are gone that were there when it was raised.

mod dump;
mod flag;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio::sync::OnceCell;

use self::dump::{Copy, Dump};
use self::flag::Raised;
use super::bind;
use super::front::Front;
use super::kernel::Process;
use super::managed;
use super::shell::{COMMAND_LIMIT, Ran, Shell};
use crate::model::{BackendKey, Endpoint, Generation, ProxyState, RoutingTable, Rule};
use crate::ports::{Activation, Applied, Draining, PortError, Proxy};
use crate::settings;

/// One nginx.
pub(super) struct Nginx {
    front: Front,
    test: Vec<String>,
    reload: Vec<String>,
    /// The file with the number of the master.
    pid_file: OnceCell<Option<String>>,
    /// Workers from before the last reload of ours, by the numbers of this machine.
    noted: Mutex<BTreeSet<u32>>,
    /// The flag that we raised and no reload of ours has made use of.
    raised: Mutex<Option<Raised>>,
    /// What the checker found good ahead.
    checked: Mutex<Option<Checked>>,
}

/// A file in the place of the managed one, among files as they were.
struct Checked {
    among: Dump,
    candidate: String,
}

/// What `nginx -T` came to.
enum Configuration {
    /// It is fine, and this is it.
    Whole(Dump),
    /// It is refused because of the managed file.
    OursIsBad,
    /// It is refused for something else; with what was said.
    Bad(String),
}

impl Nginx {
    pub(super) fn new(proxy: &settings::Proxy, shell: Arc<dyn Shell>) -> Self {
        Self {
            front: Front::new(proxy, shell),
            test: proxy.test.clone(),
            reload: proxy.reload.clone(),
            pid_file: OnceCell::new(),
            noted: Mutex::default(),
            raised: Mutex::default(),
            checked: Mutex::default(),
        }
    }

    async fn run(&self, argv: &[String]) -> Result<Ran, PortError> {
        self.front.shell.run(argv, COMMAND_LIMIT).await
    }

    /// The program with its words before the first option: `sudo nginx`.
    fn program(&self, option: &str) -> Vec<String> {
        let words = self.test.iter().take_while(|word| !word.starts_with('-'));
        words.cloned().chain([option.to_owned()]).collect()
    }

    /// The checking command as one that prints the configuration, or checks that of another file.
    fn checker(&self, option: &str, main: Option<&str>) -> Result<Vec<String>, PortError> {
        if !self.test.iter().any(|word| word == "-t") {
            return Err(PortError::Refused(format!(
                "`{}` has no `-t`, so nginx cannot be asked about another file",
                self.test.join(" ")
            )));
        }
        let mut argv = Vec::new();
        let mut words = self.test.iter();
        while let Some(word) = words.next() {
            match (word.as_str(), main) {
                ("-t", _) => argv.push(option.to_owned()),
                ("-c", Some(_)) => drop(words.next()),
                ("-q", _) => {}
                _ => argv.push(word.clone()),
            }
        }
        argv.extend(main.iter().flat_map(|main| ["-c".to_owned(), (*main).to_owned()]));
        Ok(argv)
    }

    async fn configuration(&self) -> Result<Configuration, PortError> {
        let ran = self.run(&self.checker("-T", None)?).await?;
        if ran.code != 0 {
            let ours = format!("{:?}", self.front.path);
            let is_ours = |line: &str| {
                line.contains(&format!("in {}:", self.front.path)) || line.contains(&ours)
            };
            return Ok(match ran.stderr.lines().any(is_ours) {
                true => Configuration::OursIsBad,
                false => Configuration::Bad(ran.said()),
            });
        }
        let dump = Dump::parse(&ran.stdout);
        dump.map(Configuration::Whole)
            .ok_or_else(|| PortError::Refused("`nginx -T` prints no configuration".into()))
    }

    async fn version(&self) -> Result<String, PortError> {
        let argv = self.program("-v");
        let ran = self.run(&argv).await?.ok(&argv)?;
        let said = ran.said();
        let version =
            said.rsplit_once("nginx/").and_then(|(_, rest)| rest.split_whitespace().next());
        Ok(version.unwrap_or("unknown").to_owned())
    }

    /// What nginx was built with for `--name=`.
    async fn built_with(&self, name: &str) -> Result<Option<String>, PortError> {
        let argv = self.program("-V");
        let said = self.run(&argv).await?.ok(&argv)?.said();
        let value = said.split_whitespace().find_map(|word| word.strip_prefix(name));
        Ok(value.map(|value| value.trim_start_matches('=').to_owned()))
    }

    /// The processes of this nginx, the master first; empty when it does not run.
    async fn family(&self) -> Result<Vec<Process>, PortError> {
        self.family_by(None).await
    }

    /// The same for whoever has the configuration already.
    async fn family_by(&self, dump: Option<&Dump>) -> Result<Vec<Process>, PortError> {
        let Some(path) = self.pid_file.get_or_try_init(|| self.find_pid_file(dump)).await? else {
            return Ok(Vec::new());
        };
        let number = self.front.shell.read(path).await?;
        let number: Option<u32> = number.and_then(|text| text.trim().parse().ok());
        let processes = self.front.shell.processes().await?;
        let is_master = |process: &&Process| {
            Some(process.number) == number && process.title.starts_with("nginx: master")
        };
        let Some(master) = processes.iter().find(is_master).cloned() else {
            return Ok(Vec::new());
        };
        let workers = processes.into_iter().filter(|process| {
            process.parent == master.pid && process.title.starts_with("nginx: worker")
        });
        Ok([master.clone()].into_iter().chain(workers).collect())
    }

    /// Where the configuration says, or where nginx was built to write it.
    async fn find_pid_file(&self, dump: Option<&Dump>) -> Result<Option<String>, PortError> {
        let said = match dump {
            Some(dump) => dump.top("pid"),
            None => match self.configuration().await? {
                Configuration::Whole(dump) => dump.top("pid"),
                Configuration::OursIsBad | Configuration::Bad(_) => {
                    return Err(PortError::Refused("nginx refuses its own configuration".into()));
                }
            },
        };
        match said {
            Some(path) if path.starts_with('/') => Ok(Some(path)),
            Some(path) => Ok(self.built_with("--prefix").await?.map(|prefix| {
                format!("{}/{path}", self.prefix().unwrap_or(&prefix).trim_end_matches('/'))
            })),
            None => self.built_with("--pid-path").await,
        }
    }

    /// The value of `-p` in the checking command.
    fn prefix(&self) -> Option<&str> {
        let at = self.test.iter().position(|word| word == "-p")?;
        self.test.get(at + 1).map(String::as_str)
    }

    /// The workers that still serve an older configuration.
    async fn old_workers(&self) -> Result<BTreeSet<u32>, PortError> {
        let family = self.family().await?;
        let mut old = self.noted_alive(&family);
        let is_ending = |process: &&Process| process.title.contains("is shutting down");
        old.extend(family.iter().filter(is_ending).map(|process| process.pid));
        Ok(old)
    }

    fn noted_alive(&self, processes: &[Process]) -> BTreeSet<u32> {
        let alive: BTreeSet<u32> = processes.iter().map(|process| process.pid).collect();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|pid| alive.contains(pid));
        noted.clone()
    }

    fn note(&self, family: &[Process]) {
        let workers = family.iter().skip(1).map(|process| process.pid);
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).extend(workers);
    }

    /// `candidate` in a copy of the way to the managed file.
    fn copies(&self, dump: &Dump, candidate: &str, what: &str) -> Result<Vec<Copy>, PortError> {
        let prefix = format!("{}.gitdeploy-{what}", dump.main());
        let staged = dump.staged(&self.front.path, candidate, &prefix);
        staged.ok_or_else(|| PortError::Refused(self.not_included(dump)))
    }

    /// Checks the files that stand for others, which go then.
    async fn check_aside(&self, copies: &[Copy]) -> Result<(), PortError> {
        let checked = self.check_copies(copies).await;
        self.remove_copies(copies).await?;
        accepted(&checked?, |said| {
            let told = |said: String, copy: &Copy| said.replace(&copy.path, &copy.stands_for);
            copies.iter().fold(said.to_owned(), told)
        })
    }

    async fn check_copies(&self, copies: &[Copy]) -> Result<Ran, PortError> {
        let drafts = copies.iter().map(|copy| self.front.shell.draft(&copy.path, &copy.text));
        try_join_all(drafts).await?;
        let main = copies.last().map(|copy| copy.path.as_str());
        self.run(&self.checker("-t", main)?).await
    }

    async fn remove_copies(&self, copies: &[Copy]) -> Result<(), PortError> {
        try_join_all(copies.iter().map(|copy| self.front.shell.remove(&copy.path))).await?;
        Ok(())
    }

    /// Whether the copies are what was written. Others who check ahead use files of the same names;
    /// each writes once and then checks, so what is there after a check was there during it.
    async fn are_there(&self, copies: &[Copy]) -> Result<bool, PortError> {
        let texts = copies.iter().map(|copy| self.front.shell.read(&copy.path));
        let texts = try_join_all(texts).await?;
        Ok(texts.iter().zip(copies).all(|(text, copy)| text.as_ref() == Some(&copy.text)))
    }

    /// Whether the checker has just found the same good, down to every file around it. It counts
    /// once: what no `include` names, such as a certificate, may change in a longer time.
    fn was_found_good(&self, dump: &Dump, candidate: &str) -> bool {
        let checked = self.checked.lock().unwrap_or_else(PoisonError::into_inner).take();
        checked.is_some_and(|it| it.among == *dump && it.candidate == candidate)
    }

    /// Checks `candidate` in its place, where what is there now is refused anyway: no reload by
    /// anybody can take either before the check ends.
    async fn check_in_place(&self, candidate: &str) -> Result<(), PortError> {
        let before = self.front.read().await?;
        self.front.shell.replace(&self.front.path, candidate).await?;
        let ran = self.run(&self.test).await;
        match before {
            Some(text) => self.front.shell.replace(&self.front.path, &text).await?,
            None => self.front.shell.remove(&self.front.path).await?,
        }
        accepted(&ran?, str::to_owned)
    }

    fn not_included(&self, dump: &Dump) -> String {
        format!("`{}` is not included by `{}`", self.front.path, dump.main())
    }

    /// What of nginx itself stands in the way.
    async fn obstacles(&self) -> Result<Vec<String>, PortError> {
        Ok(match self.configuration().await? {
            Configuration::OursIsBad => Vec::new(),
            Configuration::Bad(said) => {
                vec![format!("nginx refuses its own configuration: {said}")]
            }
            Configuration::Whole(dump) => {
                let mut found = Vec::new();
                if dump.staged(&self.front.path, "", "").is_none() {
                    found.push(self.not_included(&dump));
                }
                let others = dump.files().filter(|(path, _)| *path != self.front.path);
                found.extend(others.filter_map(|(path, text)| managed::other(path, text)));
                let family = self.family_by(Some(&dump)).await?;
                if family.is_empty() {
                    found.push("nginx does not run".into());
                }
                let is_old = |process: &Process| process.title.contains("is shutting down");
                if !family.iter().any(is_old) {
                    self.lower_left_over_flag().await?;
                }
                found
            }
        })
    }

    async fn reload(&self) -> Result<(), PortError> {
        let ran = self.run(&self.reload).await?;
        accepted(&ran, str::to_owned)
    }
}

#[async_trait]
impl Proxy for Nginx {
    async fn observe(&self) -> Result<ProxyState, PortError> {
        let (place, file) = futures_util::try_join!(
            self.front.shell.surroundings(&self.front.path),
            self.front.read()
        )?;
        let table = file.as_deref().and_then(managed::table).map(|(table, _)| table);
        let mut obstacles = place.obstacles;
        if !place.is_running {
            return Ok(ProxyState { file, table, obstacles, ..ProxyState::default() });
        }
        let serving = async { Ok(self.front.serving().await) };
        let (found, version, serving) =
            futures_util::try_join!(self.obstacles(), self.version(), serving)?;
        obstacles.extend(found);
        Ok(ProxyState {
            version,
            table,
            file,
            serving,
            servers: None,
            replicas_at: place.replicas_at,
            obstacles,
        })
    }

    async fn prepare(&self) -> Result<(), PortError> {
        self.raise_flag_early().await
    }

    async fn check_ahead(&self, candidate: &str) -> Result<(), PortError> {
        let Configuration::Whole(among) = self.configuration().await? else { return Ok(()) };
        let copies = self.copies(&among, candidate, "ahead")?;
        let checked = self.check_copies(&copies).await;
        let are_ours = self.are_there(&copies).await;
        self.remove_copies(&copies).await?;
        if checked?.code == 0 && are_ours? {
            let checked = Checked { among, candidate: candidate.to_owned() };
            *self.checked.lock().unwrap_or_else(PoisonError::into_inner) = Some(checked);
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), PortError> {
        self.take_back_flag().await
    }

    async fn read(&self) -> Result<Option<String>, PortError> {
        self.front.read().await
    }

    async fn test(&self, candidate: &str) -> Result<(), PortError> {
        match self.configuration().await? {
            Configuration::Whole(dump) => {
                // One after the other: what the checker holds for a moment looks like taken.
                if !self.was_found_good(&dump, candidate) {
                    let copies = self.copies(&dump, candidate, "check")?;
                    self.check_aside(&copies).await?;
                }
                let family = self.family_by(Some(&dump)).await?;
                bind::refuse_taken(&self.front, "nginx", &family).await
            }
            Configuration::OursIsBad => self.check_in_place(candidate).await,
            Configuration::Bad(said) => {
                Err(PortError::Refused(format!("nginx refuses its own configuration: {said}")))
            }
        }
    }

    async fn swap(&self, expect: Option<&str>, new: Option<&str>) -> Result<Applied, PortError> {
        self.front.swap(expect, new).await
    }

    async fn activate(&self, table: &RoutingTable) -> Result<Activation, PortError> {
        if !self.front.was_written() && self.front.confirm(table.generation).await {
            return Ok(Activation::AlreadyTrue);
        }
        let flag = self.raise_flag().await?;
        self.note(&self.family().await?);
        let reloaded = self.reload().await;
        if reloaded.is_err() && flag {
            // Nothing has changed, so nothing old is there to wait for.
            self.noted.lock().unwrap_or_else(PoisonError::into_inner).clear();
            self.lower_flag().await?;
        }
        reloaded?;
        self.front.reloaded();
        if flag {
            self.lower_flag_with_old_workers().await?;
        }
        Ok(Activation::Reload)
    }

    async fn confirm(&self, generation: Generation) -> Result<bool, PortError> {
        Ok(self.front.confirm(generation).await)
    }

    async fn prove(&self, rule: &Rule) -> Result<Option<Endpoint>, PortError> {
        self.front.prove(rule).await
    }

    async fn draining(
        &self,
        _servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Draining, PortError> {
        let old = self.old_workers().await?;
        if old.is_empty() {
            self.lower_flag().await?;
        }
        let old_processes = u32::try_from(old.len()).unwrap_or(u32::MAX);
        Ok(Draining { in_flight: 0, old_processes })
    }

    async fn forget(
        &self,
        _servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Applied, PortError> {
        Ok(Applied::AlreadyTrue)
    }
}

/// `Refused` with what nginx said, its paths made those that a person knows.
fn accepted(ran: &Ran, told: impl Fn(&str) -> String) -> Result<(), PortError> {
    match ran.code {
        0 => Ok(()),
        _ => Err(PortError::Refused(told(&ran.said()))),
    }
}

#[cfg(test)]
mod tests;
