//! The connector, in both of its releases.

use staunch::state::Chain;
use staunch::{BoxError, ConfigUpdate, Connector, OAuth2, Resource, Rotating};

use crate::{Config, Credentials, Place, api, migrations, resources};

/// Captures an Outreach account.
#[derive(Clone, Debug)]
pub struct SourceOutreach {
    place: Place,
    release: Release,
}

/// By how many cursors a resource is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// By one.
    First,
    /// By two: `realtime`, and `lookback` for what comes to be seen late.
    Present,
}

impl SourceOutreach {
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

impl Connector for SourceOutreach {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://go.estuary.dev/source-outreach";
    const HAS_SCHEDULES: bool = false;

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        resources::resources(self.release, &self.place, config)
    }

    async fn rotate_tokens(
        &self,
        rotating: &Rotating<'_, Config>,
    ) -> Result<Option<ConfigUpdate>, BoxError> {
        let Credentials::OAuth(credentials) = &rotating.config.credentials;
        let tokens = self.place.token_url();
        Ok(rotating
            .oauth2(credentials, "/credentials", &tokens)
            .await?)
    }

    fn migrations(&self, _: &Config) -> Chain {
        match self.release {
            Release::First => Chain::new(),
            Release::Present => migrations::chain(),
        }
    }

    fn oauth2(&self) -> Option<OAuth2> {
        Some(api::oauth2())
    }
}
