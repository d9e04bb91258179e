//! Fetching ahead: several futures at once, their results in order.

use std::collections::VecDeque;

use tokio_util::task::AbortOnDropHandle;
use tracing::Instrument;

use crate::capture::BoxError;
use crate::supervise::panicked;

/// Runs up to `n` of `futures` at once, and gives their results in the order of the futures.
///
/// For a function whose next requests do not depend on what the last one answered: pages by number, details by id. The futures run
/// as tasks of their own, so they go on while the function writes a checkpoint. No more than `n` run, or have run and wait for
/// their results to be taken: that, and what the function itself keeps, is all the memory it takes. A future is taken from the
/// iterator only when there is room for it, so the iterator may be endless. An `n` of 0 counts as 1.
///
/// What still runs is aborted when the [`Buffered`] is dropped, so also when the function returns early or is cancelled.
///
/// ```
/// use staunch::{BoxError, Cursor, FetchResult, Page, Pages, buffered};
///
/// # async fn get_page(number: i64) -> Result<Vec<serde_json::Value>, BoxError> { Ok(vec![serde_json::json!({"n": number})]) }
/// async fn fetch_pages(page: Option<Page>, _: Cursor, mut emit: Pages) -> FetchResult {
///     let first = match page {
///         Some(Page::Integer(number)) => number,
///         _ => 0,
///     };
///     let mut pages = buffered(8, (first..400).map(get_page));
///     let mut next = first;
///     while let Some(documents) = pages.next().await? {
///         for document in &documents {
///             emit.document(document)?;
///         }
///         next += 1;
///         emit.checkpoint(Page::Integer(next)).await?; // Meanwhile the next eight are fetched.
///     }
///     Ok(())
/// }
/// # let _ = staunch::Resource::new("pages").backfill(fetch_pages);
/// ```
pub fn buffered<I, T, E>(n: usize, futures: I) -> Buffered<I::IntoIter, T>
where
    I: IntoIterator,
    I::Item: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Into<BoxError>,
{
    Buffered {
        n: n.max(1),
        futures: futures.into_iter(),
        running: VecDeque::new(),
    }
}

/// Futures that run ahead, made by [`buffered`].
#[must_use = "nothing runs before the first result is asked for"]
pub struct Buffered<I, T> {
    n: usize,
    futures: I,
    /// In order: those that run, and those whose results wait.
    running: VecDeque<AbortOnDropHandle<Result<T, BoxError>>>,
}

impl<I, T, E> Buffered<I, T>
where
    I: Iterator,
    I::Item: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Into<BoxError>,
{
    /// The result of the next future, or none after the last. A call that is cancelled has lost nothing.
    ///
    /// # Errors
    /// What the future failed with, or a [`TaskError`](crate::TaskError) that says how it panicked. An error comes at its place in
    /// the order: the results before it have been given, and a further call goes on with the one after it.
    pub async fn next(&mut self) -> Result<Option<T>, BoxError> {
        self.fill();
        let Some(first) = self.running.front_mut() else {
            return Ok(None);
        };
        let outcome = first.await;
        self.running.pop_front();
        self.fill(); // The next runs while the caller is busy with this result.
        match outcome {
            Ok(result) => result.map(Some),
            Err(error) => Err(Box::new(panicked(error))),
        }
    }

    fn fill(&mut self) {
        while self.running.len() < self.n {
            let Some(future) = self.futures.next() else {
                return;
            };
            let run = async move { future.await.map_err(Into::into) };
            self.running
                .push_back(AbortOnDropHandle::new(tokio::spawn(run.in_current_span())));
        }
    }
}

impl<I, T> std::fmt::Debug for Buffered<I, T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Buffered")
            .field("n", &self.n)
            .field("running", &self.running.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    /// Counts itself for as long as it is there.
    struct Counted(Arc<AtomicUsize>, u64);

    impl Counted {
        fn new(count: &Arc<AtomicUsize>, n: u64) -> Self {
            count.fetch_add(1, Ordering::SeqCst);
            Self(Arc::clone(count), n)
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::SeqCst);
        }
    }

    fn paused() -> tokio::runtime::Runtime {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_time().start_paused(true).build().unwrap()
    }

    proptest! {
        #[test]
        fn results_are_in_order_and_no_more_than_n_futures_and_results_are_there(
            n in 1_usize..6,
            delays in proptest::collection::vec((0_u64..50, 0_u64..50), 0..40),
        ) {
            paused().block_on(async {
                let there = Arc::new(AtomicUsize::new(0));
                let most = Arc::new(AtomicUsize::new(0));
                let futures = (0..).zip(&delays).map(|(number, &(delay, _))| {
                    let counted = Counted::new(&there, number);
                    most.fetch_max(there.load(Ordering::SeqCst), Ordering::SeqCst);
                    async move {
                        tokio::time::sleep(Duration::from_millis(delay)).await;
                        if number % 7 == 6 { Err(format!("number {number}")) } else { Ok(counted) }
                    }
                });
                let mut results = buffered(n, futures);
                for (number, &(_, busy)) in (0..).zip(&delays) {
                    match results.next().await {
                        Ok(Some(counted)) => assert_eq!(counted.1, number),
                        Ok(None) => panic!("it ended at {number}"),
                        Err(error) => assert_eq!(error.to_string(), format!("number {number}")),
                    }
                    tokio::time::sleep(Duration::from_millis(busy)).await;
                }
                assert!(results.next().await.unwrap().is_none());
                assert!(most.load(Ordering::SeqCst) <= n + 1, "the one that was given, and those ahead of it");
                drop(results);
                assert_eq!(there.load(Ordering::SeqCst), 0);
            });
        }
    }

    #[tokio::test(start_paused = true)]
    async fn futures_run_at_once_and_while_nobody_asks() {
        let begin = tokio::time::Instant::now();
        let second = |n: u64| async move {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Ok::<_, BoxError>(n)
        };
        let mut results = buffered(4, (0..8).map(second));
        assert_eq!(results.next().await.unwrap(), Some(0));
        assert_eq!(begin.elapsed(), Duration::from_secs(1));
        tokio::time::sleep(Duration::from_secs(1)).await; // As at a checkpoint.
        for n in 1..5 {
            assert_eq!(results.next().await.unwrap(), Some(n));
        }
        assert_eq!(begin.elapsed(), Duration::from_secs(2));
    }

    #[tokio::test(start_paused = true)]
    async fn what_runs_is_aborted_when_nobody_wants_it_any_more() {
        let there = Arc::new(AtomicUsize::new(0));
        let of = Arc::clone(&there);
        let endless = move |n: u64| {
            let counted = Counted::new(&of, n);
            async move {
                if n > 0 {
                    std::future::pending::<()>().await;
                }
                drop(counted);
                Ok::<_, BoxError>(n)
            }
        };
        let mut results = buffered(3, (0..).map(endless));
        assert_eq!(results.next().await.unwrap(), Some(0));
        assert_eq!(there.load(Ordering::SeqCst), 3);
        drop(results);
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(there.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn a_panic_is_an_error_at_its_place() {
        let futures = (0..3).map(|n| async move {
            assert_ne!(n, 1, "one is too many");
            Ok::<_, BoxError>(n)
        });
        let mut results = buffered(3, futures);
        assert_eq!(results.next().await.unwrap(), Some(0));
        let error = results.next().await.unwrap_err().to_string();
        assert!(
            error.contains("panicked: ") && error.contains("one is too many"),
            "{error}"
        );
        assert_eq!(results.next().await.unwrap(), Some(2));
        assert_eq!(results.next().await.unwrap(), None);
    }
}
