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
}

impl SourceShopify {
    /// One that asks there.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self { place }
    }
}

impl Connector for SourceShopify {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://go.estuary.dev/source-shopify-native";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        config.check(staunch::now())?;
        resources(config, &know(&self.place, config).await?)
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
        Ok(config::update(config, json))
    }

    async fn migrate_state(
        &self,
        migrating: &Migrating<'_, Config>,
    ) -> Result<Migration, BoxError> {
        let config = migrating.config;
        config.check(staunch::now())?;
        let names = config.names();
        let now = beginning(staunch::now());
        let stores = Stores {
            configured: &names,
            of_flat_config: None,
            now,
            start_date: config.begin(now),
        };
        // Which store has access to what is asked only if a store is missing somewhere: most openings ask nothing here.
        let all = migrations::chain(&stores, |_, _| true);
        if let Migration::Unchanged = migrating.run(&all)? {
            return Ok(Migration::Unchanged);
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
        let names: Vec<String> = config.names();
        let now = beginning(staunch::now());
        let stores = Stores {
            configured: &names,
            of_flat_config: None,
            now,
            start_date: config.begin(now),
        };
        migrations::chain(&stores, |_, _| true)
    }
}
