//! Lines of a container's output, out of the pieces that the engine sends.

use std::time::Duration;

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::TryStreamExt;

use super::client::{Docker, late};
use super::fault::port_error;
use crate::ports::{LogLine, LogOptions, PortError};

/// The longest silence when nothing new is waited for.
const SILENCE: Duration = Duration::from_secs(60);

/// A line longer than this is handed out in parts: 1 MiB.
const LINE_MAX: usize = 1 << 20;

/// The begun lines of both streams.
#[derive(Default)]
struct Lines {
    output: Vec<u8>,
    error: Vec<u8>,
}

impl Docker {
    pub(super) async fn log_lines(
        &self,
        name: &str,
        options: &LogOptions,
        line: &mut (dyn FnMut(LogLine) -> bool + Send),
    ) -> Result<(), PortError> {
        let what = format!("read the logs of container {name}");
        let since = options.since.map_or(0, |since| since / 1000);
        let asked = LogsOptions {
            follow: options.follow,
            stdout: true,
            stderr: true,
            since: i32::try_from(since).unwrap_or(i32::MAX),
            timestamps: options.timestamps,
            tail: options.tail.map_or_else(|| "all".to_owned(), |lines| lines.to_string()),
            ..LogsOptions::default()
        };
        let mut pieces = Box::pin(self.api().await?.logs(name, Some(asked)));
        let mut lines = Lines::default();
        loop {
            let next = pieces.try_next();
            let piece = if options.follow {
                // Nothing may be written for hours; whoever follows ends it.
                Ok(next.await)
            } else {
                tokio::time::timeout(SILENCE, next).await
            };
            match piece {
                Err(_) => return Err(late(SILENCE, &what)),
                Ok(Err(error)) => return Err(port_error(&what, &error)),
                Ok(Ok(None)) => break,
                Ok(Ok(Some(piece))) => {
                    if !lines.take(&piece, options.timestamps, line) {
                        return Ok(());
                    }
                }
            }
        }
        lines.finish(line);
        Ok(())
    }
}

impl Lines {
    /// Hands out the lines that `piece` ends; `false` when no more are wanted.
    fn take(
        &mut self,
        piece: &LogOutput,
        has_moments: bool,
        line: &mut dyn FnMut(LogLine) -> bool,
    ) -> bool {
        let (begun, is_error, bytes) = match piece {
            LogOutput::StdErr { message } => (&mut self.error, true, message),
            LogOutput::StdOut { message }
            | LogOutput::Console { message }
            | LogOutput::StdIn { message } => (&mut self.output, false, message),
        };
        // The engine cuts long lines, and says its moment at each piece.
        let goes_on =
            has_moments && !begun.is_empty() && !matches!(piece, LogOutput::Console { .. });
        let skipped = if goes_on { bytes.iter().position(|byte| *byte == b' ') } else { None };
        let bytes = &bytes[skipped.map_or(0, |space| space + 1)..];
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            begun.extend_from_slice(part);
            let is_whole = begun.last() == Some(&b'\n') || begun.len() > LINE_MAX;
            if is_whole && !line(log_line(is_error, &std::mem::take(begun))) {
                return false;
            }
        }
        true
    }

    /// Hands out what has no end.
    fn finish(self, line: &mut dyn FnMut(LogLine) -> bool) {
        for (is_error, begun) in [(false, self.output), (true, self.error)] {
            if !begun.is_empty() && !line(log_line(is_error, &begun)) {
                return;
            }
        }
    }
}

fn log_line(is_error: bool, bytes: &[u8]) -> LogLine {
    let text = String::from_utf8_lossy(bytes);
    LogLine { is_error, text: text.trim_end_matches(['\r', '\n']).to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together_stream_by_stream() {
        let out = |text: &'static str| LogOutput::StdOut { message: text.into() };
        let err = |text: &'static str| LogOutput::StdErr { message: text.into() };
        let mut seen = Vec::new();
        let mut keep = |line: LogLine| {
            seen.push((line.is_error, line.text));
            true
        };
        let mut lines = Lines::default();
        for piece in [out("a"), err("x\n"), out("b\r\nc\nd"), err("y")] {
            assert!(lines.take(&piece, false, &mut keep));
        }
        lines.finish(&mut keep);
        let texts: Vec<(bool, &str)> = seen.iter().map(|(is, text)| (*is, text.as_str())).collect();
        assert_eq!(texts, [(true, "x"), (false, "ab"), (false, "c"), (false, "d"), (true, "y")]);
    }

    #[test]
    fn a_line_that_the_engine_cut_has_one_moment() {
        let out = |text: &'static str| LogOutput::StdOut { message: text.into() };
        let mut seen = Vec::new();
        let mut keep = |line: LogLine| {
            seen.push(line.text);
            true
        };
        let mut lines = Lines::default();
        for piece in [out("1Z begin "), out("2Z and end\n"), out("3Z next\n")] {
            assert!(lines.take(&piece, true, &mut keep));
        }
        assert_eq!(seen, ["1Z begin and end", "3Z next"]);
    }

    #[test]
    fn nothing_comes_after_a_no() {
        let mut count = 0;
        let mut refuse = |_: LogLine| {
            count += 1;
            false
        };
        let piece = LogOutput::StdOut { message: "a\nb\n".into() };
        assert!(!Lines::default().take(&piece, false, &mut refuse));
        assert_eq!(count, 1);
    }
}
