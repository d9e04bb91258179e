//! What is wrong with an endpoint config.

use serde_json::{Value, json};
use source_outreach::{Place, SourceOutreach};

use crate::support::{ask, config};

fn discovered_with(change: impl FnOnce(&mut Value)) -> Result<Value, String> {
    let mut config = config();
    change(&mut config);
    let request = json!({ "discover": { "connectorType": "IMAGE", "config": config } });
    ask(&SourceOutreach::new(Place::default()), &request)
}

#[test]
fn a_config_that_makes_no_sense_is_refused_with_what_to_write() {
    for (start_date, expected) in [
        ("2025-01-01T00:00:00", "with a zone"),
        ("2025-01-01", "with a zone"),
        ("yesterday", "2026-01-31T12:00:00Z"),
        ("1969-12-31T23:59:59Z", "before 1970"),
    ] {
        let error = discovered_with(|config| config["start_date"] = start_date.into()).unwrap_err();
        assert!(
            error.contains("`/start_date`") && error.contains(expected),
            "{start_date}: {error}"
        );
    }
    for (size, expected) in [
        ("a day", "`P1D`"),
        ("P1M", "in days"),
        ("PT4S", "five seconds"),
        ("-P1D", "negative"),
        ("P366D", "365 days"),
    ] {
        let error = discovered_with(|config| config["advanced"] = json!({ "window_size": size }))
            .unwrap_err();
        assert!(
            error.contains("`/advanced/window_size`") && error.contains(expected),
            "{size}: {error}"
        );
    }
    let error = discovered_with(|config| {
        config["credentials"]
            .as_object_mut()
            .unwrap()
            .remove("refresh_token");
    })
    .unwrap_err();
    assert!(
        error.contains("/credentials") && error.contains("refresh_token"),
        "{error}"
    );
}

#[test]
fn a_config_may_be_as_short_as_its_credentials_and_have_members_that_nobody_knows() {
    discovered_with(|config| {
        config["colour"] = "red".into();
        config["credentials"]
            .as_object_mut()
            .unwrap()
            .remove("credentials_title");
    })
    .unwrap();
    for size in ["PT5S", "P365D", "P1W", "PT90M"] {
        discovered_with(|config| config["advanced"] = json!({ "window_size": size })).unwrap();
    }
    for start_date in ["1970-01-01T00:00:00Z", "2025-01-01T00:00:00-05:00"] {
        discovered_with(|config| config["start_date"] = start_date.into()).unwrap();
    }
}
