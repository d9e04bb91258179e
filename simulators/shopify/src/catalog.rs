//! What there is: the lists at the root, and what hangs on their records.

/// A list at the root of the API.
#[derive(Debug)]
pub(crate) struct Root {
    /// The field.
    pub(crate) field: &'static str,
    /// The type of its records.
    pub(crate) kind: &'static str,
    /// By what it is sorted if nothing is said.
    pub(crate) order: Order,
    /// Fields that searches know; others are passed over.
    pub(crate) searched: &'static [&'static str],
    /// Scopes, of which one is needed.
    pub(crate) scopes: &'static [&'static str],
    /// Whether it is of the larger plans alone.
    pub(crate) is_of_larger_plans: bool,
}

/// By what records are sorted. The id decides where that is the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    Id,
    CreatedAt,
    UpdatedAt,
    Name,
}

impl Order {
    /// A sort key of the API. Those that are not told apart here sort by the id.
    pub(crate) fn of(key: &str) -> Self {
        match key {
            "UPDATED_AT" => Order::UpdatedAt,
            "CREATED_AT" | "PROCESSED_AT" => Order::CreatedAt,
            "NAME" => Order::Name,
            _ => Order::Id,
        }
    }
}

pub(crate) const FULFILLMENT_ORDERS: [&str; 4] = [
    "read_assigned_fulfillment_orders",
    "read_merchant_managed_fulfillment_orders",
    "read_third_party_fulfillment_orders",
    "read_marketplace_fulfillment_orders",
];

const fn root(
    field: &'static str,
    kind: &'static str,
    order: Order,
    searched: &'static [&'static str],
    scopes: &'static [&'static str],
) -> Root {
    Root {
        field,
        kind,
        order,
        searched,
        scopes,
        is_of_larger_plans: false,
    }
}

/// All of them but `bulkOperations`, which are no records.
pub(crate) const ROOTS: [Root; 11] = [
    root(
        "abandonedCheckouts",
        "AbandonedCheckout",
        Order::Id,
        &["created_at", "id", "status", "recovery_state", "updated_at"],
        &["read_orders"],
    ),
    root(
        "customers",
        "Customer",
        Order::Id,
        &["customer_date", "email", "id", "state", "updated_at"],
        &["read_customers"],
    ),
    root(
        "products",
        "Product",
        Order::Id,
        &[
            "created_at",
            "id",
            "product_type",
            "status",
            "title",
            "updated_at",
            "vendor",
        ],
        &["read_products"],
    ),
    root(
        "orders",
        "Order",
        Order::CreatedAt,
        &[
            "created_at",
            "id",
            "name",
            "processed_at",
            "test",
            "updated_at",
        ],
        &[
            "read_orders",
            "read_marketplace_orders",
            "read_quick_sale",
            "read_returns",
            "read_marketplace_returns",
            FULFILLMENT_ORDERS[0],
            FULFILLMENT_ORDERS[1],
            FULFILLMENT_ORDERS[2],
            FULFILLMENT_ORDERS[3],
        ],
    ),
    root(
        "inventoryItems",
        "InventoryItem",
        Order::Id,
        &["created_at", "id", "sku", "updated_at"],
        &["read_inventory", "read_products"],
    ),
    root(
        "collections",
        "Collection",
        Order::Id,
        &["collection_type", "id", "title", "updated_at"],
        &["read_products"],
    ),
    root(
        "locations",
        "Location",
        Order::Name,
        &["active", "created_at", "id", "name"],
        &["read_locations", "read_inventory", "read_markets_home"],
    ),
    root(
        "subscriptionContracts",
        "SubscriptionContract",
        Order::CreatedAt,
        &["created_at", "id", "status", "updated_at"],
        &["read_own_subscription_contracts"],
    ),
    root(
        "disputes",
        "ShopifyPaymentsDispute",
        Order::Id,
        &["id", "initiated_at", "status"],
        &["read_shopify_payments_disputes"],
    ),
    Root {
        is_of_larger_plans: true,
        ..root(
            "staffMembers",
            "StaffMember",
            Order::Id,
            &["account_type", "email", "first_name", "id", "last_name"],
            &["read_users"],
        )
    },
    root(
        "markets",
        "Market",
        Order::Name,
        &["id", "market_type", "name", "status"],
        &["read_markets"],
    ),
];

impl Root {
    /// The list of this field.
    pub(crate) fn named(field: &str) -> Option<&'static Root> {
        ROOTS.iter().find(|root| root.field == field)
    }

    /// The list of records of a type.
    pub(crate) fn of_kind(kind: &str) -> Option<&'static Root> {
        ROOTS.iter().find(|root| root.kind == kind)
    }
}

