//! The two releases of the connector.

use staunch::state::Chain;
use staunch::{BoxError, ConfigUpdate, Connector, OAuth2, Resource, Rotating};

use crate::{Config, Credentials, Place, api, migrations, resources};

/// Follows each resource with two cursors: `realtime`, and `lookback` for what comes to be seen late.
#[derive(Clone, Debug)]
pub struct SourceOutreach(Place);

/// The first release: follows each resource with one cursor. Kept so that its state, and the way out of it, can be tried.
#[derive(Clone, Debug)]
pub struct SourceOutreachV1(Place);

impl SourceOutreach {
    /// Asks there.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self(place)
    }
}

impl SourceOutreachV1 {
    /// Asks there.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self(place)
    }
}

impl Connector for SourceOutreach {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://go.estuary.dev/source-outreach";
    const HAS_SCHEDULES: bool = false;

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        resources::resources(&self.0, config)
    }

    async fn rotate_tokens(
        &self,
        rotating: &Rotating<'_, Config>,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        rotate(&self.0, rotating).await
    }

    fn migrations(&self, _: &Config) -> Chain {
        migrations::chain()
    }

    fn oauth2(&self) -> Option<OAuth2> {
        Some(api::oauth2())
    }
}

impl Connector for SourceOutreachV1 {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = SourceOutreach::DOCUMENTATION_URL;
    const HAS_SCHEDULES: bool = false;

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        resources::resources_v1(&self.0, config)
    }

    async fn rotate_tokens(
        &self,
        rotating: &Rotating<'_, Config>,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        rotate(&self.0, rotating).await
    }

    fn oauth2(&self) -> Option<OAuth2> {
        Some(api::oauth2())
    }
}

async fn rotate(
    place: &Place,
    rotating: &Rotating<'_, Config>,
) -> Result<Option<ConfigUpdate>, BoxError> {
    let Credentials::OAuth(credentials) = &rotating.config.credentials;
    Ok(rotating
        .oauth2(credentials, "/credentials", &place.token_url())
        .await?)
}
