//! Which values are shown as changed only.
//!
//! Secrets belong in Compose's `secrets`, whose content is never shown; but many live in variables,
//! arguments and files all the same, and a diff ends up in logs and comments. Wrongly hiding a
//! harmless value costs a look at the file, wrongly showing a secret costs the secret.

use serde_json::Value;

pub use crate::diag::is_sensitive_name;

/// What stands for something hidden inside a longer text.
const MASK: &str = "***";

/// Whether a file of this path, or with this content, is a secret as a whole.
pub(super) fn is_sensitive_file(path: &str, content: &str) -> bool {
    const ENDINGS: &[&str] =
        &[".key", ".pem", ".p12", ".pfx", ".jks", ".kdbx", ".htpasswd", ".pgpass"];
    let name = crate::files::file_name(path).to_lowercase();
    ENDINGS.iter().any(|ending| name.ends_with(ending))
        || name.starts_with(".env")
        || name.ends_with(".env")
        || name.starts_with("id_")
        || is_sensitive_name(&name)
        || content.contains("PRIVATE KEY-----")
}

/// A value without what may be secret in it: arguments of telling options, passwords in URLs.
pub(crate) fn masked(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(masked_words(text)),
        Value::Array(items) => masked_arguments(items),
        Value::Object(fields) => {
            Value::Object(fields.iter().map(|(key, value)| (key.clone(), masked(value))).collect())
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn masked_arguments(items: &[Value]) -> Value {
    let mut hides_next = false;
    let mask = |item: &Value| {
        let hidden = std::mem::replace(&mut hides_next, item.as_str().is_some_and(takes_secret));
        if hidden { Value::from(MASK) } else { masked(item) }
    };
    Value::Array(items.iter().map(mask).collect())
}

/// A text of several words, as a shell would see them.
fn masked_words(text: &str) -> String {
    let mut hides_next = false;
    text.split_inclusive(char::is_whitespace)
        .map(|piece| {
            let word = piece.trim_end();
            let space = &piece[word.len()..];
            let hidden = std::mem::replace(&mut hides_next, takes_secret(word));
            if hidden && !word.is_empty() {
                format!("{MASK}{space}")
            } else {
                format!("{}{space}", masked_word(word))
            }
        })
        .collect()
}

/// Whether the argument after this one is a secret: `--password`, `-u`.
fn takes_secret(argument: &str) -> bool {
    let name = argument.trim_start_matches('-');
    argument.starts_with('-') && (argument == "-u" || name == "user" || is_sensitive_name(name))
}

fn masked_word(word: &str) -> String {
    if let Some((name, value)) = word.split_once(['=', ':'])
        && !value.is_empty()
        && !value.starts_with("//")
        && is_sensitive_name(name.trim_start_matches('-'))
    {
        return format!("{}{MASK}", &word[..=name.len()]);
    }
    let mut masked = String::new();
    let mut rest = word;
    while let Some((scheme, after)) = rest.split_once("://") {
        let end = after.find(['/', '?', '#', '"', '\'']).unwrap_or(after.len());
        let authority = &after[..end];
        masked.push_str(scheme);
        masked.push_str("://");
        match authority.rsplit_once('@') {
            Some((user, host)) if user.contains(':') => {
                masked.extend([MASK, "@", host]);
            }
            _ => masked.push_str(authority),
        }
        rest = &after[end..];
    }
    masked + rest
}

/// Directives of nginx that end like passwords and name upstreams.
const UPSTREAMS: &[&str] = &["PROXY", "FASTCGI", "UWSGI", "SCGI", "GRPC", "MEMCACHED"];

/// A line of a file without the value of a telling name: `password = …`.
pub fn masked_line(line: &str) -> String {
    let trimmed = line.trim_start_matches([' ', '\t', '"', '\'', '-', '<', '$']);
    let end = trimmed.find([':', '=', ' ', '\t']).unwrap_or(trimmed.len());
    let name = trimmed[..end].trim_end_matches(['"', '\'']);
    let value = trimmed[end..].trim_start_matches([':', '=', ' ', '\t', '"', '\'']);
    let upper = name.to_uppercase();
    let is_upstream = UPSTREAMS.iter().any(|kind| upper.strip_prefix(kind) == Some("_PASS"));
    if !value.trim_end().is_empty() && is_sensitive_name(name) && !is_upstream {
        let kept = &line[..line.len() - value.len()];
        let newline = &line[line.trim_end_matches(['\n', '\r']).len()..];
        return format!("{kept}{MASK}{newline}");
    }
    masked_words(line)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in [
            "DB_PASSWORD",
            "REPUBLIC_PASSWORD",
            "PUBLIC_API_TOKEN",
            "api-key",
            "GITHUB_TOKEN",
            "DATABASE_URL",
            "smtp.pass",
            "JWT_SECRET",
            "PW",
            "KEY",
            "traefik.http.middlewares.x.basicauth.users",
            "a.TOKEN.v1",
        ] {
            assert!(is_sensitive_name(name), "{name}");
        }
        for name in
            ["CACHE_MB", "LOG_LEVEL", "DB_PASSWORD_FILE", "SSH_PUBLIC_KEY", "PATH", "MONKEY"]
        {
            assert!(!is_sensitive_name(name), "{name}");
        }
    }

    #[test]
    fn secrets_inside_values_are_masked() {
        for (value, shown) in [
            (json!("postgres://u:p@db/x?y"), json!("postgres://***@db/x?y")),
            (json!("https://example.com/a:b@c"), json!("https://example.com/a:b@c")),
            (json!("ssh://git@example.com"), json!("ssh://git@example.com")),
            (
                json!(["serve", "--token", "abc", "--port", "80"]),
                json!(["serve", "--token", "***", "--port", "80"]),
            ),
            (json!(["serve", "--password=abc"]), json!(["serve", "--password=***"])),
            (
                json!(["CMD-SHELL", "curl -u admin:pw http://x/"]),
                json!(["CMD-SHELL", "curl -u *** http://x/"]),
            ),
            (json!({"a": "DB_PASSWORD=x run"}), json!({"a": "DB_PASSWORD=*** run"})),
            (json!(3), json!(3)),
        ] {
            assert_eq!(masked(&value), shown);
        }
    }

    #[test]
    fn lines_of_files_keep_their_names() {
        for (line, shown) in [
            ("password = hunter2\n", "password = ***\n"),
            ("  \"api_key\": \"x\",\r\n", "  \"api_key\": \"***\r\n"),
            ("requirepass-token abc", "requirepass-token ***"),
            ("listen 80;\n", "listen 80;\n"),
            ("proxy_pass http://u:p@x/;\n", "proxy_pass http://***@x/;\n"),
            ("password:\n", "password:\n"),
        ] {
            assert_eq!(masked_line(line), shown);
        }
        assert!(is_sensitive_file("certs/server.key", ""));
        assert!(is_sensitive_file("x", "-----BEGIN RSA PRIVATE KEY-----"));
        assert!(!is_sensitive_file("nginx.conf", "listen 80;"));
    }
}
