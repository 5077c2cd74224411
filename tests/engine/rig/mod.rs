//! What the tests of this folder stand on: an application and proxies to run, a repository to
//! deploy from, load that notices every lost request.
//!
//! Each test makes its own [`World`], with names, ports and files of its own, so that tests may run
//! side by side; those that measure take [`alone`] first. Everything a world made goes with it.

mod app;
mod database;
mod debian;
mod executions;
mod fleet;
mod images;
mod load;
mod ports;
mod process;
mod proxies;
mod registry;
mod relay;
mod sshd;
mod tests;
mod world;

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, Once, PoisonError};

pub(crate) use app::HostApp;
pub(crate) use database::database_images;
pub(crate) use debian::debian;
pub(crate) use executions::Executions;
pub(crate) use fleet::{Fleet, SMALL, TestHost};
pub(crate) use images::{Variant, app_image};
pub(crate) use load::{Class, Load, Report, Running, get};
pub(crate) use process::{Background, Ended, docker, finish, signal, try_docker};
pub(crate) use proxies::{FOREIGN_PAGE, Kind, Runs};
pub(crate) use registry::{PASSWORD, Registry};
pub(crate) use relay::Relay;
pub(crate) use sshd::{SshAgent, Sshd, keygen};
pub(crate) use world::World;

/// Held by a test that puts load on the machine, so that no two do at once.
pub(crate) fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    // A test that failed while it held this leaves nothing behind that another could trip over.
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has a failure told when it happens too, and not only when all tests have ended, which takes long.
fn tell_failures_at_once() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place = panic.location().map(ToString::to_string).unwrap_or_default();
            let words = panic.payload_as_str().unwrap_or_default();
            // Past the harness, which keeps back what is printed.
            drop(writeln!(std::io::stderr(), "failed at {place}: {words}"));
            usual(panic);
        }));
    });
}
