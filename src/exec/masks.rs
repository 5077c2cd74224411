//! Takes secrets out of what others say: an engine's message about a container, the output of a
//! process. They may quote any variable or file that the container was given.

use serde_json::Value;

use crate::model::{ContentKey, PlacedFile, Plan, Replica};

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
        let is_hidden =
            |file: &&PlacedFile| file.is_secret || matches!(file.content, ContentKey::Variable(_));
        let files = replica.files.iter().filter(is_hidden).filter_map(|file| {
            let content = work.contents.get(&replica.identity.stack, &file.content).ok()?;
            Some(String::from_utf8_lossy(&content).into_owned())
        });
        Self::new(environment(&replica.body).chain(files))
    }

    /// `text` without them.
    pub(super) fn cover(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }

    fn new(values: impl Iterator<Item = String>) -> Self {
        // A container says what has several lines one line at a time.
        let mut values: Vec<String> = values
            .flat_map(|value| value.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>())
            .flat_map(|line| password(&line).into_iter().chain([line]).collect::<Vec<_>>())
            .filter(|it| it.len() >= LENGTH_MIN)
            .collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self(values)
    }
}

/// What is between user and host in a URL.
fn password(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let (user, _) = authority.rsplit_once('@')?;
    Some(user.split_once(':').map_or(user, |(_, password)| password).to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(values: &[&str], text: &str) -> String {
        Masks::new(values.iter().map(|it| (*it).to_owned())).cover(text)
    }

    #[test]
    fn each_line_of_a_secret_is_covered() {
        let secret = "-----BEGIN-----\nMIIEvQIBADAN\n-----END-----\n";
        assert_eq!(covered(&[secret], "read MIIEvQIBADAN"), "read ***");
    }

    #[test]
    fn the_password_of_a_url_is_covered_alone() {
        let url = "postgres://shop:hunter22@db:5432/shop?x=1@2";
        assert_eq!(covered(&[url], "login as shop with hunter22"), "login as shop with ***");
        assert_eq!(covered(&[url], &format!("cannot open {url}")), "cannot open ***");
        assert_eq!(covered(&["https://tokentoken@git/x"], "tokentoken"), "***");
    }

    #[test]
    fn words_stay() {
        assert_eq!(covered(&["true", "8080", "a://b"], "true 8080 a://b"), "true 8080 a://b");
    }
}
