//! JUnit's XML: a failed case for each error, one that passed when there is none.

use std::fmt::Write as _;

use super::{Finding, Level};

/// The findings of one command.
pub fn junit(findings: &[Finding], command: &str) -> String {
    let failures = findings.iter().filter(|it| it.level == Level::Error).count();
    let tests = findings.len().max(1);
    let mut page = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let suite = format!("gitdeploy {command}");
    let _ = writeln!(page, "<testsuites tests=\"{tests}\" failures=\"{failures}\">");
    let _ = writeln!(
        page,
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\">",
        xml(&suite)
    );
    if findings.is_empty() {
        let _ = writeln!(page, "    <testcase name=\"no finding\" classname=\"{}\"/>", xml(&suite));
    }
    for finding in findings {
        case(&mut page, finding);
    }
    page.push_str("  </testsuite>\n</testsuites>\n");
    page
}

fn case(page: &mut String, finding: &Finding) {
    let (name, file) = match &finding.place {
        Some(place) => (format!("{}:{}", place.file, place.line), place.file.as_str()),
        None => ("gitdeploy".to_owned(), ""),
    };
    let name = xml(&format!("{name}: {}", finding.message));
    let _ = write!(page, "    <testcase name=\"{name}\" classname=\"{}\"", xml(&finding.rule));
    if !file.is_empty() {
        let _ = write!(page, " file=\"{}\"", xml(file));
    }
    let text = xml(&finding.text());
    let body = match finding.level {
        Level::Error => {
            format!("<failure message=\"{}\">{text}</failure>", xml(&finding.message))
        }
        Level::Warning => format!("<system-out>{text}</system-out>"),
    };
    let _ = writeln!(page, ">{body}</testcase>");
}

/// Text in an attribute or an element. What XML cannot hold at all is left out.
fn xml(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {}
            c => escaped.push(c),
        }
    }
    escaped
}
