//! Who signed a commit: asked of `ssh-keygen` and `gpgv`, which know their formats.
//!
//! Both are run with lists of arguments, never through a shell, with nothing of the environment but
//! where programs are, and with a deadline. What is signed reaches them over standard input.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use thiserror::Error;

use super::{Commit, Repository};

/// How long one program may take; both need some milliseconds.
const TIME: Duration = Duration::from_secs(10);

/// How often it is looked whether it has ended.
const PAUSE: Duration = Duration::from_millis(5);

/// The most that is read of what it says.
const OUTPUT_MAX: u64 = 64 << 10;

/// What Git calls its own signatures, so that one for mail or files is none for a commit.
const NAMESPACE: &str = "git";

/// Who may sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Keys {
    /// A file of principals and keys, as `ssh-keygen` reads it.
    Ssh(PathBuf),
    /// A keyring, as `gpgv` reads it.
    Gpg(PathBuf),
}

/// Why a commit does not count as signed.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Unsigned {
    /// There is no signature.
    #[error("it is not signed")]
    Nobody,
    /// There is one of another kind.
    #[error("it is signed with {0}, and only {1} is accepted")]
    Kind(&'static str, &'static str),
    /// It is not of one who may, or not of this commit.
    #[error("nobody who may has signed it: {0}")]
    Refused(String),
    /// Nobody could tell.
    #[error("its signature could not be checked: {0}")]
    Unknown(String),
}

/// A program that has ended.
struct Ended {
    is_good: bool,
    said: String,
}

impl Repository {
    /// Whether one of `keys` has signed the commit.
    pub fn verify(&self, commit: &Commit, keys: &Keys) -> Result<(), Unsigned> {
        let (signature, signed) = self.signature(commit)?;
        let is_ssh = signature.starts_with(b"-----BEGIN SSH SIGNATURE-----");
        match (keys, is_ssh) {
            (Keys::Ssh(file), true) => by_ssh(file, &signature, &signed),
            (Keys::Gpg(file), false) => by_gpg(file, &signature, &signed),
            (Keys::Ssh(_), false) => Err(Unsigned::Kind("GPG", "SSH")),
            (Keys::Gpg(_), true) => Err(Unsigned::Kind("SSH", "GPG")),
        }
    }
}

fn by_ssh(allowed: &Path, signature: &[u8], signed: &[u8]) -> Result<(), Unsigned> {
    let file = Scratch::with(signature)?;
    let mut find = Command::from_program("ssh-keygen");
    find.args(["-Y", "find-principals", "-s"]).arg(&file.0).arg("-f").arg(allowed);
    let found = run(find, b"")?;
    if !found.is_good {
        return Err(Unsigned::Refused("its key is not among those that are allowed".to_owned()));
    }
    let mut why = String::new();
    for principal in found.said.lines().filter(|line| !line.is_empty()) {
        let mut verify = Command::from_program("ssh-keygen");
        verify.args(["-Y", "verify", "-n", NAMESPACE, "-I", principal, "-s"]).arg(&file.0);
        verify.arg("-f").arg(allowed);
        let verified = run(verify, signed)?;
        if verified.is_good {
            return Ok(());
        }
        why = verified.said;
    }
    Err(Unsigned::Refused(first_line(&why)))
}

fn by_gpg(keyring: &Path, signature: &[u8], signed: &[u8]) -> Result<(), Unsigned> {
    let file = Scratch::with(signature)?;
    let mut verify = Command::from_program("gpgv");
    verify.args(["--status-fd", "1", "--keyring"]).arg(keyring).arg(&file.0).arg("-");
    let verified = run(verify, signed)?;
    let says = |word: &str| {
        let line = format!("[GNUPG:] {word}");
        verified.said.lines().any(|said| said.starts_with(&line))
    };
    // A good signature of a key that has expired or was revoked is told with other words.
    let is_good = verified.is_good && says("GOODSIG ") && says("VALIDSIG ");
    match is_good {
        true => Ok(()),
        false if says("NO_PUBKEY") => {
            Err(Unsigned::Refused("its key is not among those that are allowed".to_owned()))
        }
        false => Err(Unsigned::Refused("the signature is not good".to_owned())),
    }
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it is not good");
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// A way to start a program that knows nothing of our environment.
trait Program {
    fn from_program(name: &str) -> Self;
}

impl Program for Command {
    fn from_program(name: &str) -> Self {
        #[expect(clippy::disallowed_methods, reason = "programs that know signatures")]
        let mut command = Self::new(name);
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env_clear().env("PATH", path).env("LC_ALL", "C");
        command
    }
}

/// Runs it with `input`, kills it when it takes too long, and reads as much as anybody needs.
fn run(mut command: Command, input: &[u8]) -> Result<Ended, Unsigned> {
    let name = command.get_program().to_string_lossy().into_owned();
    let unknown = |why: String| Unsigned::Unknown(format!("{name}: {why}"));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| unknown(error.to_string()))?;
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    thread::scope(|scope| {
        // A program that has made up its mind reads no further, which is no failure.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input).ok()));
        let out = scope.spawn(move || stdout.map(text_of).unwrap_or_default());
        let err = scope.spawn(move || stderr.map(text_of).unwrap_or_default());
        let ended = wait(&mut child);
        let said = out.join().unwrap_or_default() + &err.join().unwrap_or_default();
        match ended {
            Some(is_good) => Ok(Ended { is_good, said }),
            None => Err(unknown(format!("it did not end within {} s", TIME.as_secs()))),
        }
    })
}

fn text_of(stream: impl std::io::Read) -> String {
    let mut bytes = Vec::new();
    // What could be read is enough to tell why it was refused.
    drop(stream.take(OUTPUT_MAX).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether it ended well; `None` when it had to be killed.
fn wait(child: &mut Child) -> Option<bool> {
    let mut left = TIME.as_millis() / PAUSE.as_millis();
    while left > 0 {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) => thread::sleep(PAUSE),
            Err(_) => break,
        }
        left -= 1;
    }
    drop(child.kill());
    drop(child.wait());
    None
}

/// A file for a program that reads no other way; removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn with(content: &[u8]) -> Result<Self, Unsigned> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let failed = |error: std::io::Error| Unsigned::Unknown(error.to_string());
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("gitdeploy-{}-{number}.sig", std::process::id());
        let path = std::env::temp_dir().join(name);
        // One that a dead process of the same number left is in the way.
        drop(fs::remove_file(&path));
        // Never through a link that somebody else has put there.
        let mut options = OpenOptions::new();
        let mut file: File =
            options.write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
        let scratch = Self(path);
        file.write_all(content).map_err(failed)?;
        Ok(scratch)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(fs::remove_file(&self.0));
    }
}

#[cfg(test)]
mod tests;
