//! Where the stores are.

/// The address of a store.
const ADDRESS: &str = "https://{store}.myshopify.com";

/// Another one, for tests and demos. Not a part of the endpoint config: whoever runs the connector says it.
const ADDRESS_VARIABLE: &str = "SOURCE_SHOPIFY_NATIVE_URL";

/// The version of the API that is asked.
const VERSION: &str = "2026-01";

/// Where the stores are.
///
/// ```
/// use source_shopify_native::{Place, SourceShopify};
///
/// let connector = SourceShopify::new(Place::at("http://127.0.0.1:8240/{store}"));
/// # let _ = connector;
/// ```
#[derive(Clone, Debug)]
pub struct Place(String);

/// The real stores.
impl Default for Place {
    fn default() -> Self {
        Self(ADDRESS.to_owned())
    }
}

impl Place {
    /// As the environment says: `SOURCE_SHOPIFY_NATIVE_URL` is the address of a store, in which `{store}` stands for its name. Without it,
    /// the real ones.
    #[must_use]
    pub fn from_environment() -> Self {
        std::env::var(ADDRESS_VARIABLE).map_or_else(|_| Self::default(), Self::at)
    }

    /// At another address, in which `{store}` stands for the name of the store.
    #[must_use]
    pub fn at(address: impl Into<String>) -> Self {
        Self(address.into().trim_end_matches('/').to_owned())
    }

    fn of(&self, store: &str) -> String {
        self.0.replace("{store}", store)
    }

    /// Where a store is asked.
    pub(crate) fn api_url(&self, store: &str) -> String {
        format!("{}/admin/api/{VERSION}/graphql.json", self.of(store))
    }

    /// Where a store gives tokens.
    pub(crate) fn token_url(&self, store: &str) -> String {
        format!("{}/admin/oauth/access_token", self.of(store))
    }
}
