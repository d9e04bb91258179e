//! A whole connector: orders, of which the old are backfilled while the new come in, and labels, read as a whole each time.

use serde_json::{Value, json};
use staunch::state::Node;
use staunch::{BoxError, Changes, Connector, Cursor, FetchResult, Page, Pages, Resource, Rows};

/// What the connector needs to know.
#[derive(serde::Deserialize, schemars::JsonSchema)]
pub struct Config {
    /// How many orders the shop has.
    orders: u64,
}

/// Stands for a request to the shop: at most a hundred orders after that of this number, and up to another.
async fn orders(shop: u64, after: u64, to: u64) -> Result<Vec<Value>, BoxError> {
    let last = to.min(shop).min(after + 100);
    Ok((after + 1..=last).map(|id| json!({ "id": id })).collect())
}

/// The connector.
pub struct Shop;

impl Connector for Shop {
    type Config = Config;
    const DOCUMENTATION_URL: &'static str = "https://example.com/shop";

    async fn resources(&self, config: &Config) -> Result<Vec<Resource>, BoxError> {
        let shop = config.orders; // From here on orders are new. Those up to it are there already.
        let begin = json!({ "inc": { "cursor": shop }, "backfill": { "cutoff": shop } });
        Ok(vec![
            Resource::new("orders")
                .key(["/id"])
                .initial_state(Node::parse(&begin.to_string())?)
                .incremental(move |cursor, emit| new_orders(shop, cursor, emit))
                .backfill(move |page, to, emit| old_orders(shop, page, to, emit)),
            Resource::new("labels")
                .key(["/_meta/row_id"])
                .snapshot(labels),
        ])
    }
}

async fn new_orders(shop: u64, cursor: Cursor, mut emit: Changes) -> FetchResult {
    let after = cursor.as_u64().ok_or("the cursor of orders is a number")?;
    let orders = orders(shop, after, u64::MAX).await?;
    orders.iter().try_for_each(|order| emit.document(order))?;
    if !orders.is_empty() {
        emit.checkpoint(Cursor::integer(after + orders.len() as u64))
            .await?;
    }
    Ok(())
}

async fn old_orders(shop: u64, page: Option<Page>, to: Cursor, mut emit: Pages) -> FetchResult {
    let after = match page {
        Some(Page::String(id)) => id.parse()?,
        _ => 0,
    };
    let to = to.as_u64().ok_or("the cutoff of orders is a number")?;
    let orders = orders(shop, after, to).await?;
    orders.iter().try_for_each(|order| emit.document(order))?;
    if let Some(last) = orders.last() {
        emit.checkpoint(Page::String(last["id"].to_string()))
            .await?; // There may be another page.
    }
    Ok(())
}

async fn labels(mut emit: Rows) -> FetchResult {
    ["paid", "sent"]
        .iter()
        .try_for_each(|name| emit.document(&json!({ "name": name })))?;
    Ok(())
}

fn main() -> std::process::ExitCode {
    staunch::main(Shop)
}
