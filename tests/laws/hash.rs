//! The specification hash: what it ignores, what it notices.

use gitdeploy::model::SpecHash;
use proptest::prelude::*;

use crate::cases;
use crate::generate::{ATTRIBUTES, file_of, service};
use crate::world::target;

fn hash_of(text: &str) -> SpecHash {
    let target = target(text);
    target.services.values().next().expect("one service").spec_hash.clone()
}

proptest! {
    #![proptest_config(cases(120))]

    #[test]
    fn order_form_and_replicas_do_not_count(
        service in service(),
        seed in any::<prop::sample::Index>(),
        replicas in 0_u8..9,
    ) {
        let hash = hash_of(&service.file());
        let mut turned = service.clone();
        let by = seed.index(turned.attributes.len());
        turned.attributes.rotate_left(by);
        for (_, form) in &mut turned.attributes {
            *form = seed;
        }
        prop_assert_eq!(&hash, &hash_of(&turned.file()));
        let more = format!("{}    deploy: {{replicas: {replicas}}}\n", service.file());
        prop_assert_eq!(&hash, &hash_of(&more));
    }

    #[test]
    fn another_value_of_any_attribute_is_another_hash(
        service in service(),
        at in any::<prop::sample::Index>(),
    ) {
        let mut lines = service.lines();
        let hash = hash_of(&file_of(&lines));
        let at = at.index(lines.len());
        let attribute = &ATTRIBUTES[service.attributes[at].0];
        lines[at] = format!("    {}: {}\n", attribute.key, attribute.other);
        prop_assert_ne!(&hash, &hash_of(&file_of(&lines)), "{}", attribute.key);
    }
}

#[test]
fn every_single_attribute_counts() {
    let with = |key: &str, value: &str| {
        let image = if key == "image" { "" } else { "    image: x\n" };
        hash_of(&file_of(&[image.to_owned(), format!("    {key}: {value}\n")]))
    };
    for attribute in ATTRIBUTES {
        let hash = with(attribute.key, attribute.same[0]);
        assert_ne!(hash, with(attribute.key, attribute.other), "{}", attribute.key);
        for form in attribute.same {
            assert_eq!(hash, with(attribute.key, form), "{}: {form}", attribute.key);
        }
    }
}
