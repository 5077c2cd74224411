//! One service: what its containers are, how many, where, and how they are replaced.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use super::container::container;
use super::contents::{Contents, Kind};
use super::fields::Fields;
use super::hash::spec_hash;
use super::{Place, Surroundings, extension_name, fit, image};
use crate::diag::Diagnostic;
use crate::model::{
    Condition, Count, Dependency, FailureAction, Gate, Hook, HttpProbe, Nanos, Order, Placement,
    Probe, Reservations, Rollout, Route, ServiceName, ServiceTarget, Strategy, UpdateOrder,
};
use crate::settings::{self, Cutover, Extension};

/// The desired state of a service; `None` when it has an error that leaves nothing to deploy.
pub(super) fn service(
    place: &Place<'_>,
    service: Fields<'_>,
    stack: Fields<'_>,
    surroundings: &Surroundings<'_>,
    contents: &mut Contents<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Option<ServiceTarget> {
    let before = problems.len();
    refuse_unsupported(place, service, problems);
    image::check(place, service, problems);
    extension_name::check_service(place, problems);
    let before_extension = problems.len();
    let extension = match place.extension("x-gitdeploy") {
        Some(node) => Extension::read(node, &place.path("x-gitdeploy"), problems),
        None => Extension::default(),
    };
    let cutover = Cutover::of(&extension, &surroundings.settings.defaults);
    // What could not be read is missing from the whole, which is no second mistake.
    if !problems[before_extension..].iter().any(Diagnostic::is_error) {
        problems.extend(cutover.check(&extension.routes, place.span()));
    }
    let routes = routes(&extension, surroundings, problems);
    let mut spec = container(service);
    let mut keep = |result: Result<(), Vec<Diagnostic>>, key: &str| {
        let found = result.err().into_iter().flatten();
        problems.extend(found.map(|problem| place.locate(problem, key)));
    };
    keep(contents.mounts(service).map(|mounts| spec.volumes = mounts), "volumes");
    let configs = contents.file_mounts(service, stack, Kind::Config);
    keep(configs.map(|mounts| spec.configs = mounts), "configs");
    let secrets = contents.file_mounts(service, stack, Kind::Secret);
    keep(secrets.map(|mounts| spec.secrets = mounts), "secrets");
    let deploy = service.fields("deploy");
    let target = ServiceTarget {
        spec_hash: spec_hash(&spec),
        container: spec,
        replicas: count(service, deploy),
        placement: Placement {
            strategy: cutover.packing.value,
            ..placement(place, deploy.fields("placement"), problems)
        },
        reservations: reservations(deploy.fields("resources").fields("reservations")),
        rollout: rollout(deploy, &cutover),
        health: gate(&extension, &cutover),
        routes,
        depends_on: service.fields("depends_on").iter().map(dependency).collect(),
        pull_policy: service.text("pull_policy"),
        pre_start: hooks(service, "pre_start"),
        post_start: hooks(service, "post_start"),
        pre_stop: hooks(service, "pre_stop"),
    };
    fit::check(place, &target, surroundings, problems);
    let has_errors = problems[before..].iter().any(Diagnostic::is_error);
    (!has_errors).then_some(target)
}

/// What Compose can and this tool does not: said by name, never ignored in silence.
fn refuse_unsupported(place: &Place<'_>, service: Fields<'_>, problems: &mut Vec<Diagnostic>) {
    let name = place.service;
    let has_image = service.text("image").is_some();
    if service.get("provider").is_some() {
        let message = format!(
            "service `{name}` has `provider:`, which runs a program on the machine that deploys; it is not supported"
        );
        problems.push(place.at(Diagnostic::error("resolve/provider", message), "provider"));
    } else if service.get("build").is_some() && !has_image {
        let message = format!(
            "service `{name}` has `build:` but no `image:`; images are built elsewhere and deployed by name"
        );
        problems.push(
            place
                .at(Diagnostic::error("resolve/build", message), "build")
                .help("build and push the image in CI, and name it with `image:`"),
        );
    } else if service.get("build").is_some() {
        let message = format!("service `{name}`: `build:` is not run; `image:` is deployed");
        problems.push(place.at(Diagnostic::warning("resolve/build", message), "build"));
    }
    if service.text("pull_policy").as_deref() == Some("build") {
        let message = format!("service `{name}` is built before each start, which is not done");
        problems.push(
            place
                .at(Diagnostic::error("resolve/build", message), "pull_policy")
                .help("build and push the image in CI, and leave `pull_policy` out"),
        );
    }
    if service.get("models").is_some() {
        let message = format!("service `{name}` has `models:`, which is not supported");
        problems.push(place.at(Diagnostic::error("resolve/models", message), "models"));
    }
    if service.get("develop").is_some() {
        let message = format!("service `{name}`: `develop:` has no effect in a deployment");
        problems.push(place.at(Diagnostic::warning("resolve/develop", message), "develop"));
    }
}

fn routes(
    extension: &Extension,
    surroundings: &Surroundings<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Route> {
    let mut routes = Vec::new();
    for route in &extension.routes {
        match route.proxy_in(surroundings.inventory) {
            Ok(proxy) => routes.push(Route {
                host: route.host.value.clone(),
                path: route.path.value.clone(),
                port: route.port.value,
                proxy: proxy.name.as_str().to_owned(),
            }),
            Err(problem) => problems.push(problem),
        }
    }
    routes.sort();
    routes
}

/// `mode: global` is one on each host, `replicated-job` and `global-job` run to their end.
fn count(service: Fields<'_>, deploy: Fields<'_>) -> Count {
    if deploy.text("mode").is_some_and(|mode| mode.starts_with("global")) {
        return Count::Global;
    }
    let wanted = service.int("scale").or_else(|| deploy.int("replicas")).unwrap_or(1);
    Count::Replicas(u32::try_from(wanted).unwrap_or(u32::MAX))
}

fn placement(
    place: &Place<'_>,
    placement: Fields<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Placement {
    let constraints = placement.texts("constraints");
    for (index, constraint) in constraints.iter().enumerate() {
        if let Err(reason) = settings::Constraint::parse(constraint) {
            let message = format!("`{constraint}` is no placement constraint: {reason}");
            let index = index.to_string();
            let at = ["deploy", "placement", "constraints", &index];
            let problem = Diagnostic::error("resolve/constraint", message);
            problems.push(
                place
                    .at_path(problem, &at)
                    .help("a constraint looks like `node.labels.role == web`"),
            );
        }
    }
    let spread = placement
        .list("preferences")
        .iter()
        .filter_map(|preference| Fields::of(preference).text("spread"))
        .collect();
    let most = placement.int("max_replicas_per_node").and_then(|most| u32::try_from(most).ok());
    let max_replicas_per_node = most.filter(|most| *most > 0);
    Placement { constraints, spread, max_replicas_per_node, ..Placement::default() }
}

fn reservations(reservations: Fields<'_>) -> Reservations {
    Reservations {
        cpus: reservations.cpus("cpus"),
        memory: reservations.bytes("memory").filter(|bytes| bytes.0 != 0),
    }
}

fn rollout(deploy: Fields<'_>, cutover: &Cutover) -> Rollout {
    Rollout {
        strategy: match cutover.strategy.value {
            settings::Strategy::AllAtOnce => Strategy::AllAtOnce,
            settings::Strategy::Rolling => Strategy::Rolling,
            settings::Strategy::HostByHost => Strategy::HostByHost,
        },
        update: order(deploy.fields("update_config")),
        rollback: order(deploy.fields("rollback_config")),
        drain_timeout: nanos(cutover.drain.value),
    }
}

fn order(config: Fields<'_>) -> Order {
    Order {
        parallelism: config.count("parallelism"),
        delay: config.nanos("delay").filter(|delay| delay.0 != 0),
        failure_action: match config.text("failure_action").as_deref() {
            Some("continue") => Some(FailureAction::Continue),
            Some("pause") => Some(FailureAction::Pause),
            Some("rollback") => Some(FailureAction::Rollback),
            _ => None,
        },
        monitor: config.nanos("monitor").filter(|monitor| monitor.0 != 0),
        max_failure_ratio: config.float("max_failure_ratio").filter(|ratio| *ratio != 0.0),
        order: match config.text("order").as_deref() {
            Some("start-first") => Some(UpdateOrder::StartFirst),
            Some("stop-first") => Some(UpdateOrder::StopFirst),
            _ => None,
        },
    }
}

/// `None` when nothing is asked from outside; Docker's own check is part of the container.
fn gate(extension: &Extension, cutover: &Cutover) -> Option<Gate> {
    let probe = match &cutover.probe.as_ref()?.value {
        settings::Probe::Tcp { port } => Probe::Tcp { port: *port },
        settings::Probe::Http { path, port } => {
            // The check of the settings has reported a probe without any port.
            let routed = extension.routes.first().map(|route| route.port.value);
            Probe::Http(HttpProbe { path: path.clone(), port: port.or(routed)? })
        }
    };
    Some(Gate {
        probe,
        interval: nanos(cutover.interval.value),
        timeout: nanos(cutover.timeout.value),
        within: nanos(cutover.within.value),
    })
}

fn nanos(duration: Duration) -> Nanos {
    Nanos(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
}

fn dependency((name, value): (&str, &Value)) -> (ServiceName, Dependency) {
    let fields = Fields::of(value);
    let condition = match fields.text("condition").as_deref() {
        Some("service_healthy") => Condition::Healthy,
        Some("service_completed_successfully") => Condition::CompletedSuccessfully,
        _ => Condition::Started,
    };
    let dependency = Dependency {
        condition,
        restart: fields.flag("restart").filter(|restart| *restart),
        required: fields.flag("required").unwrap_or(true),
    };
    (ServiceName::new(name), dependency)
}

fn hooks(service: Fields<'_>, key: &str) -> Vec<Hook> {
    service
        .list(key)
        .iter()
        .map(|hook| {
            let hook = Fields::of(hook);
            let env: BTreeMap<String, Option<String>> = hook.optional_pairs("environment");
            Hook {
                command: hook.texts("command"),
                image: hook.text("image"),
                user: hook.text("user"),
                privileged: hook.flag("privileged"),
                working_dir: hook.text("working_dir"),
                env,
                per_replica: hook.flag("per_replica"),
            }
        })
        .collect()
}
