//! Documents that go into a database, or to standard output.

use std::time::{Duration, Instant};

use staunch_postgres_cluster::Cluster;

use crate::project::{CAPTURES, Shop, Typed, interrupt};

const LAKE: &str = "version: 1\nsinks:\n  lake: { type: sqlite, path: lake.db }\ncaptures:\n  acme/shop: { sink: lake }\n";

/// A shop whose documents go into PostgreSQL, with these settings.
fn warehouse(cluster: &Cluster, script: &str, settings: &str) -> Shop {
    let shop = Shop::that(script);
    let dsn = cluster.dsn();
    shop.write(
        "staunch.yaml",
        &format!(
            "version: 1\nsinks:\n  warehouse:\n    type: postgres\n    dsn: '{dsn}'\n{settings}captures:\n  acme/shop: {{ sink: warehouse }}\n"
        ),
    );
    shop
}

/// One session with these documents, each number of them an order, and a checkpoint.
fn orders(ids: &[u64], cursor: u64) -> String {
    let documents: Vec<String> = ids
        .iter()
        .map(|id| format!("echo '{{\"captured\":{{\"binding\":0,\"doc\":{{\"id\":{id},\"cursor\":{cursor}}}}}}}'"))
        .collect();
    format!(
        "echo '{{\"opened\":{{}}}}'\n{}\n{}\nexit 0",
        documents.join("\n"),
        checkpoint(cursor)
    )
}

fn checkpoint(cursor: u64) -> String {
    format!(
        "echo '{{\"checkpoint\":{{\"state\":{{\"updated\":{{\"bindingStateV1\":{{\"orders\":{{\"inc\":{{\"cursor\":{cursor}}}}}}}}},\"mergePatch\":true}}}}}}'"
    )
}

/// The connector does this from now on.
fn does(shop: &Shop, script: &str) {
    let other = Shop::that(script);
    let body = other.read("connector.new");
    shop.script(body.trim_start_matches("#!/bin/sh"));
}

fn code(typed: &Typed) -> (Option<i32>, String) {
    let error = &typed.json()["error"]["code"];
    (typed.code, error.as_str().unwrap_or_default().to_owned())
}

#[test]
fn documents_go_into_sqlite_together_with_the_state() {
    let shop = Shop::that(CAPTURES);
    shop.write("staunch.yaml", LAKE);
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(
        run.stdout.contains("SINK") && run.stdout.contains("lake"),
        "{run:?}"
    );
    assert!(!shop.dir().join("out").exists());
    let lake = rusqlite::Connection::open(shop.dir().join("lake.db")).unwrap();
    let count: i64 = lake
        .query_row("SELECT count(*) FROM acme_orders", [], |row| row.get(0))
        .unwrap();
    assert_eq!(count, 2);
    let (revision, state): (i64, String) = lake
        .query_row(
            "SELECT revision, state FROM staunch_checkpoints",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .unwrap();
    let shown = shop.staunch("state show --json").json();
    assert_eq!(shown["result"]["commit"]["revision"], revision, "{shown}");
    assert!(state.contains("cursor"), "{state}");
    assert_eq!(shop.staunch("doctor").code, Some(0));
}

#[test]
fn a_sink_can_be_named_for_one_run() {
    let shop = Shop::that(CAPTURES);
    shop.write("staunch.yaml", LAKE);
    shop.staunch("run --once");
    let run = shop.staunch("run --once --sink default");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(shop.read("out/acme/orders.jsonl").lines().count(), 2);
    let run = shop.staunch("run --once --json --sink lke");
    let json: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (run.code, &json["error"]["code"]),
        (Some(2), &"sink.unknown".into())
    );
    assert!(run.stdout.contains("lake, default, stdout"), "{run:?}");
}

#[test]
fn standard_output_has_documents_and_nothing_else() {
    let shop = Shop::that(CAPTURES);
    let run = shop.staunch("run --once --sink stdout");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        run.stdout,
        "[\"acme/orders\",{\"id\":1}]\n[\"acme/orders\",{\"id\":2}]\n"
    );
    assert!(run.stderr.contains("2 documents in 1 commit"), "{run:?}");
    let run = shop.staunch("run --once --sink stdout --json");
    assert_eq!(run.code, Some(2), "{run:?}");
}

#[test]
fn a_sink_that_is_not_named_is_a_mistake_of_the_project() {
    let shop = Shop::that(CAPTURES);
    shop.write(
        "staunch.yaml",
        &LAKE.replace("sink: lake }", "sink: laek }"),
    );
    let check = shop.staunch("check");
    assert_eq!(check.code, Some(4), "{check:?}");
    assert!(
        format!("{check:?}").contains("did you mean `lake`?"),
        "{check:?}"
    );
}

