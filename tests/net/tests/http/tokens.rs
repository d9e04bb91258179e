//! Credentials that expire.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use staunch::BoxError;
use staunch::http::{Authorization, BoxFuture, Credentials};

/// Tokens that are numbers: each that the server does not take makes place for the next one.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    number: Arc<AtomicU64>,
}

impl Tokens {
    /// How often a token was renewed.
    pub(crate) fn renewed(&self) -> u64 {
        self.number.load(Ordering::SeqCst)
    }
}

impl Credentials for Tokens {
    fn authorization(&self) -> BoxFuture<'_, Result<Authorization, BoxError>> {
        let number = self.number.load(Ordering::SeqCst);
        Box::pin(async move {
            Authorization::new("authorization", &format!("Bearer token-{number}"), number)
        })
    }

    fn refused(&self, authorization: &Authorization) -> bool {
        let number = authorization.generation();
        // Another request may have renewed it already.
        let _ =
            self.number
                .compare_exchange(number, number + 1, Ordering::SeqCst, Ordering::SeqCst);
        true
    }
}
