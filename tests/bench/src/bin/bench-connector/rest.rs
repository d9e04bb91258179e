//! Documents of a server, page by page, as an author would capture them.

use serde_json::value::RawValue;
use staunch::http::{Client, Limiter};
use staunch::stream::json;
use staunch::{BoxError, FetchResult, Page, Pages};
use staunch_bench::document::Order;
use staunch_bench::pages::PAGES;

/// What becomes of a page.
#[derive(Clone, Copy, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum How {
    /// Its documents are taken out of the stream as they arrive, and handed on as they are.
    RawStreamed,
    /// It is read as a whole, and its documents are handed on as they are.
    RawWhole,
    /// Its documents are read out of the stream as records.
    TypedStreamed,
    /// It is read as a whole, as records.
    TypedWhole,
}

pub(super) fn client(url: &str, is_limited: bool) -> Client {
    let client = Client::builder().base_url(url);
    match is_limited {
        true => client.build(),
        false => client.limiter(Limiter::unlimited()).build(),
    }
}

#[derive(serde::Deserialize)]
struct Rest {
    next: Option<u64>,
}

#[derive(serde::Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    next: Option<u64>,
}

#[derive(serde::Deserialize)]
struct Typed {
    data: Vec<Order>,
    next: Option<u64>,
}

pub(super) async fn capture(
    client: Client,
    how: How,
    page: Option<Page>,
    mut emit: Pages,
) -> FetchResult {
    let mut page = super::first(page)?;
    while page < PAGES {
        let next = one_page(&client, how, page, &mut emit).await?;
        page = next.unwrap_or(PAGES);
        emit.checkpoint(Page::String(page.to_string())).await?;
    }
    Ok(())
}

async fn one_page(
    client: &Client,
    how: How,
    page: u64,
    emit: &mut Pages,
) -> Result<Option<u64>, BoxError> {
    let request = client.get("orders").query("page", page);
    match how {
        How::RawStreamed => {
            let body = request.stream().await?.into_body();
            let mut orders = json::elements(body, "/data")?;
            while let Some(order) = orders.next().await? {
                emit.raw(order.as_str())?;
            }
            Ok(orders.remainder::<Rest>()?.next)
        }
        How::TypedStreamed => {
            let body = request.stream().await?.into_body();
            let mut orders = json::elements(body, "/data")?;
            while let Some(order) = orders.next_as::<Order>().await? {
                emit.document(&order)?;
            }
            Ok(orders.remainder::<Rest>()?.next)
        }
        How::RawWhole => {
            let answer = request.send().await?;
            let page: Raw<'_> = answer.json()?;
            for order in page.data {
                emit.raw(order.get())?;
            }
            Ok(page.next)
        }
        How::TypedWhole => {
            let page: Typed = request.send().await?.json()?;
            for order in &page.data {
                emit.document(order)?;
            }
            Ok(page.next)
        }
    }
}
