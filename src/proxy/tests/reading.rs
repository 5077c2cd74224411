//! What reading makes of what was written, and of any other text.

use std::collections::BTreeSet;
use std::net::IpAddr;

use proptest::prelude::*;

use super::{haproxy, name, nginx, owner, rendered, table};
use crate::model::{Backend, BackendKey, Endpoint, Owner, RoutingTable, Rule, ServiceName};
use crate::proxy::{Managed, header, read};

#[test]
fn any_edit_below_the_header_shows() {
    let text = rendered(&nginx());
    for (from, to) in [
        ("127.0.0.1:20000 max", "127.0.0.1:20008 max"),
        ("# generation: 7", "# generation: 8"),
        ("20009", "20007"),
    ] {
        let edited = text.replace(from, to);
        assert_ne!(edited, text, "{from}");
        assert!(
            matches!(read(&owner(), Some(&edited)), Managed::Ours { edited: true, .. }),
            "{from}"
        );
    }
}

#[test]
fn files_of_others_are_left_alone_with_a_reason() {
    let text = rendered(&nginx());
    let other = Owner { environment: name("staging"), ..owner() };
    let why = |owner: &Owner, text: &str| match read(owner, Some(text)) {
        Managed::Foreign { why } => why,
        other => panic!("{other:?}"),
    };
    insta::assert_snapshot!([
        why(&other, &text),
        why(&owner(), &text.replacen("gitdeploy 1:", "gitdeploy 2:", 1)),
        why(&owner(), "server { listen 80; }\n"),
        why(&owner(), &text.replacen("# table: {", "# table: ", 1)),
        why(&owner(), "# gitdeploy 1: hello"),
    ].join("\n"), @r#"
belongs to acme/production, not to acme/staging
was written by a newer gitdeploy (format 2, this one knows 1); use that version
was not written by gitdeploy; move it away, or name another in `config`
has a damaged header (its table cannot be read: invalid type: string "generation", expected struct RoutingTable at line 1 column 12); put back a copy, or move the file away
has a damaged header (the line `owner` is missing); put back a copy, or move the file away
"#);
}

#[test]
fn an_empty_file_is_nobodys() {
    assert_eq!(read(&owner(), None), Managed::Absent);
    assert_eq!(read(&owner(), Some("\n")), Managed::Absent);
}

fn tables() -> impl Strategy<Value = RoutingTable> {
    let endpoint =
        (any::<IpAddr>(), 1_u16..).prop_map(|(address, port)| Endpoint { address, port });
    let host = "(\\*\\.)?[a-z0-9]{1,8}(\\.[a-z]{1,5}){0,2}";
    let rules = prop::collection::btree_set((host, "(/[a-z%20._~+@:,=!-]{0,6}){1,3}"), 0..3);
    let servers = prop::collection::btree_map("[a-z0-9][a-z0-9_.-]{0,20}", endpoint.clone(), 0..40);
    let backend =
        (rules, servers, prop::option::of("/[a-z]{0,5}")).prop_map(|(rules, servers, check)| {
            let rules = rules.into_iter().map(|(host, path)| Rule { host, path });
            Backend { rules: rules.collect::<BTreeSet<_>>(), servers, check }
        });
    let key = ("[a-z][a-z0-9-]{0,5}", "[a-zA-Z0-9][a-zA-Z0-9_.-]{0,5}", 1_u16..).prop_map(
        |(stack, service, port)| BackendKey {
            stack: name(stack.trim_end_matches('-')),
            service: ServiceName::new(service),
            port,
        },
    );
    let backends = prop::collection::btree_map(key, backend, 0..5);
    (any::<u32>(), any::<u32>(), backends, prop::collection::vec(endpoint, 0..5)).prop_map(
        |(generation, at, backends, retired)| RoutingTable {
            generation: generation.into(),
            activated_at: at.into(),
            backends,
            retired,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read_back(table in tables()) {
        for site in [nginx(), haproxy()] {
            // Rules may meet by chance, and `%` may stand for nothing.
            if let Ok(text) = site.render(&table) {
                prop_assert_eq!(
                    read(&owner(), Some(&text)),
                    Managed::Ours { table: table.clone(), edited: false }
                );
                prop_assert!(text.lines().all(|line| line.len() < 4096));
            }
        }
        let text = header::write(&owner(), &table, "");
        prop_assert_eq!(read(&owner(), Some(&text)), Managed::Ours { table, edited: false });
    }

    #[test]
    fn any_text_is_answered(cut in any::<prop::sample::Index>(), put in "\\PC{0,20}|\n|\r\n") {
        let mut text = rendered(&nginx());
        let at = text.floor_char_boundary(cut.index(text.len()));
        text.insert_str(at, &put);
        drop(read(&owner(), Some(&text)));
        drop(read(&owner(), Some(&text[at..])));
        drop(read(&owner(), Some(&text[..at])));
        if let Managed::Ours { table: said, edited: false } = read(&owner(), Some(&text)) {
            prop_assert_eq!(said, table());
        }
    }
}
