//! The reader as a whole: good forms, bad forms with their exact messages, and arbitrary text.

use std::{fs, path::Path};

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::sink::SinkSettings;

/// A folder with these files.
pub(in crate::catalog) fn folder(files: &[(&str, &str)]) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

fn told(error: &CatalogError, dir: &Path) -> String {
    format!("{}\n{error}", error.code()).replace(&format!("{}/", dir.display()), "")
}

fn load(files: &[(&str, &str)]) -> Result<Catalog, String> {
    let dir = folder(files);
    Catalog::load(&dir.path().join("flow.yaml")).map_err(|error| told(&error, dir.path()))
}

const COLLECTIONS: &str = "collections:\n  acme/orders:\n    schema: { type: object, properties: { id: { type: integer } }, required: [id] }\n    key: [/id]\n";

fn with_collections(captures: &str) -> String {
    format!("{captures}{COLLECTIONS}")
}

/// A catalog of one capture whose `local` endpoint is complete; `rest` is indented by four.
fn capture(rest: &str) -> String {
    with_collections(&format!(
        "captures:\n  acme/shop:\n    endpoint:\n      local: {{ command: [source-shop], config: {{}} }}\n{rest}"
    ))
}

#[test]
fn a_catalog_is_read_in_full() {
    let dir = folder(&[
        (
            "flow.yaml",
            r#"
$schema: https://example.com/flow.schema.json
import: [sub/more.yaml, ./sub/more.yaml]
captures:
  acme/shop:
    autoDiscover: { addNewBindings: true, evolveIncompatibleCollections: false }
    endpoint:
      local:
        command: [./bin/source-shop, --flag]
        config: shop.config.yaml
        env: { LEVEL: debug }
        protobuf: false
    interval: 1h 30m
    redactSalt: c2FsdA==
    shards: { logLevel: info, maxTxnDuration: 1s, flags: { a: b } }
    expectPubId: "0123"
    bindings:
      - resource: { stream: orders }
        target: acme/orders
        backfill: 3
      - resource: customers.resource.json
        target: acme/customers
        disable: false
      - { resource: { stream: refunds }, target: acme/not-defined, disable: true }
collections:
  acme/orders:
    schema: schemas/orders.yaml
    key: [/id, /a~1b]
    projections: { id: /id }
    journals: { fragments: {} }
    reset: false
"#,
        ),
        ("shop.config.yaml", "# secret\ntoken: hunter2\n"),
        (
            "customers.resource.json",
            "{\n\t\"stream\": \"customers\"\n}\n",
        ),
        (
            "schemas/orders.yaml",
            "type: object\nproperties: { id: { type: integer, reduce: { strategy: lastWriteWins } } }\n",
        ),
        (
            "sub/more.yaml",
            r#"
import: [../flow.yaml]
captures:
  acme/image:
    endpoint: { connector: { image: "ghcr.io/x/source:v1", config: { a: 1 } } }
collections:
  acme/customers:
    writeSchema: { type: object }
    readSchema: { allOf: [{ $ref: "flow://write-schema" }, { $ref: "flow://inferred-schema" }], x-infer-schema: true }
    key: [/id]
    derive: { using: { sqlite: {} }, transforms: [] }
materializations:
  acme/view: { endpoint: {} }
tests:
  acme/test: []
"#,
        ),
    ]);
    let catalog = Catalog::load(&dir.path().join("flow.yaml")).unwrap();
    assert_eq!(catalog.captures.len(), 2);
    let shop = catalog.capture(Some("shop")).unwrap();
    let Endpoint::Local {
        command,
        dir: of_file,
        config,
        env,
        protobuf,
    } = &shop.endpoint
    else {
        panic!("local")
    };
    assert_eq!(of_file, dir.path());
    assert_eq!(
        command,
        &[
            dir.path().join("bin/source-shop").to_str().unwrap(),
            "--flag"
        ]
    );
    assert_eq!(config.as_json(), r#"{"token":"hunter2"}"#);
    assert_eq!(env["LEVEL"], "debug");
    assert!(!protobuf);
    assert_eq!(shop.interval, Duration::from_secs(5400));
    let bound: Vec<_> = shop
        .bindings
        .iter()
        .map(|b| (b.resource.clone(), b.target.as_str(), b.backfill))
        .collect();
    assert_eq!(
        bound,
        [
            (json!({"stream": "orders"}), "acme/orders", 3),
            (json!({"stream": "customers"}), "acme/customers", 0)
        ]
    );
    assert_eq!(shop.disabled[0].resource, json!({"stream": "refunds"}));
    assert_eq!((shop.location.line, shop.location.column), (5, 3));
    assert_eq!(
        shop.bindings[1].location.pointer,
        "/captures/acme~1shop/bindings/1"
    );
    let image = catalog.capture(Some("acme/image")).unwrap();
    assert_eq!(image.interval, Duration::from_secs(300));
    assert!(
        matches!(&image.endpoint, Endpoint::Image { image, .. } if image == "ghcr.io/x/source:v1")
    );
    let customers = &catalog.collections["acme/customers"];
    assert_eq!(
        customers.read_schema.as_ref().unwrap()["x-infer-schema"],
        true
    );
    assert_eq!(catalog.collections["acme/orders"].key, ["/id", "/a~1b"]);
    let warnings: Vec<String> = catalog.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        warnings,
        [
            "skipped what only Flow runs: materialization `acme/view`, test `acme/test`, the derivation of collection `acme/customers`"
        ]
    );
}

