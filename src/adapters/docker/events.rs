//! What an engine tells by itself: the beginnings and ends of one owner's containers.

use bollard::models::EventMessage;
use bollard::query_parameters::EventsOptions;
use futures_util::TryStreamExt;

use super::client::{Docker, QUICK, late};
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

impl Docker {
    pub(super) async fn tell_events(
        &self,
        owner: &Owner,
        told: &mut (dyn FnMut(Stir) -> bool + Send),
    ) -> Result<(), PortError> {
        let what = "listen to the engine";
        let labels = [
            format!("{}={}", labels::PROJECT, owner.project),
            format!("{}={}", labels::ENVIRONMENT, owner.environment),
        ];
        let filters = [
            ("type".to_owned(), vec!["container".to_owned()]),
            ("label".to_owned(), labels.to_vec()),
            ("event".to_owned(), ACTIONS.map(str::to_owned).to_vec()),
        ];
        let asked = EventsOptions { filters: Some(filters.into()), ..EventsOptions::default() };
        let api = tokio::time::timeout(QUICK, self.api()).await;
        let api = api.map_err(|_| late(QUICK, what))??;
        let mut events = Box::pin(api.events(Some(asked)));
        // Nothing may happen for hours. A connection that is dead without a word is noticed by the
        // next regular look, and over SSH by the session's own questions.
        while let Some(event) = events.try_next().await.map_err(|error| port_error(what, &error))? {
            if !told(stir(&event)) {
                return Ok(());
            }
        }
        Ok(())
    }
}

fn stir(event: &EventMessage) -> Stir {
    let attributes = event.actor.as_ref().and_then(|actor| actor.attributes.as_ref());
    let stack = attributes.and_then(|them| them.get(labels::STACK));
    let stack = stack.and_then(|name| Name::parse(name).ok()).map(StackName::from);
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
    fn a_label_that_is_no_name_says_only_that_something_happened() {
        assert_eq!(stir(&event(&[(labels::STACK, "../x")])).stack, None);
        assert_eq!(stir(&EventMessage::default()).stack, None);
    }
}
