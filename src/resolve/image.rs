//! Whether the name of an image can be one: `registry:5000/team/app:1.2@sha256:…`.
//!
//! These are the engine's rules. A name that breaks them is refused by every host, so it is told
//! here. Whether the image exists is for the registry to say.

use super::Place;
use super::fields::Fields;
use crate::diag::Diagnostic;

/// The longest repository, with its registry.
const NAME_MAX: usize = 255;

/// The longest tag.
const TAG_MAX: usize = 128;

/// Refuses names of a service and its `pre_start` hooks that no image can have.
pub(super) fn check(place: &Place<'_>, service: Fields<'_>, problems: &mut Vec<Diagnostic>) {
    let mut refuse = |image: &str, path: &[&str]| {
        if let Err(reason) = parse(image) {
            let message = format!("`{image}` is no image: {reason}");
            let problem = place.at_path(Diagnostic::error("resolve/image", message), path);
            problems.push(problem.help("an image looks like `registry.example.com/team/app:1.2`"));
        }
    };
    if let Some(image) = service.text("image") {
        refuse(&image, &["image"]);
    }
    for (index, hook) in service.list("pre_start").iter().enumerate() {
        if let Some(image) = Fields::of(hook).text("image") {
            refuse(&image, &["pre_start", &index.to_string(), "image"]);
        }
    }
}

fn parse(image: &str) -> Result<(), String> {
    if let Some(c) = image.chars().find(|c| c.is_whitespace()) {
        return Err(match c {
            ' ' => "it has a space".into(),
            _ => "it has white space".into(),
        });
    }
    if let Some((scheme, _)) = image.split_once("://") {
        return Err(format!("it is no address; leave out `{scheme}://`"));
    }
    let (rest, digest) = match image.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (image, None),
    };
    let last = rest.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match rest[last..].find(':') {
        Some(colon) => (&rest[..last + colon], Some(&rest[last + colon + 1..])),
        None => (rest, None),
    };
    repository(name)?;
    tag.map_or(Ok(()), check_tag)?;
    digest.map_or(Ok(()), check_digest)
}

fn repository(name: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err("the name is missing".into());
    }
    if name.len() > NAME_MAX {
        return Err(format!("its name has more than {NAME_MAX} characters"));
    }
    let path = match name.split_once('/') {
        Some((first, path)) if is_registry(first) => {
            registry(first)?;
            path
        }
        _ => name,
    };
    path.split('/').try_for_each(component)
}

/// The engine's own way to tell `registry/app` from `team/app`.
fn is_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.contains(|c: char| c.is_ascii_uppercase())
}

fn registry(text: &str) -> Result<(), String> {
    let (host, port) = match text.rfind(':').filter(|colon| !text[*colon..].contains(']')) {
        Some(colon) => (&text[..colon], Some(&text[colon + 1..])),
        None => (text, None),
    };
    if let Some(port) = port
        && (port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return Err(format!("`{port}` is no port of the registry `{host}`"));
    }
    let bracketed = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match bracketed {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => host.split('.').all(is_label),
    };
    if is_host { Ok(()) } else { Err(format!("`{host}` is no name of a registry")) }
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Words of lowercase letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn component(text: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    if text.is_empty() {
        return Err("between two `/` or at an end a part of the name is missing".into());
    }
    if let Some(c) = text.chars().find(|c| !is_word(*c) && !matches!(c, '.' | '_' | '-')) {
        return Err(if c.is_uppercase() {
            format!("`{text}` has the capital letter `{c}`; names are written in lowercase")
        } else {
            format!("`{c}` cannot stand in a name")
        });
    }
    if !text.starts_with(is_word) || !text.ends_with(is_word) {
        return Err(format!("`{text}` must start and end with a letter or a digit"));
    }
    let is_joint =
        |joint: &&str| !matches!(*joint, "" | "." | "_" | "__") && joint.contains(['.', '_']);
    match text.split(is_word).find(is_joint) {
        Some(joint) => Err(format!("`{joint}` cannot stand in a name")),
        None => Ok(()),
    }
}

fn check_tag(tag: &str) -> Result<(), String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if tag.is_empty() {
        return Err("nothing stands behind the `:`, where the tag belongs".into());
    }
    if tag.len() > TAG_MAX {
        return Err(format!("its tag has more than {TAG_MAX} characters"));
    }
    if let Some(c) = tag.chars().find(|c| !is_word(*c) && !matches!(c, '.' | '-')) {
        return Err(format!("`{c}` cannot stand in a tag"));
    }
    if tag.starts_with(is_word) {
        return Ok(());
    }
    Err(format!("the tag `{tag}` must start with a letter, a digit or `_`"))
}

