//! Plans as text, for states that earlier plans have led to.

use super::fixture::Fleet;
use super::*;

const WEB: &str = "
services:
  web:
    image: shop:1
    deploy: {replicas: 2}
    x-gitdeploy:
      routes: [{host: shop.example.com, port: 8080}]
      health: {http: /healthz}
";

#[test]
fn smoke() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WEB);
    println!("{}", fleet.text());
    fleet.deploy();
    println!("{}", fleet.text());
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    println!("{}", fleet.text());
    let p = fleet.plan().unwrap();
    println!("{:#?} {:#?}", p.stacks, p.basis);
    fleet.deploy();
    fleet.drop_stack("shop");
    fleet.want("other", "services: {a: {image: x}}");
    println!("{}", fleet.text());
    fleet.deploy();
}
