use super::*;

fn finding(level: Level, message: &str, line: usize) -> Finding {
    Finding {
        level,
        rule: "shape/unknown-key".into(),
        message: message.into(),
        help: "did you mean `image`?".into(),
        place: Some(Place {
            file: "stacks/a b/compose.yaml".into(),
            line,
            column: 5,
            end_line: line,
            end_column: 9,
        }),
    }
}

fn nowhere() -> Finding {
    Finding { place: None, help: String::new(), ..finding(Level::Error, "could not plan", 0) }
}

#[test]
fn sarif_has_rules_results_and_places() {
    let findings = [finding(Level::Warning, "`imag` is no key", 3), nowhere()];
    let sarif = sarif(&findings, 1);
    insta::assert_snapshot!(format!("{:#}", sarif["runs"][0]["results"]), @r#"
    [
      {
        "ruleId": "shape/unknown-key",
        "ruleIndex": 0,
        "level": "warning",
        "message": {
          "text": "`imag` is no key\ndid you mean `image`?"
        },
        "partialFingerprints": {
          "gitdeploy/v1": "4783ffee3c15640b34d6ceaa84fd2352"
        },
        "locations": [
          {
            "physicalLocation": {
              "artifactLocation": {
                "uri": "stacks/a%20b/compose.yaml",
                "uriBaseId": "%SRCROOT%"
              },
              "region": {
                "startLine": 3,
                "startColumn": 5,
                "endLine": 3,
                "endColumn": 9
              }
            }
          }
        ]
      },
      {
        "ruleId": "shape/unknown-key",
        "ruleIndex": 0,
        "level": "error",
        "message": {
          "text": "could not plan"
        },
        "partialFingerprints": {
          "gitdeploy/v1": "114bcbbb2d2603d0dfa33ece031cc06d"
        }
      }
    ]
    "#);
    assert_eq!(sarif["runs"][0]["invocations"][0]["executionSuccessful"], false);
    assert_eq!(sarif["runs"][0]["tool"]["driver"]["rules"][0]["id"], "shape/unknown-key");
}

#[test]
fn junit_fails_a_case_for_each_error() {
    let findings =
        [finding(Level::Error, "a <b> & \"c\"\u{1b}", 3), finding(Level::Warning, "w", 4)];
    insta::assert_snapshot!(junit(&findings, "validate"), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites tests="2" failures="1">
      <testsuite name="gitdeploy validate" tests="2" failures="1">
        <testcase name="stacks/a b/compose.yaml:3: a &lt;b&gt; &amp; &quot;c&quot;" classname="shape/unknown-key" file="stacks/a b/compose.yaml"><failure message="a &lt;b&gt; &amp; &quot;c&quot;">a &lt;b&gt; &amp; &quot;c&quot;
    did you mean `image`?</failure></testcase>
        <testcase name="stacks/a b/compose.yaml:4: w" classname="shape/unknown-key" file="stacks/a b/compose.yaml"><system-out>w
    did you mean `image`?</system-out></testcase>
      </testsuite>
    </testsuites>
    "#);
}

#[test]
fn junit_passes_when_nothing_was_found() {
    assert!(junit(&[], "plan").contains("tests=\"1\" failures=\"0\""));
}

#[test]
fn a_fingerprint_is_unique_and_does_not_move_with_lines() {
    let prints = |lines: [usize; 2]| {
        let findings = lines.map(|line| finding(Level::Error, "x", line));
        code_quality(&findings)
            .as_array()
            .expect("a list")
            .iter()
            .map(|item| item["fingerprint"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(prints([1, 2]), prints([7, 9]));
    assert_ne!(prints([1, 2])[0], prints([1, 2])[1]);
}

#[test]
fn code_quality_gives_every_finding_a_place() {
    let list = code_quality(&[nowhere(), finding(Level::Warning, "x", 4)]);
    assert_eq!(list[0]["location"]["path"], "gitdeploy.yaml");
    assert_eq!(list[1]["location"]["lines"]["begin"], 4);
    assert_eq!((&list[0]["severity"], &list[1]["severity"]), (&"critical".into(), &"minor".into()));
}

#[test]
fn an_annotation_cannot_be_left() {
    let mut evil = finding(Level::Error, "x\n::set-output name=a::b\r%0A", 3);
    evil.place.as_mut().expect("a place").file = "a,line=9::b".into();
    assert_eq!(
        annotations(&[evil]),
        [
            "::error file=a%2Cline=9%3A%3Ab,line=3,endLine=3,col=5,endColumn=9,title=shape/unknown-key\
          ::x%0A::set-output name=a::b%0D%250A%0Adid you mean `image`?"
        ]
    );
}

#[test]
fn errors_are_annotated_before_warnings_and_no_more_than_are_shown() {
    let many: Vec<Finding> = (0..30)
        .map(|n| finding(if n % 2 == 0 { Level::Warning } else { Level::Error }, "x", n))
        .collect();
    let lines = annotations(&many);
    assert_eq!(lines.len(), 20);
    assert!(lines[..10].iter().all(|line| line.starts_with("::error ")));
}

#[test]
fn no_line_of_a_log_is_a_command() {
    for text in ["::error::x", "  ::add-mask::x\n", "a\n\t::x", "a\r::x", "x ##[error]y"] {
        let shown = neutral(text);
        let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
        assert!(!shown.split(['\n', '\r']).any(is_command), "{shown:?}");
        assert_eq!(shown.replace('\u{200b}', ""), text);
    }
    assert_eq!(neutral("std::fmt\n[::1]:80"), "std::fmt\n[::1]:80");
}

#[test]
fn an_output_is_one_line() {
    assert_eq!(output("summary", "a\nb=c"), "summary=a\\u{a}b=c\n");
}
