//! The connector.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use staunch::state::{Binding, Chain, Consent};
use staunch::{BoxError, ConfigUpdate, Connector, Resource};

use crate::latch::Latches;
use crate::script::Script;
use crate::{migrations, resources};

/// A connector that does what its endpoint config says.
#[derive(Default)]
pub struct Scenario {
    latches: Arc<Latches>,
}

/// The endpoint config: a script, and settings that nothing but updates of the config looks at. Its schema permits other members.
#[derive(Deserialize, JsonSchema)]
pub struct Config {
    #[schemars(with = "Value")]
    script: Box<serde_json::value::RawValue>,
    #[serde(default)]
    settings: Value,
}

impl Config {
    fn script(&self) -> Result<Script, serde_json::Error> {
        serde_json::from_str(self.script.get())
    }
}

impl Connector for Scenario {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/scenario";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let resources = config.script()?.resources.into_iter();
        resources
            .map(|script| resources::resource(script, &self.latches))
            .collect()
    }

    /// Any function of a script may wait for any other, and hold its turn meanwhile: a bound would have them wait for ever.
    fn concurrent_subtasks(&self, _: &Config) -> usize {
        usize::MAX
    }

    fn update_config(
        &self,
        config: &Config,
        json: &Value,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        let update = config.script()?.config_update;
        let Some(update) = update.filter(|update| update.settings != config.settings) else {
            return Ok(None);
        };
        let mut json = json.clone();
        json["settings"] = update.settings;
        Ok(Some(ConfigUpdate::new(update.message, json)))
    }

    fn migrations(&self, config: &Config) -> Chain {
        // A script that cannot be read is refused where resources are made of it.
        config
            .script()
            .map(|script| migrations::chain(&script.resources))
            .unwrap_or_default()
    }

    fn consents(&self, config: &Config, bindings: &[Binding]) -> Vec<Consent> {
        config
            .script()
            .map(|script| migrations::consents(&script.resources, bindings))
            .unwrap_or_default()
    }

    fn config_schema(&self) -> Value {
        json!({
            "type": "object",
            "title": "Scenario endpoint configuration",
            "required": ["script"],
            "properties": {
                "script": {
                    "type": "object",
                    "title": "Script",
                    "description": "The scripted behaviour of this connector",
                },
                "settings": {
                    "type": "object",
                    "title": "Settings",
                    "description": "Free-form settings, used by configuration updates",
                },
            },
        })
    }
}
