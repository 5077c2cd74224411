//! Several logs as one, in the order of time, line by line as they come.
//!
//! A log is read on only when nothing of it is left to show. So of each there is no more in memory
//! than what came at once, however long it is: whoever is not read is not sent more.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use super::printer::moment;
use crate::ports::PortError;

/// How the reading of a log ends.
pub(super) type End = Result<(), PortError>;

/// Lines that were read and not shown yet.
#[derive(Clone, Default)]
pub(super) struct Ready(Arc<Mutex<VecDeque<String>>>);

impl Ready {
    pub(super) fn push(&self, line: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push_back(line);
    }

    fn pop(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }

    /// When the next one was written.
    fn next(&self) -> Option<String> {
        let lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        lines.front().map(|line| moment(line).to_owned())
    }
}

/// One log that is being read.
pub(super) struct Source<'a> {
    reading: Pin<Box<dyn Future<Output = End> + Send + 'a>>,
    ready: Ready,
    end: Option<End>,
}

impl<'a> Source<'a> {
    /// A log whose reader gives its lines to `ready`.
    pub(super) fn new(ready: Ready, reading: impl Future<Output = End> + Send + 'a) -> Self {
        Self { reading: Box::pin(reading), ready, end: None }
    }
}

/// Hands out all lines with the number of their source until `show` says `false`; those of one
/// moment in the order of the sources. Gives how the readings ended that did.
pub(super) async fn merge(
    mut sources: Vec<Source<'_>>,
    mut show: impl FnMut(usize, &str) -> bool,
) -> Vec<Option<End>> {
    loop {
        read_on(&mut sources).await;
        let fronts = sources.iter().enumerate();
        let fronts = fronts.filter_map(|(number, it)| Some((it.ready.next()?, number)));
        let Some((_, first)) = fronts.min() else { break };
        let Some(line) = sources[first].ready.pop() else { break };
        if !show(first, &line) {
            break;
        }
    }
    sources.into_iter().map(|source| source.end).collect()
}

/// Until every log that goes on has a line: before that nobody knows which one is next.
async fn read_on(sources: &mut [Source<'_>]) {
    poll_fn(|context| {
        let mut is_waiting = false;
        for source in sources.iter_mut() {
            if source.end.is_some() || source.ready.next().is_some() {
                continue;
            }
            match source.reading.as_mut().poll(context) {
                Poll::Ready(end) => source.end = Some(end),
                Poll::Pending => is_waiting |= source.ready.next().is_none(),
            }
        }
        if is_waiting { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn line(second: usize, text: &str) -> String {
        format!("2026-01-31T12:00:{second:02}.000000000Z {text}")
    }

    /// A log that gives a line each time it is asked to go on, and counts them.
    fn source<'a>(lines: Vec<String>, read: &'a AtomicUsize, end: End) -> Source<'a> {
        let ready = Ready::default();
        let own = ready.clone();
        Source::new(ready, async move {
            for line in lines {
                tokio::task::yield_now().await;
                read.fetch_add(1, Ordering::Relaxed);
                own.push(line);
            }
            end
        })
    }

    async fn shown(sources: Vec<Source<'_>>) -> Vec<String> {
        let mut shown = Vec::new();
        let mut show = |_: usize, text: &str| {
            shown.push(text.split_once(' ').map_or(text, |(_, rest)| rest).to_owned());
            true
        };
        merge(sources, &mut show).await;
        shown
    }

    #[tokio::test]
    async fn lines_of_several_logs_come_in_the_order_of_time() {
        let read = AtomicUsize::new(0);
        let sources = vec![
            source(vec![line(1, "a"), line(4, "d"), line(5, "e")], &read, Ok(())),
            source(Vec::new(), &read, Ok(())),
            source(vec![line(2, "b"), line(2, "c"), line(5, "f")], &read, Ok(())),
        ];
        assert_eq!(shown(sources).await, ["a", "b", "c", "d", "e", "f"]);
    }

    #[tokio::test]
    async fn no_log_is_read_ahead_of_what_is_shown() {
        let (long, short) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let lines = (0..60).map(|second| line(second, "x")).collect();
        let sources =
            vec![source(lines, &long, Ok(())), source(vec![line(30, "y")], &short, Ok(()))];
        let mut count = 0;
        merge(sources, |_, _| {
            count += 1;
            let ahead = long.load(Ordering::Relaxed) + short.load(Ordering::Relaxed) - count;
            assert!(ahead <= 2, "{ahead}");
            true
        })
        .await;
        assert_eq!(count, 61);
    }

    #[tokio::test]
    async fn what_came_before_a_fault_is_shown() {
        let read = AtomicUsize::new(0);
        let fault = PortError::Unreachable("it is gone".into());
        let sources = vec![
            source(vec![line(1, "a")], &read, Err(fault)),
            source(vec![line(2, "b")], &read, Ok(())),
        ];
        let mut count = 0;
        let ends = merge(sources, |_, _| {
            count += 1;
            true
        })
        .await;
        assert_eq!(count, 2);
        assert!(matches!(ends.as_slice(), [Some(Err(_)), Some(Ok(()))]));
    }

    #[tokio::test]
    async fn nothing_is_read_for_nobody() {
        let read = AtomicUsize::new(0);
        let lines = (0..60).map(|second| line(second, "x")).collect();
        let ends = merge(vec![source(lines, &read, Ok(()))], |_, _| false).await;
        assert_eq!(read.load(Ordering::Relaxed), 1);
        assert!(matches!(ends.as_slice(), [None]));
    }
}
