//! Containers of one service that are compared once: in a fleet most are alike, and what differs
//! between two that are alike is only which addresses and ports of their hosts we have given them.
//!
//! An answer is used again only where it would come out the same; what is remembered never decides.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::wanted::Wanted;
use crate::model::{
    Binding, Config, Endpoint, EngineInfo, FieldDifference, Image, Mark, Owner, Told,
};

/// How many kinds of containers a service is remembered by: two releases, each twice.
const KINDS_MAX: usize = 4;

/// Everything of one container that a comparison with its service depends on.
pub(super) struct Case<'a> {
    pub(super) engine: &'a EngineInfo,
    /// Its image, where that is known.
    pub(super) image: Option<&'a Image>,
    pub(super) config: &'a Config,
    /// Ports that we gave it, in their order.
    pub(super) extra: Vec<&'a Binding>,
}

/// The comparisons made for one service.
#[derive(Default)]
pub(super) struct Alike<'a> {
    kinds: Vec<(Case<'a>, Vec<FieldDifference>)>,
}

impl<'a> Alike<'a> {
    /// What differs between a container and its service, if one like it was compared.
    pub(super) fn fields(&self, case: &Case<'a>) -> Option<Vec<FieldDifference>> {
        let known = self.kinds.iter().find(|(known, fields)| {
            // Where ports differ, their numbers are part of the answer.
            let is_about_ports = fields.iter().any(|field| field.path.starts_with("ports."));
            known.is_like(case, is_about_ports)
        });
        known.map(|(_, fields)| fields.clone())
    }

    /// Remembers a comparison.
    pub(super) fn keep(&mut self, case: Case<'a>, fields: &[FieldDifference]) {
        if self.kinds.len() < KINDS_MAX {
            self.kinds.push((case, fields.to_vec()));
        }
    }
}

impl Case<'_> {
    /// A mark of all that its comparison with a service depends on, beside what its stack wants.
    pub(super) fn mark(&self, owner: &Owner, wanted: &Wanted<'_>) -> Mark {
        let image = self.image.map(|image| (image.id.as_deref(), image.config.fingerprint()));
        let (id, image) = image.map_or((None, &[][..]), |(id, config)| (id, &config[..]));
        let mut ports = String::new();
        for Binding { container_port, at } in &self.extra {
            write!(ports, "{container_port} at {at} ").expect("memory takes it");
        }
        Mark::of([
            owner.project.as_str().as_bytes(),
            owner.environment.as_str().as_bytes(),
            wanted.stack.as_str().as_bytes(),
            wanted.service.as_str().as_bytes(),
            wanted.target.spec_hash.as_str().as_bytes(),
            self.engine.version.as_bytes(),
            id.unwrap_or_default().as_bytes(),
            image,
            self.config.fingerprint(),
            ports.as_bytes(),
        ])
    }

    fn is_like(&self, other: &Self, with_ports: bool) -> bool {
        // Of an engine, only what it can do is asked.
        self.engine.version == other.engine.version
            && self.has_image_like(other)
            && (self.config.is_shared_with(other.config) && self.extra == other.extra
                || !with_ports && self.is_like_but_for_ports(other))
    }

    /// Whether both images give the same to a container: an id stands for all that is in one.
    fn has_image_like(&self, other: &Self) -> bool {
        match (self.image, other.image) {
            (Some(own), Some(other)) => {
                own.id.is_some() && own.id == other.id || own.config == other.config
            }
            (own, other) => own.is_none() && other.is_none(),
        }
    }

    fn is_like_but_for_ports(&self, other: &Self) -> bool {
        self.config.is_equal_but_for_ports(other.config)
            && self.publishes_like(other)
            && match (self.config.told(), other.config.told()) {
                (Told::Nothing, Told::Nothing) => true,
                (Told::Nothing, _) | (_, Told::Nothing) => false,
                (Told::All, Told::All) => self.has_bindings_like(other),
                _ => self.binds_like(other),
            }
    }

    /// What [`Self::binds_like`] says of two whose bindings are all that they say of ports.
    fn has_bindings_like(&self, other: &Self) -> bool {
        let (own, others) = (self.config.bindings(), other.config.bindings());
        let is_like = |(a, b): (&Binding, &Binding)| {
            a.container_port == b.container_port
                && (a.at == b.at || self.extra.contains(&a) && other.extra.contains(&b))
        };
        own.len() == others.len() && own.iter().zip(others).all(is_like)
    }

    /// Whether both were given as many places for the same ports of the container.
    fn publishes_like(&self, other: &Self) -> bool {
        let port = |it: &&Binding| it.container_port;
        self.extra.iter().map(port).eq(other.extra.iter().map(port))
    }

    fn binds_like(&self, other: &Self) -> bool {
        let (Some(own), Some(others)) = (ports(self.config), ports(other.config)) else {
            return false;
        };
        own.len() == others.len()
            && own.iter().all(|(port, places)| {
                let (Some(own), Some(others)) =
                    (places.as_array(), others.get(port).and_then(Value::as_array))
                else {
                    return false;
                };
                own.len() == others.len()
                    && own
                        .iter()
                        .zip(others)
                        .all(|(a, b)| a == b || self.gave(port, a) && other.gave(port, b))
            })
    }

    /// Whether a place is one that we chose.
    fn gave(&self, port: &str, place: &Value) -> bool {
        let text = |key: &str| place.get(key).and_then(Value::as_str);
        let container_port = port.split('/').next().and_then(|port| port.parse().ok());
        let address = text("HostIp").and_then(|it| it.parse().ok());
        let host_port = text("HostPort").and_then(|it| it.parse().ok());
        let (Some(container_port), Some(address), Some(port)) =
            (container_port, address, host_port)
        else {
            return false;
        };
        self.extra.contains(&&Binding { container_port, at: Endpoint { address, port } })
    }
}

