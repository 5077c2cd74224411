//! Room on the disk of an engine's host. The engine does not tell it, so the host is asked.

use tokio::process::Command;
use tokio::time::timeout;

use super::client::{Docker, QUICK, Way, within};
use crate::model::Room;
use crate::ports::PortError;

/// Prints the disk of a folder in blocks of 1024 bytes, each disk on one line.
const DISK: &str = "LC_ALL=C df -Pk \"$1\"";

impl Docker {
    pub(super) async fn free_room(&self) -> Result<Option<Room>, PortError> {
        let api = self.api().await?;
        let info = within(QUICK, "ask the engine about itself", api.info()).await?;
        let Some(folder) = info.docker_root_dir else { return Ok(None) };
        let said = match self.way() {
            Way::Ssh(host) => host.ask(DISK, &[&folder]).await?.stdout,
            Way::Here => {
                let mut command = Command::new("sh");
                let output = command.args(["-c", DISK, "sh", &folder]).kill_on_drop(true).output();
                match timeout(QUICK, output).await {
                    Ok(Ok(output)) => output.stdout,
                    Ok(Err(_)) | Err(_) => return Ok(None),
                }
            }
            Way::Far => return Ok(None),
        };
        Ok(room_in(&String::from_utf8_lossy(&said)))
    }
}

/// The second line of what `df -Pk` prints: name, blocks, used, free.
fn room_in(table: &str) -> Option<Room> {
    let words: Vec<&str> = table.lines().nth(1)?.split_whitespace().collect();
    let bytes = |index: usize| words.get(index)?.parse::<u64>().ok()?.checked_mul(1024);
    Some(Room { total: bytes(1)?, free: bytes(3)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_read_from_the_second_line() {
        let table = "Filesystem 1024-blocks Used Available Capacity Mounted on\n\
                     /dev/vda 1000 300 600 34% /\n";
        assert_eq!(room_in(table), Some(Room { total: 1_024_000, free: 614_400 }));
        assert_eq!(room_in("df: no such folder\n"), None);
    }
}
