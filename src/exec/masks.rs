//! Takes secrets out of what others say: an engine's message about a container, the output of a
//! process. They may quote any variable or file that the container was given.

use serde_json::Value;

use crate::diag::is_sensitive_name;
use crate::model::{ContentKey, PlacedFile, Plan, Replica};

use super::Work;
use super::context::Task;

/// What is not shown, longest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Masks(Vec<String>);

/// Values of this length are hidden wherever they stand. Most shorter ones are words like `true` and
/// `8080`: no secret, and hiding them would hide the rest.
const LENGTH_MIN: usize = 6;

/// The shortest secret that is hidden, as a word of its own. A PIN of three digits is one that
/// somebody chose; below that nothing is told from `0` and `no`, and little is kept by hiding it.
const WORD_MIN: usize = 3;

/// Something that a container was given.
struct Given {
    text: String,
    /// Whether it is a secret for sure or by its name, so that a short one is hidden too.
    is_secret: bool,
}

impl Masks {
    /// For a container of a plan, else by what the engine says it was made with and the files that
    /// its stack's containers get: one that an earlier run made has them too.
    pub(super) fn of(task: &Task<'_>, container: &str, live: Option<&Value>) -> Self {
        let work = task.context.work;
        if let Some(replica) = replica(work.plan, container) {
            return Self::of_replica(work, replica);
        }
        let files = work.contents.hidden(&task.step.stack).into_iter().map(|file| Given {
            text: String::from_utf8_lossy(&file.content).into_owned(),
            is_secret: file.is_secret,
        });
        Self::new(live.into_iter().flat_map(environment).chain(files))
    }

    /// For a replica that is to be made.
    pub(super) fn of_replica(work: &Work<'_>, replica: &Replica) -> Self {
        let is_hidden =
            |file: &&PlacedFile| file.is_secret || matches!(file.content, ContentKey::Variable(_));
        let files = replica.files.iter().filter(is_hidden).filter_map(|file| {
            let content = work.contents.get(&replica.identity.stack, &file.content).ok()?;
            let text = String::from_utf8_lossy(&content).into_owned();
            Some(Given { text, is_secret: file.is_secret })
        });
        Self::new(environment(&replica.body).chain(files))
    }

    /// `text` without them.
    pub(super) fn cover(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, secret| match secret.len() < LENGTH_MIN {
            true => without_word(&text, secret),
            false => text.replace(secret, "***"),
        })
    }

    fn new(values: impl Iterator<Item = Given>) -> Self {
        let mut kept = Vec::new();
        for Given { text, is_secret } in values {
            // A container says what has several lines one line at a time.
            for line in text.lines().map(str::trim) {
                kept.extend(password(line).filter(|it| it.len() >= WORD_MIN));
                let least = if is_secret { WORD_MIN } else { LENGTH_MIN };
                kept.extend((line.len() >= least).then(|| line.to_owned()));
            }
        }
        kept.sort_by(|a, b| (b.len(), a).cmp(&(a.len(), b)));
        kept.dedup();
        Self(kept)
    }
}

/// `text` with `***` wherever `word` is not a part of a longer word.
fn without_word(text: &str, word: &str) -> String {
    let is_part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let mut done = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let after = at + word.len();
        let is_within =
            is_part(text[..at].chars().next_back()) || is_part(text[after..].chars().next());
        if !is_within {
            done += &text[from..at];
            done += "***";
            from = after;
        }
    }
    done + &text[from..]
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
fn environment(body: &Value) -> impl Iterator<Item = Given> {
    let list = body.get("Env").and_then(Value::as_array).into_iter().flatten();
    let value = |entry: &Value| {
        let (name, text) = entry.as_str()?.split_once('=')?;
        Some(Given { text: text.to_owned(), is_secret: is_sensitive_name(name) })
    };
    list.filter_map(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covered(values: &[&str], text: &str) -> String {
        covered_as(false, values, text)
    }

    fn covered_as(is_secret: bool, values: &[&str], text: &str) -> String {
        let given = |it: &&str| Given { text: (*it).to_owned(), is_secret };
        Masks::new(values.iter().map(given)).cover(text)
    }

    #[test]
    fn a_short_secret_is_covered_as_a_word() {
        let text = "pin 4711 (4711), port 14711, 4711_x";
        assert_eq!(covered_as(true, &["4711"], text), "pin *** (***), port 14711, 4711_x");
        assert_eq!(covered_as(true, &["äöü"], "sagt äöü!"), "sagt ***!");
        assert_eq!(covered_as(true, &["0", "no"], "no 0"), "no 0");
    }

    #[test]
    fn a_short_value_is_a_secret_when_its_name_says_so() {
        let body = serde_json::json!({"Env": ["DB_PASSWORD=abc1", "MODE=prod"]});
        let masks = Masks::new(environment(&body));
        assert_eq!(masks.cover("prod: abc1 is wrong"), "prod: *** is wrong");
    }

    #[test]
    fn a_longer_secret_is_covered_before_a_shorter_one_in_it() {
        assert_eq!(covered_as(true, &["abc", "abc-defg"], "abc-defg abc"), "*** ***");
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
