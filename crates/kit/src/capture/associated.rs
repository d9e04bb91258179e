//! What a function captures for another binding than its own.

use serde::Serialize;
use serde_json::Value;

use super::{Lane, TaskError};

/// What a function pushes into for the binding of another resource: the order's lines while it reads the orders.
///
/// It is part of the transaction of the function that has it: it leaves with that function's next checkpoint, and is captured
/// together with its own documents or not at all.
///
/// ```
/// use staunch::{Changes, Cursor, FetchResult};
///
/// async fn fetch_orders(cursor: Cursor, mut emit: Changes) -> FetchResult {
///     let id = cursor.as_u64().ok_or("the cursor of orders is an integer")? + 1;
///     emit.document(&serde_json::json!({ "id": id }))?;
///     if let Some(mut lines) = emit.associated("order_lines") {
///         lines.document(&serde_json::json!({ "id": 1, "order": id }))?;
///     }
///     emit.checkpoint(Cursor::integer(id)).await?;
///     Ok(())
/// }
/// # let _ = staunch::Resource::new("orders").incremental(fetch_orders);
/// ```
pub struct Associated<'a> {
    pub(super) lane: &'a mut Lane,
    pub(super) index: u32,
}

impl Associated<'_> {
    /// Captures a document for that binding. It leaves with the function's next checkpoint, and awaits it as its own do.
    ///
    /// # Errors
    /// When it does not serialise to a JSON object, or cannot be spooled.
    pub fn document<T: Serialize + ?Sized>(&mut self, document: &T) -> Result<(), TaskError> {
        self.lane.document(self.index, document)
    }

    /// Captures a document that is JSON already, as [`Changes::raw`](super::Changes::raw) does.
    ///
    /// # Errors
    /// When it cannot be an object, or cannot be spooled.
    pub fn raw(&mut self, document: impl AsRef<[u8]>) -> Result<(), TaskError> {
        self.lane.raw(self.index, document.as_ref())
    }

    /// Says what the schema of that binding's documents is, as [`Changes::sourced_schema`](super::Changes::sourced_schema) does.
    ///
    /// # Errors
    /// As there.
    pub fn sourced_schema(&mut self, schema: &Value) -> Result<(), TaskError> {
        self.lane.sourced_schema(self.index, schema)
    }
}
