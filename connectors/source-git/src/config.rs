//! What the connector needs to be told.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

/// The endpoint config of both releases; the first knows no `refs`, and passes over it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[schemars(title = "Git repository")]
pub struct Config {
    /// Path of the repository on this machine: a work tree, a bare repository, or a `.git` folder.
    #[schemars(title = "Path", extend("order" = 0))]
    pub path: String,
    /// Whether each commit lists the files that it changed, with the lines added and removed.
    #[serde(default)]
    #[schemars(title = "File Statistics", extend("order" = 1))]
    pub stats: bool,
    /// Which refs to follow, by the beginning of their full names: `refs/heads/` for branches alone. By
    /// default all that there are, and so all commits that `git rev-list --all` lists.
    #[serde(default = "all_refs")]
    #[schemars(title = "Refs", extend("order" = 2))]
    pub refs: Vec<String>,
    /// What seldom needs to be changed.
    #[serde(default)]
    #[schemars(title = "Advanced", extend("order" = 3, "advanced" = true))]
    pub advanced: Advanced,
}

/// What seldom needs to be changed.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
pub struct Advanced {
    /// How many commits are captured between two checkpoints.
    #[serde(default = "page_size")]
    #[schemars(title = "Page Size")]
    pub page_size: NonZeroU32,
}

impl Default for Advanced {
    fn default() -> Self {
        Self {
            page_size: page_size(),
        }
    }
}

fn all_refs() -> Vec<String> {
    vec!["refs/".to_owned()]
}

fn page_size() -> NonZeroU32 {
    NonZeroU32::new(1000).expect("1000 is not zero")
}
