//! Where replicas are asked, by how their host is reached.

use insta::assert_snapshot;

use super::WEB;
use crate::model::Op;
use crate::planner::fixture::Fleet;

const FAR: &str = "\
hosts: {local: {docker: 'tcp://10.0.0.9:2375', tls: false}}
proxies: {edge: {kind: nginx, hosts: [local], runs: host, config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}}
";

/// A service without routes that is asked over this.
fn asked(how: &str, more: &str) -> String {
    format!("services: {{web: {{image: 'shop:1', x-gitdeploy: {{health: {{{how}}}}}{more}}}}}")
}

/// Where its replica is asked, or why there is no plan.
fn on(inventory: &str, service: &str) -> String {
    let mut fleet = Fleet::new(inventory);
    fleet.want("shop", service);
    match fleet.plan() {
        Ok(plan) => {
            let probe = plan.steps.iter().find_map(|step| match &step.op {
                Op::AwaitReady { readiness, .. } => readiness.probe.clone(),
                _ => None,
            });
            let at = probe.expect("a question").endpoint;
            at.map_or_else(|| "its own address".to_owned(), |at| at.to_string())
        }
        Err(_) => fleet.text(),
    }
}

#[test]
fn a_container_is_asked_at_its_own_address_only_from_its_host() {
    let tcp = asked("tcp: 5432", "");
    for near in ["unix:///run/docker.sock", "ssh://10.0.0.9", "tcp://127.0.0.1:2375"] {
        let tls = if near.starts_with("tcp") { ", tls: false" } else { "" };
        let inventory = format!("hosts: {{local: {{docker: '{near}'{tls}}}}}");
        assert_eq!(on(&inventory, &tcp), "its own address", "{near}");
    }
    assert_snapshot!(on(FAR, &tcp), @"Invalid: shop/web: nobody could tell when a replica on local is ready: `health` is asked at the container's own address, and the engine of local is reached over tcp:// from another machine");
}

#[test]
fn a_port_that_only_the_hosts_own_proxy_reaches_cannot_be_asked_from_elsewhere() {
    assert_snapshot!(on(FAR, WEB), @"Invalid: shop/web: nobody could tell when a replica on local is ready: `health` is asked over port 8080 as only that host reaches it, and the engine of local is reached over tcp:// from another machine");
}

#[test]
fn a_port_that_is_published_at_the_hosts_address_can_be_asked_from_anywhere() {
    let http = "http: /health, port: 8080";
    assert_eq!(on(FAR, &asked(http, ", ports: ['80:8080']")), "10.0.0.9:80");
    assert_eq!(on(FAR, &asked(http, ", ports: ['10.0.0.9:81:8080']")), "10.0.0.9:81");
    assert!(on(FAR, &asked(http, ", ports: ['127.0.0.1:81:8080']")).starts_with("Invalid"));
    assert!(on(FAR, &asked("tcp: 8080", ", ports: ['80:8080']")).starts_with("Invalid"));
}

#[test]
fn what_shares_the_hosts_network_is_asked_at_the_hosts_address() {
    assert_eq!(on(FAR, &asked("tcp: 5432", ", network_mode: host")), "10.0.0.9:5432");
}
