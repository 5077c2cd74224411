//! Which values are shown as changed only.

/// Whether a variable or option of this name is likely to hold a secret.
///
/// Secrets belong in Compose's `secrets`, whose content is never shown; but many live in variables
/// all the same, and a diff ends up in logs and comments. Wrongly hiding a harmless value costs a
/// look at the file, wrongly showing a secret costs the secret.
pub fn is_sensitive_name(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "SECRET",
        "TOKEN",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
        "SIGNING_KEY",
        "ENCRYPTION_KEY",
        "CREDENTIAL",
        "AUTH_KEY",
        "DSN",
        "CONNECTION_STRING",
    ];
    const ENDINGS: &[&str] = &["_PASS", "_PWD", "_PW", "_KEY", "_URL", "_URI", "_AUTH", "_SALT"];
    const WHOLE: &[&str] = &["PASS", "PWD", "PGPASS", "DATABASE_URL"];
    let name = name.to_uppercase().replace(['-', '.'], "_");
    // A key or address by itself is seldom secret; together with what it opens it is.
    let is_public = name.contains("PUBLIC") || name.ends_with("_FILE") || name.ends_with("_PATH");
    !is_public
        && (WORDS.iter().any(|word| name.contains(word))
            || ENDINGS.iter().any(|ending| name.ends_with(ending))
            || WHOLE.contains(&name.as_str()))
}

/// Whether a text carries a password in a URL: `scheme://user:password@host`.
pub(super) fn has_credentials(text: &str) -> bool {
    text.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '#', ' ']).next().unwrap_or(rest);
        authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_recognised() {
        for name in
            ["DB_PASSWORD", "api-key", "GITHUB_TOKEN", "DATABASE_URL", "smtp.pass", "JWT_SECRET"]
        {
            assert!(is_sensitive_name(name), "{name}");
        }
        for name in
            ["CACHE_MB", "LOG_LEVEL", "DB_PASSWORD_FILE", "SSH_PUBLIC_KEY", "PATH", "MONKEY"]
        {
            assert!(!is_sensitive_name(name), "{name}");
        }
    }

    #[test]
    fn passwords_in_urls_are_recognised() {
        assert!(has_credentials("postgres://u:p@db/x"));
        assert!(!has_credentials("https://example.com/a:b@c"));
        assert!(!has_credentials("ssh://git@example.com"));
    }
}
