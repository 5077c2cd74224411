//! Files of variables, in both formats: places lie within the text, values come out once a name.

#![no_main]

use gitdeploy::compose::dotenv::{Assignment, DotenvError, parse, parse_raw, values};
use libfuzzer_sys::fuzz_target;

fn value(name: &str) -> Option<String> {
    (name == "SET").then(|| "value".to_owned())
}

fn check(text: &str, read: Result<Vec<Assignment>, DotenvError>) {
    let lines = text.matches('\n').count() + 1;
    match read {
        Ok(assignments) => {
            for assignment in &assignments {
                assert!((1..=lines).contains(&assignment.line));
                assert!(text.get(assignment.range.clone()).is_some());
                for unset in &assignment.unset {
                    assert!(text.get(unset.range.clone()).is_some());
                }
            }
            assert!(values(&assignments).len() <= assignments.len());
        }
        Err(error) => {
            assert!((1..=lines).contains(&error.line));
            assert!(text.get(error.range.clone()).is_some());
            assert!(!error.to_string().is_empty());
        }
    }
}

fuzz_target!(|text: &str| {
    check(text, parse(text, &value));
    check(text, parse_raw(text, &value));
});
