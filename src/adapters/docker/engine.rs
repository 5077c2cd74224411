//! A Docker engine as `ports` asks for it: each call handed to the file that knows how.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use bollard::models::ExecConfig;
use serde_json::Value;

use super::asking;
use super::client::Docker;
use super::live::{live_container, text};
use crate::model::{
    Drained, Hook, HostState, LiveContainer, Owner, RegistryImage, Release, Replica, Room,
    StackName,
};
use crate::ports::{
    Applied, Command, Console, Engine, HookEnd, Invitation, LogLine, LogOptions, PortError,
    Question, Stir, Wanted,
};

/// The longest a hook may run: it has no limit of its own.
const HOOK: Duration = Duration::from_secs(60 * 60);

/// How many lines of a hook's output are kept.
const HOOK_LINES: usize = 20;

#[async_trait]
impl Engine for Docker {
    async fn survey(&self, owner: &Owner, wanted: &Wanted) -> Result<HostState, PortError> {
        self.look(owner, wanted).await
    }

    async fn inspect(&self, name: &str) -> Result<Option<LiveContainer>, PortError> {
        let Some(seen) = self.ours(name, None).await? else { return Ok(None) };
        let incomplete =
            || PortError::Refused(format!("container {name} lacks labels that gitdeploy writes"));
        live_container(&seen).map(Some).ok_or_else(incomplete)
    }

    async fn registry_image(&self, reference: &str) -> Result<RegistryImage, PortError> {
        self.ask_registry(reference).await
    }

    async fn pull(
        &self,
        reference: &str,
        digest: Option<&str>,
        platform: Option<&str>,
    ) -> Result<Applied, PortError> {
        self.pull_image(reference, digest, platform).await
    }

    async fn mark_drained(&self, mark: Option<&Drained>) -> Result<Applied, PortError> {
        self.put_drain(mark).await
    }

    async fn create_network(&self, name: &str, body: &Value) -> Result<Applied, PortError> {
        self.make_network(name, body).await
    }

    async fn create_volume(&self, name: &str, body: &Value) -> Result<Applied, PortError> {
        self.make_volume(name, body).await
    }

    async fn create(&self, replica: &Replica, files: &[Vec<u8>]) -> Result<Applied, PortError> {
        self.create_replica(replica, files).await
    }

    async fn start(&self, name: &str) -> Result<Applied, PortError> {
        self.start_container(name).await
    }

    async fn run_hook(&self, name: &str, hook: &Hook) -> Result<HookEnd, PortError> {
        let seen = self.ours_present(name).await?;
        let variable = |(key, value): (&String, &Option<String>)| match value {
            Some(value) => format!("{key}={value}"),
            None => key.clone(),
        };
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(hook.command.clone()),
            env: Some(hook.env.iter().map(variable).collect()),
            user: hook.user.clone(),
            privileged: hook.privileged,
            working_dir: hook.working_dir.clone(),
            ..ExecConfig::default()
        };
        let end = self.execute(text(&seen, "/Id"), config, None, HOOK).await?;
        let output = [end.stdout, end.stderr].concat();
        Ok(HookEnd { code: end.code, output: last_lines(&String::from_utf8_lossy(&output)) })
    }

    async fn exec(
        &self,
        name: &str,
        command: &Command,
        console: &mut dyn Console,
    ) -> Result<i64, PortError> {
        let seen = self.ours_present(name).await?;
        self.run_for_person(text(&seen, "/Id"), name, command, console).await
    }

    async fn ask(&self, question: Question<'_>) -> Result<(), String> {
        asking::ask(self.way(), question).await
    }

    async fn stop(
        &self,
        name: &str,
        id: Option<&str>,
        grace: Duration,
    ) -> Result<Applied, PortError> {
        self.stop_container(name, id, grace).await
    }

    async fn remove(&self, name: &str, id: Option<&str>) -> Result<Applied, PortError> {
        self.remove_container(name, id).await
    }

    async fn remove_network(&self, name: &str) -> Result<Applied, PortError> {
        self.delete_network(name).await
    }

    async fn remove_volume(&self, name: &str) -> Result<Applied, PortError> {
        self.delete_volume(name).await
    }

    async fn record(
        &self,
        owner: &Owner,
        stack: &StackName,
        release: &Release,
    ) -> Result<Applied, PortError> {
        self.remember(owner, stack, release).await
    }

    async fn room(&self) -> Result<Option<Room>, PortError> {
        self.free_room().await
    }

    async fn init_swarm(&self, address: IpAddr) -> Result<Applied, PortError> {
        self.found_swarm(address).await
    }

    async fn invitation(&self, as_manager: bool) -> Result<Invitation, PortError> {
        self.invite(as_manager).await
    }

    async fn join_swarm(
        &self,
        invitation: &Invitation,
        address: IpAddr,
    ) -> Result<Applied, PortError> {
        self.join(invitation, address).await
    }

    async fn events(
        &self,
        owner: &Owner,
        told: &mut (dyn FnMut(Stir) -> bool + Send),
    ) -> Result<(), PortError> {
        self.tell_events(owner, told).await
    }

    async fn logs(
        &self,
        name: &str,
        options: &LogOptions,
        line: &mut (dyn FnMut(LogLine) -> bool + Send),
    ) -> Result<(), PortError> {
        self.log_lines(name, options, line).await
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines.get(lines.len().saturating_sub(HOOK_LINES)..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hooks_last_lines_are_kept() {
        let text: String = (0..30).map(|line| format!("{line}\n")).collect();
        let kept = last_lines(&text);
        assert!(kept.starts_with("10\n"), "{kept}");
        assert!(kept.ends_with("\n29"), "{kept}");
        assert_eq!(last_lines(""), "");
    }
}
