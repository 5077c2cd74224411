//! Engines as nodes of a swarm, for networks that reach over hosts.

use std::net::IpAddr;

use bollard::models::{SwarmInitRequest, SwarmJoinRequest};

use super::client::{Docker, SLOW, within};
use super::survey;
use crate::ports::{Applied, Invitation, PortError};

/// Where managers listen, as the engine has it when nothing else is said.
const PORT: u16 = 2377;

/// On all addresses; which one others use is the advertised one.
const LISTEN: &str = "0.0.0.0";

impl Docker {
    pub(super) async fn found_swarm(&self, address: IpAddr) -> Result<Applied, PortError> {
        if self.is_node().await? {
            return Ok(Applied::AlreadyTrue);
        }
        let request = SwarmInitRequest {
            listen_addr: Some(format!("{LISTEN}:{PORT}")),
            advertise_addr: Some(address.to_string()),
            ..SwarmInitRequest::default()
        };
        let api = self.api().await?;
        within(SLOW, "make a swarm", api.init_swarm(request)).await?;
        Ok(Applied::Changed)
    }

    pub(super) async fn invite(&self, as_manager: bool) -> Result<Invitation, PortError> {
        let api = self.api().await?;
        let what = "ask for the swarm's token";
        let swarm = within(SLOW, what, api.inspect_swarm()).await?;
        let info = within(SLOW, what, api.info()).await?;
        let tokens = swarm.join_tokens.unwrap_or_default();
        let token = if as_manager { tokens.manager } else { tokens.worker };
        let address = info.swarm.and_then(|swarm| swarm.node_addr);
        match (token, address) {
            (Some(token), Some(address)) => {
                let at = match address.parse() {
                    Ok(IpAddr::V6(ip)) => format!("[{ip}]:{PORT}"),
                    _ => format!("{address}:{PORT}"),
                };
                Ok(Invitation { at, token })
            }
            _ => Err(PortError::Refused("the engine manages no swarm".to_owned())),
        }
    }

    pub(super) async fn join(
        &self,
        invitation: &Invitation,
        address: IpAddr,
    ) -> Result<Applied, PortError> {
        if self.is_node().await? {
            return Ok(Applied::AlreadyTrue);
        }
        let request = SwarmJoinRequest {
            listen_addr: Some(format!("{LISTEN}:{PORT}")),
            advertise_addr: Some(address.to_string()),
            remote_addrs: Some(vec![invitation.at.clone()]),
            join_token: Some(invitation.token.clone()),
            ..SwarmJoinRequest::default()
        };
        let api = self.api().await?;
        let what = format!("join the swarm at {}", invitation.at);
        within(SLOW, &what, api.join_swarm(request)).await?;
        Ok(Applied::Changed)
    }

    async fn is_node(&self) -> Result<bool, PortError> {
        let api = self.api().await?;
        let info = within(SLOW, "ask the engine about itself", api.info()).await?;
        Ok(survey::engine(&info).swarm.is_some())
    }
}
