//! Variables in strings: ranges lie within the text, and every variable asked for is listed.

#![no_main]

use gitdeploy::compose::interpolate::{Cast, interpolate, variables};
use libfuzzer_sys::fuzz_target;

fn value(name: &str) -> Option<String> {
    match name {
        "SET" | "A" => Some("value".to_owned()),
        "EMPTY" => Some(String::new()),
        "NESTED" => Some("${A}$$".to_owned()),
        "LONG" => Some("x".repeat(4096)),
        _ => None,
    }
}

fuzz_target!(|text: &str| {
    let mentions = variables(text);
    for mention in &mentions {
        let written = text.get(mention.range.clone()).expect("whole characters");
        assert!(written.starts_with('$') && written.contains(&mention.name));
    }
    match interpolate(text, &value) {
        Ok(done) => {
            for reference in &done.used {
                assert!(text.get(reference.range.clone()).is_some());
                assert!(
                    mentions.iter().any(|mention| mention.name == reference.name),
                    "`{}` was asked for and is not listed",
                    reference.name
                );
            }
            assert!(done.unset.iter().all(|unset| done.used.contains(unset)));
            for cast in [Cast::Int, Cast::Float, Cast::Float32, Cast::Bool] {
                if let Err(fault) = cast.apply(&done.text) {
                    assert!(done.text.get(fault.range).is_some());
                }
            }
        }
        Err(fault) => {
            assert!(text.get(fault.range.clone()).is_some());
            assert!(!fault.to_string().is_empty());
        }
    }
});
