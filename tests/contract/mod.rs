//! What every engine, every store of leases and every proxy does, be it real or simulated.
//!
//! One list of behaviours, run twice: `tests/sim` runs it in the simulated world, `tests/engine`
//! against a real engine and real proxies. So neither can drift away from the other: who finds a
//! difference mends the simulator and says it here.

pub(crate) mod engine;
pub(crate) mod leases;
pub(crate) mod proxy;

use std::future::Future;
use std::time::Duration;

use gitdeploy::model::{Owner, Replica, StackName};
use gitdeploy::ports::{Engine, Leases};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(20);

/// Between two looks.
const POLL: Duration = Duration::from_millis(50);

/// An engine, with an owner of the test's own.
pub(crate) trait Subject {
    fn engine(&self) -> &dyn Engine;
    fn leases(&self) -> &dyn Leases;
    fn owner(&self) -> &Owner;
    fn stack(&self) -> &StackName;
    /// A name that no other test has.
    fn name(&self, what: &str) -> String;
    /// A replica whose image is there.
    fn replica(&self, what: &str, process: Process) -> Replica;
    /// Makes something of somebody else's.
    fn foreign(&self, thing: Thing, name: &str);
}

/// What a container's process does.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Process {
    /// Says a word and goes on until it is asked to end.
    Serves,
    /// Ends at once, with this code.
    Ends(i64),
}

/// Things on a host.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Thing {
    Container,
    Network,
    Volume,
}

/// Looks until it is so.
pub(crate) async fn until<F: Future<Output = bool>>(what: &str, mut is_so: impl FnMut() -> F) {
    let looks = async {
        while !is_so().await {
            tokio::time::sleep(POLL).await;
        }
    };
    assert!(tokio::time::timeout(LIMIT, looks).await.is_ok(), "{what}: it never came to that");
}

/// A test for each behaviour of `$module`, named like it.
macro_rules! behaviours {
    ($module:ident, $attribute:meta, $subject:expr, [$($name:ident),* $(,)?]) => {
        $(
            #[$attribute]
            async fn $name() {
                let subject = $subject(stringify!($name));
                crate::contract::$module::$name(&subject).await;
            }
        )*
    };
}

/// Everything an engine does.
macro_rules! engine_behaviours {
    ($attribute:meta, $subject:expr) => {
        crate::contract::behaviours!(
            engine,
            $attribute,
            $subject,
            [
                each_step_of_a_life_can_be_repeated,
                a_name_that_is_taken_is_never_taken_over,
                another_container_of_that_name_is_left_alone,
                what_is_not_ours_is_never_touched,
                what_is_not_there_is_told_by_what_was_asked,
                networks_and_volumes_come_and_go,
                a_network_stays_while_a_container_runs_in_it,
                a_volume_stays_while_a_container_has_it,
                nothing_is_made_of_an_image_that_is_not_there,
                nothing_is_made_of_another_image,
                a_container_that_ends_at_once_says_how,
                a_port_that_is_taken_stops_a_start,
                a_hook_says_how_it_ended,
                a_check_of_its_own_says_when_it_is_well,
                lines_end_when_no_more_are_wanted,
                a_release_is_remembered_until_it_is_forgotten,
            ]
        );
    };
}

/// Everything a store of leases does.
macro_rules! lease_behaviours {
    ($attribute:meta, $subject:expr) => {
        crate::contract::behaviours!(
            leases,
            $attribute,
            $subject,
            [
                one_holds_it_until_it_is_given_back,
                an_expired_lease_goes_to_another_and_is_lost,
                an_expired_lease_is_not_renewed,
                a_renewed_lease_lasts_longer,
                a_broken_lease_is_lost_to_its_holder,
                a_lease_that_is_not_there_cannot_be_broken,
            ]
        );
    };
}

/// Everything a proxy does.
macro_rules! proxy_behaviours {
    ($attribute:meta, $subject:expr) => {
        crate::contract::behaviours!(
            proxy,
            $attribute,
            $subject,
            [
                a_file_that_is_absent_is_told,
                a_file_of_somebody_else_is_shown_as_it_is,
                a_bad_candidate_is_refused_and_leaves_no_trace,
                a_file_is_replaced_only_if_it_is_the_one_that_was_read,
                a_switch_is_confirmed_and_proved_and_can_be_repeated,
                what_was_taken_out_is_let_go,
            ]
        );
    };
}

pub(crate) use {behaviours, engine_behaviours, lease_behaviours, proxy_behaviours};