#[test]
fn a_database_that_is_not_there_is_told_without_its_password() {
    let shop = Shop::that(CAPTURES);
    shop.write(
        "staunch.yaml",
        "version: 1\nsinks:\n  default: { type: postgres, dsn: 'postgres://u:${env:SECRET}@127.0.0.1:1/db' }\n",
    );
    let run = shop.staunch("run --once --json");
    let last: serde_json::Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(
        (run.code, &last["error"]["code"]),
        (Some(3), &"sink.unreachable".into())
    );
    assert!(
        run.stdout.contains("environment variable `SECRET`"),
        "{run:?}"
    );
    let mut command = shop.command("run --once");
    let output = command.env("SECRET", "hunter2").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(
        said.contains("127.0.0.1:1") && !said.contains("hunter2"),
        "{said}"
    );
}

#[test]
fn documents_go_into_postgres_together_with_the_state() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let shop = warehouse(
        &cluster,
        &orders(&[1, 2, 1], 7),
        "    fields: { acme/orders: { cursor: /cursor } }\n",
    );
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(
        cluster.psql("SELECT id, flow_document->>'cursor' FROM acme_orders ORDER BY id"),
        "1|7\n2|7"
    );
    assert_eq!(
        cluster.psql("SELECT revision, state::json->'bindingStateV1'->'orders'->'inc'->>'cursor' FROM staunch_checkpoints"),
        "1|7"
    );
    does(&shop, &orders(&[2, 3], 8));
    assert_eq!(shop.staunch("run --once").code, Some(0));
    assert_eq!(
        cluster.psql("SELECT string_agg(id || ':' || (flow_document->>'cursor'), ' ' ORDER BY id) FROM acme_orders"),
        "1:7 2:8 3:8"
    );
    // What else is done to the state goes on from there.
    let set = shop.staunch("state reset --binding orders --allow backfill:orders --yes --unread");
    assert_eq!(set.code, Some(0), "{set:?}");
    does(&shop, &orders(&[4], 9));
    assert_eq!(shop.staunch("run --once").code, Some(0));
    assert_eq!(
        cluster.psql("SELECT revision FROM staunch_checkpoints"),
        "4"
    );
}

#[test]
fn many_documents_are_copied_and_then_put_in_by_key_with_deletions_among_them() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let many = |cursor: u64, op: &str| {
        format!(
            "echo '{{\"opened\":{{}}}}'\nseq 1 1000 | sed 's/.*/{{\"captured\":{{\"binding\":0,\"doc\":{{\"id\":&,\"t\":\"a\\\\\\\\tb\",\"cursor\":{cursor},\"_meta\":{{\"op\":\"{op}\"}}}}}}}}/'\n{}\nexit 0",
            checkpoint(cursor)
        )
    };
    let shop = warehouse(&cluster, &many(1, "c"), "");
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    let count = "SELECT count(*), min(flow_document->>'cursor'), max(flow_document->>'cursor'), max(flow_document->>'t') FROM acme_orders";
    assert_eq!(cluster.psql(count), r"1000|1|1|a\tb");
    does(&shop, &many(2, "u"));
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(cluster.psql(count), r"1000|2|2|a\tb");
    does(&shop, &many(3, "d"));
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(cluster.psql("SELECT count(*) FROM acme_orders"), "0");
}

#[test]
fn a_table_that_is_appended_to_has_every_document() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let shop = warehouse(&cluster, &orders(&[1, 2, 1], 7), "    updates: append\n");
    assert_eq!(shop.staunch("run --once").code, Some(0));
    assert_eq!(shop.staunch("run --once").code, Some(0));
    assert_eq!(
        cluster.psql("SELECT string_agg(id::text, ' ' ORDER BY flow_sequence) FROM acme_orders"),
        "1 2 1 1 2 1"
    );
}

#[test]
fn a_character_that_jsonb_cannot_have_is_told_with_its_place_unless_json_is_asked_for() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let nul = format!(
        "echo '{{\"opened\":{{}}}}'\nprintf '%s\\n' '{{\"captured\":{{\"binding\":0,\"doc\":{{\"id\":1,\"a\":[\"x\\u0000\"]}}}}}}'\n{}\nexit 0",
        checkpoint(1)
    );
    let shop = warehouse(&cluster, &nul, "");
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr.contains("/a/0") && run.stderr.contains("document: json"),
        "{run:?}"
    );
    assert_eq!(cluster.psql("SELECT count(*) FROM acme_orders"), "0");
    let other = warehouse(&cluster, &nul, "    document: json\n    schema: raw\n");
    let run = other.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(cluster.psql("SELECT count(*) FROM raw.acme_orders"), "1");
}

