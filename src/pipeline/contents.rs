//! What files of the commit contain, for the containers that get them.
//!
//! Read again from the commit when a plan is carried out: neither a plan nor the desired state
//! holds the content of a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::snapshot::{Snapshot, stack_name};
use crate::diag::words;
use crate::exec::Hidden;
use crate::files::{Files, join};
use crate::model::{
    BindSource, ContentKey, FileSource, MountKind, PlacedFile, ProxyName, StackName, StackTarget,
};
use crate::resolve::content_digest;
use crate::spec;
use crate::template::{Engine, Rendered};

/// Contents by stack and digest, and the variables that secrets come from.
#[derive(Default)]
pub struct Contents {
    stacks: BTreeMap<StackName, BTreeMap<String, Vec<u8>>>,
    variables: BTreeMap<String, String>,
    /// Those of each stack that are not shown, and whether each is a secret for sure.
    hidden: BTreeMap<StackName, BTreeSet<(ContentKey, bool)>>,
}

impl Contents {
    /// What the stacks bring themselves, without any file of a commit.
    pub fn inline(stacks: &BTreeMap<StackName, Arc<StackTarget>>) -> Self {
        let own = |target: &StackTarget| {
            target.files.iter().map(|(digest, text)| (digest.clone(), text.to_vec())).collect()
        };
        let hidden = hidden(stacks);
        let stacks = stacks.iter().map(|(name, target)| (name.clone(), own(target))).collect();
        Self { stacks, variables: BTreeMap::new(), hidden }
    }

    /// The same with a variable of the process beside it.
    pub fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Adds those of other stacks.
    pub(super) fn join(&mut self, other: Self) {
        self.stacks.extend(other.stacks);
        self.variables.extend(other.variables);
        self.hidden.extend(other.hidden);
    }

    /// What nobody may see of all that the containers of a stack get.
    pub fn hidden(&self, stack: &StackName) -> Vec<Hidden> {
        let keys = self.hidden.get(stack).into_iter().flatten();
        let hidden = keys.filter_map(|(key, is_secret)| {
            Some(Hidden { content: self.get(stack, key).ok()?, is_secret: *is_secret })
        });
        hidden.collect()
    }

    /// What is behind a key.
    pub fn get(&self, stack: &StackName, key: &ContentKey) -> Result<Vec<u8>, String> {
        match key {
            ContentKey::Digest(digest) => self
                .stacks
                .get(stack)
                .and_then(|files| files.get(digest))
                .cloned()
                .ok_or_else(|| format!("no file of the commit has the digest {digest}")),
            ContentKey::Variable(name) => self
                .variables
                .get(name)
                .map(|value| value.clone().into_bytes())
                .ok_or_else(|| format!("the variable {name} is not set")),
        }
    }
}

impl Snapshot {
    /// The contents that the given stacks' containers get. `Err` names a file that cannot be read.
    pub fn contents(
        &self,
        stacks: &BTreeMap<StackName, Arc<StackTarget>>,
    ) -> Result<Contents, String> {
        let (variables, hidden) = (self.passed_variables(), hidden(stacks));
        let mut contents = Contents { stacks: BTreeMap::new(), variables, hidden };
        let engine = Engine::new();
        let commit = Arc::new(self.commit_info());
        let shared = self.stacks(&engine, &commit);
        let tree = self.tree().files().map_err(|error| words(&error))?;
        for folder in &self.folders {
            let name = stack_name(folder);
            let Some(target) = stacks.get(&name) else { continue };
            let context = shared.context(folder);
            let rendered = Rendered::new(tree, &engine, &context);
            contents.stacks.insert(name, read(target, &rendered)?);
        }
        Ok(contents)
    }
}

impl Snapshot {
    /// The templates of proxies that the commit brings, by proxy.
    pub fn proxy_templates(&self) -> Result<BTreeMap<ProxyName, String>, String> {
        let files = self.tree().files().map_err(|error| words(&error))?;
        let mut templates = BTreeMap::new();
        for (name, proxy) in &self.inventory.proxies {
            let Some(path) = proxy.template.as_ref().map(|path| path.value.as_str()) else {
                continue;
            };
            let file = files.read(path).map_err(|error| words(&error))?;
            let file =
                file.ok_or_else(|| format!("the template of {name}, `{path}`, is missing"))?;
            let text = String::from_utf8(file.content.to_vec())
                .map_err(|_| format!("the template of {name}, `{path}`, is not UTF-8"))?;
            templates.insert(ProxyName::from(name.clone()), text);
        }
        Ok(templates)
    }
}

fn read(target: &StackTarget, files: &dyn Files) -> Result<BTreeMap<String, Vec<u8>>, String> {
    let mut found: BTreeMap<String, Vec<u8>> =
        target.files.iter().map(|(digest, text)| (digest.clone(), text.to_vec())).collect();
    for (path, digest) in wanted(target) {
        if found.contains_key(&digest) {
            continue;
        }
        let content = files.read(&path).map_err(|error| words(&error))?;
        let content = content.ok_or_else(|| format!("`{path}` is not in the commit any more"))?;
        let bytes = content.content.to_vec();
        if content_digest(&bytes) != digest {
            return Err(format!("`{path}` is not what the plan was made of"));
        }
        found.insert(digest, bytes);
    }
    Ok(found)
}

/// Secrets, and what comes from variables of the process.
fn hidden(
    stacks: &BTreeMap<StackName, Arc<StackTarget>>,
) -> BTreeMap<StackName, BTreeSet<(ContentKey, bool)>> {
    let of_stack = |target: &StackTarget| {
        let files = target.services.values().flat_map(|service| spec::files(&service.container));
        let is_hidden =
            |file: &PlacedFile| file.is_secret || matches!(file.content, ContentKey::Variable(_));
        files.filter(is_hidden).map(|file| (file.content, file.is_secret)).collect()
    };
    stacks.iter().map(|(name, target)| (name.clone(), of_stack(target))).collect()
}

/// Paths of the commit with the digests they must have.
fn wanted(target: &StackTarget) -> BTreeSet<(String, String)> {
    let mut wanted = BTreeSet::new();
    for container in target.services.values().map(|service| &service.container) {
        for mount in &container.volumes {
            if let MountKind::Bind { source: BindSource::Repository { path, files, .. } } =
                &mount.kind
            {
                let below = files.iter();
                wanted.extend(below.map(|(name, digest)| (join(path, name), digest.clone())));
            }
        }
        for file in container.configs.iter().chain(&container.secrets) {
            if let FileSource::Repository { path: Some(path), digest } = &file.content {
                wanted.insert((path.clone(), digest.clone()));
            }
        }
    }
    wanted
}
