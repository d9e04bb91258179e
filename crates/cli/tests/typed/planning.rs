//! Plans: of a state in a file, with and without a project, and with consent.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::project::{CAPTURES, Shop, Typed, assert_shown};

/// What `Shop::that` captures ends with.
const STATE: &str = r#"{"bindingStateV1":{"orders":{"inc":{"cursor":2}}}}"#;

/// What a planner says of one binding.
fn group(key: &str, outcome: &str, needs: Value) -> Value {
    json!({
        "outcome": outcome, "change": "inc {cursor} to inc {realtime}", "notes": [], "migrations": ["realtime"], "needs": needs,
        "example": { "more": 0, "lines": [
            { "sign": "removed", "pointer": "/inc/cursor", "value": "2" },
            { "sign": "added", "pointer": "/inc/realtime/cursor", "value": "1" },
        ] },
        "bindings": [{ "stateKey": key, "movedFrom": null, "before": "2", "after": "realtime 1", "isOrphan": false }],
    })
}

/// A connector that answers with this plan, and keeps what it was asked in `asked`.
fn plans(shop: &Shop, groups: &[Value]) {
    let plan = json!({
        "groups": groups,
        "steps": [{ "migration": "realtime", "declares": "", "bindings": groups.len() }],
        "mergePatch": true,
        "update": { "bindingStateV1": { "orders": { "inc": { "cursor": null, "realtime": { "cursor": 1 } } } } },
        "updateBytes": 70, "beforeBytes": 50, "afterBytes": 60,
    });
    answers(shop, &plan.to_string());
}

fn answers(shop: &Shop, plan: &str) {
    shop.write("answer", plan);
    let dir = shop.dir().display();
    shop.script(&format!(
        "case \"$1 $2\" in 'plan --probe') echo '{{\"staunch\":{{\"plan\":1}}}}'; exit 0;; plan*) echo \"$2\" > {dir}/option; cat > {dir}/asked; cat {dir}/answer; exit 0;; esac
read -r line; echo '{{\"spec\":{{\"protocol\":3032023,\"configSchema\":{{}},\"resourceConfigSchema\":{{}},\"documentationUrl\":\"\",\"resourcePathPointers\":[\"/stream\"]}}}}'"
    ));
}

fn rewriter(shop: &Shop) {
    plans(shop, &[group("orders", "REWRITE", Value::Null)]);
}

/// A connector whose plan needs two consents.
fn demanding(shop: &Shop) {
    plans(
        shop,
        &[
            group("orders", "REWIND", json!("rewind")),
            group("refunds", "BACKFILL", json!("backfill")),
        ],
    );
}

/// A folder without a project, with a connector in it and a state.
fn alone() -> Shop {
    let shop = Shop::empty();
    rewriter(&shop);
    shop.write("old.json", STATE);
    shop
}

/// The `Open` that the connector was asked about.
fn asked(shop: &Shop) -> Value {
    let asked: Value = serde_json::from_str(&shop.read("asked")).unwrap();
    asked["open"].clone()
}

/// Types a line with something on standard input.
fn with_input(shop: &Shop, line: &str, input: &str) -> Typed {
    let mut command = shop.command(line);
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut stdin, input.as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    Typed {
        code: output.status.code(),
        stdout: shop.stable(&output.stdout),
        stderr: shop.stable(&output.stderr),
    }
}

#[test]
fn a_state_in_a_file_is_planned_without_a_project() {
    let shop = alone();
    assert_shown!(shop.staunch("migrate plan --state old.json --to ./connector"));
    let asked = asked(&shop);
    assert_eq!(
        asked["state"],
        serde_json::from_str::<Value>(STATE).unwrap()
    );
    assert_eq!(asked["capture"]["config"], json!({}));
    assert_eq!(asked["capture"].get("bindings"), None, "{asked}");
    assert!(
        !shop.dir().join(".staunch").exists(),
        "looking makes nothing"
    );

    let json =
        shop.staunch("migrate plan --state old.json --connector ./connector --json --exit-code");
    assert_eq!((json.code, json.stderr.as_str()), (Some(5), ""));
    let result = &json.json()["result"];
    assert_eq!(
        (&result["capture"], &result["revision"], &result["state"]),
        (&Value::Null, &Value::Null, &json!("old.json"))
    );
}

