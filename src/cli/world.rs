//! What the process was given: environment, folder, terminal. Read once, passed along.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// The process's surroundings.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// The environment; names and values that are not UTF-8 are left out.
    pub variables: BTreeMap<String, String>,
    /// The working folder.
    pub folder: PathBuf,
    /// Whether standard output is a terminal.
    pub stdout_is_terminal: bool,
    /// Whether standard error is a terminal.
    pub stderr_is_terminal: bool,
    /// Whether standard output is a file of the disk: nobody reads that as a log.
    pub stdout_is_file: bool,
}

fn is_file(stream: &impl std::os::fd::AsFd) -> bool {
    let handle = stream.as_fd().try_clone_to_owned().map(std::fs::File::from);
    handle.and_then(|file| file.metadata()).is_ok_and(|metadata| metadata.is_file())
}

impl World {
    /// The surroundings of this process.
    pub fn from_process() -> Self {
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self {
            variables,
            folder: std::env::current_dir().unwrap_or_default(),
            stdout_is_terminal: std::io::stdout().is_terminal(),
            stderr_is_terminal: std::io::stderr().is_terminal(),
            stdout_is_file: is_file(&std::io::stdout()),
        }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The user's home folder.
    pub fn home(&self) -> Option<&str> {
        self.variable("HOME")
    }

    /// Where things are kept that can be made again.
    pub fn cache_folder(&self) -> Option<PathBuf> {
        // A relative folder is to be ignored: it would lie somewhere else each time.
        let base = match self.variable("XDG_CACHE_HOME").filter(|folder| folder.starts_with('/')) {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(self.home()?).join(".cache"),
        };
        Some(base.join("gitdeploy"))
    }

    /// Where things are kept that cannot: what a service manager says, else the user's own folder.
    pub fn state_folder(&self) -> Option<PathBuf> {
        let whole = |text: &&str| text.starts_with('/');
        let given = self.variable("STATE_DIRECTORY").and_then(|all| all.split(':').next());
        if let Some(folder) = given.filter(whole) {
            return Some(PathBuf::from(folder));
        }
        let base = match self.variable("XDG_STATE_HOME").filter(whole) {
            Some(folder) => PathBuf::from(folder),
            None => PathBuf::from(self.home()?).join(".local/state"),
        };
        Some(base.join("gitdeploy"))
    }
}
