use std::collections::BTreeSet;

use hyper::Method;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::*;

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let name: HeaderName = name.parse().unwrap();
        headers.append(name, HeaderValue::from_str(value).unwrap());
    }
    headers
}

/// The name of the rule that takes a request, and the parameters.
fn taken(
    router: &Router,
    path: &str,
    pairs: &[(&str, &str)],
    document: &Value,
) -> Option<(String, Vec<(String, String)>)> {
    let headers = headers(pairs);
    let head = Head {
        method: &Method::POST,
        path,
        query: None,
        headers: &headers,
    };
    let document = RawValue::from_string(document.to_string()).unwrap();
    let route = router.route(&head).ok()?;
    let routed = route.rule_of(&document)?;
    let parameters = routed.parameters.into_iter();
    let parameters = parameters.map(|(name, value)| (name.to_owned(), value.into_owned()));
    Some((router.name(routed.rule).to_owned(), parameters.collect()))
}

#[test]
fn the_most_specific_rule_takes_a_request_whatever_the_order_of_rules() {
    let mut rules = vec![
        ("anything", Rule::any_path()),
        ("topic", Rule::any_path().header("X-Topic", "orders")),
        ("any topic", Rule::any_path().header_present("x-topic")),
        ("typed", Rule::any_path().body("/type", "order")),
        ("order", Rule::path("/orders/{id}")),
        ("new order", Rule::path("/orders/new")),
        ("item", Rule::path("/orders/{order}/items/{item}")),
        ("below", Rule::path("/orders/{all...}")),
        (
            "refund",
            Rule::path("/orders/{id}")
                .body("/a/0/b", 1)
                .body("/kind", "refund"),
        ),
        ("kind", Rule::path("/orders/{id}").body_present("/kind")),
    ];
    for _ in 0..rules.len() {
        rules.rotate_left(1);
        let router = Router::new(rules.clone()).unwrap();
        let name = |path: &str, pairs: &[(&str, &str)], document: Value| {
            taken(&router, path, pairs, &document).unwrap().0
        };
        let empty = || json!({});
        assert_eq!(name("/", &[], empty()), "anything");
        assert_eq!(name("/x", &[("x-topic", "orders")], empty()), "topic");
        assert_eq!(name("/x", &[("X-TOPIC", "items")], empty()), "any topic");
        assert_eq!(name("/x", &[("x-topic", "Orders")], empty()), "any topic");
        let twice = [("x-topic", "orders"), ("x-topic", "orders")];
        assert_eq!(name("/x", &twice, empty()), "any topic");
        assert_eq!(name("/x", &[], json!({"type": "order"})), "typed");
        assert_eq!(
            name("/x", &[("x-topic", "a")], json!({"type": "order"})),
            "any topic"
        );
        assert_eq!(
            name("/orders/7", &[("x-topic", "orders")], empty()),
            "order"
        );
        assert_eq!(name("/orders/new/", &[], json!({"kind": 1})), "new order");
        assert_eq!(name("/orders/%6eew", &[], empty()), "new order");
        assert_eq!(name("/orders/7/items/8", &[], empty()), "item");
        assert_eq!(name("/orders/7/items", &[], empty()), "below");
        assert_eq!(name("/orders", &[], empty()), "below");
        assert_eq!(name("/orders/7", &[], json!({"kind": null})), "kind");
        let refund = json!({"kind": "refund", "a": [{"b": 1.0}]});
        assert_eq!(name("/orders/7", &[], refund), "refund");
    }
}

