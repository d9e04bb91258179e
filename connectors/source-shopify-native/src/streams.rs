//! The catalogue of streams, and what a store has to allow for each.

use std::collections::BTreeSet;

use crate::selection::{Access, Selection};

/// A stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    /// Its name, and that of the binding.
    pub name: &'static str,
    /// The connection of the API that it is read from.
    pub root: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// A term that is part of each of its searches.
    pub term: Option<&'static str>,
    /// An argument that its root has besides.
    pub argument: Option<&'static str>,
    /// Scopes, of which one must be granted.
    pub scopes: &'static [&'static str],
    /// Whether it holds what some plans keep from a custom app.
    pub is_personal: bool,
    /// Whether it is of the larger plans alone.
    pub is_of_larger_plans: bool,
    /// The connection of its root whose nodes are its documents; none if the root's are.
    pub documents: Option<&'static str>,
    selection: &'static str,
}

/// How a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// By bulk jobs, each of a window of time.
    Bulk,
    /// Page by page, by the time of the last change.
    Sorted {
        /// How many records a page has.
        page_size: u32,
    },
    /// Page by page, in the API's own order.
    Unsorted {
        /// The attribute by which its searches are bounded.
        by: &'static str,
    },
    /// Whole, again and again.
    Snapshot {
        /// How many records a page has.
        page_size: u32,
    },
}

/// Records of a page, unless a stream has its own number.
pub const PAGE_SIZE: u32 = 250;

/// The plan of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// As the API tells it: `Basic`, `Shopify`, `Advanced`.
    pub display_name: String,
    /// Whether it is a partner's development store.
    pub is_development: bool,
    /// Whether it is Plus.
    pub is_plus: bool,
}

impl Plan {
    /// Whether it is one of those that there are.
    pub(crate) fn is_known(&self) -> bool {
        let named = [
            "Basic",
            "Starter",
            "Shopify",
            "Advanced",
            "Plus",
            "Shopify Plus",
        ];
        self.is_development || self.is_plus || named.contains(&self.display_name.as_str())
    }

    /// Whether a custom app may read personal data.
    #[must_use]
    pub fn allows_personal_data(&self) -> bool {
        self.is_development
            || self.is_plus
            || !matches!(self.display_name.as_str(), "Basic" | "Starter")
    }

    /// Whether it is one of the larger plans.
    #[must_use]
    pub fn is_larger(&self) -> bool {
        self.is_development || self.is_plus || self.display_name == "Advanced"
    }
}

/// What a store grants to the app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grants {
    /// Scopes.
    pub scopes: BTreeSet<String>,
    /// The plan.
    pub plan: Plan,
}

impl Grants {
    /// What may be asked of records, beside the streams themselves.
    #[must_use]
    pub fn access(&self) -> BTreeSet<Access> {
        let has = |scope: &str| self.scopes.contains(scope);
        let granted = |access: &Access| match access {
            Access::Publications => has("read_publications"),
            Access::Staff => has("read_users") && self.plan.is_larger(),
            Access::Locations => has("read_locations"),
            Access::DisputeEvidences => has("read_shopify_payments_dispute_evidences"),
        };
        Access::ALL.into_iter().filter(granted).collect()
    }
}

impl Stream {
    const fn personal(self) -> Self {
        Self {
            is_personal: true,
            ..self
        }
    }

    const fn of_larger_plans(self) -> Self {
        Self {
            is_of_larger_plans: true,
            ..self
        }
    }

    const fn with_term(self, term: &'static str) -> Self {
        Self {
            term: Some(term),
            ..self
        }
    }

    const fn with_argument(self, argument: &'static str) -> Self {
        Self {
            argument: Some(argument),
            ..self
        }
    }

    const fn of_nodes(self, connection: &'static str) -> Self {
        Self {
            documents: Some(connection),
            ..self
        }
    }

    /// Whether a store lets it be read.
    #[must_use]
    pub fn is_granted(&self, grants: &Grants) -> bool {
        let has_scope = self
            .scopes
            .iter()
            .any(|scope| grants.scopes.contains(*scope));
        has_scope
            && (!self.is_personal || grants.plan.allows_personal_data())
            && (!self.is_of_larger_plans || grants.plan.is_larger())
    }

    /// What is asked of its records, with all that a store may grant.
    ///
    /// # Panics
    /// Never: what is written in this crate is read by its tests.
    #[must_use]
    pub fn selection(&self) -> Selection {
        Selection::read(self.selection).expect("a selection of this crate can be read")
    }
}

