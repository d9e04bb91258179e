//! Every query that can be built, held against the API's schema and its rules for bulk jobs.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use shopify_simulator::Schema;
use source_shopify_native::query::{Bounds, cancel, poll, rest_query, running, submit};
use source_shopify_native::selection::{Access, Part, Selection};
use source_shopify_native::streams::{Grants, Kind, Plan, STREAMS};

use crate::support::{recorded, stream};

fn bounds() -> Bounds {
    Bounds {
        from: "2025-06-15T00:00:00.999999Z".parse().unwrap(),
        to: "2025-06-16T00:00:00Z".parse().unwrap(),
    }
}

/// All that a store may grant, and each that it may not.
fn accesses() -> impl Iterator<Item = BTreeSet<Access>> {
    (0_u8..16).map(|chosen| {
        let of = |nth: usize| chosen & (1 << nth) != 0;
        let all = Access::ALL.into_iter().enumerate();
        all.filter(|(nth, _)| of(*nth))
            .map(|(_, access)| access)
            .collect()
    })
}

#[test]
fn every_query_is_understood_whatever_a_store_grants() {
    let schema = Schema::admin();
    let check = |query: &str| assert_eq!(schema.problems(query), Vec::<String>::new(), "{query}");
    for stream in STREAMS {
        for access in accesses() {
            let asked = stream.selection().granted(&access);
            if stream.kind == Kind::Bulk {
                let query = stream.bulk_query(&asked, bounds());
                check(&query);
                check(&submit(&query));
            } else {
                check(&stream.page_query(&asked, bounds(), None));
                check(&stream.page_query(&asked, bounds(), Some("eyJsYXN0X2lkIjoxfQ==")));
            }
        }
    }
    check(&running());
    check(&poll("gid://shopify/BulkOperation/1"));
    check(&cancel("gid://shopify/BulkOperation/1"));
}

#[test]
fn what_is_left_of_a_nested_connection_can_be_asked_for() {
    let schema = Schema::admin();
    for (name, path, kind, connection) in [
        (
            "fulfillments",
            Some("fulfillments"),
            "Fulfillment",
            "fulfillmentLineItems",
        ),
        (
            "order_refunds",
            Some("refunds"),
            "Refund",
            "refundLineItems",
        ),
        ("markets", None, "Market", "catalogs"),
    ] {
        let whole = stream(name).selection();
        let parent = match path {
            Some(path) => of(&whole, path),
            None => whole,
        };
        let nodes = of(&parent, connection);
        let query = rest_query("gid://shopify/X/1", kind, connection, &nodes, 250, "abc");
        assert_eq!(schema.problems(&query), Vec::<String>::new(), "{query}");
    }
}

/// What is asked of a field of this name.
fn of(selection: &Selection, wanted: &str) -> Selection {
    let found = selection.0.iter().find_map(|part| match part {
        Part::Field { name, of, .. } | Part::Connection { name, of, .. } if name == wanted => {
            Some(of.clone())
        }
        _ => None,
    });
    found.unwrap()
}

#[test]
fn unquoted_times_are_never_searched_for_and_parts_of_a_second_are_cut_off() {
    for stream in STREAMS {
        let Some(search) = stream.search(bounds()) else {
            assert!(matches!(stream.kind, Kind::Snapshot { .. }));
            continue;
        };
        assert!(
            search.contains(">='2025-06-15T00:00:00Z'")
                && search.contains("<='2025-06-16T00:00:00Z'"),
            "{search}"
        );
        assert!(!search.contains("AND AND"), "{search}");
    }
    assert_eq!(
        stream("smart_collections").search(bounds()).unwrap(),
        "updated_at:>='2025-06-15T00:00:00Z' AND updated_at:<='2025-06-16T00:00:00Z' AND collection_type:smart"
    );
}

#[test]
fn a_bulk_query_keeps_the_rules_of_bulk_jobs() {
    let schema = Schema::admin();
    for stream in STREAMS.iter().filter(|stream| stream.kind == Kind::Bulk) {
        for access in accesses() {
            let asked = stream.selection().granted(&access);
            let query = stream.bulk_query(&asked, bounds());
            assert_eq!(
                schema.bulk_problems(&query),
                Vec::<String>::new(),
                "{query}"
            );
            // Passed over by a bulk job, and one of them worse than that: with a sort key it leaves records out.
            for word in ["sortKey", "first:", "after:", "pageInfo"] {
                assert!(!query.contains(word), "{}: {word}", stream.name);
            }
        }
    }
}

