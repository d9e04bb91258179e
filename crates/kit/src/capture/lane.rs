//! What all strategies have in common: a spool, a place in the state, and the loan of both to a function.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::to_raw_value;
use staunch_protocol::{Codec, EncodeError, RawValue, Response, response};
use staunch_state::Cursor;

use super::associated::Associated;
use super::{FetchResult, OpenBinding, Session, TaskError};
use crate::slots::{Slot, Urgency};
use crate::spool::Spool;
use crate::status::Backfilling;
use crate::tasks::{Activity, Enrolled, Strategy};
use crate::transactor::Await;

/// One running function: of a binding, or of one of its subtasks.
pub(crate) struct Lane {
    pub(crate) session: Arc<Session>,
    pub(crate) binding: Arc<OpenBinding>,
    pub(crate) subtask: Option<Arc<str>>,
    pub(crate) spool: Spool,
    codec: Codec,
    /// Documents since the last checkpoint.
    pub(crate) documents: u64,
    /// The first thing that went wrong, lest a function that ignores an error of its emitter goes on.
    fault: Option<Box<TaskError>>,
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
            codec: session.transactor.codec(),
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

    /// The name of the binding at `index`, for people.
    fn name_of(&self, index: u32) -> String {
        let mut names = self.session.bindings.iter();
        let found = names.find(|(_, at)| **at == index);
        found.map_or_else(|| self.binding.name.clone(), |(name, _)| name.clone())
    }

    /// An emitter for the binding of another resource. None if that is not bound in this capture.
    pub(crate) fn associated(&mut self, resource: &str) -> Option<Associated<'_>> {
        let index = *self.session.bindings.get(resource)?;
        Some(Associated { lane: self, index })
    }

    /// Captures a document for the binding at `index`, which need not be this lane's own.
    pub(crate) fn document<T: Serialize + ?Sized>(
        &mut self,
        index: u32,
        document: &T,
    ) -> Result<(), TaskError> {
        let buffer = self.spool.buffer();
        let begun = self.codec.begin_captured(index, buffer);
        let problem = match crate::document::write(&mut *buffer, document) {
            Ok(()) if buffer.get(begun.document()) == Some(&b'{') => {
                let ended = begun.end(buffer);
                return self.captured(index, ended);
            }
            Ok(()) => TaskError::NotAnObject {
                binding: self.name_of(index),
            },
            Err(source) => TaskError::Serialize {
                binding: self.name_of(index),
                source,
            },
        };
        begun.undo(self.spool.buffer()); // Half a document must not be found here by the next checkpoint.
        Err(self.fail(problem))
    }

    /// As [`document`](Self::document), of what is JSON already.
    pub(crate) fn raw(&mut self, index: u32, document: &[u8]) -> Result<(), TaskError> {
        let document = document.trim_ascii();
        if document.first() != Some(&b'{') || document.last() != Some(&b'}') {
            let binding = self.name_of(index);
            return Err(self.fail(TaskError::NotAnObject { binding }));
        }
        self.object(index, document)
    }

    /// Captures JSON text that is known to be an object.
    #[inline]
    pub(crate) fn object(&mut self, index: u32, document: &[u8]) -> Result<(), TaskError> {
        let buffer = self.spool.buffer();
        let appended = self.codec.append_captured(index, document, buffer);
        self.captured(index, appended)
    }

    #[inline]
    fn captured(&mut self, index: u32, appended: Result<(), EncodeError>) -> Result<(), TaskError> {
        match appended {
            Ok(()) => {
                self.documents += 1;
                self.task.captured(self.documents);
                self.settle()
            }
            Err(source) => Err(self.too_long(index, source)),
        }
    }

    #[cold]
    fn too_long(&mut self, index: u32, source: EncodeError) -> TaskError {
        let binding = self.name_of(index);
        self.fail(TaskError::TooLong { binding, source })
    }

    /// Says what the schema of the binding at `index` is. It is part of the next checkpoint, but awaits none.
    pub(crate) fn sourced_schema(&mut self, index: u32, schema: &Value) -> Result<(), TaskError> {
        if let Some(problem) = wrong_with(schema) {
            let binding = self.name_of(index);
            return Err(self.fail(TaskError::SourcedSchema { binding, problem }));
        }
        let schema = crate::schema::with_sourced_defaults(schema);
        let schema = to_raw_value(&schema).expect("a JSON value is JSON");
        let message = response::SourcedSchema {
            binding: index,
            document_schema: &schema,
        };
        let message = Response::SourcedSchema(message);
        match self.codec.encode_response(&message, self.spool.buffer()) {
            Ok(()) => self.settle(),
            Err(source) => Err(self.too_long(index, source)),
        }
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
        let until = self.binding.until;
        self.checkpoint_until(updated, until).await
    }

    /// As [`checkpoint`](Self::checkpoint), waiting for no more than `until` whatever the resource asked for.
    pub(crate) async fn checkpoint_until(
        &mut self,
        updated: String,
        until: Await,
    ) -> Result<(), TaskError> {
        if self.fault.is_some() {
            // What follows a failure must not be checkpointed: a document may be missing from it.
            return Err(TaskError::Closed);
        }
        let updated = RawValue::from_string(updated).expect("state patches are valid JSON");
        let messages = self.spool.take();
        let documents = std::mem::take(&mut self.documents);
        let bytes = messages.len();
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
            self.fault = Some(Box::new(error));
        }
        again
    }

    /// What came of an invocation: the emitter's failure before the function's, since the one mostly causes the other.
    pub(crate) fn finish(&mut self, result: FetchResult) -> Result<(), TaskError> {
        match (self.fault.take(), result) {
            (Some(fault), _) => Err(*fault),
            (None, Err(error)) => Err(TaskError::from_fetch(error)),
            (None, Ok(())) => Ok(()),
        }
    }
}

/// Why this cannot be the schema of a document: a runtime would refuse the whole capture for it, long after.
fn wrong_with(schema: &Value) -> Option<&'static str> {
    let Value::Object(schema) = schema else {
        return Some("it is no object");
    };
    let is_of_objects = match schema.get("type") {
        None => true,
        Some(Value::Array(types)) => types.iter().any(|of| of == "object"),
        Some(of) => of == "object",
    };
    let properties_are_schemas = match schema.get("properties") {
        None => true,
        Some(Value::Object(properties)) => properties
            .values()
            .all(|property| property.is_object() || property.is_boolean()),
        Some(_) => false,
    };
    match (is_of_objects, properties_are_schemas) {
        (false, _) => Some("its `type` is not that of an object, as every document is one"),
        (true, false) => Some("its `properties` are no object of schemas"),
        (true, true) => None,
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
}
