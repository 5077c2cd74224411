//! Many rounds, one after the other, and the memory meanwhile.

use std::time::Instant;

use crate::measure::memory_of;
use crate::scene::{self, Scene};
use crate::{are_all_synced, row};

/// Stacks whose commits take turns.
const STACKS: usize = 20;

/// The memory is printed so often.
const PARTS: usize = 10;

/// A commit, a knock, a round, so many times.
pub(crate) fn soak(rounds: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    scene::prepare(folder.path(), STACKS);
    println!("\n{rounds} rounds, a commit each, {STACKS} stacks\n");
    Scene::play(folder.path(), async |scene| {
        let mut daemon = scene.start();
        daemon.until(|picture| are_all_synced(picture, STACKS)).await;
        let (mut began, mut kib) = (Instant::now(), Vec::new());
        for round in 1..=rounds {
            scene.change(round % STACKS, round);
            daemon.knock().await;
            let done = round;
            while daemon.rounds() < done {
                daemon.next().await;
            }
            daemon.until(|picture| are_all_synced(picture, STACKS)).await;
            scene.forget();
            if round % (rounds / PARTS).max(1) == 0 {
                kib.push(memory_of("self", "VmRSS:"));
                let each = began.elapsed().as_secs_f64() * 1e3 * 10.0 / (rounds as f64);
                let now = memory_of("self", "VmRSS:") as f64 / 1024.0;
                row(
                    &format!("after {round} rounds"),
                    &format!("{now:.1} MiB, {each:.1} ms each"),
                    "",
                );
                began = Instant::now();
            }
        }
        let half = kib[kib.len() / 2 - 1..].iter().copied();
        let (least, most) = (half.clone().min().unwrap_or(0), half.max().unwrap_or(0));
        let swing = format!("{} KiB", most - least);
        row("between halves and the end", &swing, "flat");
        daemon.stop().await;
    });
}