#[test]
fn selections_roots_and_page_sizes_are_the_recorded_ones() {
    let Some(recorded) = recorded("shopify-resource-selections.json") else {
        return;
    };
    let resources = recorded["resources"].as_array().unwrap();
    assert_eq!(resources.len(), STREAMS.len());
    for (stream, expected) in STREAMS.iter().zip(resources) {
        let name = stream.name;
        assert_eq!(expected["resource"], name);
        assert_eq!(expected["root"], stream.root, "{name}");
        let is_bulk = stream.kind == Kind::Bulk;
        assert_eq!(expected["queryKind"] == "bulk", is_bulk, "{name}");
        let selection = stream.selection();
        let asked = selection.granted(&BTreeSet::new());
        let query = match is_bulk {
            true => stream.bulk_query(&asked, bounds()),
            false => stream.page_query(&asked, bounds(), None),
        };
        let arguments = expected["args"].as_object().unwrap();
        for argument in ["sortKey", "first", "includeInactive"] {
            let written = arguments
                .get(argument)
                .map(|value| format!("{argument}: {}", value.as_str().unwrap()));
            match written {
                Some(written) => assert!(query.contains(&written), "{name}: {written}"),
                None => assert!(
                    !query.contains(&format!("{argument}:")),
                    "{name}: {argument}"
                ),
            }
        }
        let has_term = arguments
            .get("query")
            .is_some_and(|query| query.as_str().unwrap().contains("collection_type"));
        assert_eq!(has_term, stream.term.is_some(), "{name}");
        assert_eq!(json!(tree(&selection)), expected["node"], "{name}");
    }
}

/// A selection as it is recorded.
fn tree(selection: &Selection) -> Vec<Value> {
    let part = |part: &Part| match part {
        Part::Field {
            name,
            arguments,
            needs,
            of,
        } => {
            let field = match of.0.is_empty() {
                true => json!(name),
                false => json!({ "field": name, "select": tree(of) }),
            };
            conditional(with_arguments(field, arguments, None), needs.is_some())
        }
        Part::Connection {
            name,
            arguments,
            needs,
            first,
            of,
            ..
        } => {
            let connection =
                json!({ "connection": name, "pageInfo": first.is_some(), "node": tree(of) });
            conditional(
                with_arguments(connection, arguments, *first),
                needs.is_some(),
            )
        }
        Part::On { name, of } => json!({ "on": name, "select": tree(of) }),
    };
    selection.0.iter().map(part).collect()
}

fn conditional(part: Value, is_conditional: bool) -> Value {
    match is_conditional {
        true => json!({ "conditional": part }),
        false => part,
    }
}

fn with_arguments(mut part: Value, arguments: &str, first: Option<u32>) -> Value {
    let written = match (arguments.split_once(": "), first) {
        (Some((name, value)), _) => Some((name.to_owned(), recorded_value(value))),
        (None, Some(first)) => Some(("first".to_owned(), first.to_string())),
        (None, None) => None,
    };
    if let Some((name, value)) = written {
        part["args"] = json!({ name: value });
    }
    part
}

/// A list is recorded with an element on each line.
fn recorded_value(value: &str) -> String {
    match value
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
    {
        None => value.to_owned(),
        Some(elements) => {
            let elements = elements.split(", ").map(|element| format!("  {element}\n"));
            format!("[\n{}]", elements.collect::<String>())
        }
    }
}

#[test]
fn what_a_store_has_to_allow_is_what_its_scopes_and_its_plan_say() {
    let grants = |scopes: &[&str], plan: &str| Grants {
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        plan: Plan {
            display_name: plan.to_owned(),
            is_development: false,
            is_plus: plan == "Shopify Plus",
        },
    };
    let customers = stream("customers");
    for (plan, is_granted) in [
        ("Basic", false),
        ("Starter", false),
        ("Shopify", true),
        ("Advanced", true),
        ("Shopify Plus", true),
        ("Something new", true),
    ] {
        assert_eq!(
            customers.is_granted(&grants(&["read_customers"], plan)),
            is_granted,
            "{plan}"
        );
        assert!(
            !customers.is_granted(&grants(&["read_orders"], plan)),
            "{plan}"
        );
    }
    let staff = stream("staff_members");
    assert!(!staff.is_granted(&grants(&["read_users"], "Shopify")));
    assert!(staff.is_granted(&grants(&["read_users"], "Advanced")));
    assert_eq!(grants(&["read_users"], "Shopify").access(), BTreeSet::new());
    assert_eq!(
        grants(&["read_users", "read_publications"], "Advanced").access(),
        [Access::Staff, Access::Publications].into()
    );
    let every: BTreeSet<&str> = STREAMS
        .iter()
        .flat_map(|stream| stream.scopes)
        .copied()
        .collect();
    let every: Vec<&str> = every.into_iter().collect();
    let plus = grants(&every, "Shopify Plus");
    assert_eq!(
        STREAMS
            .iter()
            .filter(|stream| stream.is_granted(&plus))
            .count(),
        29
    );
}
