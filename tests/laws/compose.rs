//! Compose files: writing and reading, merging.

use gitdeploy::compose::Options;
use proptest::prelude::*;

use crate::cases;
use crate::generate::{ATTRIBUTES, Service, file_of, service};
use crate::world::{model, yaml};

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_is_rendered_means_the_same_when_read(service in service()) {
        let text = service.file();
        let first = model(&[&text], Options::default());
        let written = yaml(&text, Options::default());
        prop_assert_eq!(&first, &model(&[&written], Options::default()), "{}", written);
        prop_assert_eq!(&written, &yaml(&written, Options::default()));
    }

    #[test]
    fn the_form_of_an_attribute_has_no_meaning(service in service(), other in service()) {
        let forms: Vec<_> = other.attributes.iter().map(|(_, form)| *form).collect();
        let attributes = service.attributes.iter().enumerate().map(|(index, (number, form))| {
            (*number, *forms.get(index).unwrap_or(form))
        });
        let again = Service { attributes: attributes.collect(), ..service.clone() };
        prop_assert_eq!(
            model(&[&service.file()], Options::default()),
            model(&[&again.file()], Options::default())
        );
    }

    #[test]
    fn an_override_that_says_nothing_changes_nothing(service in service()) {
        let text = service.file();
        let alone = model(&[&text], Options::default());
        for nothing in ["{}\n", "services: {}\n", "services:\n  web: {}\n"] {
            prop_assert_eq!(&alone, &model(&[&text, nothing], Options::default()));
        }
    }

    #[test]
    fn overrides_of_other_keys_commute(service in service(), at in any::<prop::sample::Index>()) {
        let lines = service.lines();
        let at = at.index(lines.len());
        let base = "services:\n  web: {image: base}\n";
        let (a, b) = (file_of(&lines[..at]), file_of(&lines[at..]));
        // A mapping with nothing in it is nothing.
        let filled = |text: String| if text.ends_with("web:\n") { "{}\n".to_owned() } else { text };
        let (a, b) = (filled(a), filled(b));
        prop_assert_eq!(
            model(&[base, &a, &b], Options::default()),
            model(&[base, &b, &a], Options::default())
        );
    }

    #[test]
    fn merging_may_be_done_in_steps(a in service(), b in service(), c in service()) {
        // Its lists are joined as they are, and the outcome may not have an item twice.
        let text = |service: Service| {
            let is_joined =
                |at: &usize| matches!(ATTRIBUTES[*at].key, "security_opt" | "extra_hosts");
            let attributes = service.attributes.into_iter().filter(|(at, _)| !is_joined(at));
            Service { attributes: attributes.collect(), texts: service.texts }.file()
        };
        let (a, b, c) = (text(a), text(b), text(c));
        let once = model(&[&a, &b, &c], Options::default());
        let half = {
            let json = model(&[&a, &b], Options::default());
            serde_json::to_string(&json).expect("JSON")
        };
        prop_assert_eq!(once, model(&[&half, &c], Options::default()));
    }
}
