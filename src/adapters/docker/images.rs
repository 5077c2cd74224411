//! Images: what a reference is on this engine, what it stands for in its registry, and bringing it
//! here.
//!
//! The engine asks the registry, with its own mirrors and certificates and with a login that goes
//! along with each request. What was planned is what is pulled: by its digest, then given the name
//! it was asked for under.

use std::time::Duration;

use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptions, TagImageOptions};
use futures_util::TryStreamExt;
use serde_json::Value;

use super::client::{Docker, QUICK, late, within};
use super::fault::{port_error, reason, status};
use super::logins::Login;
use super::moment::millis;
use crate::model::{Image, ImageName, RegistryImage};
use crate::ports::{Applied, PortError};

/// The longest silence of a pull: a layer that is unpacked says nothing meanwhile.
const PULL_SILENCE: Duration = Duration::from_secs(300);

/// The longest a registry may take to say what a reference stands for.
const REGISTRY: Duration = Duration::from_secs(15);

impl Docker {
    /// What a reference is on this engine; without an id when it is not there, or for another
    /// platform.
    pub(super) async fn image_here(
        &self,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<Image, PortError> {
        let seen = self.local_image(reference).await?;
        let here = seen.filter(|seen| platform.is_none_or(|asked| is_platform(seen, asked)));
        Ok(here.map(|seen| image(&seen)).unwrap_or_default())
    }

    pub(super) async fn local_image(
        &self,
        reference: &str,
    ) -> Result<Option<ImageInspect>, PortError> {
        let api = self.api().await?;
        let what = format!("look at image {reference}");
        match within(QUICK, &what, api.inspect_image(reference)).await {
            Ok(seen) => Ok(Some(seen)),
            Err(PortError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the registry says about a reference.
    pub(super) async fn ask_registry(&self, reference: &str) -> Result<RegistryImage, PortError> {
        let name = named(reference)?;
        let what = format!("ask the registry {} for image {reference}", name.registry);
        let login = self.login(&name).await?;
        let api = self.api().await?;
        let whole = name.to_string();
        let asked = api.inspect_registry_image(&whole, login.as_ref().map(credentials));
        let seen = match tokio::time::timeout(REGISTRY, asked).await {
            Err(_) => return Err(late(REGISTRY, &what)),
            Ok(Err(error)) => return Err(registry_fault(&name, login.as_ref(), &what, &error)),
            Ok(Ok(seen)) => seen,
        };
        let none = || PortError::Refused(format!("could not {what}: it names no digest"));
        let platform = |it: bollard::models::OciPlatform| {
            let (os, architecture) = (it.os?, it.architecture?);
            (os != "unknown").then(|| format!("{os}/{architecture}"))
        };
        Ok(RegistryImage {
            digest: seen.descriptor.digest.ok_or_else(none)?,
            platforms: seen.platforms.into_iter().filter_map(platform).collect(),
        })
    }

    pub(super) async fn pull_image(
        &self,
        reference: &str,
        digest: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Applied, PortError> {
        let name = named(reference)?;
        let digest = digest.or(name.digest.as_deref());
        let before = self.local_image(reference).await?;
        let is_right = |seen: &ImageInspect| {
            platform.is_none_or(|asked| is_platform(seen, asked))
                && digest.is_some_and(|digest| has_digest(seen, digest))
        };
        if before.as_ref().is_some_and(is_right) {
            return Ok(Applied::AlreadyTrue);
        }
        let from = digest.map_or_else(|| name.to_string(), |digest| name.pinned(digest));
        self.fetch(&name, &from, reference, platform).await?;
        if let (Some(_), None, Some(tag)) = (digest, &name.digest, &name.tag) {
            self.tag(&from, &name.repository(), tag).await?;
        }
        let after = self.local_image(reference).await?;
        let is_for = |platform| after.as_ref().is_some_and(|seen| is_platform(seen, platform));
        if let Some(platform) = platform.filter(|platform| !is_for(platform)) {
            return Err(PortError::Refused(format!(
                "the registry has no image {reference} for {platform}"
            )));
        }
        let came = after.as_ref().and_then(|seen| seen.id.as_ref());
        match digest {
            Some(_) if !after.as_ref().is_some_and(is_right) => Err(PortError::Moved(format!(
                "the registry did not give the image that the plan chose for {reference}"
            ))),
            _ if came == before.as_ref().and_then(|seen| seen.id.as_ref()) => {
                Ok(Applied::AlreadyTrue)
            }
            _ => Ok(Applied::Changed),
        }
    }

    async fn fetch(
        &self,
        name: &ImageName,
        from: &str,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<(), PortError> {
        let what = format!("pull image {reference} from {}", name.registry);
        let login = self.login(name).await?;
        let api = self.api().await?;
        let options = CreateImageOptions {
            from_image: Some(from.to_owned()),
            platform: platform.unwrap_or_default().to_owned(),
            ..CreateImageOptions::default()
        };
        let along = login.as_ref().map(credentials);
        let mut news = Box::pin(api.create_image(Some(options), None, along));
        loop {
            match tokio::time::timeout(PULL_SILENCE, news.try_next()).await {
                Err(_) => return Err(late(PULL_SILENCE, &what)),
                Ok(Err(error)) => return Err(registry_fault(name, login.as_ref(), &what, &error)),
                Ok(Ok(None)) => return Ok(()),
                Ok(Ok(Some(_))) => {}
            }
        }
    }

    async fn tag(&self, from: &str, name: &str, tag: &str) -> Result<(), PortError> {
        let api = self.api().await?;
        let what = format!("name image {from} {name}:{tag}");
        let options = TagImageOptions { repo: Some(name.to_owned()), tag: Some(tag.to_owned()) };
        within(QUICK, &what, api.tag_image(from, Some(options))).await
    }

    async fn login(&self, name: &ImageName) -> Result<Option<Login>, PortError> {
        match &self.logins {
            Some(logins) => logins.of(&name.registry).await,
            None => Ok(None),
        }
    }
}

fn named(reference: &str) -> Result<ImageName, PortError> {
    let none = || PortError::NotFound(format!("the engine has no image {reference}"));
    ImageName::parse(reference).ok_or_else(none)
}

fn credentials(login: &Login) -> DockerCredentials {
    match login.clone() {
        Login::Password { user, password } => DockerCredentials {
            username: Some(user),
            password: Some(password),
            ..DockerCredentials::default()
        },
        Login::Token(token) => {
            DockerCredentials { identitytoken: Some(token), ..DockerCredentials::default() }
        }
    }
}

/// What a registry's refusal means. Engines hand its words on with whatever status they like: 401,
/// 403, 404 or 500, and within a pull with none.
fn registry_fault(name: &ImageName, login: Option<&Login>, what: &str, error: &Error) -> PortError {
    let words = reason(error);
    let words = login.map_or_else(|| words.clone(), |login| login.hide(&words));
    let lower = words.to_lowercase();
    let has = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
    if has(&["manifest unknown", "not found: manifest", "name unknown", "no matching manifest"]) {
        return PortError::NotFound(format!("{} has no such image: {words}", name.registry));
    }
    if has(&["unauthorized", "authentication required", "denied", "no basic auth", "forbidden"]) {
        let who = match login {
            None => "without a login".to_owned(),
            Some(Login::Password { user, .. }) => format!("the login of `{user}`"),
            Some(Login::Token(_)) => "the token".to_owned(),
        };
        return PortError::Refused(format!(
            "{} does not give it {}{who}: {words}",
            name.registry,
            if login.is_some() { "for " } else { "" },
        ));
    }
    match (status(error), error) {
        (Some(404), _) => PortError::NotFound(format!("{} has no such image", name.registry)),
        (Some(_), _) | (None, Error::DockerStreamError { .. }) => {
            PortError::Unreachable(format!("{} cannot be reached: {words}", name.registry))
        }
        _ => port_error(what, error),
    }
}

/// An image that is here.
fn image(seen: &ImageInspect) -> Image {
    let pinned = |text: &String| {
        let (_, digest) = text.rsplit_once('@')?;
        Some(ImageName::parse(text)?.pinned(digest))
    };
    let config = seen.config.as_ref().and_then(|config| serde_json::to_value(config).ok());
    let tagged = seen.metadata.as_ref().and_then(|it| serde_json::to_value(it).ok());
    let tagged = tagged.as_ref().and_then(|it| it.get("LastTagTime")?.as_str());
    Image {
        id: seen.id.clone(),
        digests: seen.repo_digests.iter().flatten().filter_map(pinned).collect(),
        // An engine that was never told says the year 1.
        tagged_at: tagged.map(millis).filter(|at| *at > 0),
        config: config.unwrap_or(Value::Null).into(),
        ..Image::default()
    }
}

fn has_digest(seen: &ImageInspect, digest: &str) -> bool {
    let digests = seen.repo_digests.iter().flatten();
    digests.filter_map(|text| text.rsplit_once('@')).any(|(_, has)| has == digest)
}

/// Whether an image is for `os/architecture[/variant]`.
fn is_platform(seen: &ImageInspect, asked: &str) -> bool {
    let has = [&seen.os, &seen.architecture, &seen.variant];
    let has = has.map(|part| part.as_deref().unwrap_or_default());
    let mut parts = asked.split('/');
    let first = parts.next().unwrap_or_default();
    if !asked.contains('/') {
        return first == has[0] || first == has[1];
    }
    let rest_is_so = parts.zip(&has[1..]).all(|(asked, has)| asked == *has || has.is_empty());
    first == has[0] && rest_is_so
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digest_of_an_image_is_that_of_a_repository() {
        let seen = ImageInspect {
            repo_digests: Some(vec!["r/a@sha256:1".into(), "web@sha256:2".into()]),
            ..ImageInspect::default()
        };
        let digests = image(&seen).digests;
        assert_eq!(
            digests.iter().collect::<Vec<_>>(),
            ["docker.io/library/web@sha256:2", "docker.io/r/a@sha256:1"]
        );
    }

    fn fault(status_code: u16, message: &str) -> PortError {
        let name = ImageName::parse("r:5000/web:1").expect("a name");
        let login = Login::Password { user: "ci".into(), password: "s3cret".into() };
        let error = Error::DockerResponseServerError { status_code, message: message.to_owned() };
        registry_fault(&name, Some(&login), "ask", &error)
    }

    #[test]
    fn a_refusal_is_told_from_silence_by_its_words() {
        assert!(matches!(
            fault(500, "unauthorized: authentication required"),
            PortError::Refused(_)
        ));
        assert!(matches!(fault(404, "errors: denied: requested access"), PortError::Refused(_)));
        assert!(matches!(fault(404, "manifest unknown: manifest unknown"), PortError::NotFound(_)));
        let down = "Get \"http://r:5000/v2/\": dial tcp: connect: connection refused";
        assert!(matches!(fault(500, down), PortError::Unreachable(_)));
    }

    #[test]
    fn a_refusal_names_registry_and_user_and_never_the_password() {
        insta::assert_snapshot!(fault(401, "unauthorized: s3cret is wrong"), @"r:5000 does not give it for the login of `ci`: unauthorized: (hidden) is wrong");
    }

    #[test]
    fn platforms_are_compared_as_far_as_both_say() {
        let seen = ImageInspect {
            os: Some("linux".into()),
            architecture: Some("arm".into()),
            variant: Some("v7".into()),
            ..ImageInspect::default()
        };
        for asked in ["linux", "arm", "linux/arm", "linux/arm/v7"] {
            assert!(is_platform(&seen, asked), "{asked}");
        }
        for asked in ["linux/amd64", "linux/arm/v6", "windows"] {
            assert!(!is_platform(&seen, asked), "{asked}");
        }
    }
}
