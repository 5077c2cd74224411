//! What of a managed file the adapters read themselves: its table, whoever owns it.

use crate::model::{Name, Owner, RoutingTable};
use crate::proxy::{self, Managed};

/// What stands in the way when `path`, which the proxy reads beside the file of ours, is a managed
/// file too: the names in both and the question for the generation would be the same.
pub(super) fn other(path: &str, text: &str) -> Option<String> {
    table(text)?;
    let owner = text.lines().find_map(|line| line.strip_prefix("# owner: "))?;
    Some(format!(
        "it also reads `{path}`, the managed file of {owner}, and one proxy can follow one managed \
         file only: give each environment a proxy of its own"
    ))
}

/// The table that a file's header says, and whether the file was edited since; `None` when it is
/// no managed file.
pub(super) fn table(text: &str) -> Option<(RoutingTable, bool)> {
    let owner = text.lines().find_map(|line| line.strip_prefix("# owner: "))?;
    let (project, environment) = owner.split_once('/')?;
    let owner = Owner {
        project: Name::parse(project).ok()?.into(),
        environment: Name::parse(environment).ok()?.into(),
    };
    match proxy::read(&owner, Some(text)) {
        Managed::Ours { table, edited } => Some((table, edited)),
        Managed::Absent | Managed::Foreign { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_managed_file_beside_ours_stands_in_the_way() {
        let text = "# gitdeploy 1: generation 0; written by gitdeploy, do not edit\n\
            # owner: beta/staging\n# sha256: 0\n# generation: 0\n\
            # table: {\"generation\":0,\"backends\":{}}\n#\n";
        let said = other("/etc/nginx/conf.d/beta.conf", text).expect("an obstacle");
        assert!(said.contains("`/etc/nginx/conf.d/beta.conf`, the managed file of beta/staging"));
        assert_eq!(other("/etc/nginx/conf.d/own.conf", "# owner: me/myself\nserver {}\n"), None);
    }
}
