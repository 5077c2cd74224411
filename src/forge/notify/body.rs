//! A letter as a body: by a template of the owner's, as JSON, or in the words of a chat.

use serde_json::json;

use super::letter::{About, Letter};
use crate::template::{Engine, render_text};

/// A body and what it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) kind: &'static str,
    pub(super) text: String,
}

/// The fields of a letter.
pub(super) fn plain(letter: &Letter) -> Written {
    let text = serde_json::to_string(letter).unwrap_or_else(|_| "{}".to_owned());
    Written { kind: "application/json", text }
}

/// What Slack and those like it read. Nothing in it can mention people or make a link.
pub(super) fn slack(letter: &Letter) -> Written {
    let sign = match letter.about {
        About::Synced | About::Recovered => "\u{2705}",
        About::Failed | About::RolledBack | About::Troubled => "\u{274c}",
        About::Drifted | About::Waits => "\u{26a0}\u{fe0f}",
    };
    let escaped = |text: &str| {
        text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('`', "'")
    };
    let mut text = format!("{sign} *{}*", escaped(&letter.title));
    if !letter.text.is_empty() {
        text = format!("{text}\n```{}```", escaped(&letter.text));
    }
    Written { kind: "application/json", text: json!({ "text": text }).to_string() }
}

/// By a template, as strict and as bounded as those of a repository. It sees the letter's fields.
pub(super) fn templated(letter: &Letter, template: &str) -> Result<Written, String> {
    let text = render_text(&Engine::new(), "notification.j2", template, letter)
        .map_err(|error| format!("its template fails: {}", crate::diag::words(&error)))?;
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
    let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
    Ok(Written { kind, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::forge::notify::tests::letter;

    #[test]
    fn without_a_template_the_fields_are_sent() {
        insta::assert_snapshot!(plain(&letter()).text, @r#"{"about":"failed","at":1700000000000,"number":7,"source":"production","stack":"shop","commit":"3f2a1c9d","title":"shop of production could not be synced with 3f2a1c9","text":"web <b> was \"not\" ready"}"#);
    }

    #[test]
    fn a_chat_gets_text_without_markup_of_others() {
        insta::assert_snapshot!(slack(&letter()).text, @r#"{"text":"❌ *shop of production could not be synced with 3f2a1c9*\n```web &lt;b&gt; was \"not\" ready```"}"#);
    }

    #[test]
    fn a_template_sees_the_fields_and_nothing_else() {
        let template = "{\"msg\": {{ title | tojson }}, \"c\": \"{{ commit }}\"}";
        let written = templated(&letter(), template).expect("a body");
        assert_eq!(written.kind, "application/json");
        assert!(written.text.contains("\"c\": \"3f2a1c9d\""), "{}", written.text);
        let plain = templated(&letter(), "{{ about }}: {{ text }}").expect("a body");
        assert_eq!(plain.kind, "text/plain; charset=utf-8");
        assert!(templated(&letter(), "{{ secret }}").is_err());
        let endless =
            "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}";
        assert!(templated(&letter(), endless).is_err());
    }
}
