//! How the API is asked.

mod refusal;

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use staunch::http::{Client, HttpError, Retry, Verdict};
use staunch::{BoxError, OAuth2};
use url::Url;

use crate::models::{Config, Credentials, Record};
use crate::place::Place;
use crate::window::seconds;
use refusal::Refused;

/// The media type of JSON:API, which the documentation wants in both directions.
const MEDIA_TYPE: &str = "application/vnd.api+json";

/// Records of a page at most: more, Outreach does not give.
const PAGE_SIZE: u32 = 1000;

/// For how long a request is repeated that is refused as one too many: limits are by the hour, so that it must have passed by then.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// What is asked for: records of a collection, by the time of their last change, both ends included.
#[derive(Clone, Debug)]
pub(crate) struct List {
    /// The collection below the base URL.
    pub(crate) path: &'static str,
    /// The attribute that tells of changes.
    pub(crate) attribute: &'static str,
    /// Whether relationships to many are wanted.
    pub(crate) has_connections: bool,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

/// A page of a list.
#[derive(Debug)]
pub(crate) struct Page {
    /// In no order that could be relied upon.
    pub(crate) records: Vec<Record>,
    /// Where the next one begins, if there is one.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
    #[serde(default)]
    links: Option<Links>,
}

#[derive(Deserialize)]
struct Links {
    #[serde(default)]
    next: Option<String>,
}

/// Asks the API. Clones share connections and pace.
#[derive(Clone, Debug)]
pub(crate) struct Api(Client);

impl Api {
    pub(crate) fn new(place: &Place, config: &Config) -> Self {
        let Credentials::OAuth(credentials) = &config.credentials;
        let client = Client::builder()
            .base_url(place.base_url())
            .credentials(credentials.header())
            .header("accept", MEDIA_TYPE)
            .header("content-type", MEDIA_TYPE)
            .retry(Retry::default().within(PATIENCE))
            // It was asked for too much at once, which does not pass by waiting.
            .judge(|answer| match answer.status() {
                502 => Verdict::Accept,
                _ => Verdict::AsUsual,
            });
        Self(client.build())
    }

    /// A page of a list: the first, or the one that begins `after`.
    pub(crate) async fn page(&self, list: &List, after: Option<&str>) -> Result<Page, BoxError> {
        let mut size = PAGE_SIZE;
        loop {
            match self.ask(list, after, size).await {
                Ok(Some(page)) if page.next.is_some() && page.next.as_deref() == after => {
                    let path = list.path;
                    return Err(format!(
                        "a page of `{path}` names itself as the next one; tell Outreach's support"
                    )
                    .into());
                }
                Ok(Some(page)) => return Ok(page),
                Ok(None) if size > 1 => {
                    size /= 2;
                    tracing::info!(
                        path = list.path,
                        size,
                        "a page was too large for Outreach; asking for less"
                    );
                }
                Ok(None) => return Err(Refused::overloaded(list.path).into()),
                Err(error) => return Err(error),
            }
        }
    }

    /// None if it was too much at once.
    async fn ask(
        &self,
        list: &List,
        after: Option<&str>,
        size: u32,
    ) -> Result<Option<Page>, BoxError> {
        let List {
            path, attribute, ..
        } = *list;
        let mut request = self
            .0
            .get(path)
            .query("sort", attribute)
            .query("newFilterSyntax", true)
            .query(&format!("filter[{attribute}][gte]"), seconds(list.from))
            .query(&format!("filter[{attribute}][lte]"), seconds(list.to));
        if list.has_connections {
            request = request.query("provideDataConnections", true);
        }
        if let Some(after) = after {
            request = request.query("page[after]", after);
        }
        let answer = match request.query("page[size]", size).send().await {
            Ok(answer) if answer.status() == 502 => return Ok(None),
            Ok(answer) => answer,
            Err(HttpError::TooLarge { .. }) if size > 1 => return Ok(None),
            Err(error) => return Err(Refused::of(path, error)),
        };
        let body: Body<'_> = answer.json().map_err(|error| Refused::of(path, error))?;
        let records = body.data.iter();
        let records = records.map(|raw| Record::read(raw, path, attribute));
        Ok(Some(Page {
            records: records.collect::<Result<_, _>>()?,
            next: body
                .links
                .and_then(|links| links.next)
                .and_then(|next| after_of(&next)),
        }))
    }
}

/// The cursor in the address of the next page. Without one, there is none.
fn after_of(next: &str) -> Option<String> {
    // Some servers write addresses without their origin.
    let base = Url::parse("http://localhost").expect("it is an address");
    let url = base.join(next).ok()?;
    let mut pairs = url.query_pairs();
    pairs.find_map(|(name, value)| (name == "page[after]").then(|| value.into_owned()))
}

/// How somebody authorises a capture.
pub(crate) fn oauth2() -> OAuth2 {
    let scopes = SCOPES.split_whitespace().map(|name| format!("{name}.read"));
    let address = "https://api.outreach.io/oauth";
    OAuth2::authorization_code(
        "outreach",
        format!("{address}/authorize"),
        format!("{address}/token"),
    )
    .scopes(scopes)
    .storing_rotating_tokens()
}

/// All that may be read, so that nobody has to authorise anew for a resource that is added.
const SCOPES: &str = "accounts auditLogs batches batchItems calls callDispositions callPurposes complianceRequests \
    contentCategories contentCategoryMemberships contentCategoryOwnerships currencyTypes customObjectRecords \
    datedConversionRates duties emailAddresses events favorites imports jobRoles mailboxes mailings mailAliases \
    opportunities opportunityProspectRoles opportunityStages orgSettings personas phoneNumbers products profiles \
    prospects purchases recipients recordActorAssignments roles rulesets sequences sequenceStates sequenceSteps \
    sequenceTemplates snippets stages tasks taskDispositions taskPriorities taskPurposes teams templates users webhooks";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_where_its_address_says() {
        for (next, after) in [
            (
                "https://api.outreach.io/api/v2/accounts?page%5Bafter%5D=a%2Bb&page[size]=10",
                Some("a+b"),
            ),
            (
                "https://api.outreach.io/api/v2/accounts?page[after]=a+b",
                Some("a b"),
            ),
            ("/api/v2/accounts?page[after]=c", Some("c")),
            (
                "https://api.outreach.io/api/v2/accounts?page[size]=10",
                None,
            ),
            ("http://[", None),
        ] {
            assert_eq!(after_of(next).as_deref(), after, "{next}");
        }
    }
}
