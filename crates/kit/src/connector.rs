//! What an author implements.

use std::future::Future;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use staunch_protocol::oauth2::OAuth2;
use staunch_state::{Binding, Chain, Consent};

use crate::capture::BoxError;
#[cfg(feature = "http")]
use crate::config_update::{ConfigUpdate, Rotating};
use crate::migrate::{Migrating, Migration};
use crate::proposed::Proposed;
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

    /// Whether its bindings may have a schedule, by which they are read anew. If not, the form for a binding has no such member.
    const HAS_SCHEDULES: bool = true;

    /// The resources that there are. May ask the source.
    fn resources(
        &self,
        config: &Self::Config,
    ) -> impl Future<Output = Result<Vec<Resource>, BoxError>> + Send;

    /// Whether the source can be reached with this config. Asked when a capture is validated, whatever else is wrong with it, so that
    /// all is said at once. By default it is taken for granted.
    fn check(&self, config: &Self::Config) -> impl Future<Output = Result<(), BoxError>> + Send {
        let _ = config;
        async { Ok(()) }
    }

    /// What is wrong with the bindings of a capture, or with what becomes of it, beside what the kit sees by itself: a key that has to
    /// change, say, and a binding that has to start over for that. Each problem says what to do. By default there is none.
    ///
    /// Asked when a capture is validated. Decide only, and ask nobody.
    fn check_bindings(&self, config: &Self::Config, proposed: &Proposed) -> Vec<String> {
        let _ = (config, proposed);
        Vec::new()
    }

    /// The endpoint config that is to take the place of the present one, if another one is wanted: a member has moved, say. By
    /// default none is.
    ///
    /// Asked when a capture is opened, before `Opened`, of the config as it is decoded and of its JSON, in which only the members are
    /// that were given. Answer with the whole new config. The kit sorts it, has it encrypted by the service that `ENCRYPTION_URL` names,
    /// and logs the event `configUpdate`, upon which the control plane stores it and starts the capture anew. Until then the capture goes on
    /// with the new config: migrations and resources see that, and never the old one. A config that is as it was is no update.
    ///
    /// Decide only, and ask nobody: a plan calls this too, to make the plan with the config that would be; it posts nothing.
    ///
    /// ```
    /// # use staunch::{BoxError, ConfigUpdate};
    /// # use serde_json::Value;
    /// # struct Config;
    /// fn update_config(config: &Config, json: &Value) -> Result<Option<ConfigUpdate>, BoxError> {
    ///     let mut json = json.clone();
    ///     let Some(region) = json.as_object_mut().and_then(|members| members.remove("region")) else {
    ///         return Ok(None);
    ///     };
    ///     json["advanced"]["region"] = region;
    ///     Ok(Some(ConfigUpdate::new("The region is an advanced option now.", json)))
    /// }
    /// # let json = serde_json::json!({ "region": "eu" });
    /// # assert!(update_config(&Config, &json)?.is_some());
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// An error ends the opening. So does a service that cannot be reached; nothing is written then.
    #[cfg(feature = "http")]
    fn update_config(
        &self,
        config: &Self::Config,
        json: &Value,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        let _ = (config, json);
        Ok(None)
    }

    /// The endpoint config with new tokens, if those that it has are about to expire. By default none.
    ///
    /// Asked when a capture is opened, after [`update_config`](Self::update_config) and before anything uses the config, so that migrations
    /// and resources may ask the source. What is answered is encrypted and announced as there, in the same event, and used only then:
    /// see [`auth`](crate::auth) for what can be lost in between. Not asked by a plan, nor to discover or to validate.
    ///
    /// # Errors
    /// An error ends the opening; nothing is written then.
    #[cfg(feature = "http")]
    fn rotate_tokens(
        &self,
        rotating: &Rotating<'_, Self::Config>,
    ) -> impl Future<Output = Result<Option<ConfigUpdate>, BoxError>> + Send {
        let _ = rotating;
        async { Ok(None) }
    }

    /// The steps that carry the state of earlier releases into today's shape, oldest first. By default none.
    fn migrations(&self, config: &Self::Config) -> Chain {
        let _ = config;
        Chain::new()
    }

    /// What whoever wrote the endpoint config has consented to in it: that a binding starts over, that a window is read again or missed.
    ///
    /// By default nothing, and a migration that needs consent is refused when the capture is opened. A consent is the word of a person,
    /// so a connector must not give any by itself: it reads them from a member of its config, where nobody else can be asked. That is
    /// why it sees neither the state nor what would be done to it; `bindings` says only which state keys there are. Each consent is for
    /// one kind of effect on one binding. A plan shows those that it needs as given by the endpoint config, the record of the migration
    /// holds them, and one that nothing needs is of no effect. None covers what is always a bug.
    ///
    /// ```
    /// # use staunch::BoxError;
    /// use staunch::state::Consent;
    ///
    /// #[derive(serde::Deserialize, schemars::JsonSchema)]
    /// struct Config {
    ///     /// Consents to what migrations do, as a plan names them: `backfill:orders`.
    ///     #[serde(default)]
    ///     allow: Vec<String>,
    /// }
    ///
    /// fn consents(config: &Config) -> Vec<Consent> {
    ///     // A word that is none allows nothing. `Connector::check` is where to say so.
    ///     config.allow.iter().filter_map(|word| word.parse().ok()).collect()
    /// }
    /// # let config: Config = serde_json::from_str(r#"{ "allow": ["backfill:orders", "yes"] }"#)?;
    /// # assert_eq!(consents(&config), ["backfill:orders".parse()?]);
    /// # Ok::<(), BoxError>(())
    /// ```
    fn consents(&self, config: &Self::Config, bindings: &[Binding]) -> Vec<Consent> {
        let _ = (config, bindings);
        Vec::new()
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

    /// Where the capture listens, if any of its resources is fed by [webhooks](crate::webhook). By default on port 8080.
    #[cfg(feature = "webhook")]
    fn listener(&self, config: &Self::Config) -> crate::webhook::Listener {
        let _ = config;
        crate::webhook::Listener::default()
    }

    /// The schema of the endpoint config. By default that of [`Config`](Self::Config), in which each enum whose variants are objects
    /// is a choice between forms, if one member has another constant in each: its tag, or the title of
    /// [credentials](crate::auth).
    fn config_schema(&self) -> Value {
        crate::schema::of_config::<Self::Config>()
    }

    /// How users obtain credentials by OAuth2, if they can. By default they cannot.
    fn oauth2(&self) -> Option<OAuth2> {
        None
    }
}