#[test]
fn a_capture_may_have_ten_thousand_bindings() {
    let mut collections = serde_json::Map::new();
    let mut bindings = Vec::new();
    for n in 0..10_000 {
        let name = format!("acme/t{n}");
        bindings.push(json!({"resource": {"name": name, "interval": "PT1M"}, "target": name}));
        collections.insert(
            name,
            json!({
                "schema": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
                "key": ["/id"],
            }),
        );
    }
    let text = json!({
        "captures": {"acme/wide": {
            "endpoint": {"local": {"command": ["source-wide"], "config": {}}},
            "bindings": bindings,
        }},
        "collections": collections,
    })
    .to_string();
    let dir = folder(&[("flow.yaml", &text)]);
    let catalog = Catalog::load(&dir.path().join("flow.yaml")).unwrap();
    assert_eq!(
        catalog.capture(Some("acme/wide")).unwrap().bindings.len(),
        10_000
    );
}

#[test]
fn nothing_shows_a_config() {
    let catalog = load(&[(
        "flow.yaml",
        "captures:\n  a:\n    endpoint:\n      local: { command: [c], config: { t: hunter2 }, env: { T: hunter2 } }\n  b:\n    endpoint:\n      connector: { image: i, config: { t: hunter2 } }\n",
    )])
    .unwrap();
    let shown = format!("{catalog:?}");
    assert!(
        shown.contains("Config(hidden)") && !shown.contains("hunter2"),
        "{shown}"
    );
    for (file, text) in [
        (
            "flow.yaml",
            "captures: { a: { endpoint: { local: { command: [c], config: hunter2 } } } }",
        ),
        (
            "flow.yaml",
            "captures: { a: { endpoint: { local: { command: [c], config: [hunter2] } } } }",
        ),
        (
            "flow.yaml",
            "captures: { a: { endpoint: { local: { command: [c], config: {}, env: { T: [hunter2] } } } } }",
        ),
        ("c.yaml", "t: hunter2\nt: hunter2"),
        ("c.yaml", "t: *hunter2"),
        ("c.yaml", "t: 'hunter2"),
        ("c.yaml", "hunter2"),
        ("c.yaml", "t: !!int hunter2"),
        ("c.yaml", "t: {a: hunter2"),
        ("c.yaml", "sops: hunter2"),
    ] {
        let flow = "captures: { a: { endpoint: { local: { command: [c], config: c.yaml } } } }";
        let error = load(&[("flow.yaml", flow), (file, text)]).unwrap_err();
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_bad_catalog_is_told_where_and_what_to_do() {
    let mut seen = String::new();
    for (what, text) in bad_catalogs() {
        let error = load(&[
            ("flow.yaml", &text),
            ("other.yaml", COLLECTIONS),
            ("list.yaml", "- 1"),
            ("bad.yaml", "a: ["),
        ])
        .map(|_| ())
        .expect_err(what);
        seen.push_str(&format!("--- {what}\n{error}\n"));
    }
    insta::assert_snapshot!("bad_catalogs", seen);
}

fn bad_catalogs() -> Vec<(&'static str, String)> {
    let local = |members: &str| {
        with_collections(&format!(
            "captures:\n  acme/shop:\n    endpoint:\n      local: {members}\n"
        ))
    };
    let bindings = |items: &str| capture(&format!("    bindings:\n{items}"));
    let collection = |members: &str| format!("collections:\n  acme/orders: {members}\n");
    vec![
        ("not a mapping", "- 1".into()),
        ("syntax", "captures: [".into()),
        ("two documents", "captures: {}\n---\ncaptures: {}\n".into()),
        (
            "duplicate member",
            "captures: {}\ncollections: {}\ncaptures: {}\n".into(),
        ),
        ("unknown section", "captures: {}\ncolections: {}\n".into()),
        (
            "unknown and not close",
            "captures: {}\nx-staunch: {}\n".into(),
        ),
        ("unknown member of a capture", capture("    bindngs: []\n")),
        (
            "unknown member of an endpoint",
            with_collections("captures: { a: { endpoint: { remote: {} } } }\n"),
        ),
        (
            "both endpoints",
            with_collections(
                "captures: { a: { endpoint: { local: { command: [c], config: {} }, connector: { image: i, config: {} } } } }\n",
            ),
        ),
        ("no endpoint", "captures: { a: {} }".into()),
        (
            "unknown member of local",
            local("{ command: [c], config: {}, cwd: / }"),
        ),
        (
            "command is a string",
            local("{ command: source-shop, config: {} }"),
        ),
        ("command is empty", local("{ command: [], config: {} }")),
        (
            "command has a number",
            local("{ command: [c, 1], config: {} }"),
        ),
        ("no command", local("{ config: {} }")),
        ("no config", local("{ command: [c] }")),
        (
            "config file is missing",
            local("{ command: [c], config: nowhere.yaml }"),
        ),
        (
            "config file is a list",
            local("{ command: [c], config: list.yaml }"),
        ),
        (
            "config file is broken",
            local("{ command: [c], config: bad.yaml }"),
        ),
        (
            "config is a URL",
            local("{ command: [c], config: 'https://u:p@example.com/c.yaml' }"),
        ),
        (
            "config is encrypted",
            local("{ command: [c], config: { sops: {} } }"),
        ),
        (
            "env is no string",
            local("{ command: [c], config: {}, env: { A: 1 } }"),
        ),
        (
            "protobuf is no boolean",
            local("{ command: [c], config: {}, protobuf: yes }"),
        ),
        (
            "unknown member of a binding",
            bindings("    - { resource: {}, target: acme/orders, backfil: 1 }\n"),
        ),
        (
            "binding without a resource and target",
            bindings("    - {}\n"),
        ),
        (
            "target is not defined",
            bindings("    - { resource: {}, target: acme/order }\n"),
        ),
        (
            "target is far from any",
            bindings("    - { resource: {}, target: other/thing }\n"),
        ),
        (
            "backfill is negative",
            bindings("    - { resource: {}, target: acme/orders, backfill: -1 }\n"),
        ),
        (
            "backfill is too large",
            bindings("    - { resource: {}, target: acme/orders, backfill: 4294967296 }\n"),
        ),
        (
            "the same resource twice",
            bindings(
                "    - { resource: { b: 1, a: 2 }, target: acme/orders }\n    - { resource: { a: 2, b: 1 }, target: acme/orders }\n",
            ),
        ),
        ("interval is a number", capture("    interval: 300\n")),
        (
            "interval has no unit that exists",
            capture("    interval: 5 fortnights\n"),
        ),
        (
            "unknown member of shards",
            capture("    shards: { disabled: true }\n"),
        ),
        (
            "unknown member of autoDiscover",
            capture("    autoDiscover: { addNewBinding: true }\n"),
        ),
        (
            "capture name",
            "captures: { 'a b': { endpoint: { local: { command: [c], config: {} } } } }".into(),
        ),
        (
            "capture name that climbs",
            "captures: { 'a/../b': { endpoint: { local: { command: [c], config: {} } } } }".into(),
        ),
        ("import is missing", "import: [nowhere.yaml]\n".into()),
        (
            "import is a URL",
            "import:\n  - https://example.com/flow.yaml?token=x\n".into(),
        ),
        ("import is a mapping", "import: [{ url: a.yaml }]\n".into()),
        ("import is broken", "import: [bad.yaml]\n".into()),
        (
            "the same collection in two files",
            format!("import: [other.yaml]\n{COLLECTIONS}"),
        ),
        ("collection without a schema", collection("{ key: [/id] }")),
        ("collection without a key", collection("{ schema: {} }")),
        (
            "collection with schema and writeSchema",
            collection("{ schema: {}, writeSchema: {}, key: [/id] }"),
        ),
        (
            "collection with writeSchema only",
            collection("{ writeSchema: {}, key: [/id] }"),
        ),
        (
            "collection with readSchema only",
            collection("{ readSchema: {}, key: [/id] }"),
        ),
        (
            "unknown member of a collection",
            collection("{ schema: {}, keys: [/id] }"),
        ),
        ("key is empty", collection("{ schema: {}, key: [] }")),
        (
            "key is no pointer",
            collection("{ schema: {}, key: [id, /a~2, '', /a, /a] }"),
        ),
        (
            "schema does not compile",
            collection(
                "\n    key: [/id]\n    schema:\n      type: object\n      properties:\n        id: { type: integr }\n",
            ),
        ),
        (
            "schema has a pattern that is none",
            collection(
                "\n    key: [/id]\n    schema:\n      properties:\n        id: { pattern: '(' }\n",
            ),
        ),
        (
            "schema refers to nowhere",
            collection("{ schema: { $ref: nowhere.yaml }, key: [/id] }"),
        ),
        (
            "schema refers to the network",
            collection("{ schema: { $ref: 'https://example.com/s.json' }, key: [/id] }"),
        ),
        (
            "schema refers to what is inferred",
            collection("{ schema: { $ref: 'flow://inferred-schema' }, key: [/id] }"),
        ),
        (
            "schema is a URL",
            collection("{ schema: 'https://example.com/s.json', key: [/id] }"),
        ),
        (
            "schema is a number",
            collection("{ schema: 1, key: [/id] }"),
        ),
        (
            "schema is a path with a fragment",
            collection("{ schema: 'other.yaml#/a', key: [/id] }"),
        ),
        (
            "several at once",
            with_collections(
                "captures:\n  acme/shop:\n    endpoint: { local: { command: x, conf: {} } }\n    bindings:\n      - { resource: {}, target: acme/ordrs }\n    intervall: 5m\n",
            ),
        ),
    ]
}

#[test]
fn a_root_file_that_is_not_there_says_so() {
    let dir = folder(&[]);
    let error = Catalog::load(&dir.path().join("flow.yaml")).unwrap_err();
    assert_eq!(
        told(&error, dir.path()),
        "catalog.not_found\n`flow.yaml` is not there; create it, or name another file with `-f`"
    );
    let error = Catalog::load(dir.path()).unwrap_err();
    assert_eq!(error.code(), "catalog.unreadable");
}

#[test]
fn text_that_is_not_utf_8_has_its_line() {
    let dir = folder(&[]);
    fs::write(dir.path().join("flow.yaml"), b"a: 1\nb: \xff\n").unwrap();
    let error = Catalog::load(&dir.path().join("flow.yaml")).unwrap_err();
    assert_eq!(
        told(&error, dir.path()),
        "catalog.syntax\nflow.yaml:2:1: text that is not UTF-8; the file must be one YAML or JSON document"
    );
}

#[test]
fn an_error_in_an_imported_file_names_that_file() {
    let error = load(&[
        ("flow.yaml", "import: [a/b.yaml]\n"),
        ("a/b.yaml", "captures: {}\nimports: []\n"),
    ])
    .unwrap_err();
    assert_eq!(
        error,
        "catalog.unknown_member\na/b.yaml:2:1: unknown member `imports` at the top level; did you mean `import`?"
    );
}

#[test]
fn a_file_that_cannot_be_read_does_not_make_targets_unknown() {
    let text = format!(
        "import: [nowhere.yaml]\n{}",
        capture("    bindings:\n      - { resource: {}, target: acme/elsewhere }\n")
    );
    let error = load(&[("flow.yaml", &text)]).unwrap_err();
    assert!(
        error.starts_with("catalog.missing_file\n") && error.lines().count() == 2,
        "{error}"
    );
}

#[test]
fn what_is_switched_off_is_told() {
    let catalog = load(&[(
        "flow.yaml",
        "captures:\n  a: { delete: true, endpoint: { local: { command: [c], config: {} } } }\n  b:\n    endpoint: { local: { command: [c], config: {} } }\n    shards: { disable: true }\n    bindings:\ncollections:\n  c: { delete: true, schema: {}, key: [/id] }\n",
    )])
    .unwrap();
    assert_eq!(catalog.captures.keys().collect::<Vec<_>>(), ["b"]);
    assert!(catalog.collections.is_empty());
    let warnings: Vec<&str> = catalog
        .warnings
        .iter()
        .map(|warning| warning.message.as_str())
        .collect();
    assert_eq!(
        warnings,
        [
            "capture `a` is marked `delete: true` and is left out",
            "capture `b` has `shards.disable: true`, which this version does not act on",
            "collection `c` is marked `delete: true` and is left out",
        ]
    );
}

#[test]
fn a_schema_carries_the_files_that_it_refers_to() {
    let catalog = load(&[
        (
            "flow.yaml",
            "collections:\n  a:\n    schema: s/order.yaml\n    key: [/id]\n  b:\n    schema:\n      properties: { default: { $ref: 's/item.json#/$defs/name' } }\n      default: { $ref: not-a-file.yaml }\n    key: [/id]\n",
        ),
        ("s/order.yaml", "type: object\nproperties:\n  item: { $ref: item.json }\n  again: { $ref: './item.json#/$defs/name' }\nrequired: [item]\n"),
        ("s/item.json", r##"{"properties": {"name": {"$ref": "#/$defs/name"}, "parent": {"$ref": "order.yaml"}}, "$defs": {"name": {"type": "string"}}}"##),
    ])
    .unwrap();
    let schema = &catalog.collections["a"].write_schema;
    assert_eq!(
        schema["properties"]["item"]["$ref"],
        "catalog:///0/item.json"
    );
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(validator.is_valid(
        &json!({"item": {"name": "x", "parent": {"item": {"name": "y"}}}, "again": "z"})
    ));
    assert!(!validator.is_valid(&json!({"item": {"name": 1}})));
    assert!(!validator.is_valid(&json!({"item": {"parent": {"item": {"name": 1}}}})));
    assert!(!validator.is_valid(&json!({"item": {}, "again": 1})));
    let schema = &catalog.collections["b"].write_schema;
    assert_eq!(schema["default"]["$ref"], "not-a-file.yaml");
    let validator = jsonschema::validator_for(schema).unwrap();
    assert!(!validator.is_valid(&json!({"default": 1})));
}

#[test]
fn a_capture_is_found_by_name_or_by_unique_suffix() {
    let endpoint = "{ endpoint: { local: { command: [c], config: {} } } }";
    let text = format!(
        "captures:\n  acme/eu/shop: {endpoint}\n  acme/us/shop: {endpoint}\n  acme/git: {endpoint}\n  shop: {endpoint}\n"
    );
    let catalog = load(&[("flow.yaml", &text)]).unwrap();
    for (asked, name) in [
        ("git", "acme/git"),
        ("acme/git", "acme/git"),
        ("us/shop", "acme/us/shop"),
        ("shop", "shop"),
    ] {
        assert_eq!(catalog.capture(Some(asked)).unwrap().name, name);
    }
    for (asked, message) in [
        (
            None,
            "catalog.several_captures the catalog has several captures; name one of `acme/eu/shop`, `acme/git`, `acme/us/shop`, `shop`",
        ),
        (
            Some("op"),
            "catalog.unknown_capture no capture is named `op`; there is `acme/eu/shop`, `acme/git`, `acme/us/shop`, `shop`",
        ),
        (
            Some("shpo"),
            "catalog.unknown_capture no capture is named `shpo`; did you mean `shop`?",
        ),
        (
            Some("/git"),
            "catalog.unknown_capture no capture is named `/git`; did you mean `git`?",
        ),
        (
            Some(""),
            "catalog.unknown_capture no capture is named ``; there is `acme/eu/shop`, `acme/git`, `acme/us/shop`, `shop`",
        ),
    ] {
        let error = catalog.capture(asked).unwrap_err();
        assert_eq!(format!("{} {error}", error.code()), message);
    }
    let two = load(&[(
        "flow.yaml",
        &format!("captures:\n  a/eu/x: {endpoint}\n  a/us/x: {endpoint}\n"),
    )])
    .unwrap();
    assert_eq!(
        two.capture(Some("x")).unwrap_err().to_string(),
        "`x` could be `a/eu/x`, `a/us/x`; write the full name"
    );
    let one = load(&[("flow.yaml", &format!("captures:\n  a/x: {endpoint}\n"))]).unwrap();
    assert_eq!(one.capture(None).unwrap().name, "a/x");
    let none = load(&[("flow.yaml", "# nothing yet\n")]).unwrap();
    assert_eq!(
        none.capture(None).unwrap_err().code(),
        "catalog.no_captures"
    );
}

#[test]
fn settings_are_read_relative_to_their_file() {
    let dir = folder(&[(
        "staunch.yaml",
        "version: 1\nstate: { store: sqlite, path: .staunch/state.db, changes: 20, snapshots: { keep: 5, max_age: 7d } }\nsinks:\n  default: { type: jsonl, dir: ./out }\ncaptures:\n  acme/shop: { connector: [./target/debug/source-shop, --x] }\n",
    )]);
    let settings = Settings::load(&dir.path().join("staunch.yaml")).unwrap();
    assert_eq!(
        settings.store_path,
        Some(dir.path().join(".staunch/state.db"))
    );
    let out = dir.path().join("out");
    assert_eq!(
        settings.sinks["default"],
        SinkSettings::JsonLines { dir: out }
    );
    let retention = settings.retention;
    assert_eq!((retention.changes, retention.snapshots), (20, 5));
    assert_eq!(
        retention.max_age,
        std::time::Duration::from_secs(7 * 86_400)
    );
    let program = dir.path().join("target/debug/source-shop");
    assert_eq!(
        settings.connectors["acme/shop"],
        [program.to_str().unwrap(), "--x"]
    );
    assert_eq!(
        Settings::load(&dir.path().join("nowhere.yaml")).unwrap(),
        Settings::default()
    );

    let catalog = load(&[(
        "flow.yaml",
        "captures: { acme/shpo: { endpoint: { local: { command: [c], config: {} } } } }",
    )])
    .unwrap();
    assert_eq!(
        settings.check(&catalog).unwrap_err().to_string(),
        "no capture is named `acme/shop`; did you mean `acme/shpo`?"
    );
}

#[test]
fn sinks_are_read_with_what_their_tables_are_to_be() {
    let dir = folder(&[(
        "staunch.yaml",
        "version: 1\nsinks:\n  lake: { type: sqlite, path: lake.db, updates: append }\n  pg:\n    type: postgres\n    dsn: host=x\n    schema: raw\n    hard_deletes: false\n    tables: { acme/orders: orders }\n    fields: { acme/orders: { at: /updated_at } }\ncaptures:\n  acme/shop: { sink: pg }\n",
    )]);
    let settings = Settings::load(&dir.path().join("staunch.yaml")).unwrap();
    assert_eq!(settings.capture_sinks["acme/shop"], "pg");
    let SinkSettings::Sqlite { path, tables } = &settings.sinks["lake"] else {
        panic!("{settings:?}");
    };
    assert_eq!(*path, dir.path().join("lake.db"));
    assert_eq!(tables.updates, crate::sink::Updates::Append);
    let SinkSettings::Postgres(postgres) = &settings.sinks["pg"] else {
        panic!("{settings:?}");
    };
    assert_eq!(
        (postgres.schema.as_str(), postgres.document),
        ("raw", "jsonb")
    );
    assert!(!postgres.tables.hard_deletes);
    assert_eq!(postgres.tables.tables["acme/orders"], "orders");
    assert_eq!(postgres.tables.fields["acme/orders"]["at"], "/updated_at");
}

#[test]
fn settings_that_do_not_exist_yet_are_refused() {
    let mut seen = String::new();
    for text in [
        "state: {}\n",
        "version: 2\n",
        "version: 1\nstat: {}\n",
        "version: 1\nserve: { listen: x }\ntelemetry: {}\nprofiles: {}\n",
        "version: 1\nstate: { store: postgres, dsn: x, snapshots: { kep: 5 } }\n",
        "version: 1\nstate: { changes: many, snapshots: { keep: -1, max_age: 30 } }\n",
        "version: 1\nstate: { path: '${env:X}' }\n",
        "version: 1\nsinks:\n  default: { type: duckdb, path: x }\n  acme/orders: { type: jsonl, dir: x }\n",
        "version: 1\nsinks:\n  default: { type: jsonl, dir: x, rotate: 1MiB }\n",
        "version: 1\nsinks:\n  default: { type: jsonl }\n",
        "version: 1\nsinks:\n  lake: { type: sqlite, path: x, updates: often, fields: { a/b: { at: at } } }\n  stdout: { type: jsonl, dir: x }\n",
        "version: 1\nsinks:\n  pg: { type: postgres, dns: 'host=x', document: text }\n",
        "version: 1\nsinks:\n  lake: { type: sqlite, path: x }\ncaptures:\n  acme/shop: { sink: lakes }\n",
        "version: 1\ncaptures:\n  acme/shop: { connector: ./x, upgrade: { probation: { checkpoint: 3, within: 5 }, on_failure: stop }, alerts: {} }\n",
        "version: 1\ncaptures:\n  acme/shop: { connector: ['${env:X}'], conector: [x] }\n",
        "",
    ] {
        let dir = folder(&[("staunch.yaml", text)]);
        let error = Settings::load(&dir.path().join("staunch.yaml")).expect_err(text);
        seen.push_str(&format!("--- {text:?}\n{}\n", told(&error, dir.path())));
    }
    insta::assert_snapshot!("bad_settings", seen);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let dir = folder(&[]);
        let path = dir.path().join("flow.yaml");
        fs::write(&path, &bytes).unwrap();
        let _ = Catalog::load(&path);
        let _ = Settings::load(&path);
    }

    #[test]
    fn no_damage_to_a_catalog_makes_the_reader_panic(at in 0_usize..400, with in "[ \n:{}\\[\\]\\-&*'\"a]{0,3}", cut in 0_usize..6) {
        let text = capture("    bindings:\n      - resource: { stream: orders }\n        target: acme/orders\n    interval: 5m\n");
        let from = at.min(text.len());
        let to = (from + cut).min(text.len());
        let dir = folder(&[("flow.yaml", &format!("{}{with}{}", &text[..from], &text[to..]))]);
        let path = dir.path().join("flow.yaml");
        let _ = Catalog::load(&path);
        let found = Found { resource: json!({"stream": "x"}), target: "acme/x".into(), schema: json!({}), key: vec!["/id".into()], disable: false };
        let _ = write_discovered(&path, "acme/shop", &[found]);
    }
}
