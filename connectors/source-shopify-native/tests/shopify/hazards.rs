//! What the connector must not do, each by its name.

use std::time::Duration;

use serde_json::{Value, json};
use shopify_simulator::{
    Action, JobPlan, Kind, Mutation, Operation, Outcome, RowFault, Rule, Scenario, SnapshotAt,
    StoreChange,
};

use crate::support::{capture, config, moving, stream, with_shopify};
use crate::truth::{reduced, truth};

const HOUR: Duration = Duration::from_secs(3600);

/// A few records, all of them of the last thirty days.
fn small(stores: &[&str]) -> Scenario {
    Scenario {
        span_days: 25,
        ..moving(stores)
    }
}

fn inc(state: &Value, stream: &str) -> Value {
    state["bindingStateV1"][stream]["inc"].clone()
}

#[test]
fn a_store_that_is_added_has_its_history_even_where_the_state_knows_of_no_backfill() {
    with_shopify(small(&["alpha", "beta"]), async |simulator| {
        let state = json!({ "bindingStateV1": { "locations": {
            "inc": { "alpha": { "cursor": "2026-01-15T11:00:00Z" } }, "last_initialized": "2026-01-01T00:00:00Z",
        } } });
        let mut capture =
            capture(simulator, config(&["alpha", "beta"]), &["locations"]).with_state(state);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let stream = stream("locations");
        let captured = reduced(run.seen().documents("locations"), &stream, "beta");
        assert_eq!(captured, truth(simulator, &stream, "beta"));
        let of_alpha = reduced(run.seen().documents("locations"), &stream, "alpha");
        assert!(
            of_alpha.is_empty(),
            "what it has captured is not backfilled"
        );
    });
}

#[test]
fn no_store_claims_a_flat_state_where_several_could_be_meant() {
    with_shopify(small(&["alpha", "beta"]), async |simulator| {
        let state = json!({ "bindingStateV1": { "customers": { "inc": { "cursor": "2026-01-15T11:00:00Z" } } } });
        let mut capture = capture(simulator, config(&["alpha", "beta"]), &["customers"])
            .with_state(state.clone());
        let error = capture
            .start()
            .go_on_for(HOUR)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("nothing says of which") && error.contains("configure that one alone"),
            "{error}"
        );
        assert_eq!(capture.state(), state);
    });
}

#[test]
fn line_items_of_abandoned_checkouts_are_not_dropped() {
    with_shopify(small(&["alpha"]), async |simulator| {
        let mut capture = capture(simulator, config(&["alpha"]), &["abandoned_checkouts"]);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let documents = run.seen().documents("abandoned_checkouts");
        let items = documents
            .iter()
            .flat_map(|document| document["lineItems"].as_array().unwrap());
        let ids: Vec<&str> = items.map(|item| item["id"].as_str().unwrap()).collect();
        assert!(!ids.is_empty());
        assert!(
            ids.iter()
                .all(|id| id.contains("AbandonedCheckoutLineItem/") && id.ends_with("&actoken"))
        );
    });
}

#[test]
fn an_inventory_level_is_emitted_once_with_its_scheduled_changes() {
    with_shopify(small(&["alpha"]), async |simulator| {
        let mut capture = capture(simulator, config(&["alpha"]), &["inventory_levels"]);
        let mut run = capture.start();
        run.go_on_for(Duration::from_secs(60)).await.unwrap();
        let documents = run.seen().documents("inventory_levels");
        let stream = stream("inventory_levels");
        assert_eq!(documents.len(), truth(simulator, &stream, "alpha").len());
        assert!(
            documents
                .iter()
                .any(|level| !level["scheduledChanges"].as_array().unwrap().is_empty())
        );
    });
}

#[test]
fn no_token_is_sent_to_the_host_of_results() {
    with_shopify(small(&["alpha"]), async |simulator| {
        let mut capture = capture(simulator, config(&["alpha"]), &["products", "orders"]);
        capture.start().go_on_for(HOUR).await.unwrap();
        let downloads = simulator.requests().into_iter();
        assert!(
            downloads
                .filter(|served| served.kind == Kind::Download)
                .count()
                > 1
        );
        assert_eq!(simulator.leaked_tokens(), 0);
    });
}

#[test]
fn rows_that_are_not_grouped_are_refused_rather_than_put_where_they_do_not_belong() {
    with_shopify(small(&["alpha"]), async |simulator| {
        let rule = Rule::on(Kind::Download, Action::Rows(RowFault::Ungrouped));
        simulator.spoil(vec![rule]).unwrap();
        let mut capture = capture(simulator, config(&["alpha"]), &["order_returns"]);
        let error = capture
            .start()
            .go_on_for(HOUR)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("rows were not grouped"), "{error}");
        assert_eq!(
            inc(&capture.state(), "order_returns")["alpha"]["cursor"],
            "2025-12-16T11:59:59.500000Z",
            "nothing is taken for captured"
        );
    });
}