/// Scopes of fulfillment orders, each of those of some.
pub(crate) const FULFILLMENT_ORDERS: [&str; 4] = [
    "read_assigned_fulfillment_orders",
    "read_merchant_managed_fulfillment_orders",
    "read_third_party_fulfillment_orders",
    "read_marketplace_fulfillment_orders",
];
const FULFILLMENTS: [&str; 6] = [
    "read_orders",
    "read_marketplace_orders",
    FULFILLMENT_ORDERS[0],
    FULFILLMENT_ORDERS[1],
    FULFILLMENT_ORDERS[2],
    FULFILLMENT_ORDERS[3],
];
const ORDERS: [&str; 3] = ["read_orders", "read_marketplace_orders", "read_quick_sale"];
const LOCATIONS: [&str; 3] = ["read_locations", "read_inventory", "read_markets_home"];
const SORTED: Kind = Kind::Sorted {
    page_size: PAGE_SIZE,
};
const CUSTOM: &str = "collection_type:custom";
const SMART: &str = "collection_type:smart";
const INACTIVE: &str = "includeInactive: true";
const UNSORTED: Kind = Kind::Unsorted { by: "updated_at" };

macro_rules! stream {
    ($name:literal, $root:literal, $kind:expr, $scopes:expr) => {
        Stream {
            name: $name,
            root: $root,
            kind: $kind,
            term: None,
            argument: None,
            scopes: &$scopes,
            is_personal: false,
            is_of_larger_plans: false,
            documents: None,
            selection: include_str!(concat!("selections/", $name, ".graphql")),
        }
    };
}

use Kind::Bulk;

/// All of them, in the order in which they are discovered.
pub const STREAMS: [Stream; 29] = [
    stream!(
        "abandoned_checkouts",
        "abandonedCheckouts",
        Bulk,
        ["read_orders"]
    ),
    stream!("customers", "customers", SORTED, ["read_customers"]).personal(),
    stream!("customer_metafields", "customers", Bulk, ["read_customers"]),
    stream!("products", "products", Bulk, ["read_products"]),
    stream!("product_media", "products", Bulk, ["read_products"]),
    stream!("product_metafields", "products", Bulk, ["read_products"]),
    stream!("product_variants", "products", Bulk, ["read_products"]),
    stream!(
        "product_variant_metafields",
        "products",
        Bulk,
        ["read_products"]
    )
    .of_nodes("variants"),
    stream!("fulfillment_orders", "orders", Bulk, FULFILLMENT_ORDERS).personal(),
    stream!(
        "fulfillments",
        "orders",
        Kind::Sorted { page_size: 100 },
        FULFILLMENTS
    ),
    stream!("orders", "orders", Bulk, ORDERS).personal(),
    stream!("order_agreements", "orders", Bulk, ORDERS),
    stream!("order_metafields", "orders", Bulk, ORDERS),
    stream!("order_transactions", "orders", SORTED, ORDERS),
    stream!(
        "order_refunds",
        "orders",
        Kind::Sorted { page_size: 100 },
        ORDERS
    ),
    stream!(
        "order_returns",
        "orders",
        Bulk,
        ["read_returns", "read_marketplace_returns"]
    ),
    stream!("order_risks", "orders", SORTED, ["read_orders"]),
    stream!(
        "inventory_items",
        "inventoryItems",
        UNSORTED,
        ["read_inventory", "read_products"]
    ),
    stream!(
        "inventory_levels",
        "inventoryItems",
        Bulk,
        ["read_inventory"]
    )
    .of_nodes("inventoryLevels"),
    stream!("custom_collections", "collections", Bulk, ["read_products"]).with_term(CUSTOM),
    stream!("smart_collections", "collections", Bulk, ["read_products"]).with_term(SMART),
    stream!(
        "custom_collection_metafields",
        "collections",
        Bulk,
        ["read_products"]
    )
    .with_term(CUSTOM),
    stream!(
        "smart_collection_metafields",
        "collections",
        Bulk,
        ["read_products"]
    )
    .with_term(SMART),
    stream!("locations", "locations", UNSORTED, LOCATIONS).with_argument(INACTIVE),
    stream!("location_metafields", "locations", Bulk, LOCATIONS).with_argument(INACTIVE),
    stream!(
        "subscription_contracts",
        "subscriptionContracts",
        Bulk,
        ["read_own_subscription_contracts"]
    ),
    stream!(
        "disputes",
        "disputes",
        Kind::Unsorted { by: "initiated_at" },
        ["read_shopify_payments_disputes"]
    ),
    stream!(
        "staff_members",
        "staffMembers",
        Kind::Snapshot {
            page_size: PAGE_SIZE
        },
        ["read_users"]
    )
    .of_larger_plans(),
    stream!(
        "markets",
        "markets",
        Kind::Snapshot { page_size: 25 },
        ["read_markets"]
    ),
];
