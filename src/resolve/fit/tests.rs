use crate::files::Memory;
use crate::resolve::tests::resolve_in;

const INVENTORY: &str = "\
hosts:
  web-1: {docker: 'ssh://web-1', labels: {role: web, zone: a}, capacity: {cpus: 2, memory: 4g}}
  web-2: {docker: 'ssh://web-2', labels: {role: web, zone: b}, capacity: {cpus: 4}}
  db-1: {docker: 'ssh://db-1', ports: 30000-30999}
";

fn told(services: &str) -> String {
    let files = Memory::new().with("inventory.yaml", INVENTORY);
    resolve_in(files, services).findings.join("\n")
}

#[test]
fn a_constraint_that_no_host_fulfils_is_refused() {
    let told = told("\
services:
  a: {image: x, deploy: {placement: {constraints: [node.hostname == web1]}}}
  b: {image: x, deploy: {placement: {constraints: [node.platform.os == linux, node.labels.zone == q]}}}
  c: {image: x, deploy: {placement: {constraints: [node.labels.rolle == web]}}}
  d: {image: x, deploy: {placement: {constraints: [node.labels.zone == a, node.labels.zone == b]}}}
  e: {image: x, deploy: {placement: {constraints: [node.platform.os == plan9]}}}
  f: {image: x, deploy: {replicas: 0, placement: {constraints: [node.hostname == gone]}}}
");
    insta::assert_snapshot!(told, @r"
    stacks/shop/compose.yaml:2:52: no host fulfils `node.hostname == web1`
    stacks/shop/compose.yaml:3:79: no host fulfils `node.labels.zone == q`
    stacks/shop/compose.yaml:4:52: no host fulfils `node.labels.rolle == web`
    stacks/shop/compose.yaml:5:51: no host fulfils all of `node.labels.zone == a` and `node.labels.zone == b`
    ");
}

#[test]
fn a_fixed_port_needs_a_host_for_each_replica() {
    let told = told("\
services:
  a: {image: x, ports: ['53:53'], deploy: {replicas: 4}}
  b: {image: x, ports: ['8080:80'], deploy: {replicas: 2, placement: {constraints: [node.hostname == web-1]}}}
  c: {image: x, ports: ['8000-8010:80'], deploy: {replicas: 33}}
  d: {image: x, ports: ['9000-9010:80'], deploy: {replicas: 34}}
  e: {image: x, ports: ['22:22'], deploy: {mode: global}}
  f: {image: x, ports: ['80'], deploy: {replicas: 9}}
  g: {image: x, deploy: {replicas: 4, placement: {max_replicas_per_node: 1}}}
");
    insta::assert_snapshot!(told, @r"
    stacks/shop/compose.yaml:2:25: service `a` has 4 replicas, which all want the host port 53, and only 3 hosts that can take them
    stacks/shop/compose.yaml:3:25: service `b` has 2 replicas, which all want the host port 8080, and only 1 host that can take them
    stacks/shop/compose.yaml:5:25: service `d` has 34 replicas, which all want the host ports 9000-9010, and only 3 hosts that can take them
    stacks/shop/compose.yaml:8:74: service `g` has 4 replicas, at most 1 on a host, and only 3 hosts that can take them
    ");
}

#[test]
fn a_fixed_port_in_the_range_of_replicas_is_odd() {
    let told = told(
        "\
services:
  a: {image: x, ports: ['30500:53', '30500:53/udp']}
  b: {image: x, ports: ['30500:53'], deploy: {placement: {constraints: [node.labels.zone == a]}}}
",
    );
    insta::assert_snapshot!(told, @r"
    stacks/shop/compose.yaml:2:25: the host port 30500 lies in 30000-30999, which host `db-1` keeps for replicas behind a proxy
    ");
}

#[test]
fn a_reservation_larger_than_every_host_is_refused() {
    let told = told("\
services:
  a: {image: x, deploy: {placement: {constraints: [node.labels.role == web]}, resources: {reservations: {cpus: '4.5', memory: 8g}}}}
  b: {image: x, deploy: {placement: {constraints: [node.labels.role == web]}, resources: {reservations: {cpus: '4', memory: 8g}}}}
  c: {image: x, deploy: {resources: {reservations: {cpus: '64'}}}}
");
    insta::assert_snapshot!(told, @r"
    stacks/shop/compose.yaml:2:105: service `a` reserves more than any host that may take it has
    ");
}
