//! What every proxy does. One behaviour a function; its name says it.

use std::collections::BTreeMap;

use gitdeploy::model::{Backend, BackendKey, Endpoint, Name, RoutingTable, Rule, ServiceName};
use gitdeploy::ports::{Activation, Applied, PortError, Proxy};

use super::until;

const HOST: &str = "shop.example.com";

/// A proxy with two replicas that it could send to.
pub(crate) trait ProxySubject {
    fn proxy(&self) -> &dyn Proxy;
    /// The managed file for a table.
    async fn render(&self, table: &RoutingTable) -> String;
    /// Writes the managed file as somebody at the host would.
    fn edit(&self, text: &str);
    /// Names and addresses of replicas that answer.
    async fn replicas(&self) -> [(String, Endpoint); 2];
}

fn key() -> BackendKey {
    let stack = Name::parse("shop").expect("a name").into();
    BackendKey { stack, service: ServiceName::new("web"), port: 8080 }
}

fn table(generation: u64, servers: &[(String, Endpoint)]) -> RoutingTable {
    let rule = Rule { host: HOST.into(), path: "/".into() };
    let servers = servers.iter().cloned().collect();
    let backend = Backend { rules: [rule].into(), servers, check: None };
    let backends = BTreeMap::from([(key(), backend)]);
    RoutingTable { generation, backends, ..RoutingTable::default() }
}

/// A whole switch, as the executor makes it.
async fn switch(subject: &impl ProxySubject, table: &RoutingTable) -> Activation {
    let proxy = subject.proxy();
    let text = subject.render(table).await;
    let before = proxy.read().await.expect("read");
    assert_eq!(proxy.test(&text).await, Ok(()));
    proxy.swap(before.as_deref(), Some(&text)).await.expect("swapped");
    let activation = proxy.activate(table).await.expect("activated");
    let confirmed = || async { proxy.confirm(table.generation).await.expect("an answer") };
    until("it serves", confirmed).await;
    activation
}

pub(crate) async fn a_file_that_is_absent_is_told(subject: &impl ProxySubject) {
    let state = subject.proxy().observe().await.expect("a state");
    let nothing = (state.file, state.table, state.serving);
    assert_eq!(nothing, (None, None, None));
    assert_eq!(subject.proxy().read().await, Ok(None));
    assert_eq!(subject.proxy().confirm(1).await, Ok(false));
}

pub(crate) async fn a_file_of_somebody_else_is_shown_as_it_is(subject: &impl ProxySubject) {
    let text = "# by hand\n";
    subject.edit(text);
    let state = subject.proxy().observe().await.expect("a state");
    assert_eq!((state.file.as_deref(), state.table, state.serving), (Some(text), None, None));
    assert_eq!(subject.proxy().read().await, Ok(Some(text.to_owned())));
}

pub(crate) async fn a_bad_candidate_is_refused_and_leaves_no_trace(subject: &impl ProxySubject) {
    let replicas = subject.replicas().await;
    switch(subject, &table(1, &replicas)).await;
    let text = subject.proxy().read().await.expect("read").expect("a file");
    let refused = subject.proxy().test(&format!("{text}\nREJECT this;\n")).await;
    assert!(matches!(refused, Err(PortError::Refused(_))), "{refused:?}");
    assert_eq!(subject.proxy().read().await, Ok(Some(text)));
    assert_eq!(subject.proxy().confirm(1).await, Ok(true));
}

pub(crate) async fn a_file_is_replaced_only_if_it_is_the_one_that_was_read(
    subject: &impl ProxySubject,
) {
    let proxy = subject.proxy();
    let replicas = subject.replicas().await;
    let text = subject.render(&table(1, &replicas)).await;
    let moved = proxy.swap(Some("another one\n"), Some(&text)).await;
    assert!(matches!(moved, Err(PortError::Moved(_))), "{moved:?}");
    assert_eq!(proxy.read().await, Ok(None));
    for expected in [Applied::Changed, Applied::AlreadyTrue] {
        assert_eq!(proxy.swap(None, Some(&text)).await, Ok(expected));
    }
    let next = subject.render(&table(2, &replicas)).await;
    let moved = proxy.swap(None, Some(&next)).await;
    assert!(matches!(moved, Err(PortError::Moved(_))), "{moved:?}");
    assert_eq!(proxy.read().await, Ok(Some(text)));
}

pub(crate) async fn a_switch_is_confirmed_and_proved_and_can_be_repeated(
    subject: &impl ProxySubject,
) {
    let replicas = subject.replicas().await;
    let wanted = table(1, &replicas[..1]);
    assert_eq!(switch(subject, &wanted).await, Activation::Reload);
    assert_eq!(subject.proxy().confirm(2).await, Ok(false));
    let serving = subject.proxy().observe().await.map(|state| state.serving);
    assert_eq!(serving, Ok(Some(1)));
    let rule = Rule { host: HOST.into(), path: "/".into() };
    let proof = subject.proxy().prove(&rule).await;
    assert_eq!(proof, Ok(Some(replicas[0].1.clone())));
    assert_eq!(switch(subject, &wanted).await, Activation::AlreadyTrue);
}

pub(crate) async fn what_was_taken_out_is_let_go(subject: &impl ProxySubject) {
    let replicas = subject.replicas().await;
    switch(subject, &table(1, &replicas[..1])).await;
    switch(subject, &table(2, &replicas[1..])).await;
    let old = BTreeMap::from([(key(), replicas[..1].iter().cloned().collect())]);
    let is_over = || async { subject.proxy().draining(&old).await.expect("an answer").is_over() };
    until("it is let go", is_over).await;
    subject.proxy().forget(&old).await.expect("forgotten");
    assert_eq!(subject.proxy().forget(&old).await, Ok(Applied::AlreadyTrue));
    let rule = Rule { host: HOST.into(), path: "/".into() };
    assert_eq!(subject.proxy().prove(&rule).await, Ok(Some(replicas[1].1.clone())));
}
