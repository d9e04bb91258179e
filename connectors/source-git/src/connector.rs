//! The two releases of the connector.

use staunch::{BoxError, Connector, Migrating, Migration, Resource};

use crate::{Config, migrations, resources};

/// Follows every branch, each as a subtask keyed by its full ref name.
#[derive(Clone, Copy, Debug)]
pub struct SourceGit;

impl Connector for SourceGit {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/staunch/source-git";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let repository = resources::open(config)?;
        Ok(vec![
            resources::commits_of_branches(&repository, config),
            resources::refs(&repository),
        ])
    }

    async fn check(&self, config: &Config) -> Result<(), BoxError> {
        resources::open(config)?.head()?;
        Ok(())
    }

    async fn migrate_state(
        &self,
        migrating: &Migrating<'_, Config>,
    ) -> Result<Migration, BoxError> {
        migrations::flat_to_branches(migrating)
    }
}

/// The first release: follows `HEAD` only. Kept so that its state, and the way out of it, can be tried.
#[derive(Clone, Copy, Debug)]
pub struct SourceGitV1;

impl Connector for SourceGitV1 {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = SourceGit::DOCUMENTATION_URL;

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let repository = resources::open(config)?;
        Ok(vec![
            resources::commits_of_head(&repository, config)?,
            resources::refs(&repository),
        ])
    }

    async fn check(&self, config: &Config) -> Result<(), BoxError> {
        SourceGit.check(config).await
    }
}
