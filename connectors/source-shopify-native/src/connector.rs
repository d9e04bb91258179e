//! The connector.

use std::collections::BTreeMap;

use serde_json::Value;
use staunch::state::Chain;
use staunch::{BoxError, ConfigUpdate, Connector, Migrating, Migration, Proposed, Resource};

use crate::config::{self, Config};
use crate::fetch::beginning;
use crate::migrations::{self, Stores};
use crate::place::Place;
use crate::resources::{know, resources};
use crate::validate;

/// Captures one store of Shopify, or many.
#[derive(Clone, Debug)]
pub struct SourceShopify {
    place: Place,
    release: Release,
}

/// How many stores a release knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// One: its state is that of the streams themselves.
    First,
    /// Any number, each a subtask.
    Present,
}

impl SourceShopify {
    /// The present release, which asks there.
    #[must_use]
    pub fn new(place: Place) -> Self {
        let release = Release::Present;
        Self { place, release }
    }

    /// The first release. Kept so that its state, and the way out of it, can be tried.
    #[must_use]
    pub fn first_release(place: Place) -> Self {
        let release = Release::First;
        Self { place, release }
    }
}

impl Connector for SourceShopify {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://go.estuary.dev/source-shopify-native";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        config.check(staunch::now())?;
        if self.release == Release::First && config.stores.len() > 1 {
            return Err(
                "the first release captures one store; configure one, or use the present release"
                    .into(),
            );
        }
        resources(self.release, config, &know(&self.place, config).await?)
    }

    async fn check(&self, config: &Config) -> Result<(), BoxError> {
        config.check(staunch::now())
    }

    fn check_bindings(&self, config: &Config, proposed: &Proposed) -> Vec<String> {
        validate::problems(config, proposed)
    }

    fn update_config(
        &self,
        config: &Config,
        json: &Value,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        Ok(match self.release {
            Release::First => None,
            Release::Present => config::update(config, json),
        })
    }

    async fn migrate_state(
        &self,
        migrating: &Migrating<'_, Config>,
    ) -> Result<Migration, BoxError> {
        if self.release == Release::First {
            return Ok(Migration::Unchanged);
        }
        let config = migrating.config;
        config.check(staunch::now())?;
        let names = config.names();
        let stores = stores(config, &names);
        // Which store lets what be read is asked only if a store begins somewhere: most openings ask nothing here.
        let migrated = migrating.run(&migrations::chain(&stores, |_, _| true))?;
        if !begins_stores(&migrated) {
            return Ok(migrated);
        }
        migrating.ask_source()?;
        let known = know(&self.place, config).await?;
        let granted = known
            .iter()
            .map(|known| (known.store.name.to_string(), &known.grants));
        let granted: BTreeMap<String, _> = granted.collect();
        let chain = migrations::chain(&stores, |stream, store| {
            granted
                .get(store)
                .is_some_and(|grants| stream.is_granted(grants))
        });
        Ok(migrating.run(&chain)?)
    }

    fn migrations(&self, config: &Config) -> Chain {
        if self.release == Release::First {
            return Chain::new();
        }
        let names = config.names();
        let stores = stores(config, &names);
        migrations::chain(&stores, |_, _| true)
    }
}

/// The stores of a config, as of now.
fn stores<'a>(config: &Config, names: &'a [String]) -> Stores<'a> {
    let now = beginning(staunch::now());
    Stores {
        configured: names,
        of_flat_config: None,
        now,
        start_date: config.begin(now),
    }
}

fn begins_stores(migration: &Migration) -> bool {
    match migration {
        Migration::Migrated { applied, .. } => {
            let mut steps = applied.iter().map(|applied| applied.migration.as_str());
            steps.any(|step| step == migrations::ENSURE_STORES)
        }
        _ => false,
    }
}