fn check_digest(digest: &str) -> Result<(), String> {
    let Some((algorithm, hash)) = digest.split_once(':') else {
        return Err(format!("the digest `{digest}` does not say its algorithm, as `sha256:` does"));
    };
    let digits = match algorithm {
        "sha256" => 64,
        "sha384" => 96,
        "sha512" => 128,
        _ => return Err(format!("`{algorithm}` is no algorithm of digests; `sha256` is usual")),
    };
    if let Some(c) = hash.chars().find(|c| !matches!(c, '0'..='9' | 'a'..='f')) {
        return Err(format!("`{c}` cannot stand in a digest"));
    }
    if hash.len() == digits {
        return Ok(());
    }
    Err(format!("its digest has {} digits; a `{algorithm}` has {digits}", hash.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_those_of_the_engine() {
        let digest = format!("app@sha256:{}", "0a".repeat(32));
        let both = format!("ghcr.io/team/app:1.2@sha512:{}", "f".repeat(128));
        for image in [
            "nginx",
            "nginx:1.27-alpine",
            "library/nginx",
            "a/b/c/d",
            "localhost/app",
            "localhost:5000/app:dev",
            "registry.example.com/team/my-app_x.y:V1_2",
            "Registry.Example.com:443/app",
            "REGISTRY/app",
            "127.0.0.1:5000/app",
            "[::1]:5000/app",
            "[2001:db8::1]/app",
            "a__b",
            "a---b",
            "x:_",
            "0:0",
            &digest,
            &both,
        ] {
            assert_eq!(parse(image), Ok(()), "{image}");
        }
    }

    const WRONG: &[&str] = &[
        "Bad Image:",
        "x:",
        ":latest",
        "Nginx",
        "team/App:1",
        "x:1:2",
        "x:-a",
        "x:a/b",
        "a//b",
        "/a",
        "a/",
        "a..b",
        "a._b",
        "a___b",
        "-a",
        "a_",
        "é",
        "x:ü",
        "host:port/app",
        "host:/app",
        "-a.b/app",
        "[::g]/app",
        "https://example.com/app",
        "x@",
        "x@sha256",
        "x@sha256:abc",
        "x@md5:abc",
        "x@sha256:ABC",
        "${IMAGE}",
    ];

    #[test]
    fn what_is_no_image_says_why() {
        let long = "a".repeat(256);
        let long_tag = format!("a:{}", "b".repeat(129));
        let told: Vec<String> = WRONG
            .iter()
            .copied()
            .chain([long_tag.as_str(), long.as_str()])
            .map(|image| {
                let shown: String = image.chars().take(24).collect();
                format!("{shown}: {}", parse(image).expect_err(image))
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        Bad Image:: it has a space
        x:: nothing stands behind the `:`, where the tag belongs
        :latest: the name is missing
        Nginx: `Nginx` has the capital letter `N`; names are written in lowercase
        team/App:1: `App` has the capital letter `A`; names are written in lowercase
        x:1:2: `:` cannot stand in a tag
        x:-a: the tag `-a` must start with a letter, a digit or `_`
        x:a/b: `a` is no port of the registry `x`
        a//b: between two `/` or at an end a part of the name is missing
        /a: between two `/` or at an end a part of the name is missing
        a/: between two `/` or at an end a part of the name is missing
        a..b: `..` cannot stand in a name
        a._b: `._` cannot stand in a name
        a___b: `___` cannot stand in a name
        -a: `-a` must start and end with a letter or a digit
        a_: `a_` must start and end with a letter or a digit
        é: `é` cannot stand in a name
        x:ü: `ü` cannot stand in a tag
        host:port/app: `port` is no port of the registry `host`
        host:/app: `` is no port of the registry `host`
        -a.b/app: `-a.b` is no name of a registry
        [::g]/app: `[::g]` is no name of a registry
        https://example.com/app: it is no address; leave out `https://`
        x@: the digest `` does not say its algorithm, as `sha256:` does
        x@sha256: the digest `sha256` does not say its algorithm, as `sha256:` does
        x@sha256:abc: its digest has 3 digits; a `sha256` has 64
        x@md5:abc: `md5` is no algorithm of digests; `sha256` is usual
        x@sha256:ABC: `A` cannot stand in a digest
        ${IMAGE}: `$` cannot stand in a name
        a:bbbbbbbbbbbbbbbbbbbbbb: its tag has more than 128 characters
        aaaaaaaaaaaaaaaaaaaaaaaa: its name has more than 255 characters
        ");
    }
}