#[test]
fn another_project_that_writes_as_the_same_capture_is_refused() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let shop = warehouse(&cluster, &orders(&[1], 1), "");
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let other = warehouse(&cluster, &orders(&[2], 2), "");
    let run = other.staunch("run --once");
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(
        run.stderr.contains("another store writes `acme/shop`"),
        "{run:?}"
    );
    assert_eq!(cluster.psql("SELECT count(*) FROM acme_orders"), "1");
}

#[test]
fn a_database_that_goes_away_is_waited_for_and_what_came_meanwhile_is_there_once() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    // Ten documents a second, each with its checkpoint.
    let script = "echo '{\"opened\":{}}'; n=0; while [ $n -lt 40 ]; do n=$((n+1)); \
         echo '{\"captured\":{\"binding\":0,\"doc\":{\"id\":'$n'}}}'; \
         echo '{\"checkpoint\":{\"state\":{\"updated\":{\"bindingStateV1\":{\"orders\":{\"inc\":{\"cursor\":'$n'}}}},\"mergePatch\":true}}}'; \
         sleep 0.1; done; exit 0";
    let shop = warehouse(&cluster, script, "    updates: append\n");
    let mut run = shop.command("run --once").spawn().unwrap();
    let began = Instant::now();
    let is_writing = |cluster: &Cluster| {
        cluster.psql("SELECT to_regclass('acme_orders') IS NOT NULL") == "t"
            && cluster.psql("SELECT count(*) FROM acme_orders") != "0"
    };
    while !is_writing(&cluster) {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.fail();
    std::thread::sleep(Duration::from_millis(700));
    cluster.go_on();
    let status = run.wait().unwrap();
    let mut said = String::new();
    std::io::Read::read_to_string(run.stderr.as_mut().unwrap(), &mut said).unwrap();
    assert!(status.success(), "{said}");
    assert!(
        said.contains("is down") && said.contains("is back"),
        "{said}"
    );
    assert_eq!(
        cluster.psql("SELECT count(*), count(DISTINCT id), max(id) FROM acme_orders"),
        "40|40|40"
    );
}

#[test]
fn a_run_whose_database_is_away_can_be_stopped_and_goes_on_later() {
    let Some(mut cluster) = Cluster::start() else {
        return;
    };
    let script = "echo '{\"opened\":{}}'; n=0; while :; do n=$((n+1)); \
         echo '{\"captured\":{\"binding\":0,\"doc\":{\"id\":'$n'}}}'; \
         echo '{\"checkpoint\":{\"state\":{\"updated\":{\"bindingStateV1\":{\"orders\":{\"inc\":{\"cursor\":'$n'}}}},\"mergePatch\":true}}}'; \
         sleep 0.05; done";
    let shop = warehouse(&cluster, script, "    updates: append\n");
    let mut run = shop.command("run").spawn().unwrap();
    let began = Instant::now();
    let is_writing = |cluster: &Cluster| {
        cluster.psql("SELECT to_regclass('acme_orders') IS NOT NULL") == "t"
            && cluster.psql("SELECT count(*) FROM acme_orders") != "0"
    };
    while !is_writing(&cluster) {
        assert!(began.elapsed() < Duration::from_secs(30));
        std::thread::sleep(Duration::from_millis(20));
    }
    cluster.fail();
    std::thread::sleep(Duration::from_millis(500));
    interrupt(&run);
    let status = run.wait().unwrap();
    assert!(!status.success());
    // Nobody can tell what the last transaction came to, so nothing changes the state until somebody can.
    let set =
        shop.staunch("state reset --binding orders --allow backfill:orders --yes --unread --json");
    assert_eq!(
        code(&set),
        (Some(3), "sink.unreachable".to_owned()),
        "{set:?}"
    );
    cluster.go_on();
    let doctor = shop.staunch("state show -q");
    assert_eq!(doctor.code, Some(0));
    let before = cluster.psql("SELECT max(id) FROM acme_orders");
    let reset = shop.staunch("state set --binding orders --value {\"inc\":{\"cursor\":0}} --allow rewind:orders --yes --unread");
    assert_eq!(reset.code, Some(0), "{reset:?}");
    does(&shop, &orders(&[100_000], 1));
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(0), "{run:?}");
    let counts = cluster.psql("SELECT count(*) = count(DISTINCT id), max(id) FROM acme_orders");
    assert_eq!(counts, "t|100000", "{before}");
}

#[test]
fn what_a_database_that_is_full_of_other_things_refuses_is_told() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let _ = cluster.psql("CREATE TABLE acme_orders (a int)");
    let shop = warehouse(&cluster, &orders(&[1], 1), "");
    let run = shop.staunch("run --once");
    assert_eq!(run.code, Some(3), "{run:?}");
    assert!(run.stderr.contains("no capture has made it"), "{run:?}");
}
