//! Finds the Compose files of a directory.

use crate::files::{FileError, Files, join};

/// Names of a Compose file, the best first.
const NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// Names of a file that is laid over it, the best first.
const OVERRIDES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The Compose files of a directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ComposeFiles {
    /// Their paths: the file itself, and what is laid over it.
    pub paths: Vec<String>,
    /// Others that would do, and are passed over.
    pub passed_over: Vec<String>,
}

/// Looks for Compose files in `dir`; none at all is no error.
pub fn find_compose_files(files: &dyn Files, dir: &str) -> Result<ComposeFiles, FileError> {
    let mut found = ComposeFiles::default();
    for names in [NAMES, OVERRIDES] {
        let before = found.paths.len();
        for name in names {
            let path = join(dir, name);
            if files.is_file(&path)? {
                let is_first = found.paths.len() == before;
                (if is_first { &mut found.paths } else { &mut found.passed_over }).push(path);
            }
        }
        if found.paths.is_empty() {
            break;
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;

    #[test]
    fn the_best_name_wins_and_an_override_follows() {
        let tree = Memory::new()
            .with("s/docker-compose.yml", "")
            .with("s/compose.yaml", "")
            .with("s/compose.override.yaml", "")
            .with("t/compose.override.yaml", "");
        let found = find_compose_files(&tree, "s").expect("readable");
        assert_eq!(found.paths, ["s/compose.yaml", "s/compose.override.yaml"]);
        assert_eq!(found.passed_over, ["s/docker-compose.yml"]);
        assert!(find_compose_files(&tree, "t").expect("readable").paths.is_empty());
    }
}