#[test]
fn parameters_are_told_decoded_and_by_the_names_of_the_rule() {
    let router = Router::new([
        ("item", Rule::path("/orders/{order}/items/{item}")),
        (
            "topic",
            Rule::path("/orders/{id}/items/{nr}").header_present("x-topic"),
        ),
        ("file", Rule::path("/files/{folder}/{name...}")),
    ])
    .unwrap();
    let parameters = |path: &str, pairs: &[(&str, &str)]| {
        let (_, parameters) = taken(&router, path, pairs, &json!({})).unwrap();
        parameters
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(
        parameters("/orders/a%2Fb/items/c%20d", &[]),
        [pair("order", "a/b"), pair("item", "c d")]
    );
    assert_eq!(
        parameters("/orders/1/items/2", &[("x-topic", "")]),
        [pair("id", "1"), pair("nr", "2")]
    );
    for (path, rest) in [
        ("/files/f", ""),
        ("/files/f/", ""),
        ("/files/f/a", "a"),
        ("/files/f/a/b%20c/", "a/b c"),
        ("/files/f//a", "/a"),
    ] {
        assert_eq!(
            parameters(path, &[]),
            [pair("folder", "f"), pair("name", rest)],
            "{path}"
        );
    }
}

#[test]
fn what_nothing_takes_is_told_apart_by_whether_another_method_would_do() {
    let router = Router::new([
        ("put", Rule::path("/a").method("PUT")),
        ("post", Rule::path("/a").header_present("x-a")),
        ("patch", Rule::path("/b").method("PATCH")),
        ("delete", Rule::path("/{x}").method("DELETE")),
    ])
    .unwrap();
    let route = |method: Method, path: &str, pairs: &[(&str, &str)]| {
        let headers = headers(pairs);
        let head = Head {
            method: &method,
            path,
            query: None,
            headers: &headers,
        };
        router.route(&head).map(|_| ())
    };
    let allowed = |names: &[&str]| {
        let methods = names.iter().map(|name| name.parse().unwrap());
        Err(Unrouted::Method {
            allowed: methods.collect(),
        })
    };
    assert_eq!(route(Method::PUT, "/a", &[]), Ok(()));
    assert_eq!(route(Method::POST, "/a", &[("x-a", "")]), Ok(()));
    assert_eq!(route(Method::POST, "/a", &[]), Err(Unrouted::Nowhere));
    assert_eq!(
        route(Method::POST, "/b", &[]),
        allowed(&["DELETE", "PATCH"])
    );
    assert_eq!(
        route(Method::GET, "/a", &[]),
        allowed(&["DELETE", "POST", "PUT"])
    );
    assert_eq!(route(Method::POST, "/", &[]), Err(Unrouted::Nowhere));
    assert_eq!(route(Method::POST, "/%ff", &[]), Err(Unrouted::Nowhere));
    assert_eq!(route(Method::OPTIONS, "*", &[]), Err(Unrouted::Nowhere));
}

#[test]
fn a_body_is_looked_into_only_if_a_rule_asks_for_it() {
    let router = Router::new([
        ("plain", Rule::path("/plain")),
        ("typed", Rule::path("/typed").body("/type", "a")),
        ("sure", Rule::path("/typed").header_present("x-a")),
    ])
    .unwrap();
    let needs_body = |path: &str, pairs: &[(&str, &str)]| {
        let headers = headers(pairs);
        let head = Head {
            method: &Method::POST,
            path,
            query: None,
            headers: &headers,
        };
        router.route(&head).unwrap().needs_body()
    };
    assert!(!needs_body("/plain", &[]));
    assert!(needs_body("/typed", &[]));
    assert!(!needs_body("/typed", &[("x-a", "1")]));
}

#[test]
fn rules_that_conflict_are_refused_with_both_named_and_what_overlaps() {
    let told = |one: Rule, two: Rule| {
        let errors = Router::new([("first", one), ("second", two)]).unwrap_err();
        let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
        texts.join("\n")
    };
    let path = || Rule::path("/hook");
    let all = [
        told(path(), Rule::path("/hook/")),
        told(Rule::path("/a/{x}"), Rule::path("/{y}/b")),
        told(
            path().header("x-a", "hunter2"),
            path().header_present("X-B"),
        ),
        told(
            path().body("/a/b", 1),
            path().body("/c", "hunter2").body_present("/a"),
        ),
        told(
            path().header("x", "1").body_present("/a"),
            path().header("X", "1").body_present("/b"),
        ),
    ];
    insta::assert_snapshot!(all.join("\n"), @r"
    the rules of `first` and `second` conflict: both take `POST /hook`, and neither is more specific; bind one of them only, or have one ask for something more
    the rules of `first` and `second` conflict: both take `POST /a/b`, and neither is more specific; have one of them ask for all that the other does, or for a value that the other excludes
    the rules of `first` and `second` conflict: both take `POST /hook` with header `x-a` and header `x-b`, and neither is more specific; have one of them ask for all that the other does, or for a value that the other excludes
    the rules of `first` and `second` conflict: both take `POST /hook` with member `/a/b` and member `/c`, and neither is more specific; have one of them ask for all that the other does, or for a value that the other excludes
    the rules of `first` and `second` conflict: both take `POST /hook` with header `x` and member `/a` and member `/b`, and neither is more specific; have one of them ask for all that the other does, or for a value that the other excludes
    ");
}

#[test]
fn rules_that_no_request_can_meet_together_do_not_conflict() {
    let path = || Rule::path("/hook");
    for (one, two) in [
        (path().header("x", "1"), path().header("X", "2")),
        (path().body("/a", 1), path().body("/a", 2)),
        (path().body("/a", 1), path().body("/a", "1")),
        (
            path().body("/a", 1).header("x", "1"),
            path().body("/a", 2).header("y", "1"),
        ),
        (path().body("/a", 1), path().body_present("/a/b")),
        (
            path().body_present("/a/b").header("x", "1"),
            path().body("/a", 1),
        ),
        (path().method("PUT"), path()),
        (
            Rule::path("/a/{x}").header("x", "1"),
            Rule::path("/{y}/b").header("x", "2"),
        ),
        (path(), path().header_present("x")),
        (path().header_present("x"), path().body_present("/a")),
        (path().body_present("/a"), path().body("/a/b", 1)),
    ] {
        let rules = [("one", one), ("two", two)];
        assert!(Router::new(rules.clone()).is_ok(), "{rules:?}");
    }
}

#[test]
fn all_that_is_wrong_with_rules_is_said_at_once() {
    let wrong = Rule::path("orders")
        .method("NO WAY")
        .header("not a name", "x")
        .header("x", " x")
        .header("y", "1")
        .header("Y", "2")
        .body("type", 1)
        .body("/~2", 1)
        .body("/list", json!([1]))
        .body("/a", 1)
        .body("/a", 2)
        .body("/b", 1)
        .body("/b/c", 1);
    let errors = Router::new([
        ("wrong", wrong),
        ("one", Rule::path("/x")),
        ("two", Rule::path("/x")),
    ])
    .unwrap_err();
    let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!(texts.join("\n"), @r"
the rule of `wrong` is wrong: the path begins with no slash; write `/orders`
the rule of `wrong` is wrong: its method is none that a request can have; write `POST`
the rule of `wrong` is wrong: `not a name` is no name of a header
the rule of `wrong` is wrong: the value of header `x` has a space at an end, which no request has
the rule of `wrong` is wrong: no request has two values of header `Y`; keep one of them
the rule of `wrong` is wrong: `type` is no JSON pointer to a member; write `/type`
the rule of `wrong` is wrong: `/~2` has a `~` that neither `0` nor `1` follows; write `~0` for `~`
the rule of `wrong` is wrong: the value at `/list` must be a string, a number, `true`, `false` or `null`
the rule of `wrong` is wrong: no document has two values at `/a`; keep one of them
the rule of `wrong` is wrong: it asks for members of a value that it wants to have none
the rules of `one` and `two` conflict: both take `POST /x`, and neither is more specific; bind one of them only, or have one ask for something more
");
}

#[test]
fn thousands_of_rules_are_looked_up_and_thousands_of_conflicts_told_in_a_few() {
    let topic = |n: usize| Rule::path("/hook").header("x-topic", format!("t{n}"));
    let kind = |n: usize| Rule::path("/typed").body("/kind", n);
    let place = |n: usize| Rule::path(format!("/place{n}/{{id}}"));
    let rules = (0..3_000).flat_map(|n| {
        [
            (format!("topic {n}"), topic(n)),
            (format!("kind {n}"), kind(n)),
            (format!("place {n}"), place(n)),
        ]
    });
    let router = Router::new(rules).unwrap();
    for n in [0, 1_234, 2_999] {
        let name = |path: &str, topic: &str, document: Value| {
            taken(&router, path, &[("x-topic", topic)], &document).map(|(name, _)| name)
        };
        let topic = format!("t{n}");
        assert_eq!(name("/hook", &topic, json!({})), Some(format!("topic {n}")));
        assert_eq!(
            name("/typed", "", json!({"kind": n})),
            Some(format!("kind {n}"))
        );
        let path = format!("/place{n}/7");
        assert_eq!(name(&path, "", json!({})), Some(format!("place {n}")));
        assert_eq!(name("/typed", "", json!({"kind": 3_000})), None);
    }
    let same = (0..3_000).map(|n| (format!("rule {n}"), Rule::path("/same")));
    let errors = Router::new(same).unwrap_err();
    assert!(errors.len() < 30);
    assert_eq!(errors.last(), Some(&RuleError::Others));
}

/// A universe that is small enough to try each request of it: paths, values of two headers, and documents.
mod universe {
    use super::*;

    pub(super) fn paths() -> Vec<String> {
        let mut all = vec!["/".to_owned()];
        let mut last = vec![String::new()];
        for _ in 0..4 {
            let longer = |path: &String| ["a", "b", "c"].map(|segment| format!("{path}/{segment}"));
            last = last.iter().flat_map(longer).collect();
            all.extend(last.clone());
        }
        all
    }

    pub(super) fn headers() -> Vec<Vec<(&'static str, &'static str)>> {
        let values = [None, Some("1"), Some("2"), Some("3")];
        let both = values
            .iter()
            .flat_map(|x| values.iter().map(move |y| (x, y)));
        let pairs = both.map(|(x, y)| {
            let x = x.map(|value| ("x", value));
            let y = y.map(|value| ("y", value));
            x.into_iter().chain(y).collect()
        });
        pairs.collect()
    }

    pub(super) fn documents() -> Vec<Value> {
        let scalars = || [json!(1), json!("1"), json!(2)];
        let inside = scalars().map(|value| json!({ "p": value }));
        let m = [None, Some(json!({}))]
            .into_iter()
            .chain(scalars().map(Some))
            .chain(inside.map(Some));
        let with_m = m.map(|m| m.map_or(json!({}), |m| json!({ "m": m })));
        let with_n = |document: Value| {
            [None, Some(json!(1.0)), Some(json!("1")), Some(json!(2))].map(|n| {
                let mut document = document.clone();
                document
                    .as_object_mut()
                    .unwrap()
                    .extend(n.map(|n| ("n".to_owned(), n)));
                document
            })
        };
        with_m.flat_map(with_n).collect()
    }
}

/// A rule as it is generated, and which of the universe it means by the letter of its documentation.
#[derive(Clone, Debug)]
struct Model {
    path: Vec<&'static str>,
    headers: Vec<(&'static str, Option<&'static str>)>,
    members: Vec<(&'static str, Option<Value>)>,
}

type Meant = [BTreeSet<usize>; 3];

impl Model {
    fn rule(&self) -> Rule {
        let mut rule = Rule::path(format!("/{}", self.path.join("/")));
        for (name, value) in &self.headers {
            rule = match value {
                Some(value) => rule.header(*name, *value),
                None => rule.header_present(*name),
            };
        }
        for (pointer, value) in &self.members {
            rule = match value {
                Some(value) => rule.body(*pointer, value.clone()),
                None => rule.body_present(*pointer),
            };
        }
        rule
    }

    fn takes_path(&self, path: &str) -> bool {
        let given: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        for (at, part) in self.path.iter().enumerate() {
            match (*part, given.get(at)) {
                ("{r...}", _) => return true,
                ("{p}" | "{q}" | "{s}", Some(_)) => {}
                (literal, Some(given)) if literal == *given => {}
                _ => return false,
            }
        }
        given.len() == self.path.len()
    }

    fn meant(&self) -> Meant {
        fn which<T>(all: Vec<T>, is_meant: impl Fn(&T) -> bool) -> BTreeSet<usize> {
            let all = all.iter().enumerate();
            all.filter(|(_, one)| is_meant(one))
                .map(|(at, _)| at)
                .collect()
        }
        [
            which(universe::paths(), |path| self.takes_path(path)),
            which(universe::headers(), |given| {
                self.headers.iter().all(|(name, value)| {
                    given
                        .iter()
                        .any(|(there, is)| there == name && value.is_none_or(|value| value == *is))
                })
            }),
            which(universe::documents(), |document| {
                self.members.iter().all(|(pointer, value)| {
                    document.pointer(pointer).is_some_and(|there| match value {
                        None => true,
                        Some(value) if value.is_number() => value.as_f64() == there.as_f64(),
                        Some(value) => value == there,
                    })
                })
            }),
        ]
    }
}

/// What the documentation says of two rules that are met together: the first aspect in which they differ decides.
fn is_more_specific(one: &Meant, two: &Meant) -> bool {
    let differing = one.iter().zip(two).find(|(one, two)| one != two);
    differing.is_some_and(|(one, two)| one.is_subset(two))
}

fn model() -> impl Strategy<Value = Model> {
    let segment = |name: &'static str| prop::sample::select(vec!["a", "b", "a", "b", name]);
    let path = (
        segment("{p}"),
        segment("{q}"),
        segment("{s}"),
        0..=3_usize,
        any::<bool>(),
    );
    let path = path.prop_map(|(one, two, three, len, has_rest)| {
        let mut path = vec![one, two, three];
        path.truncate(len);
        path.extend(has_rest.then_some("{r...}"));
        path
    });
    let value = prop::sample::select(vec![None, Some("1"), Some("2")]);
    let headers = prop::collection::btree_map(prop::sample::select(vec!["x", "y"]), value, 0..=2);
    let value = prop::sample::select(vec![None, Some(json!(1)), Some(json!("1"))]);
    let pointer = prop::sample::select(vec!["/m", "/m/p", "/n"]);
    let members = prop::collection::btree_map(pointer, value, 0..=2);
    (path, headers, members).prop_map(|(path, headers, members)| Model {
        path,
        headers: headers.into_iter().collect(),
        members: members.into_iter().collect(),
    })
}

proptest! {
    #[test]
    fn a_router_says_what_trying_every_request_of_a_small_universe_says(
        models in prop::collection::vec(model(), 1..6),
        requests in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<prop::sample::Index>()), 20),
    ) {
        let meant: Vec<Meant> = models.iter().map(Model::meant).collect();
        let is_met = |meant: &Meant| meant.iter().all(|aspect| !aspect.is_empty());
        let meet = |one: &Meant, two: &Meant| one.iter().zip(two).all(|(one, two)| !one.is_disjoint(two));
        let mut expected = BTreeSet::new();
        for (at, one) in meant.iter().enumerate() {
            for (other, two) in meant.iter().enumerate().skip(at + 1) {
                if meet(one, two) && !is_more_specific(one, two) && !is_more_specific(two, one) {
                    expected.insert((at.to_string(), other.to_string()));
                }
            }
        }
        let rules = models.iter().enumerate().map(|(at, model)| (at.to_string(), model.rule()));
        let router = match Router::new(rules) {
            Ok(router) => router,
            Err(errors) => {
                if meant.iter().all(is_met) {
                    let conflicts = errors.into_iter().map(|error| match error {
                        RuleError::Conflict { first, second, .. } => (first, second),
                        other => panic!("{other}"),
                    });
                    prop_assert_eq!(conflicts.collect::<BTreeSet<_>>(), expected);
                }
                return Ok(());
            }
        };
        prop_assert!(meant.iter().all(is_met), "a rule that nothing can meet was let through");
        prop_assert!(expected.is_empty(), "not refused: {:?}", expected);
        let (paths, headers, documents) = (universe::paths(), universe::headers(), universe::documents());
        for (path, header, document) in requests {
            let (path, header, document) = (path.index(paths.len()), header.index(headers.len()), document.index(documents.len()));
            let takes = |meant: &&Meant| meant[0].contains(&path) && meant[1].contains(&header) && meant[2].contains(&document);
            let all: Vec<&Meant> = meant.iter().filter(takes).collect();
            let best = all.iter().find(|one| all.iter().all(|other| std::ptr::eq(**one, *other) || is_more_specific(one, other)));
            prop_assert_eq!(best.is_some(), !all.is_empty());
            let best = best.map(|best| meant.iter().position(|one| std::ptr::eq(one, *best)).unwrap().to_string());
            let taken = taken(&router, &paths[path], &headers[header], &documents[document]);
            prop_assert_eq!(taken.map(|(name, _)| name), best);
        }
    }
}
