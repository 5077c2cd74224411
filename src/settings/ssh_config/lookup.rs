//! What a configuration says about one host: for each keyword the first value whose conditions
//! hold, except that every `IdentityFile` counts.

use super::parse::{Condition, Criterion, Directive, Keyword, On, SshConfig};
use crate::diag::{Diagnostic, Span};
use crate::settings::Placed;
use crate::settings::address::parse_port;
use crate::settings::stacks::wildcard;

/// Whom a configuration is asked about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    /// The host as it was written in the URL, which `Host` patterns look at.
    pub(super) host: &'a str,
    /// The user that was written, when one was.
    pub(super) user: Option<&'a str>,
    /// The user of this machine.
    pub(super) local_user: &'a str,
}

/// What a configuration says, before its tokens are replaced.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) host_name: Option<Placed<String>>,
    pub(super) port: Option<Placed<u16>>,
    pub(super) user: Option<Placed<String>>,
    pub(super) identities: Vec<Placed<String>>,
    pub(super) jump: Option<Placed<String>>,
    pub(super) known_hosts: Option<Vec<Placed<String>>>,
    /// Set when a `ProxyCommand` came before any `ProxyJump`.
    proxy_command: Option<Span>,
}

impl SshConfig {
    /// Goes through the directives in order, since `Match` looks at what has been said so far.
    pub(super) fn lookup(&self, question: Question<'_>, problems: &mut Vec<Diagnostic>) -> Answer {
        let mut answer = Answer::default();
        for directive in &self.directives {
            let holds =
                |condition: &Condition| condition.holds(question, &answer).unwrap_or_default();
            if directive.conditions.iter().all(holds) {
                answer.hear(directive, problems);
            }
        }
        if let Some(span) = answer.proxy_command {
            problems.push(
                Diagnostic::warning(
                    "ssh-config/not-used",
                    format!("`ProxyCommand` is not run for `{}`", question.host),
                )
                .at(span)
                .help(
                    "name the machine to go through with `ProxyJump`, or with `jump` in the \
                       inventory",
                ),
            );
        }
        answer
    }
}

impl Answer {
    fn hear(&mut self, directive: &Directive, problems: &mut Vec<Diagnostic>) {
        let Directive { conditions: _, keyword, arguments, span } = directive;
        let Some(first) = arguments.first() else { return };
        let text = || Some(Placed::new(first.clone(), *span));
        match keyword {
            Keyword::HostName => self.host_name = self.host_name.take().or_else(text),
            Keyword::User => self.user = self.user.take().or_else(text),
            Keyword::Port if self.port.is_none() => match parse_port(first) {
                Ok(port) => self.port = Some(Placed::new(port, *span)),
                Err(why) => {
                    problems.push(Diagnostic::warning("ssh-config/not-used", why).at(*span));
                }
            },
            Keyword::Port => {}
            Keyword::IdentityFile => self.identities.extend(text()),
            // The first of the two decides, and `none` is a word too.
            Keyword::ProxyJump if self.proxy_command.is_none() => {
                self.jump = self.jump.take().or_else(text);
            }
            Keyword::ProxyCommand if self.jump.is_none() && first != "none" => {
                self.proxy_command.get_or_insert(*span);
            }
            Keyword::ProxyJump | Keyword::ProxyCommand => {}
            Keyword::UserKnownHostsFile => {
                self.known_hosts.get_or_insert_with(|| {
                    arguments.iter().map(|path| Placed::new(path.clone(), *span)).collect()
                });
            }
        }
    }
}

impl Condition {
    /// `None` when it is not evaluated.
    fn holds(&self, question: Question<'_>, so_far: &Answer) -> Option<bool> {
        match self {
            Self::Host(patterns) => Some(any(patterns, question.host)),
            Self::Match(criteria) => {
                Some(criteria.iter().all(|criterion| criterion.holds(question, so_far)))
            }
            Self::Never => None,
        }
    }
}

impl Criterion {
    fn holds(&self, question: Question<'_>, so_far: &Answer) -> bool {
        let said = |placed: &Option<Placed<String>>| placed.as_ref().map(|it| it.value.clone());
        let holds = match self.on {
            On::All => true,
            On::OriginalHost => any_host(&self.patterns, question.host),
            On::Host => {
                let host = match said(&so_far.host_name) {
                    Some(name) => name.replace("%h", question.host).replace("%n", question.host),
                    None => question.host.to_owned(),
                };
                any_host(&self.patterns, &host)
            }
            On::User => {
                let user = question.user.map(str::to_owned).or_else(|| said(&so_far.user));
                any(&self.patterns, user.as_deref().unwrap_or(question.local_user))
            }
            On::LocalUser => any(&self.patterns, question.local_user),
        };
        holds != self.negated
    }
}

/// As [`any`], without regard to case: so `Match` compares hosts, though `Host` does not.
fn any_host(patterns: &[String], host: &str) -> bool {
    let patterns: Vec<String> = patterns.iter().map(|pattern| pattern.to_lowercase()).collect();
    any(&patterns, &host.to_lowercase())
}

/// Whether one pattern fits and no negated one does.
fn any(patterns: &[String], text: &str) -> bool {
    let mut fits = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if wildcard(pattern, text) => return false,
            Some(_) => {}
            None => fits |= wildcard(pattern, text),
        }
    }
    fits
}