/// A capture whose bulk jobs, or their results, are spoiled so: what it fails with, and where its cursor is.
fn spoiled(rule: Rule) -> (String, Value) {
    with_shopify(small(&["alpha"]), async |simulator| {
        simulator.spoil(vec![rule.clone()]).unwrap();
        let mut capture = capture(simulator, config(&["alpha"]), &["order_returns"]);
        let ended = capture.start().go_on_for(24 * HOUR / 2).await;
        let error = ended.expect_err(&format!("{:?}", rule.action));
        (
            error.to_string(),
            inc(&capture.state(), "order_returns")["alpha"]["cursor"].clone(),
        )
    })
}

#[test]
fn whatever_becomes_of_a_bulk_job_its_window_is_not_passed_over() {
    let outcome = |outcome| {
        let plan = JobPlan {
            outcome,
            ..JobPlan::default()
        };
        Rule::on(Kind::Submit, Action::Job(plan))
    };
    let rows = |fault| Rule::on(Kind::Download, Action::Rows(fault));
    let cases = [
        (outcome(Outcome::AccessDenied), "grant the app the scopes"),
        (outcome(Outcome::Expired), "is gone before it was read"),
        (outcome(Outcome::Canceled), "canceled by somebody else"),
        (outcome(Outcome::Unheard), "`REBUILDING`"),
        (outcome(Outcome::Timeout), "however little it had to do"),
        (
            outcome(Outcome::InternalServerError),
            "however little it had to do",
        ),
        (rows(RowFault::EndAfter(2)), "ends before its end"),
        (rows(RowFault::CutLast), "is no JSON object"),
        (
            rows(RowFault::Orphan),
            "belongs to `gid://shopify/Nobody/1`",
        ),
        (rows(RowFault::NoId), "a root without an id"),
        (rows(RowFault::UnknownType), "was not asked for"),
        (
            Rule::on(
                Kind::Download,
                Action::Status {
                    status: 403,
                    body: Value::Null,
                    headers: Default::default(),
                },
            ),
            "the result of a bulk operation cannot be read",
        ),
        (Rule::on(Kind::Poll, Action::NoAddress), "store `alpha`"),
    ];
    for (rule, words) in cases {
        let told = format!("{:?}", rule.action);
        let (error, cursor) = spoiled(rule);
        assert!(error.contains(words), "{told}: {error}");
        assert!(
            error.contains("alpha") || error.contains("order_returns"),
            "{told}: {error}"
        );
        assert_eq!(cursor, "2025-12-16T11:59:59.500000Z", "{told}");
    }
}

#[test]
fn blank_lines_ends_of_windows_and_long_rows_are_no_reason_to_fail() {
    for fault in [
        RowFault::BlankLines,
        RowFault::CarriageReturns,
        RowFault::LongRow,
    ] {
        with_shopify(small(&["alpha"]), async |simulator| {
            simulator
                .spoil(vec![Rule::on(Kind::Download, Action::Rows(fault))])
                .unwrap();
            let mut capture = capture(simulator, config(&["alpha"]), &["order_metafields"]);
            let mut run = capture.start();
            run.go_on_for(Duration::from_secs(60)).await.unwrap();
            assert_eq!(
                run.seen().documents("order_metafields").len(),
                20,
                "{fault:?}"
            );
        });
    }
}

#[test]
fn a_job_that_has_too_much_to_do_is_asked_for_less() {
    with_shopify(small(&["alpha"]), async |simulator| {
        let plan = JobPlan {
            outcome: Outcome::Timeout,
            ..JobPlan::default()
        };
        simulator
            .spoil(vec![Rule::on(Kind::Submit, Action::Job(plan)).times(2)])
            .unwrap();
        let mut capture = capture(simulator, config(&["alpha"]), &["products"]);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let stream = stream("products");
        let captured = reduced(run.seen().documents("products"), &stream, "alpha");
        assert_eq!(captured, truth(simulator, &stream, "alpha"));
        let submitted = simulator
            .requests()
            .into_iter()
            .filter(|served| served.kind == Kind::Submit);
        let ends: Vec<String> = submitted.map(|served| served.bounds.1.unwrap()).collect();
        assert_eq!(ends[0], "2026-01-15T11:59:59Z");
        assert_eq!(ends[1], "2025-12-31T11:59:59Z", "half of it");
        assert_eq!(ends[2], "2025-12-23T23:59:59Z", "half of that");
    });
}

