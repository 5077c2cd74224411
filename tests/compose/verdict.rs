//! Compares what came of a case with what was expected, and says the difference for people.

use serde_json::Value;
use similar::TextDiff;

use super::archive::Expectation;

/// What came of loading a case.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The project as JSON, and the messages of its warnings.
    Loaded { json: Value, warnings: Vec<String> },
    /// The errors.
    Refused(Vec<Finding>),
}

/// One error, as a person sees it.
#[derive(Debug)]
pub(crate) struct Finding {
    /// `FILE:LINE` within the case's directory, or `-`.
    pub(crate) place: String,
    /// Its sentences, without the lines of the file.
    pub(crate) text: String,
}

/// What is wrong with `outcome`; `None` when it is as expected.
pub(crate) fn complaint(expected: &Expectation, outcome: &Outcome) -> Option<String> {
    match (expected, outcome) {
        (
            Expectation::Project { json: wanted, warnings },
            Outcome::Loaded { json, warnings: given },
        ) => difference(wanted, json).or_else(|| missing_warning(warnings, given)),
        (Expectation::Project { .. }, Outcome::Refused(findings)) => {
            Some(format!("is refused, though it is valid:\n{}", listed(findings)))
        }
        (Expectation::Refusal { place, words }, Outcome::Refused(findings)) => {
            let as_expected = |finding: &Finding| {
                (place == "-" || finding.place == *place)
                    && words.iter().all(|word| finding.text.contains(word.as_str()))
            };
            (!findings.iter().any(as_expected)).then(|| {
                format!(
                    "is refused elsewhere or in other words than {place} {words:?}:\n{}",
                    listed(findings)
                )
            })
        }
        (Expectation::Refusal { place, words }, Outcome::Loaded { .. }) => {
            Some(format!("is accepted, though it is wrong at {place} {words:?}"))
        }
    }
}

fn difference(wanted: &Value, found: &Value) -> Option<String> {
    if same(wanted, found) {
        return None;
    }
    let (wanted, found) = (pretty(wanted), pretty(found));
    let diff = TextDiff::from_lines(&wanted, &found);
    Some(diff.unified_diff().context_radius(4).header("expected", "found").to_string())
}

/// Equality of what is meant: the order of names and the spelling of a number do not count.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// Names are sorted, so that the diff shows differences only.
fn pretty(value: &Value) -> String {
    let mut sorted = value.clone();
    sorted.sort_all_objects();
    let mut text = serde_json::to_string_pretty(&sorted).expect("a JSON value can be written");
    text.push('\n');
    text
}

fn missing_warning(wanted: &[String], given: &[String]) -> Option<String> {
    let missing = wanted.iter().find(|word| !given.iter().any(|text| text.contains(*word)))?;
    Some(format!("lacks a warning about `{missing}`; given: {given:?}"))
}

fn listed(findings: &[Finding]) -> String {
    findings.iter().map(|Finding { place, text }| format!("  {place}: {text}\n")).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn refusal() -> Expectation {
        Expectation::Refusal { place: "a:1".to_owned(), words: vec!["x".to_owned()] }
    }

    fn refused(place: &str, text: &str) -> Outcome {
        Outcome::Refused(vec![Finding { place: place.to_owned(), text: text.to_owned() }])
    }

    #[test]
    fn a_refusal_needs_the_place_and_the_words_in_one_finding() {
        assert_eq!(complaint(&refusal(), &refused("a:1", "no x here")), None);
        assert!(complaint(&refusal(), &refused("a:2", "no x here")).is_some());
        assert!(complaint(&refusal(), &refused("a:1", "no y here")).is_some());
    }

    #[test]
    fn a_project_is_compared_by_meaning() {
        let expected = Expectation::Project { json: json!({"a": 1, "b": 2}), warnings: Vec::new() };
        let found = |json| Outcome::Loaded { json, warnings: Vec::new() };
        assert_eq!(complaint(&expected, &found(json!({"b": 2.0, "a": 1}))), None);
        assert!(complaint(&expected, &found(json!({"a": 1}))).is_some());
    }

    #[test]
    fn a_missing_warning_is_told() {
        let expected = Expectation::Project { json: json!({}), warnings: vec!["A".to_owned()] };
        let silent = Outcome::Loaded { json: json!({}), warnings: Vec::new() };
        assert!(complaint(&expected, &silent).is_some());
    }
}
