//! Takes secrets out of what others say: an engine's message about a container, the output of a
//! process. They may quote any variable or file that the container was given.

use serde_json::Value;

use crate::model::{ContentKey, Plan, Replica};

use super::Work;

/// What is not shown, longest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Masks(Vec<String>);

/// Shorter values are words like `true` and `8080`: no secret, and hiding them would hide the rest.
const LENGTH_MIN: usize = 6;

impl Masks {
    /// For a container of a plan, else by what the engine says it was made with.
    pub(super) fn of(work: &Work<'_>, container: &str, live: Option<&Value>) -> Self {
        match replica(work.plan, container) {
            Some(replica) => Self::of_replica(work, replica),
            None => Self::new(live.into_iter().flat_map(environment)),
        }
    }

    /// For a replica that is to be made.
    pub(super) fn of_replica(work: &Work<'_>, replica: &Replica) -> Self {
        let variables = replica.files.iter().filter_map(|file| match &file.content {
            key @ ContentKey::Variable(_) => {
                let content = work.contents.get(&replica.identity.stack, key).ok()?;
                Some(String::from_utf8_lossy(&content).trim().to_owned())
            }
            ContentKey::Digest(_) => None,
        });
        Self::new(environment(&replica.body).chain(variables))
    }

    /// `text` without them.
    pub(super) fn cover(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    fn new(values: impl Iterator<Item = String>) -> Self {
        let mut values: Vec<String> = values.filter(|it| it.len() >= LENGTH_MIN).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }
}

fn replica<'a>(plan: &'a Plan, container: &str) -> Option<&'a Replica> {
    plan.steps.iter().find_map(|step| match &step.op {
        crate::model::Op::Create { replica } if replica.name == container => Some(&**replica),
        _ => None,
    })
}

/// The values of a request's variables.
fn environment(body: &Value) -> impl Iterator<Item = String> {
    let list = body.get("Env").and_then(Value::as_array).into_iter().flatten();
    let value = |entry: &Value| Some(entry.as_str()?.split_once('=')?.1.to_owned());
    list.filter_map(value)
}
