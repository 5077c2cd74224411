//! Images: what a reference means on this engine and in its registry, and bringing one here.
//!
//! The engine asks the registry, with its own mirrors and certificates. What was planned is what is
//! pulled: by its digest, then given the name it was asked for under.

use std::time::Duration;

use bollard::models::ImageInspect;
use bollard::query_parameters::{CreateImageOptions, TagImageOptions};
use futures_util::TryStreamExt;
use serde_json::Value;

use super::client::{Docker, QUICK, late, within};
use super::fault::port_error;
use crate::model::{Fault, Image};
use crate::ports::{Applied, PortError};

/// The longest silence of a pull: a layer that is unpacked says nothing meanwhile.
const PULL_SILENCE: Duration = Duration::from_secs(300);

/// A reference in its parts.
#[derive(Debug, PartialEq, Eq)]
struct Reference<'a> {
    name: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl Docker {
    /// What a reference means now. `asks` says whether the registry's word counts even when the
    /// engine has the image.
    pub(super) async fn resolve(
        &self,
        reference: &str,
        platform: Option<&str>,
        asks: bool,
    ) -> Result<Image, Fault> {
        let fault = |error: PortError| Fault { message: error.to_string() };
        let seen = self.local_image(reference).await.map_err(fault)?;
        let here = seen.filter(|seen| platform.is_none_or(|asked| is_platform(seen, asked)));
        let parts = Reference::parse(reference);
        let is_final = parts.digest.is_some() || !asks;
        let known = here.map(|seen| image(&seen, parts.name));
        match known {
            Some(image) if is_final => Ok(image),
            _ if is_id(reference) => {
                Err(Fault { message: format!("the engine has no image {reference}") })
            }
            known => {
                let digest = self.registry_digest(reference).await.map_err(fault)?;
                let known = known.unwrap_or_default();
                let needs_pull = known.id.is_none() || known.digest.as_ref() != Some(&digest);
                Ok(Image { needs_pull, digest: Some(digest), ..known })
            }
        }
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

    async fn registry_digest(&self, reference: &str) -> Result<String, PortError> {
        let api = self.api().await?;
        let what = format!("ask the registry for image {reference}");
        let seen = within(QUICK, &what, api.inspect_registry_image(reference, None)).await?;
        let none = || PortError::Refused(format!("could not {what}: it names no digest"));
        seen.descriptor.digest.ok_or_else(none)
    }

    pub(super) async fn pull_image(
        &self,
        reference: &str,
        digest: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Applied, PortError> {
        let parts = Reference::parse(reference);
        let digest = digest.or(parts.digest);
        let before = self.local_image(reference).await?;
        let is_right = |seen: &ImageInspect| {
            platform.is_none_or(|asked| is_platform(seen, asked))
                && digest.is_some_and(|digest| has_digest(seen, digest))
        };
        if before.as_ref().is_some_and(is_right) {
            return Ok(Applied::AlreadyTrue);
        }
        let from = match digest {
            Some(digest) => format!("{}@{digest}", parts.name),
            None => format!("{}:{}", parts.name, parts.tag.unwrap_or("latest")),
        };
        self.fetch(&from, reference, platform).await?;
        if digest.is_some() && parts.digest.is_none() {
            self.tag(&from, parts.name, parts.tag.unwrap_or("latest")).await?;
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
        from: &str,
        reference: &str,
        platform: Option<&str>,
    ) -> Result<(), PortError> {
        let what = format!("pull image {reference}");
        let api = self.api().await?;
        let options = CreateImageOptions {
            from_image: Some(from.to_owned()),
            platform: platform.unwrap_or_default().to_owned(),
            ..CreateImageOptions::default()
        };
        let mut news = Box::pin(api.create_image(Some(options), None, None));
        loop {
            match tokio::time::timeout(PULL_SILENCE, news.try_next()).await {
                Err(_) => return Err(late(PULL_SILENCE, &what)),
                Ok(Err(error)) => return Err(port_error(&what, &error)),
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
}

impl<'a> Reference<'a> {
    /// A colon before the last slash belongs to a registry's port.
    fn parse(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => Self { name, tag: Some(tag), digest },
            _ => Self { name: rest, tag: None, digest },
        }
    }
}

/// An image that is here.
fn image(seen: &ImageInspect, name: &str) -> Image {
    let digests = seen.repo_digests.iter().flatten();
    let mut pairs = digests.filter_map(|text| text.rsplit_once('@'));
    let is_it = |repository: &str| familiar(repository) == familiar(name);
    let digest = pairs.find(|(repository, _)| is_it(repository));
    let config = seen.config.as_ref().and_then(|config| serde_json::to_value(config).ok());
    Image {
        id: seen.id.clone(),
        digest: digest.map(|(_, digest)| digest.to_owned()),
        needs_pull: false,
        config: config.unwrap_or(Value::Null),
    }
}

fn has_digest(seen: &ImageInspect, digest: &str) -> bool {
    let digests = seen.repo_digests.iter().flatten();
    digests.filter_map(|text| text.rsplit_once('@')).any(|(_, has)| has == digest)
}

/// A repository's name as the engine shortens it.
fn familiar(name: &str) -> &str {
    let name = name.strip_prefix("index.").unwrap_or(name);
    let name = name.strip_prefix("docker.io/").unwrap_or(name);
    name.strip_prefix("library/").unwrap_or(name)
}

/// Whether a text is an image's id and not a name.
fn is_id(reference: &str) -> bool {
    reference.starts_with("sha256:")
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
    fn references_have_parts() {
        let parse = |text| {
            let Reference { name, tag, digest } = Reference::parse(text);
            (name, tag, digest)
        };
        assert_eq!(parse("web"), ("web", None, None));
        assert_eq!(parse("r:5000/a/web"), ("r:5000/a/web", None, None));
        assert_eq!(parse("r:5000/a/web:1"), ("r:5000/a/web", Some("1"), None));
        assert_eq!(parse("web:1@sha256:ab"), ("web", Some("1"), Some("sha256:ab")));
    }

    #[test]
    fn the_digest_is_the_one_of_the_repository_that_was_asked_for() {
        let seen = ImageInspect {
            repo_digests: Some(vec!["r/a@sha256:1".into(), "web@sha256:2".into()]),
            ..ImageInspect::default()
        };
        assert_eq!(image(&seen, "docker.io/library/web").digest.as_deref(), Some("sha256:2"));
        assert_eq!(image(&seen, "r/a").digest.as_deref(), Some("sha256:1"));
        assert_eq!(image(&seen, "other").digest, None);
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
