//! Plans as text, for states that earlier plans and accidents have led to.
//!
//! A container is called `<stack>-<service>-<slot>.g<generation>` here; its real name ends in a hash.

mod accidents;
mod again;
mod fleet;
mod linter;
mod order;
mod overlay;
mod placing;
mod probing;
mod proxies;
mod refused;
mod rollout;
mod scope;
mod subnets;

/// Two replicas behind a proxy.
const WEB: &str = "
services:
  web:
    image: shop:1
    deploy: {replicas: 2}
    x-gitdeploy:
      routes: [{host: shop.example.com, port: 8080}]
      health: {http: /healthz}
";

/// One replica that nothing is sent to.
const WORKER: &str = "services: {worker: {image: 'worker:1'}}";
