//! The three emitters of the kit as one: a script has the same steps for all functions.

use serde_json::Value;
use staunch::state::Node;
use staunch::{BoxError, Changes, Cursor, FetchResult, Page, Pages, Rows};

/// What a function emits into.
pub(crate) enum Emitter {
    Changes(Changes),
    Pages(Box<Pages>),
    Rows(Box<Rows>),
}

impl Emitter {
    /// Captures a document: nothing, if it is for a resource that is not bound.
    pub(crate) fn document(&mut self, to: Option<&str>, json: &str) -> FetchResult {
        match (self, to) {
            (Emitter::Changes(emit), None) => emit.raw(json)?,
            (Emitter::Pages(emit), None) => emit.raw(json)?,
            (Emitter::Rows(emit), None) => emit.raw(json)?,
            (Emitter::Changes(emit), Some(to)) => {
                if let Some(mut other) = emit.associated(to) {
                    other.raw(json)?;
                }
            }
            (Emitter::Pages(emit), Some(to)) => {
                if let Some(mut other) = emit.associated(to) {
                    other.raw(json)?;
                }
            }
            (Emitter::Rows(_), Some(_)) => return Err(misplaced("to")),
        }
        Ok(())
    }

    pub(crate) fn sourced_schema(&mut self, to: Option<&str>, schema: &Value) -> FetchResult {
        match (self, to) {
            (Emitter::Changes(emit), None) => emit.sourced_schema(schema)?,
            (Emitter::Pages(emit), None) => emit.sourced_schema(schema)?,
            (Emitter::Rows(emit), None) => emit.sourced_schema(schema)?,
            (Emitter::Changes(emit), Some(to)) => {
                if let Some(mut other) = emit.associated(to) {
                    other.sourced_schema(schema)?;
                }
            }
            (Emitter::Pages(emit), Some(to)) => {
                if let Some(mut other) = emit.associated(to) {
                    other.sourced_schema(schema)?;
                }
            }
            (Emitter::Rows(_), Some(_)) => return Err(misplaced("to")),
        }
        Ok(())
    }

    pub(crate) async fn cursor(&mut self, cursor: &Node) -> FetchResult {
        let Emitter::Changes(emit) = self else {
            return Err(misplaced("cursor"));
        };
        emit.checkpoint(Cursor::from_node(cursor)?).await?;
        Ok(())
    }

    pub(crate) async fn page(&mut self, page: &Node) -> FetchResult {
        let Emitter::Pages(emit) = self else {
            return Err(misplaced("page"));
        };
        let page = match page {
            Node::Null => None,
            Node::Object(object) => Some(Page::Object(object.clone())),
            Node::Leaf(leaf) => Some(match (leaf.as_str(), leaf.as_i64()) {
                (Some(text), _) => Page::String(text.into_owned()),
                (None, Some(integer)) => Page::Integer(integer),
                _ => return Err("a page is a string, an integer or an object".into()),
            }),
        };
        emit.checkpoint(page).await?;
        Ok(())
    }

    pub(crate) async fn request_backfill(self) -> FetchResult {
        match self {
            Emitter::Changes(emit) => Ok(emit.request_backfill().await?),
            _ => Err(misplaced("trigger_backfill")),
        }
    }
}

fn misplaced(step: &str) -> BoxError {
    format!("the script has `{step}` in a function that cannot do it").into()
}
