//! What is asked of a record: a tree, read from a selection in GraphQL's own notation.
//!
//! Directives say what GraphQL does not:
//!
//! | | |
//! | --- | --- |
//! | `lines @connection` | a connection: what follows is asked of its nodes |
//! | `catalogs @connection(first: 5)` | one of a query that is no bulk job: its first page, and whether there is another |
//! | `staffMember @needs(access: STAFF)` | asked only of a store that grants it: asked of another, the whole query would fail |
//! | `refunds @rows(of: [Refund])` | of which types its nodes are: by that a bulk job's rows are known; `named: false` if their `__typename` is asked for that alone |
//!
//! A named fragment stands where it is spread, in its order.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use graphql_parser::query::{
    Definition, Directive, Document, OperationDefinition, Selection as Item, SelectionSet,
    TypeCondition, Value,
};

/// What several selections have in common.
const FRAGMENTS: &str = include_str!("selections/fragments.graphql");

/// What is asked of a record, in the order in which it is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection(pub Vec<Part>);

/// A part of a selection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// A scalar, an object, or a list of objects.
    Field {
        /// Its name.
        name: String,
        /// Its arguments, as they are written: `(names: ["available"])`, or nothing.
        arguments: String,
        /// What a store has to grant for it.
        needs: Option<Access>,
        /// What is asked of it; nothing of a scalar.
        of: Selection,
    },
    /// A connection.
    Connection {
        /// Its name.
        name: String,
        /// Its arguments, but for the size of its page.
        arguments: String,
        /// What a store has to grant for it.
        needs: Option<Access>,
        /// How many nodes are asked for where it is no bulk job.
        first: Option<u32>,
        /// How its nodes are known among the rows of a bulk job.
        rows: Rows,
        /// What is asked of its nodes.
        of: Selection,
    },
    /// What is asked only of objects of one type.
    On {
        /// The type.
        name: String,
        /// What is asked of them.
        of: Selection,
    },
}

/// How the nodes of a connection are known among the rows of a bulk job.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Their types; none where there is no other connection that they could be of.
    pub types: Vec<String>,
    /// Whether their `__typename` is of no further use.
    pub drops_name: bool,
}

/// What a store grants, beside the stream itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Where products and collections are published.
    Publications,
    /// Members of the staff: a scope, and a plan.
    Staff,
    /// Locations.
    Locations,
    /// The evidence of disputes.
    DisputeEvidences,
}

impl Access {
    /// All of them.
    pub const ALL: [Access; 4] = [
        Access::Publications,
        Access::Staff,
        Access::Locations,
        Access::DisputeEvidences,
    ];

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "PUBLICATIONS" => Access::Publications,
            "STAFF" => Access::Staff,
            "LOCATIONS" => Access::Locations,
            "DISPUTE_EVIDENCES" => Access::DisputeEvidences,
            _ => return None,
        })
    }
}

/// How connections are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// For a bulk job, which has no pages.
    Bulk,
    /// For a query that is answered at once, page by page.
    Page,
}

type Parsed = SelectionSet<'static, String>;

type Fragments<'a> = BTreeMap<&'a str, &'a Parsed>;

impl Selection {
    /// Reads a selection.
    ///
    /// # Errors
    /// What cannot be read of it.
    pub fn read(text: &str) -> Result<Self, String> {
        let text = format!("{FRAGMENTS}\n{text}");
        let document: Document<'_, String> =
            graphql_parser::parse_query(&text).map_err(|error| error.to_string())?;
        let document = document.into_static();
        let (mut fragments, mut whole) = (Fragments::new(), None);
        for definition in &document.definitions {
            match definition {
                Definition::Fragment(fragment) => {
                    fragments.insert(&*fragment.name, &fragment.selection_set);
                }
                Definition::Operation(OperationDefinition::SelectionSet(set)) => whole = Some(set),
                Definition::Operation(_) => return Err("an operation has no name here".to_owned()),
            }
        }
        Self::of(whole.ok_or("there is no selection")?, &fragments)
    }

    fn of(set: &Parsed, fragments: &Fragments<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        for item in &set.items {
            match item {
                Item::FragmentSpread(spread) => {
                    let name = &*spread.fragment_name;
                    let set = fragments.get(name);
                    let set = set.ok_or_else(|| format!("there is no fragment `{name}`"))?;
                    parts.extend(Self::of(set, fragments)?.0);
                }
                Item::InlineFragment(fragment) => {
                    let Some(TypeCondition::On(name)) = &fragment.type_condition else {
                        return Err("a fragment is on no type".to_owned());
                    };
                    parts.push(Part::On {
                        name: name.clone(),
                        of: Self::of(&fragment.selection_set, fragments)?,
                    });
                }
                Item::Field(field) => {
                    let (name, of) = (
                        field.name.clone(),
                        Self::of(&field.selection_set, fragments)?,
                    );
                    let arguments = arguments(&field.arguments);
                    let marks = Marks::of(&field.directives)?;
                    let needs = marks.needs;
                    parts.push(match marks.connection {
                        Some(first) => Part::Connection {
                            name,
                            arguments,
                            needs,
                            first,
                            rows: marks.rows,
                            of,
                        },
                        None => Part::Field {
                            name,
                            arguments,
                            needs,
                            of,
                        },
                    });
                }
            }
        }
        Ok(Self(parts))
    }

