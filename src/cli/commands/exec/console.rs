//! Whoever runs a command: a person or a pipe for one replica, lines on one stream for several.

use std::io::{IsTerminal as _, Read as _, Write as _};
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::super::logs::printer::Printer;
use crate::cli::Failure;
use crate::model::LiveContainer;
use crate::ports::{Console, Typed};

/// Pieces of input that may wait to be sent.
const WAITING: usize = 16;

/// Bytes of a piece.
const PIECE: usize = 16 * 1024;

/// A line longer than this is shown in parts: 64 KiB.
const LINE_MAX: usize = 64 << 10;

/// Whether there is a person on both sides.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stdout().is_terminal()
}

/// Our own input and output.
pub(super) struct Person {
    input: mpsc::Receiver<Vec<u8>>,
    terminal: Option<Terminal>,
}

/// Our terminal, handed over whole: every key goes to the command, also Ctrl-C.
struct Terminal {
    /// What `stty` needs to make it as it was.
    before: String,
    changes: Signal,
    is_measured: bool,
}

impl Person {
    pub(super) fn new(has_terminal: bool) -> Result<Self, Failure> {
        let terminal = match has_terminal && is_terminal() {
            true => Some(Terminal::take()?),
            false => None,
        };
        let (sender, input) = mpsc::channel(WAITING);
        // Not one of the runtime's own: reading may wait for ever, and nobody waits for it.
        std::thread::spawn(move || {
            let mut piece = vec![0; PIECE];
            let mut stdin = std::io::stdin().lock();
            while let Ok(count @ 1..) = stdin.read(&mut piece) {
                if sender.blocking_send(piece[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { input, terminal })
    }
}

#[async_trait]
impl Console for Person {
    async fn typed(&mut self) -> Typed {
        let Some(terminal) = &mut self.terminal else {
            return self.input.recv().await.map_or(Typed::End, Typed::Bytes);
        };
        loop {
            if !terminal.is_measured {
                terminal.is_measured = true;
                if let Some((columns, rows)) = size() {
                    return Typed::Size { columns, rows };
                }
            }
            tokio::select! {
                bytes = self.input.recv() => return bytes.map_or(Typed::End, Typed::Bytes),
                Some(()) = terminal.changes.recv() => terminal.is_measured = false,
            }
        }
    }

    fn show(&mut self, is_error: bool, bytes: &[u8]) -> bool {
        let written = match is_error {
            true => std::io::stderr().write_all(bytes),
            false => {
                let mut out = std::io::stdout().lock();
                out.write_all(bytes).and_then(|()| out.flush())
            }
        };
        written.is_ok()
    }
}

impl Terminal {
    fn take() -> Result<Self, Failure> {
        let changes = signal(SignalKind::window_change());
        let changes = changes.map_err(|error| Failure::because("could not listen", &error))?;
        let before = stty(&["-g"]).ok_or_else(|| {
            Failure::new("could not hand over the terminal: `stty` does not work here")
                .hint("gitdeploy exec -T STACK/SERVICE COMMAND")
        })?;
        let terminal = Self { before, changes, is_measured: false };
        // One that stays as it is shows each key twice and waits for ends of lines, no more.
        drop(stty(&["raw", "-echo"]));
        Ok(terminal)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        drop(stty(&[self.before.trim()]));
    }
}

/// Columns and rows.
fn size() -> Option<(u16, u16)> {
    let text = stty(&["size"])?;
    let (rows, columns) = text.trim().split_once(' ')?;
    Some((columns.parse().ok()?, rows.parse().ok()?))
}

/// What `stty` says of our terminal, or does to it; `None` when it fails.
fn stty(words: &[&str]) -> Option<String> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the way to a terminal that needs no unsafe code"
    )]
    let mut command = std::process::Command::new("stty");
    let done = command.args(words).stdin(Stdio::inherit()).stderr(Stdio::null()).output().ok()?;
    done.status.success().then(|| String::from_utf8_lossy(&done.stdout).into_owned())
}

/// The output of one replica among several, line by line.
pub(super) struct Lines<'a> {
    replica: &'a LiveContainer,
    printer: &'a Mutex<Printer>,
    /// What has no end yet.
    rest: Vec<u8>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(replica: &'a LiveContainer, printer: &'a Mutex<Printer>) -> Self {
        Self { replica, printer, rest: Vec::new() }
    }

    fn print(&self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let mut printer = self.printer.lock().unwrap_or_else(PoisonError::into_inner);
        printer.print(self.replica, text.trim_end_matches('\r'))
    }
}

#[async_trait]
impl Console for Lines<'_> {
    async fn typed(&mut self) -> Typed {
        Typed::End
    }

    fn show(&mut self, _is_error: bool, bytes: &[u8]) -> bool {
        self.rest.extend_from_slice(bytes);
        while let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.rest.drain(..=end).collect();
            if !self.print(&line[..end]) {
                return false;
            }
        }
        if self.rest.len() > LINE_MAX {
            let line = std::mem::take(&mut self.rest);
            return self.print(&line);
        }
        true
    }
}

impl Drop for Lines<'_> {
    fn drop(&mut self) {
        if !self.rest.is_empty() {
            self.print(&self.rest);
        }
    }
}