#[test]
fn a_place_for_a_job_that_others_have_is_waited_for() {
    with_shopify(small(&["alpha"]), async |simulator| {
        simulator
            .spoil(vec![Rule::on(Kind::Submit, Action::LimitReached).times(3)])
            .unwrap();
        let streams = [
            "products",
            "product_media",
            "product_variants",
            "orders",
            "order_metafields",
            "inventory_levels",
            "location_metafields",
        ];
        let mut capture = capture(simulator, config(&["alpha"]), &streams);
        let mut run = capture.start();
        run.go_on_for(Duration::from_secs(10)).await.unwrap();
        // Another task takes all places while this one runs.
        simulator.foreign_jobs("alpha", 5);
        run.go_on_for(HOUR).await.unwrap();
        let blocked = run.seen().documents("products").len();
        simulator
            .mutate(&[Mutation::new(
                "alpha",
                Operation::Update,
                "Product",
                Some(1),
            )])
            .unwrap();
        simulator.foreign_jobs("alpha", 0);
        run.go_on_for(HOUR).await.unwrap();
        assert!(run.seen().documents("products").len() > blocked);
        let refused = simulator.requests().into_iter();
        let refused = refused.filter(|served| served.kind == Kind::Submit && served.job.is_none());
        // Five wait for a place, each of them a minute at last.
        assert!(refused.count() < 400, "it is asked without a pause");
    });
}

#[test]
fn five_jobs_are_at_work_at_most_and_those_that_were_left_behind_count() {
    let mut scenario = small(&["alpha"]);
    scenario.job.running_for = 30_000;
    scenario.job.canceling_for = 20_000;
    with_shopify(scenario, async |simulator| {
        let streams = [
            "products",
            "product_media",
            "product_variants",
            "orders",
            "order_metafields",
            "inventory_levels",
            "location_metafields",
        ];
        let mut capture = capture(simulator, config(&["alpha"]), &streams);
        let mut run = capture.start();
        run.go_on_for(Duration::from_secs(10)).await.unwrap();
        drop(run.kill());
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let requests = simulator.requests();
        let canceled = requests.iter().filter(|served| served.kind == Kind::Cancel);
        assert_eq!(canceled.count(), 5);
        let refused = requests
            .iter()
            .filter(|served| served.kind == Kind::Submit && served.job.is_none());
        assert_eq!(refused.count(), 0);
        for name in streams {
            assert!(!run.seen().documents(name).is_empty(), "{name}");
        }
    });
}

#[test]
fn discovery_and_validation_cancel_no_jobs() {
    with_shopify(small(&["alpha"]), async |simulator| {
        simulator.foreign_jobs("alpha", 2);
        let connector = source_shopify_native::SourceShopify::new(crate::support::place(simulator));
        let discover =
            json!({ "discover": { "connectorType": "IMAGE", "config": config(&["alpha"]) } });
        crate::support::ask(&connector, &discover).await.unwrap();
        let validate = json!({ "validate": { "name": "a/b", "connectorType": "IMAGE", "config": config(&["alpha"]), "bindings": [] } });
        crate::support::ask(&connector, &validate).await.unwrap();
        assert!(
            simulator
                .requests()
                .iter()
                .all(|served| served.kind == Kind::Query)
        );
    });
}

#[test]
fn records_of_any_part_of_a_second_are_captured_whenever_they_are_written() {
    for compares_seconds in [false, true] {
        let scenario = Scenario {
            compares_seconds,
            snapshot_at: SnapshotAt::End,
            ..small(&["alpha"])
        };
        with_shopify(scenario, async |simulator| {
            let streams = ["customers", "products", "locations"];
            let mut capture = capture(simulator, config(&["alpha"]), &streams);
            let mut run = capture.start();
            // Now at whole seconds, now in the middle of one, again and again around the moments at which spans end.
            for millis in (0..40).map(|nth| 299_000 + nth * 137) {
                run.go_on_for(Duration::from_millis(millis)).await.unwrap();
                let create = |kind| Mutation::new("alpha", Operation::Create, kind, None);
                simulator
                    .mutate(&["Customer", "Product", "Location"].map(create))
                    .unwrap();
            }
            run.go_on_for(HOUR).await.unwrap();
            for name in streams {
                let stream = stream(name);
                let captured = reduced(run.seen().documents(name), &stream, "alpha");
                assert_eq!(
                    captured.len(),
                    truth(simulator, &stream, "alpha").len(),
                    "{name}"
                );
                assert_eq!(captured, truth(simulator, &stream, "alpha"), "{name}");
            }
        });
    }
}

