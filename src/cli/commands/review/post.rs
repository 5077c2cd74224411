//! Tells the forge: one comment for each environment, edited in place, and a status of the commit.
//!
//! Nothing here can fail the review: what could not be posted is said on standard error.

use std::fmt::Display;

use super::Run;
use crate::cli::Failure;
use crate::cli::args::PostArgs;
use crate::forge::{Forge, ForgeError, ForgeToken, StatusState, Surroundings};
use crate::ui::review::{Review, markdown, sentence};

/// Where a review goes, as far as that is known.
pub(super) struct Post {
    surroundings: Option<Surroundings>,
    /// What is to be told, where and as whom; or why nothing is.
    target: Result<Target, Option<String>>,
}

struct Target {
    forge: Forge,
    kind: crate::forge::ForgeKind,
    number: Option<u64>,
}

/// The commits a review is about, by their full hashes.
pub(super) struct Reviewed {
    pub(super) head: String,
    pub(super) base: String,
}

impl Post {
    /// Looks at flags and variables; nothing is asked yet. `is_own_head` says that the head is the
    /// one the CI runs for.
    pub(super) fn new(run: &Run<'_>, args: &PostArgs, is_own_head: bool) -> Result<Self, Failure> {
        let variables = &run.world.variables;
        let event = Surroundings::event_file(variables).and_then(|path| {
            #[expect(clippy::disallowed_methods, reason = "the CI names the file")]
            std::fs::read_to_string(run.world.folder.join(path)).ok()
        });
        let surroundings = Surroundings::of(variables, event.as_deref());
        let target = match args.no_post {
            true => Err(None),
            false => target(run, args, surroundings.as_ref(), is_own_head)?,
        };
        Ok(Self { surroundings, target })
    }

    /// What the CI says the change would be merged into.
    pub(super) fn base(&self) -> Option<String> {
        self.surroundings.as_ref()?.base.clone()
    }

    /// What the CI says the change is.
    pub(super) fn head(&self) -> Option<String> {
        self.surroundings.as_ref()?.head.clone()
    }

    /// The pull request that the CI names.
    pub(super) fn number(&self) -> Option<u64> {
        self.surroundings.as_ref()?.number
    }

    /// Where the job is shown.
    pub(super) fn url(&self) -> Option<String> {
        self.surroundings.as_ref()?.url.clone()
    }

    /// Posts a review; `hide` takes out of a text what must not be shown.
    pub(super) fn send(
        &self,
        run: &Run<'_>,
        review: &mut Review<'_>,
        reviewed: &Reviewed,
        hide: &dyn Fn(String) -> String,
    ) {
        let target = match &self.target {
            Ok(target) => target,
            Err(None) => return,
            Err(Some(why)) => {
                run.screen.note(&format!("nothing is posted: {why}"));
                return;
            }
        };
        // The real time: a forge is real where hosts are simulated.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        match runtime {
            Err(error) => warn(run, &"post the review", &error, None),
            Ok(runtime) => runtime.block_on(self.told(run, target, review, reviewed, hide)),
        }
    }

    async fn told(
        &self,
        run: &Run<'_>,
        target: &Target,
        review: &mut Review<'_>,
        reviewed: &Reviewed,
        hide: &dyn Fn(String) -> String,
    ) {
        if let Some(number) = target.number {
            match self.comment(target, number, review, reviewed, hide).await {
                Ok(words) => run.screen.note(&format!("{words} {number}")),
                Err(error) => warn(run, &"comment on the pull request", &error, Some(&error)),
            }
        }
        let state = match (review.errors.is_empty(), review.plan) {
            (false, _) => StatusState::Failure,
            (true, Some(_)) => StatusState::Success,
            (true, None) => StatusState::Error,
        };
        let context = format!("gitdeploy/{}", review.heading.environment);
        let description = hide(sentence(review));
        let url = review.url.as_deref();
        let set = target.forge.set_status(&reviewed.head, &context, state, &description, url);
        if let Err(error) = set.await {
            warn(run, &"set the status of the commit", &error, Some(&error));
        }
    }

    /// Writes or edits the comment; gives what was done in words.
    async fn comment(
        &self,
        target: &Target,
        number: u64,
        review: &mut Review<'_>,
        reviewed: &Reviewed,
        hide: &dyn Fn(String) -> String,
    ) -> Result<&'static str, ForgeError> {
        let crate::ui::diff::Heading { project, environment, .. } = &review.heading;
        let marker = format!("<!-- gitdeploy-review:{project}/{environment} -->");
        let now = target.forge.pull(number).await?;
        if now.head != reviewed.head {
            let there = target.forge.comment(number, &marker).await?;
            if there.is_some_and(|it| it.body.contains(&about(&now.head))) {
                return Ok("there is a review of a newer commit on pull request");
            }
            review.stale = Some(format!(
                "This is about {}; the head is {} now.",
                short(&reviewed.head),
                short(&now.head)
            ));
        } else if let Some(base) = self.moved_base(reviewed, now.base.as_deref()) {
            review.stale = Some(format!(
                "This is compared with {}; the base is {} now.",
                short(&reviewed.base),
                short(base)
            ));
        }
        let before = format!("{marker}\n{}\n", about(&reviewed.head));
        // The marker must stay as it is to be found again.
        let room = target.kind.comment_max().saturating_sub(before.len());
        let body = format!("{before}{}", hide(markdown(review, room)));
        Ok(match target.forge.upsert(number, &marker, &body).await? {
            crate::forge::Posted::Created => "commented on pull request",
            crate::forge::Posted::Edited => "brought up to date the comment on pull request",
            crate::forge::Posted::Unchanged => "nothing new for the comment on pull request",
        })
    }

    /// The base as the forge counts now, when the job began with another one.
    fn moved_base<'a>(&self, reviewed: &Reviewed, now: Option<&'a str>) -> Option<&'a str> {
        let began = self.surroundings.as_ref()?.base.as_deref()?;
        now.filter(|now| began == reviewed.base && *now != began)
    }
}

