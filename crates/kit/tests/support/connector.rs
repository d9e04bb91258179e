//! A connector as a process, for the tests of the kit. Its endpoint config says how it migrates.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use staunch::state::transform::{custom, custom_whole, flat_to_keyed, reset};
use staunch::state::{
    Applied, Binding, Chain, Consent, Declared, Effects, Leaf, MigrationError, Node,
};
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Migrating, Migration, Resource};

fn main() -> ExitCode {
    staunch::main(Processed)
}

struct Processed;

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Config {
    /// Its migrations.
    #[serde(default)]
    chain: Steps,
    /// What whoever wrote this config consents to.
    #[serde(default)]
    allow: Vec<String>,
    /// With it there are resources that do not stop of themselves, and one that captures so many bytes without a checkpoint.
    #[serde(default)]
    flood_bytes: Option<u64>,
    /// What a migration asks the source first, if it must.
    #[cfg(feature = "auth")]
    #[serde(default)]
    ask: Option<String>,
    /// Where an earlier release had the region.
    #[cfg(feature = "auth")]
    #[serde(default)]
    region: Option<String>,
    /// Where it is now.
    #[cfg(feature = "auth")]
    #[serde(default)]
    advanced: Advanced,
    /// Tokens that change hands.
    #[cfg(feature = "auth")]
    #[serde(default)]
    credentials: Option<staunch::auth::RotatingOAuth2>,
    /// Who changes them.
    #[cfg(feature = "auth")]
    #[serde(default)]
    token_url: String,
}

#[cfg(feature = "auth")]
#[derive(Default, serde::Deserialize, schemars::JsonSchema)]
struct Advanced {
    #[serde(default)]
    region: Option<String>,
}

#[derive(Clone, Copy, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Steps {
    /// None.
    None,
    /// Flat to keyed.
    #[default]
    Keyed,
    /// That, and one that replaces the whole state of a capture with something `old` in it.
    Replaces,
    /// That, and one that needs the whole state: it removes a token.
    Whole,
    /// No chain: a hook that does it by hand, and removes what is `old`.
    Hand,
    /// One that fails.
    Fails,
    /// One that loses what a binding was initialised with.
    Forgets,
    /// One whose result has a snapshot that cannot be read.
    Spoils,
    /// One that changes its own result.
    Restless,
    /// One by which a binding starts over.
    Restarts,
}

impl Steps {
    fn chain(self) -> Chain {
        let chain = Chain::new();
        match self {
            Steps::None | Steps::Hand => chain,
            Steps::Keyed => chain.with(flat_to_keyed("main")),
            Steps::Replaces => chain.with(flat_to_keyed("main")).with(
                custom(
                    "anew",
                    |_, state| state.contains("old"),
                    |_, mut state| {
                        state.remove("old");
                        Ok(state)
                    },
                )
                .declaring(Effects::NONE.edits("/old").replaces_state()),
            ),
            Steps::Whole => chain.with(flat_to_keyed("main")).with_whole(
                custom_whole(
                    "without-token",
                    |_, state| state.contains("refresh_token"),
                    |_, mut state| {
                        state.remove("refresh_token");
                        Ok(state)
                    },
                )
                .declaring(Effects::NONE.edits("/refresh_token")),
            ),
            Steps::Restarts => chain.with(reset(|_, state| state.contains("old"))),
            Steps::Fails => chain.with(custom(
                "fails",
                |_, _| true,
                |_, _| Err(MigrationError::failed("/inc", "holds no tenant; add one")),
            )),
            Steps::Forgets => chain.with(custom(
                "forgets",
                |_, state| state.contains("last_initialized"),
                |_, mut state| {
                    state.remove("last_initialized");
                    Ok(state)
                },
            )),
            Steps::Spoils => chain.with(
                custom(
                    "spoils",
                    |_, state| !state.contains("snapshot"),
                    |_, mut state| {
                        state.insert("snapshot", Node::string("none"));
                        Ok(state)
                    },
                )
                .declaring(Effects::NONE.edits("/snapshot")),
            ),
            Steps::Restless => chain.with(
                custom(
                    "restless",
                    |_, _| true,
                    |_, mut state| {
                        let turns = state.get("turns").and_then(Node::as_leaf);
                        let turns = turns.and_then(Leaf::as_u64).unwrap_or(0);
                        state.insert("turns", Node::integer(turns + 1));
                        Ok(state)
                    },
                )
                .declaring(Effects::NONE.edits("/turns")),
            ),
        }
    }
}

impl Connector for Processed {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/processed";

    #[cfg(feature = "auth")]
    fn update_config(
        &self,
        config: &Config,
        json: &serde_json::Value,
    ) -> Result<Option<staunch::ConfigUpdate>, BoxError> {
        let Some(region) = &config.region else {
            return Ok(None);
        };
        let mut json = json.clone();
        json["advanced"]["region"] = region.as_str().into();
        json.as_object_mut()
            .ok_or("the config is an object")?
            .remove("region");
        Ok(Some(staunch::ConfigUpdate::new("The region moves.", json)))
    }

