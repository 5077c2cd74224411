use super::*;
use crate::diag::{Source, Sources};
use crate::settings::testing::told;

fn read(text: &str) -> (Extension, Sources, Vec<Diagnostic>) {
    let sources = Sources::default();
    let id = sources.add(Source::verbatim("compose.yaml", text));
    let node = crate::yaml::parse(text, id).expect("valid").remove(0);
    let mut problems = Vec::new();
    let extension = Extension::read(&node, "services.web.x-gitdeploy", &mut problems);
    (extension, sources, problems)
}

fn problems(text: &str) -> String {
    let (_, sources, problems) = read(text);
    told(&sources, &problems)
}

fn good(text: &str) -> Extension {
    let (extension, sources, problems) = read(text);
    assert_eq!(told(&sources, &problems), "");
    extension
}

#[test]
fn the_example_of_the_contract_is_read() {
    let it = good(
        "routes: [{host: Shop.example.com, path: /, port: 8080, proxy: edge}]\n\
         health: {http: /healthz, port: '8080', interval: 1s, timeout: 2s, within: 60s}\n\
         drain: {timeout: 30s}\nrollout: {strategy: rolling}\nx-note: mine\n",
    );
    assert_eq!(it.routes[0].host.value, "shop.example.com");
    assert_eq!(it.routes[0].port.value, 8080);
    assert_eq!(
        it.health.probe.map(|probe| probe.value),
        Some(Probe::Http { path: "/healthz".into(), port: Some(8080) })
    );
    assert_eq!(it.rollout.strategy.map(|it| it.value), Some(Strategy::Rolling));
}