#[test]
fn a_config_goes_with_a_state_that_has_no_project() {
    let shop = alone();
    shop.write("shop.yaml", "url: https://shop.example\ntoken: hunter2\n");
    let line = "migrate plan --state old.json --to ./connector --config shop.yaml --ask-source";
    let typed = shop.staunch(line);
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert_eq!(
        asked(&shop)["capture"]["config"],
        json!({"url": "https://shop.example", "token": "hunter2"})
    );
    assert_eq!(shop.read("option"), "--ask-source\n");

    shop.write("shop.yaml", "token: 'hunter2");
    let typed = shop.staunch(line);
    assert_eq!(typed.code, Some(2));
    assert!(typed.stderr.contains("shop.yaml:1:8: ") && !typed.stderr.contains("hunter2"));

    let typed = with_input(
        &shop,
        "migrate plan --state old.json --to ./connector --config -",
        r#"{"url":"x"}"#,
    );
    assert_eq!(typed.code, Some(0), "{typed:?}");
    assert_eq!(asked(&shop)["capture"]["config"], json!({"url": "x"}));
}

#[test]
fn a_state_in_a_file_takes_the_place_of_the_stored_one() {
    let shop = Shop::that(CAPTURES);
    rewriter(&shop);
    // Neither can be used, and neither is looked at.
    std::fs::create_dir_all(shop.dir().join(".staunch/leases")).unwrap();
    shop.write(".staunch/state.db", "no store");
    shop.write(
        ".staunch/leases/acme%2Fshop.lease",
        &format!("{}\n", std::process::id()),
    );
    shop.write(
        "old.json",
        r#"{"bindingStateV1":{"orders":{"inc":{"cursor":1}}}}"#,
    );
    assert_shown!(shop.staunch("migrate plan shop --state old.json"));
    let asked = asked(&shop);
    assert_eq!(
        asked["state"]["bindingStateV1"]["orders"]["inc"]["cursor"],
        json!(1)
    );
    assert_eq!(
        asked["capture"]["config"],
        json!({"url": "https://shop.example"})
    );
    assert_eq!(asked["capture"]["bindings"][0]["stateKey"], json!("orders"));
    let json = shop.staunch("migrate plan --state old.json --json").json();
    let result = &json["result"];
    assert_eq!(
        (&result["capture"], &result["revision"], &result["state"]),
        (&json!("acme/shop"), &Value::Null, &json!("old.json"))
    );
}

#[test]
fn what_state_show_prints_can_be_planned() {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    let other = alone();
    for flags in ["", " --json"] {
        let shown = shop.staunch(&format!("state show{flags}")).stdout;
        let typed = with_input(&other, "migrate plan --state - --to ./connector", &shown);
        assert_eq!(typed.code, Some(0), "{typed:?}");
        assert!(
            typed
                .stdout
                .starts_with("the state in standard input, opened by"),
            "{typed:?}"
        );
        assert_eq!(
            asked(&other)["state"],
            serde_json::from_str::<Value>(STATE).unwrap()
        );
    }
    let part = shop.staunch("state show --binding orders --json").stdout;
    let typed = with_input(&other, "migrate plan --state - --to ./connector", &part);
    assert_eq!(typed.code, Some(2), "{typed:?}");
    assert!(typed.stderr.contains("one binding's part"), "{typed:?}");
}

#[test]
fn a_state_that_stays_as_it_is_has_nothing_to_do() {
    let shop = alone();
    answers(&shop, "null");
    for (flags, note) in [
        ("", ""),
        (" --exit-code", ""),
        (
            " --exit-code --allow rewind:orders",
            "No consent is needed.\n",
        ),
    ] {
        let typed = shop.staunch(&format!(
            "migrate plan --state old.json --to ./connector{flags}"
        ));
        assert_eq!(typed.code, Some(0), "{typed:?}");
        assert!(typed.stdout.ends_with(": nothing to do\n"), "{typed:?}");
        assert!(
            typed.stderr.ends_with(&format!("without binding.\n{note}")),
            "{typed:?}"
        );
    }
}

#[test]
fn a_file_that_holds_no_state_is_refused_with_its_place() {
    let shop = alone();
    shop.write(
        "broken.json",
        "{\n  \"bindingStateV1\": {\"ü\": hunter2}\n}\n",
    );
    assert_shown!(shop.staunch("migrate plan --state broken.json --to ./connector"));
    shop.write("list.json", "[]");
    shop.write("empty.json", "");
    std::fs::write(shop.dir().join("latin.json"), b"{\"a\":\n\"\xfc\"}").unwrap();
    std::fs::create_dir(shop.dir().join("folder")).unwrap();
    let large = std::fs::File::create(shop.dir().join("large.json")).unwrap();
    large.set_len((128 << 20) + (1 << 20) + 1).unwrap(); // It has no blocks.
    for (file, code, problem) in [
        ("missing.json", "input.not_found", "is not there"),
        ("folder", "input.unreadable", "is a folder"),
        ("large.json", "input.too_large", "more than 135266304 bytes"),
        ("empty.json", "input.not_a_state", "is empty"),
        ("list.json", "input.not_a_state", "holds a list"),
        (
            "latin.json",
            "input.syntax",
            "latin.json:2:2: the text is not UTF-8",
        ),
        ("old.json/x", "input.unreadable", "cannot read"),
    ] {
        let typed = shop.staunch(&format!("migrate plan --state {file} --to ./connector"));
        assert_eq!(
            (typed.code, typed.stdout.as_str()),
            (Some(2), ""),
            "{typed:?}"
        );
        assert!(
            typed.stderr.contains(code) && typed.stderr.contains(problem),
            "{typed:?}"
        );
    }
    let envelope = shop
        .staunch("migrate plan --state list.json --to ./connector --json")
        .json();
    assert_eq!(
        (&envelope["command"], &envelope["error"]["code"]),
        (&json!("migrate plan"), &json!("input.not_a_state"))
    );
    assert!(
        !shop.dir().join("asked").exists(),
        "the connector was asked nothing"
    );
}