    #[cfg(feature = "auth")]
    async fn rotate_tokens(
        &self,
        rotating: &staunch::Rotating<'_, Config>,
    ) -> Result<Option<staunch::ConfigUpdate>, BoxError> {
        let Some(credentials) = &rotating.config.credentials else {
            return Ok(None);
        };
        let url = &rotating.config.token_url;
        Ok(rotating.oauth2(credentials, "/credentials", url).await?)
    }

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        #[cfg(feature = "auth")]
        {
            let region = config.advanced.region.as_deref().unwrap_or_default();
            let token = config.credentials.as_ref();
            let token = token.map_or("", |credentials| credentials.access_token().expose());
            tracing::info!(region, token, "the config is used");
        }
        let mut resources: Vec<_> = ["a", "b", "c"].map(resource).into();
        if let Some(bytes) = config.flood_bytes {
            resources.extend([parked(), blocking(), flood(bytes)]);
        }
        Ok(resources)
    }

    fn migrations(&self, config: &Config) -> Chain {
        config.chain.chain()
    }

    fn consents(&self, config: &Config, _: &[Binding]) -> Vec<Consent> {
        let allowed = config.allow.iter();
        allowed.filter_map(|text| text.parse().ok()).collect()
    }

    async fn migrate_state(
        &self,
        migrating: &Migrating<'_, Config>,
    ) -> Result<Migration, BoxError> {
        tracing::info!("the hook is called");
        #[cfg(feature = "auth")]
        if let Some(url) = &migrating.config.ask {
            let answer = migrating.http()?.get(url).send().await?;
            let key: String = answer.json()?;
            return Ok(migrating.run(&Chain::new().with(flat_to_keyed(key)))?);
        }
        match migrating.config.chain {
            Steps::Hand => Ok(by_hand(migrating.state)),
            chain => Ok(migrating.run(&chain.chain())?),
        }
    }
}

fn by_hand(state: &Node) -> Migration {
    let mut state = state.clone().into_object().unwrap_or_default();
    if state.remove("old").is_none() {
        return Migration::Unchanged;
    }
    Migration::Migrated {
        state: Node::Object(state),
        applied: vec![Applied {
            migration: "by-hand".into(),
            state_keys: vec!["".into()],
        }],
        declared: Declared::from_iter([("by-hand".to_owned(), Effects::NONE.edits("/old"))]),
    }
}

/// Its functions make a checkpoint, and never return.
fn parked() -> Resource {
    let fetch = |_: Arc<str>, cursor: Cursor, mut emit: Changes| async move {
        let next = cursor.as_u64().ok_or("the cursor is a number")? + 1;
        emit.checkpoint(Cursor::integer(next)).await?;
        std::future::pending::<FetchResult>().await
    };
    Resource::new("parked").key(["/id"]).incremental_each(fetch)
}

/// Its functions make a checkpoint, and then never let go of their thread.
fn blocking() -> Resource {
    let fetch = |_: Arc<str>, cursor: Cursor, mut emit: Changes| async move {
        let next = cursor.as_u64().ok_or("the cursor is a number")? + 1;
        emit.checkpoint(Cursor::integer(next)).await?;
        std::thread::sleep(Duration::from_secs(3600));
        FetchResult::Ok(())
    };
    Resource::new("blocking")
        .key(["/id"])
        .incremental_each(fetch)
}

/// Captures so many bytes before its first checkpoint, and then waits a little for each number.
fn flood(bytes: u64) -> Resource {
    let fetch = move |_: Arc<str>, cursor: Cursor, mut emit: Changes| async move {
        let next = cursor.as_u64().ok_or("the cursor is a number")? + 1;
        if next == 1 {
            let pad = "x".repeat(1 << 20);
            for id in 0..bytes >> 20 {
                emit.document(&json!({ "id": id, "pad": pad }))?;
                tokio::task::yield_now().await;
            }
        }
        // Time to be looked at, before the checkpoint.
        tokio::time::sleep(Duration::from_secs(3)).await;
        emit.checkpoint(Cursor::integer(next)).await?;
        FetchResult::Ok(())
    };
    Resource::new("flood").key(["/id"]).incremental_each(fetch)
}

/// Captures one number after the cursor, up to 9.
fn resource(name: &'static str) -> Resource {
    let fetch = move |subtask: Arc<str>, cursor: Cursor, mut emit: Changes| async move {
        tracing::info!(%subtask, "a function is called");
        let next = cursor.as_u64().ok_or("the cursor is a number")? + 1;
        if next < 10 {
            emit.document(&json!({ "id": format!("{name}-{subtask}-{next}") }))?;
            emit.checkpoint(Cursor::integer(next)).await?;
        }
        FetchResult::Ok(())
    };
    Resource::new(name)
        .key(["/id"])
        .interval(Duration::from_millis(50))
        .incremental_each(fetch)
}