/// The ports of the host by those of the container, as the engine tells them.
fn ports(config: &Config) -> Option<&Map<String, Value>> {
    config.get("HostConfig")?.get("PortBindings")?.as_object()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use serde_json::json;

    use super::*;

    const HERE: [u8; 4] = [127, 0, 0, 1];
    const THERE: [u8; 4] = [10, 0, 0, 2];

    /// A container with one port that we chose, at `at`, and one that the commit fixes.
    struct One {
        config: Config,
        extra: Vec<Binding>,
    }

    fn one(image: &str, at: ([u8; 4], u16), fixed: u16) -> One {
        let (address, port) = (IpAddr::from(at.0), at.1);
        let place = |at: IpAddr, port: u16| json!({"HostIp": at, "HostPort": port.to_string()});
        let (own, fixed) = (place(address, port), place(HERE.into(), fixed));
        let bindings = json!({"80/tcp": [own], "90/tcp": [fixed]});
        let config = json!({"Image": image, "HostConfig": {"PortBindings": bindings}}).into();
        let at = Endpoint { address, port };
        One { config, extra: vec![Binding { container_port: 80, at }] }
    }

    fn case<'a>(engine: &'a EngineInfo, it: &'a One) -> Case<'a> {
        let One { config, extra } = it;
        Case { engine, image: None, config, extra: extra.iter().collect() }
    }

    fn is_known(first: &One, field: &str, second: &One) -> bool {
        let engine = EngineInfo::default();
        let case = |it| case(&engine, it);
        let mut alike = Alike::default();
        let field = FieldDifference { path: field.into(), old: None, new: None };
        alike.keep(case(first), &[field]);
        alike.fields(&case(second)).is_some()
    }

    #[test]
    fn a_port_that_we_chose_makes_no_difference() {
        let (first, second) = (one("a", (HERE, 20_000), 9), one("a", (HERE, 20_001), 9));
        assert!(is_known(&first, "env.A", &second));
    }

    #[test]
    fn an_address_that_we_chose_makes_no_difference() {
        let (first, second) = (one("a", (HERE, 20_000), 9), one("a", (THERE, 20_001), 9));
        assert!(is_known(&first, "env.A", &second));
    }

    #[test]
    fn what_is_told_of_ports_is_told_of_one_container() {
        let (first, second) = (one("a", (HERE, 20_000), 9), one("a", (HERE, 20_001), 9));
        assert!(!is_known(&first, "ports.90/tcp", &second));
    }

    #[test]
    fn a_port_that_we_did_not_choose_is_compared() {
        let first = one("a", (HERE, 20_000), 9);
        let second = One { extra: Vec::new(), ..one("a", (HERE, 20_001), 9) };
        assert!(!is_known(&first, "env.A", &second));
    }

    #[test]
    fn any_other_port_and_any_other_field_is_compared() {
        let first = one("a", (HERE, 20_000), 9);
        for second in [one("a", (HERE, 20_001), 10), one("b", (HERE, 20_001), 9)] {
            assert!(!is_known(&first, "env.A", &second), "{:?}", second.config);
        }
    }

    #[test]
    fn bindings_say_the_same_as_the_words_of_the_engine() {
        let engine = EngineInfo::default();
        let mut all = Vec::new();
        for at in [(HERE, 20_000), (HERE, 20_001), (THERE, 20_000)] {
            for fixed in [9, 10] {
                let chosen = one("a", at, fixed);
                all.push(One { extra: Vec::new(), ..one("a", at, fixed) });
                all.push(chosen);
            }
        }
        let mut likes = 0;
        for (a, b) in all.iter().flat_map(|a| all.iter().map(move |b| (a, b))) {
            let (one, other) = (case(&engine, a), case(&engine, b));
            assert_eq!(one.config.told(), Told::All);
            let is_like = one.has_bindings_like(&other);
            assert_eq!(is_like, one.binds_like(&other), "{:?} {:?}", a.config, b.config);
            likes += u32::from(is_like);
        }
        // Those with the same fixed port: three that we chose, of each other, and equal ones.
        assert_eq!(likes, 2 * (9 + 3 + 3 + 3));
    }
}
