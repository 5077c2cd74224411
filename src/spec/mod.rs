//! Stub.
use crate::model::*;
use serde_json::{Value, json};
pub struct Surroundings<'a> { pub owner:&'a Owner, pub stack:&'a StackName, pub service:&'a ServiceName, pub target:&'a StackTarget, pub engine:&'a EngineInfo }
pub struct Published { pub container_port: u16, pub at: Vec<Endpoint> }
pub fn body(_s:&Surroundings, spec:&ContainerSpec, identity:&Identity, published:&[Published]) -> Result<Value, Vec<String>> {
    let mut bindings = serde_json::Map::new();
    for p in published { bindings.insert(format!("{}/tcp", p.container_port), json!(p.at.iter().map(|e| json!({"HostIp": e.address.to_string(), "HostPort": e.port.to_string()})).collect::<Vec<_>>())); }
    Ok(json!({"Image": spec.image, "Env": spec.env, "Labels": identity.labels(), "HostConfig": {"PortBindings": bindings}}))
}
pub fn files(_spec:&ContainerSpec) -> Vec<PlacedFile> { Vec::new() }
pub fn differences(want:&Value, live:&Value, _image:&Value) -> Vec<FieldDifference> {
    let mut out = Vec::new();
    for key in ["Image", "Env", "HostConfig"] { if want[key] != live[key] { out.push(FieldDifference{path: key.to_lowercase(), old: Some(Seen::Text(live[key].to_string())), new: Some(Seen::Text(want[key].to_string()))}); } }
    out
}
pub fn network_body(owner:&Owner, stack:&StackName, spec:&NetworkSpec) -> Value { json!({"Name": spec.name, "Labels": owner.labels(stack)}) }
pub fn network_differences(want:&NetworkSpec, live:&LiveNetwork) -> Vec<FieldDifference> {
    let w = want.driver.clone().unwrap_or("bridge".into());
    if w == live.driver { vec![] } else { vec![FieldDifference{path:"driver".into(), old:Some(Seen::Text(live.driver.clone())), new:Some(Seen::Text(w))}] }
}
pub fn volume_body(owner:&Owner, stack:&StackName, spec:&VolumeSpec) -> Value { json!({"Name": spec.name, "Labels": owner.labels(stack)}) }
pub fn volume_differences(want:&VolumeSpec, live:&LiveVolume) -> Vec<FieldDifference> {
    let w = want.driver.clone().unwrap_or("local".into());
    if w == live.driver { vec![] } else { vec![FieldDifference{path:"driver".into(), old:Some(Seen::Text(live.driver.clone())), new:Some(Seen::Text(w))}] }
}
pub fn stack_volume_name(owner:&Owner, stack:&StackName, path:&str) -> String { format!("{}-{}-{stack}-{}", owner.project, owner.environment, path.replace('/', "_")) }