#[test]
fn flags_that_do_not_go_together_are_explained() {
    let shop = alone();
    let project = Shop::that(CAPTURES);
    project.write("old.json", STATE);
    project.write("c.json", "{}");
    for (at, line, problem) in [
        (
            &shop,
            "--state - --config - --to ./connector",
            "standard input cannot be both",
        ),
        (&shop, "--state old.json", "name one with `--to`"),
        (
            &shop,
            "shop --state old.json --to ./connector",
            "`flow.yaml` is not there",
        ),
        (
            &shop,
            "-f other.yaml --state old.json --to ./connector",
            "`other.yaml` is not there",
        ),
        (&shop, "--to ./connector", "`flow.yaml` is not there"),
        (&shop, "--config c.json --to ./connector", "--state <FILE>"),
        (
            &project,
            "--state old.json --config c.json",
            "`flow.yaml` has the config of `acme/shop`",
        ),
        (&shop, "--allow orders", "`orders` is no consent"),
        (
            &shop,
            "--allow keep:orders",
            "kinds: rewind, backfill, skip, unknown",
        ),
    ] {
        let typed = at.staunch(&format!("migrate plan {line}"));
        assert_eq!(
            (typed.code, typed.stdout.as_str()),
            (Some(2), ""),
            "{line}: {typed:?}"
        );
        assert!(typed.stderr.contains(problem), "{line}: {typed:?}");
    }
    std::os::unix::fs::symlink("nowhere.yaml", shop.dir().join("flow.yaml")).unwrap();
    let typed = shop.staunch("migrate plan --state old.json --to ./connector");
    assert_eq!(
        typed.code,
        Some(2),
        "a link that leads nowhere is no absence: {typed:?}"
    );
}

#[test]
fn a_connector_that_cannot_plan_is_told_so() {
    let shop = Shop::empty();
    shop.write("old.json", STATE);
    shop.script("cat > /dev/null");
    assert_shown!(shop.staunch("migrate plan --state old.json --to ./connector"));
    let typed = shop.staunch("migrate plan --state old.json --to ./missing");
    assert_eq!(typed.code, Some(3), "{typed:?}");
}

#[test]
fn a_connector_that_refuses_a_given_state_is_a_refusal() {
    let shop = Shop::empty();
    shop.write("old.json", STATE);
    shop.write("c.json", "{}");
    shop.script("[ \"$2\" = --probe ] && { echo '{\"staunch\":{\"plan\":1}}'; exit 0; }; cat > /dev/null; echo 'missing field `url`' >&2; exit 1");
    assert_shown!(shop.staunch("migrate plan --state old.json --to ./connector"));
    let typed = shop.staunch("migrate plan --state old.json --to ./connector --config c.json -q");
    assert!(
        typed.code == Some(6) && !typed.stderr.contains("--config"),
        "{typed:?}"
    );
}

#[test]
fn consents_are_given_by_name_and_what_is_missing_is_shown() {
    let shop = Shop::that(CAPTURES);
    assert_eq!(shop.staunch("run --once").code, Some(0));
    demanding(&shop);
    assert_shown!(shop.staunch("migrate plan --allow rewind:orders"));
    for (flags, exit, given, missing) in [
        ("", 6, 0, 2),
        (" --allow rewind:orders", 6, 1, 1),
        (" --allow rewind:orders --allow backfill:refunds", 5, 2, 0),
        (
            " --allow backfill:refunds --allow rewind:orders --allow rewind:orders",
            5,
            2,
            0,
        ),
    ] {
        let line = format!("migrate plan{flags} --json");
        assert_eq!(shop.staunch(&line).code, Some(0), "{line}");
        let typed = shop.staunch(&format!("{line} --exit-code"));
        assert_eq!(typed.code, Some(exit), "{line}");
        let consents = &typed.json()["result"]["consents"];
        let count = |which: &str| consents[which].as_array().unwrap().len();
        assert_eq!(
            (count("given"), count("missing")),
            (given, missing),
            "{line}"
        );
    }
    let typed = shop
        .staunch("migrate plan --allow rewind:orders --json")
        .json();
    assert_eq!(
        typed["result"]["consents"],
        json!({
            "given": [{"kind": "rewind", "stateKey": "orders"}],
            "givenByConfig": [],
            "missing": [{"kind": "backfill", "stateKey": "refunds"}],
        })
    );
}

