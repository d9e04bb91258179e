//! Which of its invocations a function runs, and the running of it.

use std::cmp::Ordering;
use std::sync::Arc;
use std::sync::atomic::{self, AtomicU64};

use staunch::state::Node;
use staunch::{Cursor, FetchResult, Page};

use crate::emitter::Emitter;
use crate::latch::Latches;
use crate::script::{FunctionScript, Invocation};
use crate::step::Step;

/// A scripted function.
pub(crate) struct Function {
    script: FunctionScript,
    latches: Arc<Latches>,
    /// How often it was invoked in this process.
    calls: AtomicU64,
}

/// What an invocation is passed.
pub(crate) enum Arguments {
    Incremental {
        cursor: Cursor,
    },
    Backfill {
        page: Option<Page>,
        cutoff: Cursor,
        is_connector_initiated: bool,
    },
    Snapshot,
}

impl Function {
    pub(crate) fn new(script: FunctionScript, latches: &Arc<Latches>) -> Arc<Self> {
        Arc::new(Self {
            script,
            latches: Arc::clone(latches),
            calls: AtomicU64::new(0),
        })
    }

    /// Runs the first invocation that matches.
    pub(crate) async fn invoke(
        self: Arc<Self>,
        arguments: Arguments,
        emit: Emitter,
    ) -> FetchResult {
        let call = 1 + self.calls.fetch_add(1, atomic::Ordering::Relaxed);
        let mut invocations = self.script.invocations.iter();
        let chosen = invocations.find(|invocation| invocation.matches(&arguments, call));
        match (chosen, &arguments) {
            (Some(invocation), _) => self.run(&invocation.steps, &arguments, emit).await,
            (None, Arguments::Incremental { .. }) => Ok(()),
            (None, _) => Err(format!("scenario error: no invocation matches call {call}").into()),
        }
    }

    async fn run(&self, steps: &[Step], arguments: &Arguments, mut emit: Emitter) -> FetchResult {
        for step in steps {
            match step {
                Step::Document(document, to) => emit.document(to.as_deref(), &document.0)?,
                Step::Documents(documents, to) => {
                    for document in documents.iter() {
                        emit.document(to.as_deref(), &document)?;
                        tokio::task::consume_budget().await;
                    }
                }
                Step::Echo(id) => {
                    let args = arguments.to_json(self.script.recurring);
                    let id = serde_json::Value::from(id.as_str());
                    let echo = format!("{{\"id\":{id},\"echo\":true,\"args\":{args}}}");
                    emit.document(None, &echo)?;
                }
                Step::Cursor(cursor) => emit.cursor(cursor).await?,
                Step::Page(page) => emit.page(page).await?,
                Step::SourcedSchema(schema, to) => emit.sourced_schema(to.as_deref(), schema)?,
                Step::TriggerBackfill => return emit.request_backfill().await,
                Step::Sleep(time) => tokio::time::sleep(*time).await,
                Step::Signal(latch) => self.latches.set(latch),
                Step::Await(latch) => self.latches.wait(latch).await,
                Step::Park => std::future::pending().await,
                Step::Mark(name) => tracing::info!(mark = name.as_str(), "a mark of the script"),
                Step::Fail(message) => return Err(format!("scenario error: {message}").into()),
                Step::Return => return Ok(()),
            }
        }
        Ok(())
    }
}

impl Invocation {
    fn matches(&self, arguments: &Arguments, call: u64) -> bool {
        let is_at = self.at.as_ref().is_none_or(|at| match arguments {
            Arguments::Incremental { cursor } => is_cursor(at, cursor),
            Arguments::Backfill { page, .. } => is_page(at, page.as_ref()),
            Arguments::Snapshot => false,
        });
        let is_initiated = self
            .connector_initiated
            .is_none_or(|wanted| match arguments {
                Arguments::Backfill {
                    is_connector_initiated,
                    ..
                } => *is_connector_initiated == wanted,
                _ => false,
            });
        is_at && is_initiated && self.call.is_none_or(|wanted| wanted == call)
    }
}

impl Arguments {
    /// As an echo tells them, in JSON.
    fn to_json(&self, is_recurring: bool) -> String {
        match self {
            Arguments::Incremental { cursor } => format!("{{\"cursor\":{}}}", cursor.as_json()),
            Arguments::Backfill {
                page,
                cutoff,
                is_connector_initiated,
            } => {
                let page = page.as_ref().map_or(Node::Null, Page::to_node).to_json();
                let cutoff = cutoff.as_json();
                let initiated = match is_recurring {
                    true => format!(",\"connector_initiated\":{is_connector_initiated}"),
                    false => String::new(),
                };
                format!("{{\"page\":{page},\"cutoff\":{cutoff}{initiated}}}")
            }
            Arguments::Snapshot => "{}".to_owned(),
        }
    }
}

/// Whether a value of the script is this cursor: the same instant, number or tuple.
fn is_cursor(at: &Node, cursor: &Cursor) -> bool {
    let at = Cursor::from_node(at).ok();
    at.and_then(|at| at.compare(cursor)) == Some(Ordering::Equal)
}

/// Whether a value of the script is this page, which is `null` before the first.
fn is_page(at: &Node, page: Option<&Page>) -> bool {
    match page {
        None => at.is_null(),
        Some(page) => *at == page.to_node(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_matches_by_its_value_and_not_by_its_text() {
        let at = |json: &str, cursor: &str| {
            let cursor = Cursor::from_node(&Node::parse(cursor).unwrap()).unwrap();
            is_cursor(&Node::parse(json).unwrap(), &cursor)
        };
        assert!(at(
            r#""2024-01-01T02:00:00+02:00""#,
            r#""2024-01-01T00:00:00.000Z""#
        ));
        assert!(at(r#"["a"]"#, r#"["a"]"#));
        assert!(at("5", "5"));
        assert!(
            !at("null", "5") && !at("6", "5") && !at(r#""5""#, "5") && !at(r#"["b"]"#, r#"["a"]"#)
        );
    }

    #[test]
    fn a_null_page_is_not_the_same_as_no_page_to_match() {
        let invocation = |json: &str| serde_json::from_str::<Invocation>(json).unwrap();
        let page = |page: Option<Page>| Arguments::Backfill {
            page,
            cutoff: Cursor::integer(1),
            is_connector_initiated: false,
        };
        assert!(invocation(r#"{"at": null}"#).matches(&page(None), 1));
        assert!(!invocation(r#"{"at": null}"#).matches(&page(Some(Page::Integer(1))), 1));
        assert!(invocation("{}").matches(&page(Some(Page::Integer(1))), 1));
        assert!(!invocation(r#"{"call": 2}"#).matches(&page(None), 1));
        assert!(!invocation(r#"{"connector_initiated": true}"#).matches(&page(None), 1));
    }
}
