//! What an engine tells by itself: the beginnings and ends of one owner's containers, and what they
//! are connected to.

use std::collections::BTreeMap;

use bollard::models::EventMessage;
use bollard::query_parameters::{EventsOptions, InspectContainerOptions, ListNetworksOptions};
use futures_util::TryStreamExt;

use super::client::{Docker, QUICK, late, within};
use super::fault::port_error;
use crate::model::{Name, Owner, StackName, labels};
use crate::ports::{PortError, Stir};

/// What can make a look worth while. Commands that are run in a container, and checks that come out
/// as before, are not among them: there are many of them.
const ACTIONS: [&str; 13] = [
    "create",
    "destroy",
    "die",
    "health_status",
    "kill",
    "oom",
    "pause",
    "rename",
    "restart",
    "start",
    "stop",
    "unpause",
    "update",
];

/// What people do to networks. Their events have no labels, so whose they are is asked.
const NETWORK_ACTIONS: [&str; 4] = ["connect", "create", "destroy", "disconnect"];

impl Docker {
    pub(super) async fn tell_events(
        &self,
        owner: &Owner,
        told: &mut (dyn FnMut(Stir) -> bool + Send),
    ) -> Result<(), PortError> {
        let what = "listen to the engine";
        let api = tokio::time::timeout(QUICK, self.api()).await;
        let api = api.map_err(|_| late(QUICK, what))??;
        let mut containers = Box::pin(api.events(Some(asked("container", &ACTIONS, Some(owner)))));
        let mut networks = Box::pin(api.events(Some(asked("network", &NETWORK_ACTIONS, None))));
        let mut ours = networks_of(api, owner).await?;
        // Nothing may happen for hours. A connection that is dead without a word is noticed by the
        // next regular look, and over SSH by the session's own questions.
        loop {
            let stir = tokio::select! {
                biased;
                // Cancel-safe, both: what has not come out of a stream is still in it.
                event = containers.try_next() => match event.map_err(|it| port_error(what, &it))? {
                    Some(event) => Some(stir(&event)),
                    None => return Ok(()),
                },
                event = networks.try_next() => match event.map_err(|it| port_error(what, &it))? {
                    Some(event) => of_network(api, owner, &mut ours, &event).await,
                    None => return Ok(()),
                },
            };
            if stir.is_some_and(|stir| !told(stir)) {
                return Ok(());
            }
        }
    }
}

/// Events of one kind, those of one owner where the engine can tell them apart.
fn asked(kind: &str, actions: &[&str], owner: Option<&Owner>) -> EventsOptions {
    let mut filters = vec![
        ("type".to_owned(), vec![kind.to_owned()]),
        ("event".to_owned(), actions.iter().map(|&action| action.to_owned()).collect()),
    ];
    filters.extend(owner.map(|owner| ("label".to_owned(), of_owner(owner))));
    EventsOptions { filters: Some(filters.into_iter().collect()), ..EventsOptions::default() }
}

fn of_owner(owner: &Owner) -> Vec<String> {
    vec![
        format!("{}={}", labels::PROJECT, owner.project),
        format!("{}={}", labels::ENVIRONMENT, owner.environment),
    ]
}

/// The networks of an owner, by id, with their stacks.
type Networks = BTreeMap<String, StackName>;

async fn networks_of(api: &bollard::Docker, owner: &Owner) -> Result<Networks, PortError> {
    let filters = [("label".to_owned(), of_owner(owner))];
    let options = ListNetworksOptions { filters: Some(filters.into()) };
    let found = within(QUICK, "list networks", api.list_networks(Some(options))).await?;
    let ours = found.into_iter().filter_map(|network| {
        Some((network.id?, stack_of(network.labels.as_ref()?.get(labels::STACK)?)?))
    });
    Ok(ours.collect())
}

/// What an event of a network means to an owner; nothing, where neither the network nor the container
/// is its own. An event names both by id and has no label of either.
async fn of_network(
    api: &bollard::Docker,
    owner: &Owner,
    ours: &mut Networks,
    event: &EventMessage,
) -> Option<Stir> {
    let action = event.action.clone().unwrap_or_default();
    let actor = event.actor.as_ref()?;
    let network = actor.id.clone()?;
    if action == "create" {
        // When they cannot be listed, the next look will see it.
        *ours = networks_of(api, owner).await.unwrap_or_else(|_| std::mem::take(ours));
        return None;
    }
    let known =
        if action == "destroy" { ours.remove(&network) } else { ours.get(&network).cloned() };
    let stack = match known {
        Some(stack) => stack,
        None => {
            // One of ours in somebody else's network.
            let container = actor.attributes.as_ref()?.get("container")?;
            let asked = api.inspect_container(container, None::<InspectContainerOptions>);
            // What is gone has told so itself.
            let found = within(QUICK, "inspect a container", asked).await.ok()?;
            of_container(owner, &found.config?.labels?.into_iter().collect())?
        }
    };
    Some(Stir { stack: Some(stack), what: format!("network {action}") })
}

/// The stack of a container of this owner.
fn of_container(owner: &Owner, found: &BTreeMap<String, String>) -> Option<StackName> {
    let is = |label: &str, wanted: &str| found.get(label).is_some_and(|it| it == wanted);
    let is_ours = is(labels::PROJECT, owner.project.as_str())
        && is(labels::ENVIRONMENT, owner.environment.as_str());
    stack_of(found.get(labels::STACK).filter(|_| is_ours)?)
}

fn stack_of(label: &str) -> Option<StackName> {
    Name::parse(label).ok().map(StackName::from)
}

fn stir(event: &EventMessage) -> Stir {
    let attributes = event.actor.as_ref().and_then(|actor| actor.attributes.as_ref());
    let stack = attributes.and_then(|them| them.get(labels::STACK));
    let stack = stack.and_then(|name| stack_of(name));
    Stir { stack, what: event.action.clone().unwrap_or_default() }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;

    use super::*;

    fn event(labels: &[(&str, &str)]) -> EventMessage {
        let attributes = labels.iter().map(|(key, value)| ((*key).into(), (*value).into()));
        let actor = EventActor { attributes: Some(attributes.collect()), id: None };
        EventMessage {
            action: Some("die".to_owned()),
            actor: Some(actor),
            ..EventMessage::default()
        }
    }

    #[test]
    fn the_stack_is_read_from_the_label() {
        let told = stir(&event(&[(labels::STACK, "shop"), ("exitCode", "1")]));
        let shop = Name::parse("shop").expect("a name");
        assert_eq!(told, Stir { stack: Some(shop.into()), what: "die".to_owned() });
    }

    #[test]
    fn a_container_is_of_its_owner_alone() {
        let name = |text: &str| Name::parse(text).expect("a name");
        let owner = Owner { project: name("acme").into(), environment: name("live").into() };
        let of = |project: &str, environment: &str| {
            let labels = [
                (labels::PROJECT, project),
                (labels::ENVIRONMENT, environment),
                (labels::STACK, "shop"),
            ];
            let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned()));
            of_container(&owner, &BTreeMap::from(labels)).is_some()
        };
        assert!(of("acme", "live"));
        assert!(!of("acme", "test") && !of("other", "live"));
        assert_eq!(of_container(&owner, &BTreeMap::new()), None);
    }

    #[test]
    fn a_label_that_is_no_name_says_only_that_something_happened() {
        assert_eq!(stir(&event(&[(labels::STACK, "../x")])).stack, None);
        assert_eq!(stir(&EventMessage::default()).stack, None);
    }
}
