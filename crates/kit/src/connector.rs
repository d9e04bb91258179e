//! What an author implements.

use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use staunch_state::Chain;

use crate::capture::BoxError;
use crate::migrate::{Migrating, Migration};
use crate::resource::Resource;

/// A capture connector.
///
/// The kit calls [`resources`](Self::resources) once for each request that needs them: to discover, to validate, and to open a
/// capture, each in a process of its own. It calls [`migrate_state`](Self::migrate_state) once for each capture that is opened,
/// after the endpoint config is known and before anything is captured. Nothing is called concurrently.
///
/// ```
/// use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Resource};
///
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Config {
///     /// How far to count.
///     limit: u64,
/// }
///
/// struct Counter;
///
/// impl Connector for Counter {
///     type Config = Config;
///     const DOCUMENTATION_URL: &'static str = "https://example.com/counter";
///
///     async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
///         let limit = config.limit;
///         let state = staunch::state::Node::parse(r#"{"inc":{"cursor":0}}"#)?;
///         Ok(vec![
///             Resource::new("numbers")
///                 .key(["/n"])
///                 .initial_state(state)
///                 .incremental(move |cursor, emit| count(limit, cursor, emit)),
///         ])
///     }
/// }
///
/// async fn count(limit: u64, cursor: Cursor, mut emit: Changes) -> FetchResult {
///     let n = cursor.as_u64().ok_or("the cursor is a number")? + 1;
///     if n <= limit {
///         emit.document(&serde_json::json!({ "n": n }))?;
///         emit.checkpoint(Cursor::integer(n)).await?;
///     }
///     Ok(())
/// }
///
/// // fn main() -> std::process::ExitCode { staunch::main(Counter) }
/// ```
pub trait Connector: Send + Sync + 'static {
    /// The endpoint config: what the connector needs to reach its source. Give each member a title and a description.
    type Config: DeserializeOwned + JsonSchema + Send + Sync;

    /// Where its documentation is.
    const DOCUMENTATION_URL: &'static str;

    /// The resources that there are. May ask the source.
    fn resources(
        &self,
        config: &Self::Config,
    ) -> impl Future<Output = Result<Vec<Resource>, BoxError>> + Send;

    /// Whether the source can be reached with this config. Asked when a capture is validated. By default it is taken for granted.
    fn check(&self, config: &Self::Config) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = config;
        async { Ok(()) }
    }

    /// The steps that carry the state of earlier releases into today's shape, oldest first. By default none.
    fn migrations(&self, config: &Self::Config) -> Chain {
        let _ = config;
        Chain::new()
    }

    /// Carries the whole connector state into today's shape, before anything is captured.
    ///
    /// By default it runs [`migrations`](Self::migrations). Override it only when a step must ask the source something first.
    /// The answer is the whole new state: the update, the deletions and the safety checks come from the engine. It must be
    /// repeatable, since a crash before the commit runs it again, and it must leave a state alone that has the new shape.
    fn migrate_state(
        &self,
        migrating: &Migrating<'_, Self::Config>,
    ) -> impl Future<Output = Result<Migration, BoxError>> + Send {
        async { Ok(migrating.run(&self.migrations(migrating.config))?) }
    }

    /// How many subtasks are captured at once, of all resources together: 40 by default, and at least one.
    ///
    /// The others wait for their turn: backfills first, then the oldest cursor, and none for ever. Lower it for a source that
    /// bears fewer requests at a time. Resources that are captured as a whole are not counted.
    fn concurrent_subtasks(&self, config: &Self::Config) -> usize {
        let _ = config;
        crate::slots::DEFAULT_SLOTS
    }

    /// The schema of the endpoint config. By default that of [`Config`](Self::Config).
    fn config_schema(&self) -> Value {
        crate::schema::of::<Self::Config>()
    }
}