#[test]
fn records_that_come_in_another_order_are_all_captured() {
    let scenario = Scenario {
        max_page_size: 3,
        ..small(&["alpha"])
    };
    with_shopify(scenario, async |simulator| {
        simulator
            .spoil(vec![Rule::on(Kind::Query, Action::Reorder)])
            .unwrap();
        let mut capture = capture(simulator, config(&["alpha"]), &["customers"]);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let stream = stream("customers");
        let captured = reduced(run.seen().documents("customers"), &stream, "alpha");
        assert_eq!(captured, truth(simulator, &stream, "alpha"));
    });
}

#[test]
fn a_page_that_does_not_say_where_the_next_one_is_or_is_its_own_ends_the_capture() {
    for (action, words) in [
        (Action::NoEndCursor, "and not where"),
        (Action::RepeatCursor, "names itself as the next one"),
    ] {
        with_shopify(small(&["alpha"]), async |simulator| {
            let mut rule = Rule::on(Kind::Query, action.clone());
            rule.root = Some("customers".to_owned());
            simulator.spoil(vec![rule]).unwrap();
            let mut capture = capture(simulator, config(&["alpha"]), &["customers"]);
            let error = capture
                .start()
                .go_on_for(HOUR)
                .await
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(words) && error.contains("store `alpha`"),
                "{error}"
            );
        });
    }
}

#[test]
fn connections_inside_of_records_are_read_to_their_end_and_a_parent_that_is_gone_keeps_what_was_read()
 {
    with_shopify(small(&["alpha"]), async |simulator| {
        let mut many = Mutation::new("alpha", Operation::Update, "Market", Some(1));
        many.fields.insert("catalogs".to_owned(), 106.into());
        simulator.mutate(&[many]).unwrap();
        let mut capture = capture(simulator, config(&["alpha"]), &["markets"]);
        let mut run = capture.start();
        run.go_on_for(Duration::from_secs(60)).await.unwrap();
        let catalogs = |documents: &[Value]| {
            let market = documents
                .iter()
                .rfind(|market| market["id"] == "gid://shopify/Market/1");
            market.unwrap()["catalogs"].as_array().unwrap().len()
        };
        assert_eq!(catalogs(run.seen().documents("markets")), 106);
        let rest = simulator
            .requests()
            .into_iter()
            .filter(|served| served.kind == Kind::Rest);
        assert!(rest.count() >= 2, "101 are left, in pages of 100");
        simulator
            .spoil(vec![Rule::on(Kind::Rest, Action::NoNodes)])
            .unwrap();
        simulator
            .mutate(&[Mutation::new("alpha", Operation::Create, "Market", None)])
            .unwrap();
        run.go_on_for(HOUR).await.unwrap();
        assert_eq!(catalogs(run.seen().documents("markets")), 5);
    });
}

#[test]
fn rows_of_a_snapshot_are_deleted_in_their_own_store_alone() {
    with_shopify(small(&["alpha", "beta"]), async |simulator| {
        let mut capture = capture(simulator, config(&["alpha", "beta"]), &["markets"]);
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        simulator
            .mutate(&[Mutation::new("alpha", Operation::Delete, "Market", Some(3))])
            .unwrap();
        run.go_on_for(HOUR).await.unwrap();
        let deleted = run.seen().documents("markets").iter();
        let deleted: Vec<&Value> = deleted.filter(|row| row["_meta"]["op"] == "d").collect();
        assert_eq!(
            deleted,
            [&json!({ "_meta": { "op": "d", "row_id": 19, "store": "alpha" } })]
        );
    });
}

#[test]
fn a_stream_that_no_store_lets_be_read_is_not_found_and_one_store_is_enough() {
    with_shopify(small(&["alpha", "beta"]), async |simulator| {
        let revoke = |store: &str| {
            simulator
                .change(StoreChange {
                    store: store.to_owned(),
                    scopes: Some(["read_products".to_owned()].into()),
                    ..StoreChange::default()
                })
                .unwrap();
        };
        revoke("alpha");
        let mut capture = capture(
            simulator,
            config(&["alpha", "beta"]),
            &["customers", "products"],
        );
        let mut run = capture.start();
        run.go_on_for(HOUR).await.unwrap();
        let stores = run.seen().documents("customers").iter();
        assert!(
            stores
                .map(|document| &document["_meta"]["store"])
                .all(|store| store == "beta")
        );
        drop(run.kill());
        revoke("beta");
        let error = capture
            .start()
            .go_on_for(HOUR)
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("customers"), "{error}");
    });
}