/// What a field needs besides, if not every store has it.
pub(crate) struct Gate {
    /// Scopes, of which one is needed; none if it is the plan alone.
    pub(crate) scopes: &'static [&'static str],
    /// Whether it is of the larger plans alone.
    pub(crate) is_of_larger_plans: bool,
    /// Whether it is personal, which the smaller plans keep from custom apps.
    pub(crate) is_personal: bool,
}

/// The gate before a field.
pub(crate) fn gate(kind: &str, field: &str) -> Option<Gate> {
    let scopes = |scopes: &'static [&'static str]| Gate {
        scopes,
        is_of_larger_plans: false,
        is_personal: false,
    };
    Some(match (kind, field) {
        ("Order", "retailLocation") => scopes(&["read_locations"]),
        ("Order" | "Return", "staffMember") => Gate {
            is_of_larger_plans: true,
            ..scopes(&["read_users"])
        },
        ("Product", "resourcePublications") | ("Collection", "publications") => {
            scopes(&["read_publications"])
        }
        ("ShopifyPaymentsDispute", "disputeEvidence") => {
            scopes(&["read_shopify_payments_dispute_evidences"])
        }
        ("Order", "returns") => scopes(&["read_returns", "read_marketplace_returns"]),
        ("Order", "fulfillmentOrders") => scopes(&FULFILLMENT_ORDERS),
        (
            "Customer",
            "displayName"
            | "firstName"
            | "lastName"
            | "email"
            | "phone"
            | "addresses"
            | "defaultAddress"
            | "defaultEmailAddress"
            | "defaultPhoneNumber",
        )
        | ("Order", "email" | "phone" | "billingAddress" | "shippingAddress" | "clientIp")
        | ("FulfillmentOrder", "destination") => Gate {
            is_personal: true,
            ..scopes(&[])
        },
        _ => return None,
    })
}

/// How many of a list there are, by what was drawn for it. Lists that are read page by page have as many as a page, or one more, now and then.
pub(crate) fn count(kind: &str, field: &str, drawn: u64) -> u64 {
    let edges: &[u64] = match (kind, field) {
        ("Market", "catalogs") => &[5, 6, 105, 106],
        ("Refund", "refundLineItems") => &[10, 11, 260, 261],
        ("Fulfillment", "fulfillmentLineItems") => &[100, 101, 350, 351],
        _ => &[],
    };
    let (few, one_in_32) = (drawn % 4, (drawn >> 8).is_multiple_of(32));
    match edges.is_empty() {
        false if one_in_32 => edges[(drawn >> 16) as usize % edges.len()],
        _ => few,
    }
}

/// The type in a global id, which is not always that of the object.
pub(crate) fn gid(kind: &str, number: u64, parent: Option<u64>) -> String {
    let kind = match kind {
        "OrderAgreement" | "OrderEditAgreement" | "RefundAgreement" | "ReturnAgreement" => {
            "SalesAgreement"
        }
        kind if kind.ends_with("Sale") => "Sale",
        kind => kind,
    };
    let of = parent.unwrap_or(number);
    match kind {
        "InventoryLevel" => {
            format!("gid://shopify/InventoryLevel/{number}?inventory_item_id={of}")
        }
        "InventoryQuantity" => {
            format!(
                "gid://shopify/InventoryQuantity/{number}?inventory_item_id={of}&name=available"
            )
        }
        "MailingAddress" => {
            format!("gid://shopify/MailingAddress/{number}?model_name=Address")
        }
        "AbandonedCheckoutLineItem" => format!(
            "gid://shopify/AbandonedCheckoutLineItem/{number:032x}?checkout={of}&index={}&actoken",
            number % 1000
        ),
        kind => format!("gid://shopify/{kind}/{number}"),
    }
}

/// What a global id names: a type and a number.
pub(crate) fn named(gid: &str) -> Option<(&str, u64)> {
    let (kind, rest) = gid.strip_prefix("gid://shopify/")?.split_once('/')?;
    let number = rest.split('?').next()?;
    Some((kind, number.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_what_they_are_of() {
        assert_eq!(gid("ShippingLineSale", 7, None), "gid://shopify/Sale/7");
        assert_eq!(
            gid("InventoryLevel", 5001, Some(5)),
            "gid://shopify/InventoryLevel/5001?inventory_item_id=5"
        );
        assert_eq!(
            named("gid://shopify/InventoryLevel/5001?inventory_item_id=5"),
            Some(("InventoryLevel", 5001))
        );
        assert_eq!(named("gid://other/Order/1"), None);
        assert_eq!(named("gid://shopify/Order/x"), None);
    }
}
