use staunch_protocol::EncodeError;

use super::BoxError;

/// Why a task cannot go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// The runtime has gone. Nothing can be sent any more: return.
    #[error("the runtime has gone: nothing can be sent any more")]
    Closed,
    /// A temporary file could not be written.
    #[error(
        "documents of `{binding}` could not be spooled to a temporary file; free space in the temporary directory"
    )]
    Spool {
        /// Whose documents.
        binding: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A document, or a schema of documents, is longer than any runtime takes.
    #[error("a document or schema of `{binding}` cannot be sent")]
    TooLong {
        /// Whose document.
        binding: String,
        /// How long it is.
        source: EncodeError,
    },
    /// A response, or a checkpoint, cannot be sent: it is too long, or not what its codec needs.
    #[error("a response cannot be sent")]
    Unwritable {
        /// Why not.
        source: EncodeError,
    },
    /// A document could not be serialised.
    #[error("a document of `{binding}` cannot be written as JSON")]
    Serialize {
        /// Whose document.
        binding: String,
        /// Why not.
        source: serde_json::Error,
    },
    /// A document is something else than a JSON object.
    #[error("a document of `{binding}` is not a JSON object; only objects can be captured")]
    NotAnObject {
        /// Whose document.
        binding: String,
    },
    /// A sourced schema can be that of no document.
    #[error("the sourced schema of `{binding}` is no schema of documents: {problem}")]
    SourcedSchema {
        /// Whose schema.
        binding: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A cursor does not come after the one before it.
    #[error(
        "cursor {next} of `{task}` is not greater than {previous}; cursors must strictly increase"
    )]
    CursorNotIncreasing {
        /// The binding, and its subtask if it has any.
        task: String,
        /// The cursor of the last checkpoint.
        previous: String,
        /// The cursor that was given.
        next: String,
    },
    /// A cursor is of another kind than the one before it.
    #[error(
        "cursor {next} of `{task}` has a different type than {previous}; migrate the state if the cursor type is to change"
    )]
    CursorKind {
        /// The binding, and its subtask if it has any.
        task: String,
        /// The cursor of the last checkpoint.
        previous: String,
        /// The cursor that was given.
        next: String,
    },
    /// An incremental function returned, and its last documents have no cursor.
    #[error(
        "the incremental function of `{task}` returned with {documents} documents without a cursor; end with a checkpoint"
    )]
    DocumentsWithoutCursor {
        /// The binding, and its subtask if it has any.
        task: String,
        /// How many.
        documents: u64,
    },
    /// An object page was given as a patch of a page that is none.
    #[error(
        "object page cursor of `{task}` follows a page that is no object; a backfill keeps to one kind of page"
    )]
    PageKind {
        /// The binding, and its subtask if it has any.
        task: String,
    },
    /// A backfill function was to go on at no page.
    #[error(
        "`{task}` gave a null page; return when there is nothing more, and checkpoint the page that follows when there is"
    )]
    NullPage {
        /// The binding, and its subtask if it has any.
        task: String,
    },
    /// The deletions of a snapshot lack a part of the collection key.
    #[error(
        "a deletion of `{task}` would lack the key field {pointer} of its collection; give the resource a `tombstone` that has it"
    )]
    TombstoneIncomplete {
        /// The binding, and its subtask if it has any.
        task: String,
        /// The member of the key.
        pointer: String,
    },
    /// The rows of two subtasks of a snapshot have the same keys: each would overwrite and delete what the other captured.
    #[error(
        "rows of the snapshot subtasks of `{binding}` cannot be told apart: {problem}; key its collection on `/_meta/row_id` and on \
         what the subtasks differ in, and give each a `tombstone_subtask` that has it"
    )]
    SubtasksShareRows {
        /// Whose rows.
        binding: String,
        /// Which of them, and why.
        problem: String,
    },
    /// A backfill was to begin while one is running.
    #[error("a backfill of `{task}` is in progress; ask `is_backfilling` before beginning another")]
    BackfillInProgress {
        /// The binding, and its subtask if it has any.
        task: String,
    },
    /// A resource that backfills was given no function to do it with.
    #[error(
        "`{task}` has no backfill function; give the resource one before asking for a backfill"
    )]
    NoBackfill {
        /// The binding, and its subtask if it has any.
        task: String,
    },
    /// A subtask cannot have this name, or has it already.
    #[error("subtask `{subtask}` of `{binding}` cannot begin: {problem}")]
    Subtask {
        /// The binding.
        binding: String,
        /// The name.
        subtask: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A function kept its emitter beyond its own return.
    #[error(
        "the function of `{task}` returned and its emitter lives on; drop the emitter before returning"
    )]
    EmitterKept {
        /// The binding, and its subtask if it has any.
        task: String,
    },
    /// More checkpoints were acknowledged than wait for it.
    #[error(
        "the runtime acknowledged {checkpoints} checkpoints with {pending} pending; it lost count, so nothing it says of them can be trusted"
    )]
    TooManyAcknowledgements {
        /// How many it acknowledged.
        checkpoints: usize,
        /// How many there were.
        pending: usize,
    },
    /// A capture that listens cannot.
    #[cfg(feature = "webhook")]
    #[error(
        "the capture cannot listen on `{address}`; end whatever else listens there, or configure another port"
    )]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The state does not fit the functions of the resource.
    #[error("the state of `{state_key}` does not fit resource `{binding}` at {pointer}: {problem}")]
    State {
        /// Whose state.
        state_key: String,
        /// The resource.
        binding: String,
        /// Where in the binding's state.
        pointer: String,
        /// What is wrong.
        problem: String,
    },
    /// A function of the connector failed.
    #[error("{message}")]
    Fetch {
        /// What it said, and all its causes.
        message: String,
    },
    /// A function of the connector panicked.
    #[error("a function of the connector panicked: {message}")]
    Panicked {
        /// What the panic said.
        message: String,
    },
    /// Running functions were cancelled, as was asked for while the capture stopped.
    #[error("cancelled by a second signal; still running: {running}")]
    Cancelled {
        /// What was running, what each waited for, and since when.
        running: String,
    },
    /// Running functions did not finish in time.
    #[error("stopping took longer than {minutes} minutes; still running: {running}")]
    StopTimeout {
        /// How long was waited.
        minutes: u64,
        /// What was running, what each waited for, and since when.
        running: String,
    },
}

impl TaskError {
    /// What a fetch function failed with. An error of an emitter, passed on with `?`, is itself again.
    pub(crate) fn from_fetch(error: BoxError) -> Self {
        match error.downcast::<TaskError>() {
            Ok(own) => *own,
            Err(error) => TaskError::Fetch {
                message: chain(&*error),
            },
        }
    }
}

/// An error and all its causes, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
