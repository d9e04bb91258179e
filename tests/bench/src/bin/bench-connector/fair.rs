//! Subtasks that emit and checkpoint as fast as they can, and how long each of them waited.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use staunch::state::Node;
use staunch::{BoxError, Changes, Cursor, FetchResult, Resource};
use staunch_bench::document::{self, Size};

/// What all subtasks wrote down. Microseconds from one checkpoint to the next, the way to the first and from the last among them.
struct Run {
    subtasks: usize,
    time: Duration,
    began: OnceLock<Instant>,
    ended: Mutex<Vec<Vec<u32>>>,
}

/// One resource with so many subtasks. When all have run for so long, it says on standard error how often each had its turn.
pub(crate) fn resource(subtasks: usize, seconds: u64) -> Result<Resource, BoxError> {
    let run = Arc::new(Run {
        subtasks,
        time: Duration::from_secs(seconds),
        began: OnceLock::new(),
        ended: Mutex::default(),
    });
    let ready = Arc::new(document::ready(Size::Small));
    let inc: serde_json::Map<_, _> = (0..subtasks)
        .map(|n| (format!("subtask-{n:04}"), json!({ "cursor": 0 })))
        .collect();
    let state = Node::parse(&json!({ "inc": inc }).to_string())?;
    let fetch = move |_: Arc<str>, cursor: Cursor, emit: Changes| {
        capture(Arc::clone(&run), Arc::clone(&ready), cursor, emit)
    };
    Ok(Resource::new("documents")
        .key(["/id"])
        .initial_state(state)
        .interval(Duration::from_secs(600))
        .incremental_each(fetch))
}

async fn capture(
    run: Arc<Run>,
    ready: Arc<Vec<Vec<u8>>>,
    cursor: Cursor,
    mut emit: Changes,
) -> FetchResult {
    let mut next = cursor.as_u64().ok_or("the cursor is an integer")?;
    if next > 0 {
        return Ok(()); // Its time is over.
    }
    let began = *run.began.get_or_init(Instant::now);
    let mut last = began;
    let mut waits = Vec::new();
    let mut wait = |now: Instant| {
        let micros = now.duration_since(last).as_micros();
        waits.push(u32::try_from(micros).unwrap_or(u32::MAX));
        last = now;
    };
    for document in ready.iter().cycle() {
        emit.raw(document)?;
        next += 1;
        emit.checkpoint(Cursor::integer(next)).await?;
        wait(Instant::now());
        if began.elapsed() >= run.time {
            break;
        }
    }
    run.has_ended(waits);
    Ok(())
}

impl Run {
    fn has_ended(&self, waits: Vec<u32>) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        ended.push(waits);
        if ended.len() < self.subtasks {
            return;
        }
        let mut checkpoints: Vec<usize> = ended.iter().map(Vec::len).collect();
        checkpoints.sort_unstable();
        let mut waits: Vec<u32> = ended.iter().flatten().copied().collect();
        waits.sort_unstable();
        let report = json!({
            "checkpoints": checkpoints.iter().sum::<usize>(),
            "fewest": checkpoints[0],
            "median": checkpoints[checkpoints.len() / 2],
            "most": checkpoints[checkpoints.len() - 1],
            "median_wait_us": waits[waits.len() / 2],
            "longest_wait_us": waits[waits.len() - 1],
        });
        eprintln!("{report}");
    }
}