#[test]
fn everything_wrong_is_told_at_once() {
    insta::assert_snapshot!(problems(
        "routes:\n\
         - {host: 'https://a.de', port: 80}\n\
         - {host: 'a.de:80', path: api, port: 0}\n\
         - {host: 'a.*.de', path: '/x;y', port: http}\n\
         - {host: bücher.de, path: /a*, prot: 80}\n\
         healht: {}\n\
         health: {http: healthz, interval: 0s, timeout: 5, within: 1d}\n\
         drain: {timeout: 30}\n\
         rollout: {strategy: blue-green}\n"
    ), @r"
    compose.yaml:2:10: `services.web.x-gitdeploy.routes[0].host`: `https://a.de` is no host name: write the name alone, without a scheme
        help: a host name looks like `shop.example.com`
    compose.yaml:3:10: `services.web.x-gitdeploy.routes[1].host`: `a.de:80` is no host name: a port does not belong here; the proxy's `listen` says it
        help: a host name looks like `shop.example.com`
    compose.yaml:3:27: `services.web.x-gitdeploy.routes[1].path`: `api` is no path: it must start with `/`
        help: a path looks like `/api`
    compose.yaml:3:38: `services.web.x-gitdeploy.routes[1].port` must be from 1 to 65535, not 0
    compose.yaml:4:10: `services.web.x-gitdeploy.routes[2].host`: `a.*.de` is no host name: `*` stands only in front, for one whole part: `*.example.com`
        help: a host name looks like `shop.example.com`
    compose.yaml:4:26: `services.web.x-gitdeploy.routes[2].path`: `/x;y` is no path: `;` must be written percent-encoded
        help: a path looks like `/api`
    compose.yaml:4:40: `services.web.x-gitdeploy.routes[2].port`: `http` is no port: `http` is no port from 1 to 65535
        help: a port looks like `8080`
    compose.yaml:5:10: `services.web.x-gitdeploy.routes[3].host`: `bücher.de` is no host name: `ü` is not ASCII; write the name as `xn--…`
        help: a host name looks like `shop.example.com`
    compose.yaml:5:27: `services.web.x-gitdeploy.routes[3].path`: `/a*` is no path: no pattern is needed: every path that starts so is meant
        help: a path looks like `/api`
    compose.yaml:5:32: `prot` is no key of route (`services.web.x-gitdeploy.routes[3]`)
        help: did you mean `port`?
    compose.yaml:5:3: `services.web.x-gitdeploy.routes[3]` needs the key `port`
    compose.yaml:6:1: `healht` is no key of x-gitdeploy (`services.web.x-gitdeploy`)
        help: did you mean `health`?
    compose.yaml:7:16: `services.web.x-gitdeploy.health.http`: `healthz` is no path of a request: it must start with `/`
        help: a path of a request looks like `/healthz`
    compose.yaml:7:35: `services.web.x-gitdeploy.health.interval`: `0s` is no duration: it must be longer than 0
        help: a duration looks like `1m30s`
    compose.yaml:7:48: `services.web.x-gitdeploy.health.timeout` must be a duration, not a whole number
    compose.yaml:8:18: `services.web.x-gitdeploy.drain.timeout` must be a duration, not a whole number
    compose.yaml:9:21: the strategy `blue-green` is planned, but cannot be used yet
        help: until then, use `all-at-once` or `rolling`
    ");
}

#[test]
fn a_health_question_is_one_question() {
    insta::assert_snapshot!(problems("health: {http: /, tcp: 5432}"), @r"
    compose.yaml:1:16: `http` cannot stand beside `tcp`
        compose.yaml:1:24: `tcp` names the port itself
        help: keep one of them
    ");
    insta::assert_snapshot!(problems("health: {tcp: 5432, port: 80}"), @r"
    compose.yaml:1:27: `port` cannot stand beside `tcp`
        compose.yaml:1:15: `tcp` names the port itself
    ");
    insta::assert_snapshot!(problems("health: {port: 80}"), @r"
    compose.yaml:1:16: `port` needs `http` beside it, the path to ask for
        help: to wait for a connection only, write `tcp: 80`
    ");
}

#[test]
fn the_same_requests_are_routed_once() {
    insta::assert_snapshot!(
        problems("routes:\n- {host: a.de, port: 80}\n- {host: A.de, path: /, port: 81}\n- {host: a.de, path: /x, port: 80}\n"),
        @r"
    compose.yaml:3:3: `a.de/` is routed twice
        compose.yaml:2:3: first here
    "
    );
}

#[test]
fn a_service_says_more_than_the_defaults_and_they_more_than_we() {
    let service = good("routes: [{host: a.de, port: 80}]\nhealth: {interval: 3s}");
    let defaults = good("health: {http: /up, interval: 5s, within: 10s}\ndrain: {timeout: 0s}");
    let defaults = Defaults {
        health: defaults.health,
        drain: defaults.drain,
        rollout: defaults.rollout,
        packing: defaults.packing,
    };
    let Cutover { probe, interval, timeout, within, drain, strategy, packing: _ } =
        Cutover::of(&service, &defaults);
    assert!(matches!(probe.map(|it| it.from), Some(Whence::Defaults(_))));
    assert!(matches!(interval.from, Whence::Service(_)));
    assert_eq!(interval.value, Duration::from_secs(3));
    assert_eq!(timeout, Effective { value: Duration::from_secs(2), from: Whence::BuiltIn });
    assert_eq!(within.value, Duration::from_secs(10));
    assert_eq!(drain.value, Duration::ZERO);
    assert_eq!(strategy, Effective { value: Strategy::AllAtOnce, from: Whence::BuiltIn });
}

#[test]
fn the_question_of_the_defaults_is_not_put_to_services_without_routes() {
    let defaults = Defaults { health: good("health: {http: /up}").health, ..Defaults::default() };
    assert_eq!(Cutover::of(&Extension::default(), &defaults).probe, None);
}

#[test]
fn values_in_effect_are_checked_together() {
    let check = |text: &str| {
        let (service, sources, _) = read(text);
        let cutover = Cutover::of(&service, &Defaults::default());
        let all = Span::new(sources.add(Source::verbatim("compose.yaml", text)), 0, 0);
        told(&sources, &cutover.check(&service.routes, all))
    };
    insta::assert_snapshot!(check("health: {http: /up, port: 80, timeout: 2m}"), @r"
    compose.yaml:1:40: one answer may take 120s, but the replica must be healthy within 60s
        help: make `within` several times as long as `timeout`
    ");
    insta::assert_snapshot!(check("health: {http: /up}"), @"compose.yaml:1:16: `health` needs a `port`: no route of the service says which");
    insta::assert_snapshot!(
        check("routes: [{host: a, port: 1}, {host: b, port: 2}]\nhealth: {http: /up}"), @"compose.yaml:2:16: `health` needs a `port`: the service's routes lead to several"
    );
    assert_eq!(check("routes: [{host: a, port: 1}]\nhealth: {http: /up}"), "");
}

#[test]
fn a_route_finds_its_proxy() {
    let ask = |route: &str, proxies: &str| {
        let (service, sources, _) = read(&format!("routes: [{route}]"));
        let text = format!("hosts: {{e: {{docker: 'ssh://e'}}}}\nproxies: {{{proxies}}}");
        let files = crate::files::Memory::new().with("inventory.yaml", text);
        let mut found = Vec::new();
        let inventory = Inventory::load(&files, &sources, None, &mut found);
        assert_eq!(told(&sources, &found), "");
        match service.routes[0].proxy_in(&inventory) {
            Ok(proxy) => proxy.name.to_string(),
            Err(problem) => told(&sources, &[problem]),
        }
    };
    let edge = "edge: {kind: nginx, hosts: [e], config: /a, listen: [80]}";
    let both = format!("{edge}, inner: {{kind: nginx, hosts: [e], config: /b, listen: [81]}}");
    assert_eq!(ask("{host: a, port: 1}", edge), "edge");
    assert_eq!(ask("{host: a, port: 1, proxy: inner}", &both), "inner");
    insta::assert_snapshot!(ask("{host: a, port: 1}", ""), @r"
    compose.yaml:1:10: no proxy can serve `a`: the inventory has none
        help: describe one under `proxies:` in the inventory
    ");
    insta::assert_snapshot!(ask("{host: a, port: 1}", &both), @r"
    compose.yaml:1:10: the route of `a` must say which `proxy` serves it
        help: the inventory has edge, inner
    ");
    insta::assert_snapshot!(ask("{host: a, port: 1, proxy: egde}", edge), @r"
    compose.yaml:1:36: the inventory has no proxy `egde`
        help: did you mean `edge`?
    ");
    insta::assert_snapshot!(ask("{host: a, port: 1, proxy: edge}", ""), @r"
    compose.yaml:1:36: the inventory has no proxy `edge`
        help: describe it under `proxies:` in the inventory
    ");
}
