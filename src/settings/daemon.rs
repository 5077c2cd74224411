//! `sync.yaml`: what the owner of a daemon says it may do.
//!
//! It lies beside the daemon and not in a repository that it watches: whoever may write a commit
//! must not loosen what commits are held to. It holds no secret, only where secrets are found.

mod shape;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::diag::{Diagnostic, Sources};
use crate::files::Files;
use crate::model::{Name, StackName};
use crate::settings::document::{Document, read_checked};
use crate::settings::formats::parse_duration;
use crate::settings::placed::{entries, items, number, parsed, text, texts};
use crate::sync::{
    Budget, Forge, Hook, HookKind, Mode, Notify, NotifyKind, Retry, Rules, Secret, Signers, Source,
    StackRules, Window, WindowKind, check_schedule, parse_moment,
};
use crate::yaml::{Node, Value};

pub use shape::DAEMON;

/// Reads the file at `path`. The rules are whole only if no problem is an error.
pub fn load_daemon(
    files: &dyn Files,
    sources: &Sources,
    path: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Rules> {
    let root = match read_checked(files, sources, path, &DAEMON, problems) {
        Document::Root(root) => root,
        Document::Absent => {
            let message = format!("there is no file `{path}`");
            problems.push(Diagnostic::error("settings/no-such-file", message));
            return None;
        }
        Document::Empty => {
            if !problems.iter().any(Diagnostic::is_error) {
                let message = format!("`{path}` is empty: it names no source");
                problems.push(Diagnostic::error("settings/no-source", message));
            }
            return None;
        }
    };
    let mut reader = Reader { folder: crate::files::parent(path), problems };
    let rules = reader.rules(&root);
    (!problems.iter().any(Diagnostic::is_error)).then_some(rules)
}

/// Turns a checked tree into values.
struct Reader<'a> {
    /// Where relative paths start.
    folder: &'a str,
    problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn rules(&mut self, root: &Node) -> Rules {
        let sources = entries(root, "sources")
            .filter_map(|(key, item)| Some((Name::parse(key).ok()?, self.source(&item.node))));
        Rules {
            sources: sources.collect(),
            listen: parsed(root, "listen", |it| {
                it.parse::<SocketAddr>().map_err(|_| String::new())
            })
            .map(|it| it.value),
            token: self.secret(root, "token"),
            notify: items(root, "notify").iter().filter_map(|it| self.notify(it)).collect(),
            rounds: number::<usize>(root, "rounds").map_or(Rules::ROUNDS, |it| it.value),
        }
    }

    fn source(&mut self, node: &Node) -> Source {
        let repository = word(node, "repository").unwrap_or_default();
        let every = self.stack(node, &StackRules::default());
        let stacks = entries(node, "stacks").filter_map(|(key, item)| {
            let name = Name::parse(key).ok()?;
            Some((StackName::from(name), self.stack(&item.node, &every)))
        });
        let stacks: BTreeMap<StackName, StackRules> = stacks.collect();
        let plain = Source::of(String::new());
        Source {
            repository: self.repository(&repository),
            branch: word(node, "branch"),
            environment: parsed(node, "environment", Name::parse).map(|it| it.value),
            interval: duration(node, "interval").unwrap_or(plain.interval),
            look: duration(node, "look").unwrap_or(plain.look),
            signed_by: node.get("signed_by").and_then(|it| self.signers(it)),
            hook: node.get("webhook").and_then(|it| self.hook(it)),
            forge: node.get("forge").and_then(|it| self.forge(it)),
            every,
            stacks,
        }
    }

    /// A folder that is written relatively is seen from this file.
    fn repository(&self, text: &str) -> String {
        let is_relative = text.starts_with("./") || text.starts_with("../") || text == ".";
        match is_relative {
            true => self.path(text).display().to_string(),
            false => text.to_owned(),
        }
    }

    fn path(&self, text: &str) -> PathBuf {
        Path::new(self.folder).join(text)
    }

    fn stack(&mut self, node: &Node, base: &StackRules) -> StackRules {
        StackRules {
            mode: node.get("mode").and_then(mode).unwrap_or_else(|| base.mode.clone()),
            windows: match node.get("windows") {
                Some(_) => items(node, "windows").iter().map(|it| self.window(it)).collect(),
                None => base.windows.clone(),
            },
            retry: node.get("retry").map_or(base.retry, |it| retry(it, base.retry)),
            heal: node.get("heal").map_or(base.heal, |it| heal(it, base.heal)),
            ignore: match node.get("ignore") {
                Some(_) => texts(node, "ignore").map(|it| it.value.to_owned()).collect(),
                None => base.ignore.clone(),
            },
            max_deletes: number(node, "max_deletes").map(|it| it.value).or(base.max_deletes),
        }
    }

    fn window(&mut self, node: &Node) -> Window {
        let schedule = text(node, "schedule");
        let zone = word(node, "zone").unwrap_or_else(|| "UTC".to_owned());
        if let Some(schedule) = &schedule
            && let Err(why) = check_schedule(&schedule.value, &zone)
        {
            let message = format!("`{}` in {zone} is no schedule: {why}", schedule.value);
            self.problems.push(
                Diagnostic::error("settings/schedule", message)
                    .at(schedule.span)
                    .help("as in a crontab: `0 9 * * 1-5` is nine o'clock on working days"),
            );
        }
        let kind = match word(node, "kind").as_deref() {
            Some("deny") => WindowKind::Deny,
            _ => WindowKind::Allow,
        };
        Window {
            name: word(node, "name").unwrap_or_default(),
            kind,
            schedule: schedule.map(|it| it.value).unwrap_or_default(),
            duration: duration(node, "duration").unwrap_or_default(),
            zone,
            allows_orders: flag(node, "allows_orders"),
        }
    }

    fn secret(&mut self, node: &Node, key: &str) -> Option<Secret> {
        let node = node.get(key)?;
        match (word(node, "env"), word(node, "file")) {
            (Some(variable), None) => Some(Secret::Variable(variable)),
            (None, Some(file)) => Some(Secret::File(self.path(&file))),
            (None, None) | (Some(_), Some(_)) => {
                if node.as_map().is_some() {
                    self.one_of_two(node, key, "env", "file");
                }
                None
            }
        }
    }

    fn signers(&mut self, node: &Node) -> Option<Signers> {
        match (word(node, "ssh"), word(node, "gpg")) {
            (Some(file), None) => Some(Signers::Ssh(self.path(&file))),
            (None, Some(file)) => Some(Signers::Gpg(self.path(&file))),
            (None, None) | (Some(_), Some(_)) => {
                if node.as_map().is_some() {
                    self.one_of_two(node, "signed_by", "ssh", "gpg");
                }
                None
            }
        }
    }

    fn one_of_two(&mut self, node: &Node, key: &str, one: &str, other: &str) {
        let message = format!("`{key}` needs either `{one}` or `{other}`, and not both");
        self.problems.push(Diagnostic::error("settings/either-or", message).at(node.span));
    }

    fn hook(&mut self, node: &Node) -> Option<Hook> {
        let secret = self.secret(node, "secret");
        Some(Hook { kind: forge_kind(node)?, secret: secret? })
    }

    fn forge(&mut self, node: &Node) -> Option<Forge> {
        let token = self.secret(node, "token");
        Some(Forge {
            kind: forge_kind(node)?,
            api: word(node, "api")?,
            repository: word(node, "repository")?,
            token: token?,
        })
    }

    fn notify(&mut self, node: &Node) -> Option<Notify> {
        let names = texts(node, "sources").filter_map(|name| Name::parse(name.value).ok());
        let (about, sources) =
            (texts(node, "about").map(|it| it.value.to_owned()).collect(), names.collect());
        let kind = match word(node, "kind")?.as_str() {
            "mail" => self.mail(node)?,
            kind => {
                let url = self.needed(node, "url").then(|| self.secret(node, "url"))??;
                match kind {
                    "slack" => NotifyKind::Slack { url },
                    _ => NotifyKind::Webhook { url, template: word(node, "template") },
                }
            }
        };
        Some(Notify { kind, about, sources })
    }

    fn mail(&mut self, node: &Node) -> Option<NotifyKind> {
        let is_whole = ["server", "from", "to"].map(|key| self.needed(node, key));
        let login = node.get("login").and_then(|login| {
            let password = self.secret(login, "password");
            Some((word(login, "user")?, password?))
        });
        is_whole.iter().all(|it| *it).then_some(())?;
        Some(NotifyKind::Mail {
            server: word(node, "server")?,
            login,
            from: word(node, "from")?,
            to: texts(node, "to").map(|it| it.value.to_owned()).collect(),
        })
    }

    /// Says when a key is missing that this kind of notification needs.
    fn needed(&mut self, node: &Node, key: &str) -> bool {
        let is_there = node.get(key).is_some();
        if !is_there {
            let kind = word(node, "kind").unwrap_or_default();
            let message = format!("a notification of the kind `{kind}` needs `{key}`");
            self.problems.push(Diagnostic::error("settings/incomplete", message).at(node.span));
        }
        is_there
    }
}

