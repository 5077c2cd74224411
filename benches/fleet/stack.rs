//! One stack as a commit has it: six services as people write them.

use std::collections::BTreeMap;

use gitdeploy::compose::{self, Options};
use gitdeploy::diag::Sources;
use gitdeploy::files::Memory;
use gitdeploy::model::StackTarget;
use gitdeploy::resolve::{Surroundings, resolve};
use gitdeploy::settings::{Inventory, Settings};

/// Which commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// The one that runs.
    Same,
    /// Three services of every fiftieth stack are others: 1 % of all containers.
    Hundredth,
    /// Every service is another one.
    All,
}

const IN_A_HUNDRED: usize = 50;

impl Release {
    /// Each kind of change.
    pub(crate) const EACH: [Self; 3] = [Self::Same, Self::Hundredth, Self::All];

    /// The one that a word asks for.
    pub(crate) fn named(word: &str) -> Option<Self> {
        Self::EACH.into_iter().find(|release| release.word() == word)
    }

    /// The word that asks for it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Same => "none",
            Self::Hundredth => "hundredth",
            Self::All => "all",
        }
    }

    /// What changes with it.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Same => "nothing changed",
            Self::Hundredth => "1 % changed",
            Self::All => "everything changed",
        }
    }

    /// Whether both want the same of a stack.
    pub(crate) fn is_same_for(self, other: Self, stack: usize) -> bool {
        self.versions(stack) == other.versions(stack)
    }

    /// The versions of the first three services and of the others.
    fn versions(self, stack: usize) -> (u8, u8) {
        match self {
            Self::Same => (1, 1),
            Self::Hundredth if stack.is_multiple_of(IN_A_HUNDRED) => (2, 1),
            Self::Hundredth => (1, 1),
            Self::All => (2, 2),
        }
    }
}

/// The Compose file of a stack.
pub(crate) fn text(pool: usize, stack: usize, release: Release) -> String {
    let (first, rest) = release.versions(stack);
    format!(
        "services:
  web:
    image: registry.example.com/shop/web:1
    environment: &env {{LOG_LEVEL: info, TZ: UTC, REGION: eu-1, FEATURES: 'a,b,c', V: '{first}'}}
    restart: unless-stopped
    mem_limit: 256m
    healthcheck: {{test: [CMD, /bin/check], interval: 10s}}
    stop_grace_period: 20s
    depends_on: [api, cache]
    deploy: {{replicas: 10, placement: {{constraints: ['node.labels.pool == p{pool}']}}}}
    x-gitdeploy:
      health: {{http: /health, port: 8080}}
      routes: [{{host: s{stack}.example.com, port: 8080, proxy: edge-{pool}}}]
  api:
    image: registry.example.com/shop/api:1
    environment: *env
    restart: unless-stopped
    command: [serve, --port, '9000']
    depends_on: [cache]
    deploy: {{replicas: 10}}
  worker:
    image: registry.example.com/shop/worker:1
    environment: *env
    restart: always
    cap_drop: [ALL]
    deploy: {{replicas: 10, update_config: {{parallelism: 2}}}}
  cache:
    image: registry.example.com/cache:7
    environment: {{MAX_MEMORY: 64mb, V: '{rest}'}}
    volumes: ['data:/data']
    deploy: {{replicas: 10, update_config: {{order: start-first}}}}
  mail:
    image: registry.example.com/shop/mail:3
    environment: {{SMTP: mail.example.com, V: '{rest}'}}
    labels: {{team: platform, tier: back}}
    deploy: {{replicas: 10}}
  jobs:
    image: registry.example.com/shop/jobs:3
    environment: {{EVERY: 5m, V: '{rest}'}}
    logging: {{driver: json-file, options: {{max-size: 10m}}}}
    deploy: {{replicas: 10}}
volumes: {{data: {{}}}}
"
    )
}

/// What a stack's file means.
pub(crate) fn target(inventory: &Inventory, name: &str, text: &str) -> StackTarget {
    let path = format!("stacks/{name}/compose.yaml");
    let files = Memory::new().with(&path, text);
    let sources = Sources::default();
    let mut problems = Vec::new();
    let settings = Settings::load(&files, &sources, &mut problems);
    let project = compose::load(&compose::Request {
        files: &files,
        sources: &sources,
        compose_files: std::slice::from_ref(&path),
        project_dir: &format!("stacks/{name}"),
        name: compose::ProjectName::Fallback(name),
        variables: &BTreeMap::new(),
        home: None,
        profiles: &[],
        services: &[],
        options: Options::default(),
    });
    let project = project.unwrap_or_else(|problems| panic!("{problems:?}"));
    let surroundings =
        Surroundings { files: &files, sources: &sources, settings: &settings, inventory };
    let (target, problems) = resolve(&project, &surroundings);
    assert!(!problems.iter().any(gitdeploy::diag::Diagnostic::is_error), "{problems:?}");
    target
}
