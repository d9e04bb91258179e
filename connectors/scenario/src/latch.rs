//! What functions wait for each other by.

use std::collections::BTreeSet;

use tokio::sync::watch;

/// Named latches, which all functions of a process share. Once set, a latch stays set.
#[derive(Debug)]
pub(crate) struct Latches(watch::Sender<BTreeSet<String>>);

impl Default for Latches {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeSet::new()))
    }
}

impl Latches {
    pub(crate) fn set(&self, name: &str) {
        self.0.send_modify(|set| {
            set.insert(name.to_owned());
        });
    }

    pub(crate) async fn wait(&self, name: &str) {
        let mut changes = self.0.subscribe();
        let set = changes.wait_for(|set| set.contains(name)).await;
        set.expect("the latches live as long as whoever waits for one");
    }
}
