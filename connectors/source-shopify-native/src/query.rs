//! The texts of queries.

use jiff::Timestamp;

use crate::selection::{Form, Selection};
use crate::streams::{Kind, Stream};

/// A span of time, both ends included, in whole seconds: what is less of them is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// From here on.
    pub from: Timestamp,
    /// Up to here.
    pub to: Timestamp,
}

impl Stream {
    /// What its records are searched by; nothing of a snapshot.
    ///
    /// Times stand in quotes: without them Shopify drops all but the date, and reads that in the zone of the shop.
    #[must_use]
    pub fn search(&self, bounds: Bounds) -> Option<String> {
        let by = match self.kind {
            Kind::Snapshot { .. } => return None,
            Kind::Unsorted { by } => by,
            Kind::Bulk | Kind::Sorted { .. } => "updated_at",
        };
        let [from, to] = [bounds.from, bounds.to].map(|at| at.strftime("%Y-%m-%dT%H:%M:%SZ"));
        let span = format!("{by}:>='{from}' AND {by}:<='{to}'");
        Some(match self.term {
            Some(term) => format!("{span} AND {term}"),
            None => span,
        })
    }

    /// What a bulk job is to run: what is `asked` of each record, which is what a store grants of the stream's selection.
    ///
    /// It has no sort key: together with a search by time, Shopify was seen to leave records out.
    #[must_use]
    pub fn bulk_query(&self, asked: &Selection, bounds: Bounds) -> String {
        let selection = asked.text(Form::Bulk);
        let arguments = self.arguments(bounds);
        let arguments = arguments.join(", ");
        format!(
            "{{ {}({arguments}) {{ edges {{ node {{ {selection} }} }} }} }}",
            self.root
        )
    }

    /// A page: the first, or the one that follows on a cursor.
    #[must_use]
    pub fn page_query(&self, asked: &Selection, bounds: Bounds, after: Option<&str>) -> String {
        let page_size = match self.kind {
            Kind::Sorted { page_size } | Kind::Snapshot { page_size } => page_size,
            Kind::Bulk | Kind::Unsorted { .. } => crate::streams::PAGE_SIZE,
        };
        let mut arguments = self.arguments(bounds);
        if let Kind::Sorted { .. } = self.kind {
            arguments.push("sortKey: UPDATED_AT".to_owned());
        }
        arguments.push(format!("first: {page_size}"));
        arguments.extend(after.map(|after| format!("after: {}", quoted(after))));
        let selection = asked.text(Form::Page);
        format!(
            "{{ {}({}) {{ edges {{ node {{ {selection} }} }} pageInfo {{ hasNextPage endCursor }} }} }}",
            self.root,
            arguments.join(", ")
        )
    }

    fn arguments(&self, bounds: Bounds) -> Vec<String> {
        let search = self.search(bounds);
        let search = search.map(|search| format!("query: {}", quoted(&search)));
        let argument = self.argument.map(str::to_owned);
        [search, argument].into_iter().flatten().collect()
    }
}

/// What is left of a connection whose first page was not its last, of the record with this id.
#[must_use]
pub fn rest_query(
    id: &str,
    kind: &str,
    connection: &str,
    of: &Selection,
    first: u32,
    after: &str,
) -> String {
    let (id, after, of) = (quoted(id), quoted(after), of.text(Form::Page));
    format!(
        "{{ node(id: {id}) {{ ... on {kind} {{ {connection}(first: {first}, after: {after}) {{ edges {{ node {{ {of} }} }} \
         pageInfo {{ hasNextPage endCursor }} }} }} }} }}"
    )
}

/// What a store grants.
pub const ABOUT: &str = "{ currentAppInstallation { accessScopes { handle } } shop { plan { displayName partnerDevelopment shopifyPlus } } }";

/// What is told of a bulk job.
const JOB: &str = "type id status createdAt completedAt url errorCode fileSize";

/// Has a bulk job begin. Rows of one root follow one another, which is not what Shopify does unless it is asked to.
#[must_use]
pub fn submit(query: &str) -> String {
    let query = quoted(query);
    format!(
        "mutation {{ bulkOperationRunQuery(query: {query}, groupObjects: true) {{ bulkOperation {{ {JOB} }} userErrors {{ field message code }} }} }}"
    )
}

/// Asks how a bulk job gets on.
#[must_use]
pub fn poll(id: &str) -> String {
    format!(
        "{{ node(id: {}) {{ ... on BulkOperation {{ {JOB} }} }} }}",
        quoted(id)
    )
}

/// Asks which bulk jobs of this app have not ended.
#[must_use]
pub fn running() -> String {
    let search =
        quoted("(status:created OR status:running OR status:canceling) AND operation_type:query");
    format!(
        "{{ bulkOperations(first: 50, query: {search}) {{ edges {{ node {{ {JOB} query }} }} }} }}"
    )
}

/// Has a bulk job end.
#[must_use]
pub fn cancel(id: &str) -> String {
    format!(
        "mutation {{ bulkOperationCancel(id: {}) {{ bulkOperation {{ {JOB} }} userErrors {{ field message }} }} }}",
        quoted(id)
    )
}

/// A string of GraphQL, with what would end it escaped.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_end_a_string_is_escaped() {
        assert_eq!(quoted("a"), r#""a""#);
        assert_eq!(quoted("a\"b\\c\nd\u{7f}"), r#""a\"b\\c\u000ad\u007f""#);
    }
}