/// Says in a comment which commit it is about.
fn about(head: &str) -> String {
    format!("<!-- head:{head} -->")
}

fn short(hash: &str) -> &str {
    hash.get(..7).unwrap_or(hash)
}

/// Where it goes by flags and surroundings. `Err` in it says what is missing; nothing when nobody
/// asked for a post.
fn target(
    run: &Run<'_>,
    args: &PostArgs,
    around: Option<&Surroundings>,
    is_own_head: bool,
) -> Result<Result<Target, Option<String>>, Failure> {
    let kind = args.forge.map(Into::into).or(around.map(|it| it.kind));
    let Some(kind) = kind else { return Ok(Err(None)) };
    // What one kind of CI says is nothing to another kind of forge.
    let around = around.filter(|it| it.kind == kind);
    let api = args.forge_api.clone().or_else(|| around?.api.clone());
    let repository = args.forge_repository.clone().or_else(|| around?.repository.clone());
    let number = args.number.or_else(|| around?.number);
    let token = match &args.token_file {
        Some(path) => {
            #[expect(clippy::disallowed_methods, reason = "the file is named by the user")]
            let text = std::fs::read_to_string(run.world.folder.join(path)).map_err(|error| {
                Failure::because(&format!("could not read {}", path.display()), &error)
            })?;
            let token = ForgeToken::new(&text);
            let token = token.map_err(|why| format!("{}: {why}", path.display()));
            Some(token)
        }
        None => around.and_then(|it| it.token.clone()).map(Ok).or_else(|| {
            let name = "GITDEPLOY_FORGE_TOKEN";
            let token = ForgeToken::new(run.world.variable(name)?);
            Some(token.map_err(|why| format!("{name}: {why}")))
        }),
    };
    let missing = |what: &str| Ok(Err(Some(what.to_owned())));
    let token = match token {
        Some(Ok(token)) => token,
        Some(Err(why)) => return missing(&why),
        None => return missing("there is no token in GITDEPLOY_FORGE_TOKEN or --token-file"),
    };
    let Some(api) = api else { return missing("--forge-api is not said") };
    let Some(repository) = repository else { return missing("--forge-repository is not said") };
    // A pipeline is one of that repository and of that head.
    let around = around.filter(|it| is_own_head && it.repository.as_ref() == Some(&repository));
    let forge = Forge::new(kind, &api, &repository, token)
        .map_err(|error| Failure::because("could not use the forge", &error).hint(error.hint()))?
        .with_pipeline(around.and_then(|it| it.pipeline));
    Ok(Ok(Target { forge, kind, number }))
}

fn warn(run: &Run<'_>, what: &dyn Display, error: &dyn std::error::Error, of: Option<&ForgeError>) {
    run.screen.note(&format!("warning: could not {what}: {}", crate::diag::words(error)));
    if let Some(error) = of {
        run.screen.hint(&error.hint());
    }
}
