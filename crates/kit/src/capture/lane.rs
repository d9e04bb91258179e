//! What all strategies have in common: a spool, a place in the state, and the loan of both to a function.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use memchr::memchr2;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::to_raw_value;
use staunch_protocol::RawValue;
use staunch_protocol::json::{begin_captured, encode_response, end_captured};
use staunch_protocol::{Response, response};
use staunch_state::Cursor;

use super::{FetchResult, OpenBinding, Session, TaskError};
use crate::slots::{Slot, Urgency};
use crate::spool::Spool;
use crate::status::Backfilling;
use crate::tasks::{Activity, Enrolled, Strategy};

/// One running function: of a binding, or of one of its subtasks.
pub(crate) struct Lane {
    pub(crate) session: Arc<Session>,
    pub(crate) binding: Arc<OpenBinding>,
    pub(crate) subtask: Option<Arc<str>>,
    pub(crate) spool: Spool,
    /// Documents since the last checkpoint.
    pub(crate) documents: u64,
    /// The first thing that went wrong, lest a function that ignores an error of its emitter goes on.
    fault: Option<TaskError>,
    pub(crate) task: Enrolled,
    /// The right to run, which a subtask needs.
    slot: Option<Slot>,
    /// How urgent the next turn is, if the cursor tells.
    standing: Option<Urgency>,
    /// When it last ran, in milliseconds since the capture opened.
    last_turn: u64,
}

impl Lane {
    pub(crate) fn new(
        session: &Arc<Session>,
        binding: &Arc<OpenBinding>,
        subtask: Option<Arc<str>>,
    ) -> Self {
        Self {
            task: session.tasks.enrol(binding, subtask.clone()),
            slot: None,
            standing: None,
            last_turn: 0,
            session: Arc::clone(session),
            binding: Arc::clone(binding),
            subtask,
            spool: Spool::new(&session.budget),
            documents: 0,
            fault: None,
        }
    }

    /// Its name for people: the binding, and the subtask if there is one.
    pub(crate) fn task(&self) -> String {
        match &self.subtask {
            Some(subtask) => format!("{}: {subtask}", self.binding.name),
            None => self.binding.name.clone(),
        }
    }

    pub(crate) fn document<T: Serialize + ?Sized>(
        &mut self,
        document: &T,
    ) -> Result<(), TaskError> {
        let buffer = self.spool.buffer();
        let start = buffer.len();
        begin_captured(self.binding.index, buffer);
        let first = buffer.len();
        let problem = match serde_json::to_writer(&mut *buffer, document) {
            Ok(()) if buffer.get(first) == Some(&b'{') => {
                end_captured(buffer);
                return self.captured();
            }
            Ok(()) => TaskError::NotAnObject {
                binding: self.binding.name.clone(),
            },
            Err(source) => TaskError::Serialize {
                binding: self.binding.name.clone(),
                source,
            },
        };
        buffer.truncate(start); // Half a document must not be found here by the next checkpoint.
        Err(self.fail(problem))
    }

    pub(crate) fn raw(&mut self, document: &[u8]) -> Result<(), TaskError> {
        let document = document.trim_ascii();
        if document.first() != Some(&b'{') || document.last() != Some(&b'}') {
            let binding = self.binding.name.clone();
            return Err(self.fail(TaskError::NotAnObject { binding }));
        }
        let buffer = self.spool.buffer();
        begin_captured(self.binding.index, buffer);
        append_on_one_line(document, buffer);
        end_captured(buffer);
        self.captured()
    }

    #[inline]
    pub(crate) fn captured(&mut self) -> Result<(), TaskError> {
        self.documents += 1;
        self.task.captured(self.documents);
        self.settle()
    }

    pub(crate) fn sourced_schema(&mut self, schema: &Value) -> Result<(), TaskError> {
        let schema = to_raw_value(schema).expect("a JSON value is JSON");
        let message = response::SourcedSchema {
            binding: self.binding.index,
            document_schema: &schema,
        };
        encode_response(&Response::SourcedSchema(message), self.spool.buffer());
        self.settle()
    }

    #[inline]
    fn settle(&mut self) -> Result<(), TaskError> {
        match self.spool.settle() {
            Ok(()) => Ok(()),
            Err(source) => {
                let binding = self.binding.name.clone();
                Err(self.fail(TaskError::Spool { binding, source }))
            }
        }
    }

    /// Sends what was captured since the last checkpoint, and then a checkpoint that merges `updated` into the state.
    pub(crate) async fn checkpoint(&mut self, updated: String) -> Result<(), TaskError> {
        if self.fault.is_some() {
            // What follows a failure must not be checkpointed: a document may be missing from it.
            return Err(TaskError::Closed);
        }
        let updated = RawValue::from_string(updated).expect("state patches are valid JSON");
        let messages = self.spool.take();
        let documents = std::mem::take(&mut self.documents);
        let bytes = messages.len();
        let until = self.binding.until;
        let task = &self.task;
        task.is_at(Activity::Writer);
        let written = || task.is_at(Activity::Acknowledgement);
        self.session
            .transactor
            .checkpoint_telling(messages, &updated, true, until, written)
            .await?;
        task.checkpointed(documents, bytes);
        self.hand_on().await;
        self.task.is_at(Activity::Running);
        Ok(())
    }

