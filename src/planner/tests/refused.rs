//! What there is no plan for, and in which words.

use insta::assert_snapshot;

use super::{WEB, WORKER};
use crate::model::{ImageFault, LiveNetwork, LiveVolume};
use crate::planner::fixture::Fleet;

fn wanting(text: &str) -> Fleet {
    let mut fleet = Fleet::one();
    fleet.want("shop", text);
    fleet
}

#[test]
fn an_empty_repository_never_removes_everything() {
    let mut fleet = wanting(WORKER);
    fleet.deploy();
    fleet.drop_stack("shop");
    assert_snapshot!(fleet.text(), @"Policy: the commit has no stack at all, and an empty repository never removes everything");
}

#[test]
fn an_image_that_nobody_has_is_named() {
    let mut fleet = wanting(WORKER);
    let fault = ImageFault { message: "manifest unknown".into(), hint: String::new() };
    fleet.host("local").images.insert("worker:1".into(), Err(fault));
    assert_snapshot!(fleet.text(), @"Invalid: shop/worker: image worker:1: manifest unknown");
}

#[test]
fn an_obstacle_of_a_proxy_ends_the_plan_only_when_it_is_changed() {
    let mut fleet = wanting(WEB);
    fleet.deploy();
    fleet.proxy("local").obstacles.push("the configuration test fails".into());
    assert_eq!(fleet.text(), "nothing to do");
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    assert_snapshot!(fleet.text(), @"Invalid: the proxy edge on local cannot be changed safely: the configuration test fails");
}

#[test]
fn a_file_that_is_somebody_elses_is_never_written() {
    let mut fleet = wanting(WEB);
    fleet.proxy("local").file = Some("server { listen 80; }\n".into());
    assert_snapshot!(fleet.text(), @"Invalid: the proxy edge on local cannot be changed: the file was not written by gitdeploy; move it away, or name another in `config`");
}

#[test]
fn a_route_of_a_stack_out_of_scope_is_not_taken() {
    let mut fleet = wanting(WEB);
    fleet.deploy();
    fleet.want("other", WEB);
    fleet.scope.stacks = Some([crate::planner::fixture::name("other").into()].into());
    assert_snapshot!(fleet.text(), @"Invalid: the proxy edge on local sends shop.example.com/ to the stack shop already");
}

#[test]
fn an_external_network_must_be_there() {
    let stack = "
services: {a: {image: i, networks: [shared]}}
networks: {shared: {external: true}}";
    let mut fleet = wanting(stack);
    assert_snapshot!(fleet.text(), @"Invalid: the network shared is `external`, and local does not have it");
    fleet.host("local").networks.insert("shared".into(), LiveNetwork::default());
    fleet.deploy();
}

#[test]
fn a_network_or_volume_of_somebody_else_is_not_taken() {
    let stack = "
services: {a: {image: i, volumes: ['data:/data']}}
volumes: {data: {}}";
    let mut fleet = wanting(stack);
    fleet.host("local").networks.insert("shop_default".into(), LiveNetwork::default());
    fleet.host("local").volumes.insert("shop_data".into(), LiveVolume::default());
    assert_snapshot!(fleet.text(), @"
    Invalid: the network shop_default on local is not this stack's
    Invalid: the volume shop_data on local is not this stack's
    ");
}

#[test]
fn a_volume_is_never_made_anew() {
    let stack = "
services: {a: {image: i, volumes: ['data:/data']}}
volumes: {data: {}}";
    let mut fleet = wanting(stack);
    fleet.deploy();
    fleet.want("shop", &stack.replace("data: {}", "data: {driver: nfs}"));
    assert_snapshot!(fleet.text(), @"Policy: the volume shop_data on local is not as shop wants it (driver), and a volume cannot be changed without losing its data");
}

#[test]
fn a_network_that_others_are_in_is_not_made_anew() {
    let mut fleet = wanting(WORKER);
    fleet.deploy();
    let network = fleet.host("local").networks.get_mut("shop_default").expect("it");
    network.others.insert("stranger".into());
    fleet.want("shop", &format!("{WORKER}\nnetworks: {{default: {{internal: true}}}}"));
    assert_snapshot!(fleet.text(), @"Policy: the network shop_default on local must be made anew, and containers that are not ours are in it: stranger");
}

#[test]
fn a_fixed_name_that_is_taken_is_told() {
    let mut fleet = wanting("services: {a: {image: i, container_name: main}}");
    fleet.host("local").foreign.names.insert("main".into());
    assert_snapshot!(fleet.text(), @"Invalid: shop/a: the name main is taken by another container on local");
}

#[test]
fn a_file_cannot_be_brought_where_nothing_can_be_written() {
    let stack = "
services: {a: {image: i, read_only: true, configs: [c]}}
configs: {c: {content: hello}}";
    assert_snapshot!(wanting(stack).text(), @"Invalid: shop/a: /c cannot be brought into a container with `read_only: true`");
    let stack = stack.replace("[c]", "[{source: c, target: /etc/a/c}]");
    wanting(&stack).deploy();
}

#[test]
fn a_variable_that_is_not_set_is_named() {
    let stack = "
services: {a: {image: i, secrets: [key]}}
secrets: {key: {environment: SHOP_KEY}}";
    let mut fleet = wanting(stack);
    assert_snapshot!(fleet.text(), @"Invalid: shop/a: the variable SHOP_KEY is not set");
    fleet.variables.insert("SHOP_KEY".into(), "d1".into());
    fleet.deploy();
    fleet.variables.insert("SHOP_KEY".into(), "d2".into());
    assert_snapshot!(fleet.text(), @"
    [] -> #0 a.1@local create shop-a-1.g2 (changed in the commit)
    [0] -> #1 a.1@local start shop-a-1.g2 (changed in the commit)
    [1] -> #2 a.1@local wait until shop-a-1.g2 is ready (changed in the commit)
    [2] -> #3 a.1@local stop shop-a-1.g1 (changed in the commit)
    [3] -> #4 a.1@local remove shop-a-1.g1 (changed in the commit)
    [4] -> #5 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn hosts_without_a_free_port_are_told() {
    let mut fleet = wanting(WEB);
    for port in 20000..=29999 {
        fleet.host("local").foreign.ports.insert(port, "somebody".into());
    }
    assert_snapshot!(fleet.text(), @"Invalid: shop/web: no port of local is free for it");
}
