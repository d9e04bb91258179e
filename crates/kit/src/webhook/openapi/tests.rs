use super::*;
use crate::webhook::{Rule, Signature};

fn endpoints() -> Vec<(String, Endpoint)> {
    let path = || Rule::path("/shops/{shop}/orders");
    let secret = "hunter2";
    vec![
        (
            "orders <new>".to_owned(),
            Endpoint::new(
                path()
                    .header("X-Topic", "orders/create")
                    .body("/test", false),
            )
            .signature(Signature::shopify(secret)),
        ),
        (
            "refunds".to_owned(),
            Endpoint::new(path().header("x-topic", "refunds/create"))
                .signature(Signature::bearer(secret)),
        ),
        (
            "keyed".to_owned(),
            Endpoint::new(Rule::path("/shops/{store}/orders").header("X-Api-Key", secret)),
        ),
        (
            "rest".to_owned(),
            Endpoint::new(Rule::any_path().body_present("/<script>").method("PUT")),
        ),
    ]
}

#[test]
fn the_document_says_what_requests_must_look_like_and_no_secret() {
    let text = document(&endpoints());
    assert!(!text.contains("hunter2"));
    let document: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/shops/{shop}/orders", "/{path}"]);
    let operation = &document["paths"]["/shops/{shop}/orders"]["post"];
    assert_eq!(operation["summary"], "orders <new>, refunds, keyed");
    insta::assert_snapshot!(operation["description"].as_str().unwrap(), @r"
`orders <new>`: requests with header `x-topic: orders/create` and `false` at `/test`.

`refunds`: requests with header `x-topic: refunds/create`.

`keyed`: requests with header `x-api-key`.
");
    assert_eq!(
        operation["parameters"],
        json!([
            { "name": "shop", "in": "path", "required": true, "schema": { "type": "string" } },
            { "name": "x-api-key", "in": "header", "required": false, "schema": { "type": "string" } },
            {
                "name": "x-topic", "in": "header", "required": false,
                "schema": { "type": "string", "examples": ["orders/create", "refunds/create"] },
            },
        ])
    );
    assert_eq!(
        operation["security"],
        json!([{ "orders__new_": [] }, { "refunds": [] }, {}])
    );
    let schemes = &document["components"]["securitySchemes"];
    assert_eq!(schemes["orders__new_"]["name"], "x-shopify-hmac-sha256");
    assert_eq!(schemes["refunds"]["name"], "authorization");
    // Each reference leads somewhere.
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
    // Each parameter of a path is declared.
    assert_eq!(
        document["paths"]["/{path}"]["put"]["parameters"][0]["name"],
        "path"
    );
}

#[test]
fn the_page_says_the_same_escaped_and_loads_nothing() {
    let page = page(&endpoints());
    assert!(!page.contains("hunter2"));
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("http"));
    let start = page.find("<tr><td>").unwrap();
    let end = page.find("</table>").unwrap();
    insta::assert_snapshot!(&page[start..end], @r"
<tr><td>POST /shops/{shop}/orders</td><td>header <code>x-topic: orders/create</code> and <code>false</code> at <code>/test</code></td><td>header <code>x-shopify-hmac-sha256</code></td><td>orders &lt;new&gt;</td></tr>
<tr><td>POST /shops/{shop}/orders</td><td>header <code>x-topic: refunds/create</code></td><td>header <code>authorization</code></td><td>refunds</td></tr>
<tr><td>POST /shops/{shop}/orders</td><td>header <code>x-api-key</code></td><td>nothing</td><td>keyed</td></tr>
<tr><td>PUT /{path}</td><td>a member at <code>/&lt;script&gt;</code></td><td>nothing</td><td>rest</td></tr>
");
}
