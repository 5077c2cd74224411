//! Files that `snapshot` writes, and the key they are signed with.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::args::SnapshotKeys;
use super::commands::Run;
use super::live::Session;
use super::{Exit, Failure, stage};
use crate::model::{Blind, Millis, Plan};
use crate::pipeline::{
    Answers, Beside, Fleet, Picture, PictureError, PictureKey, PlanError, Trust, Trusted,
    hide_hashes,
};
use crate::planner::Scope;
use crate::ports::{Clock, Ports};
use crate::ssh::PublicKey;

/// The variable that holds the key.
const VARIABLE: &str = "GITDEPLOY_SNAPSHOT_KEY";

/// The largest file that is read: what 5,000 hosts with 60 containers each come to is below.
const FILE_MAX: u64 = 1 << 30;

/// The key of a file or of the variable; `None` when there is neither.
pub(super) fn key(run: &Run<'_>, file: Option<&Path>) -> Result<Option<PictureKey>, Failure> {
    let text = match file {
        Some(path) => {
            #[expect(clippy::disallowed_methods, reason = "the file is named by the user")]
            let text = std::fs::read_to_string(run.world.folder.join(path)).map_err(|error| {
                Failure::because(&format!("could not read the key {}", path.display()), &error)
            })?;
            text
        }
        None => match run.world.variable(VARIABLE) {
            Some(text) => text.to_owned(),
            None => return Ok(None),
        },
    };
    let key = PictureKey::new(&text)
        .map_err(|error| Failure::because("could not use the key", &error).hint(made()))?;
    Ok(Some(key))
}

/// The same where nothing can be done without.
pub(super) fn needed_key(run: &Run<'_>, file: Option<&Path>) -> Result<PictureKey, Failure> {
    key(run, file)?.ok_or_else(|| {
        Failure::new(format!("there is no key: neither --key nor {VARIABLE} is given")).hint(made())
    })
}

fn made() -> &'static str {
    "make one with: openssl rand -hex 32 > snapshot.key"
}

/// A picture and what it is compared with.
pub(super) struct Given {
    pub(super) picture: Picture,
    pub(super) key: Option<PictureKey>,
}

impl Given {
    /// Reads a picture of these stacks. Public keys that are asked for come before those of the
    /// settings.
    pub(super) fn read(
        run: &Run<'_>,
        file: &Path,
        by: &SnapshotKeys,
        session: &Session<'_>,
    ) -> Result<Self, Failure> {
        let key = key(run, by.key.as_deref())?;
        let of_settings = &session.snapshot.settings.trusted_keys;
        let signers: Vec<PublicKey> = match by.trusted_keys.as_slice() {
            [] => of_settings.iter().map(|key| key.value).collect(),
            given => given.to_vec(),
        };
        let path = run.world.folder.join(file);
        let what = format!("could not use the snapshot {}", file.display());
        let text = text(&path).map_err(|error| Failure::because(&what, &error))?;
        let trusted = Trusted { key: key.as_ref(), signers: &signers };
        let picture = Picture::read(&text, trusted).map_err(|error| {
            let next = |command| run.cli.global.next_command(command);
            let failure = Failure::because(&what, &error);
            match error {
                PictureError::Forged | PictureError::OtherKey { .. } => failure
                    .exit(Exit::Unverified)
                    .hint("take it from where it was made, with its key"),
                PictureError::Unsigned => {
                    failure.exit(Exit::Unverified).hint(next("snapshot --out FILE"))
                }
                PictureError::NotTrusted { .. } => failure.exit(Exit::Unverified).hint(
                    "take it from where it was made, or trust its key if it is yours; there, this prints \
                     it: gitdeploy snapshot --public-key",
                ),
                PictureError::NotAPicture(_) | PictureError::OtherFormat(_) => {
                    failure.hint(next("snapshot --out FILE"))
                }
            }
        })?;
        let owner = &session.owner;
        if picture.owner != *owner {
            return Err(Failure::new(format!(
                "{what}: it is of {}/{}, and this is {}/{}",
                picture.owner.project, picture.owner.environment, owner.project, owner.environment
            ))
            .hint("--env names the environment"));
        }
        Ok(Self { picture, key })
    }

    /// When it was taken and how far it can be trusted, as a sentence.
    pub(super) fn words(&self) -> String {
        let signer = self.picture.trust.signer().fingerprint();
        let trust = match (&self.picture.trust, &self.key) {
            (Trust::Vouched(_), Some(_)) => format!("signed with the key {signer}"),
            (Trust::Vouched(_), None) => format!("signed with the trusted key {signer}"),
            (Trust::Unknown(_), _) => format!("nobody vouches for the key {signer}"),
        };
        let age = age(self.picture.at, now());
        let at = super::screen::moment(self.picture.at);
        format!("Planned for the hosts as a snapshot of {at} UTC has them ({age}; {trust}).")
    }

    /// The plan, with what could not be known.
    pub(super) fn plan(
        &self,
        session: &Session<'_>,
        beside: &Beside<'_>,
        scope: &Scope,
    ) -> Result<Plan, PlanError> {
        let (observed, blind) = self.picture.settled(beside);
        let ports = Ports {
            engines: std::collections::BTreeMap::new(),
            proxies: std::collections::BTreeMap::new(),
            leases: std::collections::BTreeMap::new(),
            clock: Arc::new(Then(self.picture.at)),
        };
        let owner = session.owner.clone();
        let fleet = Fleet {
            owner,
            inventory: &session.snapshot.inventory,
            ports,
            absent: std::collections::BTreeMap::new(),
            answers: Answers::default(),
        };
        let mut plan = fleet.plan_on(beside.wish, scope, observed)?.plan;
        hide_hashes(&mut plan);
        plan.blind.extend(blind.into_iter().collect::<Vec<Blind>>());
        Ok(plan)
    }
}

/// The moment of a picture is the only one there is in it.
struct Then(Millis);

impl Clock for Then {
    fn now(&self) -> Millis {
        self.0
    }
}

fn text(path: &PathBuf) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(FILE_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// In a simulated world, the time that it is there.
fn now() -> Millis {
    match stage::current() {
        Some(stage) => stage.now(),
        None => u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0),
    }
}

fn age(at: Millis, now: Millis) -> String {
    let Some(seconds) = now.checked_sub(at).map(|millis| millis / 1_000) else {
        return "from the future".to_owned();
    };
    match seconds {
        0..120 => format!("{seconds} s old"),
        120..7_200 => format!("{} min old", seconds / 60),
        7_200..172_800 => format!("{} h old", seconds / 3_600),
        _ => format!("{} days old", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_told_as_people_do() {
        let old = |seconds: u64| age(1_000, 1_000 + seconds * 1_000);
        assert_eq!(old(5), "5 s old");
        assert_eq!(old(600), "10 min old");
        assert_eq!(old(10_800), "3 h old");
        assert_eq!(old(864_000), "10 days old");
        assert_eq!(age(9_000, 1_000), "from the future");
    }
}