fn word(node: &Node, key: &str) -> Option<String> {
    text(node, key).map(|it| it.value)
}

fn duration(node: &Node, key: &str) -> Option<Duration> {
    parsed(node, key, parse_duration).map(|it| it.value)
}

fn flag(node: &Node, key: &str) -> bool {
    matches!(node.get(key).map(|it| &it.value), Some(Value::Bool(true)))
}

fn mode(node: &Node) -> Option<Mode> {
    match node.as_str() {
        Some("automatic") => Some(Mode::Automatic),
        Some("plan-only") => Some(Mode::PlanOnly),
        Some(_) => None,
        None => Some(Mode::Paused {
            until: parsed(node, "until", parse_moment).map(|it| it.value),
            reason: word(node, "paused")?,
        }),
    }
}

fn retry(node: &Node, base: Retry) -> Retry {
    Retry {
        limit: number(node, "limit").map_or(base.limit, |it| it.value),
        pause: duration(node, "pause").unwrap_or(base.pause),
        max: duration(node, "max").unwrap_or(base.max),
    }
}

fn heal(node: &Node, base: Budget) -> Budget {
    Budget {
        rounds: number(node, "rounds").map_or(base.rounds, |it| it.value),
        within: duration(node, "within").unwrap_or(base.within),
    }
}

fn forge_kind(node: &Node) -> Option<HookKind> {
    Some(match word(node, "kind")?.as_str() {
        "github" => HookKind::Github,
        "gitlab" => HookKind::Gitlab,
        "gitlab-signed" => HookKind::GitlabSigned,
        "gitea" => HookKind::Gitea,
        "forgejo" => HookKind::Forgejo,
        "generic" => HookKind::Generic,
        _ => return None,
    })
}
