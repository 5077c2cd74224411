//! No text may make a reader panic, and every finding points into its text.

use proptest::prelude::*;

use super::*;
use crate::diag::Sources;
use crate::files::Memory;
use crate::model::Name;

/// Text with the characters that mean something to one of the readers.
fn text() -> impl proptest::strategy::Strategy<Value = String> {
    "[a-z0-9:/@\\[\\].,*?%=!#'\"\\\\ \n{}ä_-]{0,60}"
}

proptest! {
    #[test]
    fn no_text_makes_a_reader_panic(text in text()) {
        drop(parse_duration(&text));
        drop(parse_size(&text));
        drop(Name::parse(&text));
        drop(Name::from_folder(&text));
        drop(Authority::parse(&text));
        drop(Endpoint::parse(&format!("ssh://{text}")));
        drop(PortRange::parse(&text));
        drop(Glob::parse(&text));
        drop(HostSelector::parse(&text));
        drop(Constraint::parse(&format!("node.labels.{text}")));
    }

    #[test]
    fn no_file_makes_a_reader_panic(text in text(), key in "[a-z_]{1,12}") {
        let sources = Sources::default();
        let mut problems = Vec::new();
        let yaml = format!("{key}: {text}\nhosts: {{a: {{docker: 'ssh://a', {key}: {text}}}}}\n");
        let files = Memory::new()
            .with("gitdeploy.yaml", format!("stacks: ['{text}']\n{key}: {text}"))
            .with("inventory.yaml", yaml)
            .with("a/compose.yaml", "");
        let settings = Settings::load(&files, &sources, &mut problems);
        discover(&files, &settings, &text, &mut problems);
        let inventory = Inventory::load(&files, &sources, None, &mut problems);
        let include = |name: &str| vec![Included { name: name.into(), text: text.clone() }];
        let config =
            format!("Host {text}\nMatch {text}\nMatch all\n{key} {text}\nProxyJump {text}\n\
                     IdentityFile {text}\nInclude {text}");
        let config = SshConfig::parse("config", &config, &include, &sources, &mut problems);
        let local = LocalUser { name: "me".into(), home: "/home/me".into() };
        for host in inventory.hosts.values() {
            ssh_target(host, &inventory, &config, &local, &mut problems);
        }
        for label in problems.iter().filter_map(|problem| problem.primary.as_ref()) {
            prop_assert!(sources.get(label.span.source).text.get(label.span.range()).is_some());
        }
    }
}