#[test]
fn a_consent_of_the_endpoint_config_is_shown_as_given_there() {
    let shop = Shop::that(CAPTURES);
    let given = |consents: Value| {
        demanding(&shop);
        let mut plan: Value = serde_json::from_str(&shop.read("answer")).unwrap();
        plan["given"] = consents;
        answers(&shop, &plan.to_string());
    };
    let backfill = json!({ "kind": "backfill", "stateKey": "refunds" });
    let rewind = json!({ "kind": "rewind", "stateKey": "orders" });
    given(json!([backfill]));
    let typed = shop.staunch("migrate plan --exit-code");
    assert_eq!(typed.code, Some(6), "{typed:?}");
    let shown = "given   backfill:refunds, by the endpoint config\n";
    assert!(typed.stdout.contains(shown), "{typed:?}");
    assert!(
        typed.stderr.contains("`staunch run` refuses it"),
        "{typed:?}"
    );
    let typed = shop.staunch("migrate plan --allow rewind:orders --json");
    assert_eq!(
        typed.json()["result"]["consents"],
        json!({ "given": [rewind], "givenByConfig": [backfill], "missing": [] })
    );

    given(json!([backfill, rewind]));
    let typed = shop.staunch("migrate plan --exit-code");
    assert_eq!(typed.code, Some(5), "{typed:?}");
    assert!(
        !typed.stderr.contains("refuses"),
        "as it would not: {typed:?}"
    );
}

#[test]
fn a_consent_that_the_plan_does_not_need_is_a_mistake() {
    let shop = Shop::that(CAPTURES);
    demanding(&shop);
    assert_shown!(
        shop.staunch("migrate plan --allow rewind:order --allow backfill:refunds --out plan.json")
    );
    assert!(!shop.dir().join("plan.json").exists());
    rewriter(&shop);
    let typed = shop.staunch("migrate plan --allow rewind:orders");
    assert_eq!(typed.code, Some(2));
    assert!(typed.stderr.contains("it needs no consent"), "{typed:?}");
}

#[test]
fn the_first_twenty_missing_consents_are_named() {
    let shop = Shop::that(CAPTURES);
    let groups: Vec<Value> = (0..30)
        .map(|n| group(&format!("b{n}"), "REWIND", json!("rewind")))
        .collect();
    plans(&shop, &groups);
    let typed = shop.staunch("migrate plan --allow rewind:b7");
    let last = typed.stdout.lines().last().unwrap();
    assert!(
        last.starts_with("✗ missing rewind:b0, ") && last.ends_with("rewind:b20, 9 more"),
        "{last}"
    );
}

#[test]
fn colour_is_of_the_plan_and_never_of_what_it_names() {
    let shop = alone();
    plans(
        &shop,
        &[group(
            "\u{1b}[31mred\u{1b}[0m\nBACKFILL",
            "REWRITE",
            Value::Null,
        )],
    );
    let line = "migrate plan --state old.json --to ./connector";
    let plain = shop.staunch(line).stdout;
    assert!(
        !plain.contains('\u{1b}') && plain.contains(r"\u{1b}[31mred\u{1b}[0m\nBACKFILL"),
        "{plain}"
    );
    let coloured = shop.staunch(&format!("{line} --color always")).stdout;
    assert!(
        coloured.contains("\u{1b}[32mREWRITE\u{1b}[0m") && !coloured.contains("\u{1b}[31mred"),
        "{coloured}"
    );
    assert_eq!(strip(&coloured), plain);
    let with = |variable: &str, flags: &str| {
        let mut command = shop.command(&format!("{line}{flags}"));
        let output = command.env(variable, "1").output().unwrap();
        shop.stable(&output.stdout)
    };
    assert_eq!(with("CLICOLOR_FORCE", ""), coloured);
    assert_eq!(with("CLICOLOR_FORCE", " --color never"), plain);
    assert_eq!(with("NO_COLOR", ""), plain);
    assert!(!with("CLICOLOR_FORCE", " --json").contains('\u{1b}'));
}

/// Text without its colours.
fn strip(text: &str) -> String {
    let mut parts = text.split("\u{1b}[");
    let first = parts.next().unwrap_or_default().to_owned();
    first
        + &parts
            .map(|part| part.split_once('m').unwrap().1)
            .collect::<String>()
}
