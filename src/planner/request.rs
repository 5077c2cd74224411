//! What a plan is asked for, and what comes back when there is none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::model::{
    CommitId, Course, Desired, HostName, Name, Observed, Owner, ProxyPlace, ServiceName, Slot,
    StackName,
};
use crate::proxy::Site;
use crate::settings::Inventory;

/// Everything a plan is made of.
#[derive(Clone)]
pub struct Request<'a> {
    /// Whose everything is.
    pub owner: &'a Owner,
    /// What the commit wants; empty for `destroy`.
    pub desired: &'a Desired,
    /// What was seen.
    pub observed: &'a Observed,
    /// The hosts and proxies there are.
    pub inventory: &'a Inventory,
    /// Every proxy on each of its hosts, ready to render its file.
    pub sites: &'a BTreeMap<ProxyPlace, Site>,
    /// The commit that is wanted; `None` for `destroy`.
    pub commit: Option<CommitId>,
    /// The commits of stacks that are wanted as another one has them.
    pub commits: BTreeMap<StackName, CommitId>,
    /// What may be touched.
    pub scope: Scope,
    /// Digests of the values of variables that files are made of, by the name of the variable.
    pub variables: &'a BTreeMap<String, String>,
}

impl Request<'_> {
    /// The commit that a stack is wanted at.
    pub fn commit_of(&self, stack: &StackName) -> Option<&CommitId> {
        self.commits.get(stack).or(self.commit.as_ref())
    }
}

/// What a plan may touch.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// These stacks; all when `None`. One that is not in the desired state is removed.
    pub stacks: Option<BTreeSet<StackName>>,
    /// Nothing but these, when there are any.
    pub targets: BTreeSet<Selector>,
    /// None of these.
    pub excludes: BTreeSet<Selector>,
    /// These are replaced even when nothing differs.
    pub replace: BTreeSet<Selector>,
    /// Whether volumes go with the stack they belong to.
    pub removes_volumes: bool,
    /// Whether a host that does not answer is left as it is, instead of ending the plan.
    pub skip_unreachable: bool,
    /// Whether the plan says why each replica is where it is. It is the same plan.
    pub explain: bool,
    /// Whether replicas are replaced as the settings say for an update, or for the way back.
    pub course: Course,
    /// Ports that no container shows yet and somebody else will open, by host.
    pub taken: BTreeMap<HostName, BTreeSet<u16>>,
}

/// A stack, a service of it or one replica: `shop`, `shop/web`, `shop/web/2`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Selector {
    /// The stack.
    pub stack: StackName,
    /// A service of it; all when `None`.
    pub service: Option<ServiceName>,
    /// A replica of it; all when `None`.
    pub slot: Option<Slot>,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// What is wrong and what it means.
    pub message: String,
    /// What can be done about it.
    pub hint: Option<String>,
    /// Of which kind it is, for the exit code.
    pub kind: ProblemKind,
}

/// The kinds of [`Problem`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// What is wanted cannot be done as it is.
    Invalid,
    /// It could be done, and is refused.
    Policy,
    /// Something that is needed did not answer.
    Unreachable,
}

impl Scope {
    /// Whether a replica may be touched.
    pub(super) fn selects(&self, stack: &StackName, service: &ServiceName, slot: Slot) -> bool {
        let hits = |set: &BTreeSet<Selector>| set.iter().any(|it| it.covers(stack, service, slot));
        (self.targets.is_empty() || hits(&self.targets)) && !hits(&self.excludes)
    }

    /// Whether a replica is to be replaced whatever it looks like.
    pub(super) fn replaces(&self, stack: &StackName, service: &ServiceName, slot: Slot) -> bool {
        self.replace.iter().any(|it| it.covers(stack, service, slot))
    }

    /// Whether anything of a service may be touched.
    pub(super) fn reaches(&self, stack: &StackName, service: &ServiceName) -> bool {
        let near = |it: &Selector| {
            it.stack == *stack && it.service.as_ref().is_none_or(|name| name == service)
        };
        let whole = |it: &Selector| near(it) && it.slot.is_none();
        (self.targets.is_empty() || self.targets.iter().any(near))
            && !self.excludes.iter().any(whole)
    }

    /// Whether only a part of what the stacks have may be touched.
    pub(super) fn is_partial(&self) -> bool {
        !self.targets.is_empty() || !self.excludes.is_empty()
    }
}

impl Selector {
    /// Whether a replica is meant.
    pub fn covers(&self, stack: &StackName, service: &ServiceName, slot: Slot) -> bool {
        self.stack == *stack
            && self.service.as_ref().is_none_or(|name| name == service)
            && self.slot.is_none_or(|number| number == slot)
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, '/');
        let stack = parts.next().unwrap_or_default();
        let stack = Name::parse(stack).map_err(|why| format!("`{stack}` is no stack: {why}"))?;
        let service = match parts.next() {
            Some("") => return Err(format!("a service is missing behind the `/` of `{text}`")),
            service => service.map(ServiceName::new),
        };
        let slot = parts.next().map(|slot| {
            let number = slot.parse().ok().filter(|number: &Slot| *number > 0);
            number.ok_or_else(|| format!("`{slot}` is no replica; they are counted from 1"))
        });
        Ok(Self { stack: stack.into(), service, slot: slot.transpose()? })
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.stack)?;
        if let Some(service) = &self.service {
            write!(f, "/{service}")?;
        }
        if let Some(slot) = self.slot {
            write!(f, "/{slot}")?;
        }
        Ok(())
    }
}

impl Problem {
    /// What is wanted cannot be done.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ProblemKind::Invalid }
    }

    /// What is wanted is refused.
    pub(super) fn policy(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ProblemKind::Policy }
    }

    /// What is needed did not answer.
    pub(super) fn unreachable(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, kind: ProblemKind::Unreachable }
    }

    /// With what can be done about it.
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