    /// Waits for `time`, and then for its turn. False if the capture is to stop: nothing further begins.
    pub(crate) async fn turn(&mut self, time: Duration) -> bool {
        if self.slot.take().is_some() {
            self.last_turn = self.task.elapsed(); // The invocation before has ended.
        }
        self.task.rests(time);
        if !self.session.pause(time).await {
            return false;
        }
        if self.subtask.is_some() {
            self.task.is_at(Activity::Slot);
            let slot = tokio::select! {
                biased; // A stop that came with the slot wins: nothing further begins.
                () = self.session.stopping.cancelled() => return false,
                slot = self.session.slots.take(self.urgency()) => slot,
            };
            self.slot = Some(slot);
        }
        self.task.is_at(Activity::Running);
        true
    }

    /// Lets another subtask have its turn, if one waits, and comes back for its own. Also while the capture stops: what has begun
    /// may finish.
    async fn hand_on(&mut self) {
        if self.subtask.is_none() {
            return;
        }
        self.task.is_at(Activity::Slot);
        self.last_turn = self.task.elapsed();
        let slots = &self.session.slots;
        let slot = match self.slot.take() {
            Some(slot) => slots.yield_now(slot, self.urgency()).await,
            None => slots.take(self.urgency()).await, // Lost when the function gave up waiting here.
        };
        self.slot = Some(slot);
    }

    fn urgency(&self) -> Urgency {
        match self.standing {
            _ if self.task.strategy() == Strategy::Backfill => Urgency::Backfill(self.last_turn),
            Some(urgency) => urgency,
            None => Urgency::LastTurn(self.last_turn),
        }
    }

    /// It is a backfill, which is in progress until the answer is dropped.
    pub(crate) fn is_backfill(&self) -> Backfilling {
        self.task.is_a(Strategy::Backfill);
        self.session.status.backfills(self.binding.index)
    }

    /// It is captured up to `cursor`.
    pub(crate) fn is_captured_to(&mut self, cursor: &Cursor) {
        let timestamp = cursor.timestamp();
        self.task.has_cursor(timestamp);
        let date = timestamp.map(|at| Urgency::DateTime(at.as_microsecond()));
        self.standing = date.or_else(|| cursor.as_u64().map(Urgency::Integer));
    }

    /// The patch that sets `part` of this lane's place in the state to `value`, which is JSON.
    pub(crate) fn patch(&self, part: &str, value: &str) -> String {
        let path = [self.binding.state_key.as_str(), part];
        match &self.subtask {
            Some(subtask) => state_patch(&[path[0], path[1], subtask], value),
            None => state_patch(&path, value),
        }
    }

    /// Remembers the first failure.
    pub(crate) fn fail(&mut self, error: TaskError) -> TaskError {
        let again = TaskError::Fetch {
            message: error.to_string(),
        };
        if self.fault.is_none() {
            self.fault = Some(error);
        }
        again
    }

    /// What came of an invocation: the emitter's failure before the function's, since the one mostly causes the other.
    pub(crate) fn finish(&mut self, result: FetchResult) -> Result<(), TaskError> {
        match (self.fault.take(), result) {
            (Some(fault), _) => Err(fault),
            (None, Err(error)) => Err(TaskError::from_fetch(error)),
            (None, Ok(())) => Ok(()),
        }
    }
}

/// The update that sets the member at `path`, below the bindings' states, to `value`.
pub(crate) fn state_patch(path: &[&str], value: &str) -> String {
    let mut patch = String::with_capacity(64 + value.len());
    patch.push_str("{\"bindingStateV1\":");
    for member in path {
        patch.push('{');
        patch.push_str(&serde_json::to_string(member).expect("a string is JSON"));
        patch.push(':');
    }
    patch.push_str(value);
    patch.extend(std::iter::repeat_n('}', path.len() + 1));
    patch
}

/// JSON has line breaks between tokens only, never inside one, so that a blank in place of each leaves the same document.
fn append_on_one_line(document: &[u8], out: &mut Vec<u8>) {
    let mut rest = document;
    while let Some(at) = memchr2(b'\n', b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        out.push(b' ');
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// A lane lent to a function. It comes home when the function drops it.
pub(crate) struct Loan<T> {
    value: Option<T>,
    home: Arc<Mutex<Option<T>>>,
}

/// Where a loan comes home to.
pub(crate) struct Home<T>(Arc<Mutex<Option<T>>>);

impl<T> Loan<T> {
    pub(crate) fn new(value: T) -> (Self, Home<T>) {
        let home = Arc::new(Mutex::new(None));
        let loan = Self {
            value: Some(value),
            home: Arc::clone(&home),
        };
        (loan, Home(home))
    }
}

impl<T> Home<T> {
    /// None if it is still out.
    pub(crate) fn take(self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl<T> Deref for Loan<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.value
            .as_ref()
            .expect("a loan has its value until it is dropped")
    }
}

impl<T> DerefMut for Loan<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value
            .as_mut()
            .expect("a loan has its value until it is dropped")
    }
}

impl<T> Drop for Loan<T> {
    fn drop(&mut self) {
        *self.home.lock().unwrap_or_else(PoisonError::into_inner) = self.value.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_names_its_place_whatever_the_characters() {
        assert_eq!(
            state_patch(&["a\"b", "inc", "refs/heads/main"], "{\"cursor\":[\"x\"]}"),
            r#"{"bindingStateV1":{"a\"b":{"inc":{"refs/heads/main":{"cursor":["x"]}}}}}"#
        );
    }

    #[test]
    fn line_breaks_between_tokens_become_blanks() {
        let mut out = Vec::new();
        append_on_one_line(b"{\n  \"a\": 1,\r\n  \"b\": \"x\\ny\"\n}", &mut out);
        assert_eq!(out, b"{   \"a\": 1,    \"b\": \"x\\ny\" }");
    }
}