    /// What is left of it for a store that grants no more than this.
    #[must_use]
    pub fn granted(&self, access: &BTreeSet<Access>) -> Self {
        let is_granted = |needs: &Option<Access>| needs.is_none_or(|need| access.contains(&need));
        let parts = self.0.iter().filter_map(|part| {
            let mut part = part.clone();
            match &mut part {
                Part::Field { needs, of, .. } | Part::Connection { needs, of, .. } => {
                    if !is_granted(needs) {
                        return None;
                    }
                    *of = of.granted(access);
                }
                Part::On { of, .. } => *of = of.granted(access),
            }
            Some(part)
        });
        Self(parts.collect())
    }

    /// Its text, without braces.
    #[must_use]
    pub fn text(&self, form: Form) -> String {
        let mut text = String::new();
        self.write(form, &mut text);
        text
    }

    fn write(&self, form: Form, text: &mut String) {
        for (nth, part) in self.0.iter().enumerate() {
            if nth > 0 {
                text.push(' ');
            }
            match part {
                Part::Field {
                    name,
                    arguments,
                    of,
                    ..
                } => {
                    text.push_str(name);
                    if !arguments.is_empty() {
                        let _ = write!(text, "({arguments})");
                    }
                    if !of.0.is_empty() {
                        of.write_braced(form, text);
                    }
                }
                Part::Connection {
                    name,
                    arguments,
                    first,
                    of,
                    ..
                } => {
                    text.push_str(name);
                    let first = first.filter(|_| form == Form::Page);
                    let first = first.map(|first| format!("first: {first}"));
                    let arguments = [Some(arguments.clone()), first];
                    let arguments: Vec<String> = arguments
                        .into_iter()
                        .flatten()
                        .filter(|argument| !argument.is_empty())
                        .collect();
                    if !arguments.is_empty() {
                        let _ = write!(text, "({})", arguments.join(", "));
                    }
                    text.push_str(" { edges { node");
                    of.write_braced(form, text);
                    text.push_str(" }");
                    if form == Form::Page {
                        text.push_str(" pageInfo { hasNextPage endCursor }");
                    }
                    text.push_str(" }");
                }
                Part::On { name, of } => {
                    let _ = write!(text, "... on {name}");
                    of.write_braced(form, text);
                }
            }
        }
    }

    fn write_braced(&self, form: Form, text: &mut String) {
        text.push_str(" { ");
        self.write(form, text);
        text.push_str(" }");
    }
}

/// What the directives of a field say.
#[derive(Default)]
struct Marks {
    /// Whether it is a connection, and how many nodes are asked for.
    connection: Option<Option<u32>>,
    needs: Option<Access>,
    rows: Rows,
}

impl Marks {
    fn of(directives: &[Directive<'static, String>]) -> Result<Self, String> {
        let mut marks = Self::default();
        for Directive {
            name, arguments, ..
        } in directives
        {
            match (&**name, &arguments[..]) {
                ("connection", []) => marks.connection = Some(None),
                ("connection", [(argument, Value::Int(first))]) if argument == "first" => {
                    let first = first.as_i64().and_then(|first| u32::try_from(first).ok());
                    marks.connection = Some(Some(first.ok_or("a page has a size")?));
                }
                ("needs", [(argument, Value::Enum(access))]) if argument == "access" => {
                    let needs = Access::named(access);
                    marks.needs =
                        Some(needs.ok_or_else(|| format!("there is no access `{access}`"))?);
                }
                ("rows", arguments) => {
                    for argument in arguments {
                        match argument {
                            (name, Value::List(types)) if name == "of" => {
                                marks.rows.types = types.iter().map(Value::to_string).collect();
                            }
                            (name, Value::Boolean(false)) if name == "named" => {
                                marks.rows.drops_name = true;
                            }
                            (name, _) => return Err(format!("`{name}` says nothing of rows")),
                        }
                    }
                }
                _ => return Err(format!("`@{name}` is not understood here")),
            }
        }
        Ok(marks)
    }
}

fn arguments(arguments: &[(String, Value<'static, String>)]) -> String {
    let arguments = arguments
        .iter()
        .map(|(name, value)| format!("{name}: {value}"));
    arguments.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{
        id total { ...Money }
        staffMember @needs(access: STAFF) { id }
        lines(query: "a") @connection(first: 5) { id ... on GiftCard { code } }
    }"#;

    #[test]
    fn a_selection_is_written_as_a_bulk_job_or_a_page_wants_it() {
        let order = Selection::read(ORDER).expect("it is one");
        assert_eq!(
            order.text(Form::Bulk),
            r#"id total { amount currencyCode } staffMember { id } lines(query: "a") { edges { node { id ... on GiftCard { code } } } }"#
        );
        assert_eq!(
            order.text(Form::Page),
            r#"id total { amount currencyCode } staffMember { id } lines(query: "a", first: 5) { edges { node { id ... on GiftCard { code } } } pageInfo { hasNextPage endCursor } }"#
        );
    }

    #[test]
    fn what_a_store_does_not_grant_is_left_out() {
        let order = Selection::read(ORDER).expect("it is one");
        let text = |access: &[Access]| {
            let access = access.iter().copied().collect();
            order.granted(&access).text(Form::Bulk)
        };
        assert!(text(&[Access::Staff]).contains("staffMember"));
        assert!(!text(&[Access::Locations]).contains("staffMember"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        for (text, problem) in [
            ("{ a @deferred }", "`@deferred`"),
            ("{ a @needs(access: MAGIC) }", "`MAGIC`"),
            ("{ a @connection(last: 1) { id } }", "`@connection`"),
            ("{ a @connection @rows(by: id) { id } }", "`by`"),
            ("{ ...Nobody }", "`Nobody`"),
            ("{ ... { a } }", "no type"),
            ("query Q { a }", "no name"),
            ("{ a ", "parse error"),
        ] {
            let error = Selection::read(text).expect_err(text);
            assert!(error.contains(problem), "{text}: {error}");
        }
    }
}
