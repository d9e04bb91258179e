//! The flow that a connector in production has comes out of two URLs and its scopes.

use serde_json::Value;
use staunch::OAuth2;

const SCOPED: &str = "response_type=code&scope=";

#[test]
fn the_recorded_flow_of_outreach_comes_out_exactly() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/reference/golden/outreach-spec.json"
    );
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("skipped: the recorded spec is not in this checkout");
        return;
    };
    let recorded: Value = serde_json::from_str(&text).unwrap();
    let recorded = recorded.get(0).unwrap_or(&recorded)["oauth2"].clone();
    let consent = recorded["authUrlTemplate"].as_str().unwrap();
    let (_, scopes) = consent.split_once(SCOPED).unwrap();
    let (scopes, _) = scopes.split_once('&').unwrap();
    let scopes: Vec<&str> = scopes.split("%20").collect();
    assert!(scopes.len() > 50, "{scopes:?}");

    let oauth2 = OAuth2::authorization_code(
        "outreach",
        "https://api.outreach.io/oauth/authorize",
        "https://api.outreach.io/oauth/token",
    );
    let oauth2 = oauth2.scopes(scopes).storing_rotating_tokens();
    let written: Value = serde_json::from_str(oauth2.to_raw().get()).unwrap();
    assert_eq!(written, recorded);
}
