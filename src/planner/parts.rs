//! Work on many values that know nothing of each other, on several processors. The answers come in
//! the order of the values, so that nobody can tell how many processors there were.

use std::panic::resume_unwind;
use std::thread;

/// How many threads share the work. More than there are processors cost little, and this is pure:
/// nobody is asked how many there are.
const THREADS: usize = 4;

/// Fewer values than this are not worth a thread.
const WORTH_A_THREAD: usize = 64;

/// What `work` says of each run of neighbouring values, one after the other.
pub(super) fn in_parts<T: Sync, R: Send>(
    values: &[T],
    work: impl Fn(&[T]) -> Vec<R> + Sync,
) -> Vec<R> {
    let size = values.len().div_ceil(THREADS).max(WORTH_A_THREAD);
    if values.len() <= size {
        return work(values);
    }
    let work = &work;
    thread::scope(|scope| {
        let parts = values.chunks(size).map(|part| scope.spawn(move || work(part)));
        let parts: Vec<_> = parts.collect();
        let ends = parts.into_iter().map(thread::ScopedJoinHandle::join);
        ends.flat_map(|end| end.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}

/// What two pieces of work say that know nothing of each other.
pub(super) fn both<A, B: Send>(
    here: impl FnOnce() -> A,
    there: impl FnOnce() -> B + Send,
) -> (A, B) {
    thread::scope(|scope| {
        let there = scope.spawn(there);
        let here = here();
        (here, there.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_the_order_of_the_values() {
        for many in [0, 1, WORTH_A_THREAD, 10 * WORTH_A_THREAD + 1] {
            let values: Vec<usize> = (0..many).collect();
            let doubled = in_parts(&values, |part| part.iter().map(|it| it * 2).collect());
            assert!(doubled.into_iter().eq(values.iter().map(|it| it * 2)), "{many}");
        }
    }
}
