//! Rows of bulk jobs of Shopify, as many as are wanted: records, each followed by what belongs to it.

use std::fmt::Write as _;

/// Rows until there are enough.
fn rows(bytes: usize, mut root: impl FnMut(&mut String, usize)) -> String {
    let mut rows = String::with_capacity(bytes + 16_384);
    for number in 1.. {
        if rows.len() >= bytes {
            break;
        }
        root(&mut rows, number);
    }
    rows
}

/// Orders, each with a few metafields, which are the documents.
#[must_use]
pub fn metafields(bytes: usize) -> String {
    rows(bytes, |rows, n| {
        let _ = writeln!(
            rows,
            r#"{{"id":"gid:\/\/shopify\/Order\/{n}","legacyResourceId":"{n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z"}}"#
        );
        for part in 0..n % 5 {
            let _ = writeln!(
                rows,
                r#"{{"id":"gid:\/\/shopify\/Metafield\/{n}{part}","legacyResourceId":"{n}{part}","namespace":"custom","key":"care_guide","value":"Wash at thirty degrees, inside out, and dry it in the shade; do not bleach.","type":"single_line_text_field","definition":{{"id":"gid:\/\/shopify\/MetafieldDefinition\/{part}","description":"How to care for it","namespace":"custom","type":{{"category":"TEXT","name":"single_line_text_field"}}}},"ownerType":"ORDER","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z","__parentId":"gid:\/\/shopify\/Order\/{n}"}}"#
            );
        }
    })
}

/// Orders, each with a few line items inside of its document.
#[must_use]
pub fn orders(bytes: usize) -> String {
    let money = |amount: usize| {
        format!(
            r#"{{"shopMoney":{{"amount":"{amount}.00","currencyCode":"EUR"}},"presentmentMoney":{{"amount":"{amount}.00","currencyCode":"EUR"}}}}"#
        )
    };
    rows(bytes, |rows, n| {
        let total = money(n % 1000);
        let _ = writeln!(
            rows,
            r#"{{"id":"gid:\/\/shopify\/Order\/{n}","legacyResourceId":"{n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z","app":{{"id":"gid:\/\/shopify\/App\/1","name":"Online Store"}},"confirmationNumber":"X{n}","currencyCode":"EUR","currentTotalPriceSet":{total},"currentTotalTaxSet":{total},"email":"somebody{n}@example.com","name":"{n}","note":"Leave it with the neighbours at number twelve, please.","originalTotalDutiesSet":null,"paymentTerms":null,"tags":["new","summer"],"totalPriceSet":{total},"totalTaxSet":{total},"totalWeight":"1200"}}"#
        );
        for part in 0..1 + n % 4 {
            let price = money(part);
            let _ = writeln!(
                rows,
                r#"{{"id":"gid:\/\/shopify\/LineItem\/{n}{part}","sku":"SKU-{part}","vendor":"Acme","quantity":{part},"requiresShipping":true,"originalUnitPriceSet":{price},"discountedUnitPriceSet":{price},"originalTotalSet":{price},"discountedTotalSet":{price},"taxLines":[{{"title":"VAT","ratePercentage":20.0,"priceSet":{price}}}],"variant":{{"id":"gid:\/\/shopify\/ProductVariant\/{part}","legacyResourceId":"{part}","sku":"SKU-{part}"}},"__parentId":"gid:\/\/shopify\/Order\/{n}"}}"#
            );
        }
    })
}

/// Items of an inventory, each with a few levels, which are the documents.
#[must_use]
pub fn levels(bytes: usize) -> String {
    rows(bytes, |rows, n| {
        let _ = writeln!(
            rows,
            r#"{{"id":"gid:\/\/shopify\/InventoryItem\/{n}","legacyResourceId":"{n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z"}}"#
        );
        for part in 0..1 + n % 3 {
            let _ = writeln!(
                rows,
                r#"{{"id":"gid:\/\/shopify\/InventoryLevel\/{n}{part}?inventory_item_id={n}","createdAt":"2026-01-01T00:00:00Z","updatedAt":"2026-01-02T00:00:00Z","canDeactivate":true,"deactivationAlert":null,"item":{{"id":"gid:\/\/shopify\/InventoryItem\/{n}","legacyResourceId":"{n}"}},"quantities":[{{"id":"gid:\/\/shopify\/InventoryQuantity\/{n}","name":"available","quantity":{n},"updatedAt":"2026-01-02T00:00:00Z"}}],"__parentId":"gid:\/\/shopify\/InventoryItem\/{n}"}}"#
            );
        }
    })
}
