//! Forms of which one is filled in: told apart by a member, as those who draw them want it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// Completes each choice between several objects: `oneOf`, with a `discriminator`; and in each object the member by which it is told
/// apart is required, and has its value as its default too.
///
/// That member is the one which a discriminator names, or else one that is a constant in each object, and in each another one: an enum
/// with a tag, or without one if its forms have a member like that.
///
/// # Source
/// Capture protocol, annotations of the config's schema (7.1).
pub(crate) fn told_apart(schema: &mut Value) {
    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(told_apart),
        Value::Object(members) => {
            members.values_mut().for_each(told_apart);
            for keyword in ["oneOf", "anyOf"] {
                let Some(forms) = members.get(keyword).and_then(Value::as_array) else {
                    continue;
                };
                let said = members.get("discriminator");
                let said = said.and_then(|said| said.get("propertyName")?.as_str());
                let Some(member) = member(forms, said).map(str::to_owned) else {
                    continue;
                };
                let Some(Value::Array(mut forms)) = members.remove(keyword) else {
                    continue;
                };
                forms.iter_mut().for_each(|form| complete(form, &member));
                members.insert("oneOf".into(), forms.into());
                let discriminator = members.entry("discriminator").or_insert_with(|| json!({}));
                discriminator["propertyName"] = member.into();
            }
        }
        _ => {}
    }
}

/// The member by which these are told apart: the one that is said, or one that is found, if it has another value in each.
fn member<'a>(forms: &'a [Value], said: Option<&'a str>) -> Option<&'a str> {
    let properties = forms.first()?.get("properties")?.as_object()?;
    let found = properties.keys().map(String::as_str);
    let mut candidates = said.into_iter().chain(found);
    candidates.find(|member| {
        let values: Option<BTreeSet<&str>> = forms.iter().map(|form| tag(form, member)).collect();
        values.is_some_and(|values| values.len() == forms.len())
    })
}

fn tag<'a>(form: &'a Value, member: &str) -> Option<&'a str> {
    form.get("properties")?.get(member)?.get("const")?.as_str()
}

fn complete(form: &mut Value, member: &str) {
    let property = &mut form["properties"][member];
    property["type"] = "string".into();
    property["default"] = property["const"].clone();
    let Some(form) = form.as_object_mut() else {
        return;
    };
    let required = form.entry("required").or_insert_with(|| json!([]));
    if let Value::Array(required) = required
        && !required.iter().any(|name| name == member)
    {
        required.insert(0, member.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(mut schema: Value) -> Value {
        told_apart(&mut schema);
        schema
    }

    fn form(member: &str, value: &str, required: &[&str]) -> Value {
        json!({ "type": "object", "properties": { member: { "const": value }, "token": { "type": "string" } }, "required": required })
    }

    fn complete_form(member: &str, value: &str, required: &[&str]) -> Value {
        let tag = json!({ "const": value, "default": value, "type": "string" });
        json!({ "type": "object", "properties": { member: tag, "token": { "type": "string" } }, "required": required })
    }

    #[test]
    fn a_choice_between_objects_is_told_apart_by_the_member_that_is_another_in_each() {
        let expected = json!({
            "title": "Authentication",
            "discriminator": { "propertyName": "kind" },
            "oneOf": [complete_form("kind", "a", &["kind", "token"]), complete_form("kind", "b", &["kind"])],
        });
        for keyword in ["anyOf", "oneOf"] {
            let choice = json!({
                "title": "Authentication",
                keyword: [form("kind", "a", &["token"]), form("kind", "b", &["kind"])],
            });
            assert_eq!(completed(choice), expected);
        }
        // However deep it is, and however often.
        let nested =
            json!({ "properties": { "stores": { "items": { "anyOf": expected["oneOf"] } } } });
        let nested = completed(completed(nested));
        let choice = &nested["properties"]["stores"]["items"];
        assert_eq!(choice["oneOf"], expected["oneOf"]);
        assert_eq!(choice["discriminator"], expected["discriminator"]);
    }

    #[test]
    fn a_discriminator_that_is_there_is_kept_even_of_one_form() {
        let choice = json!({ "discriminator": { "propertyName": "kind", "x": 1 }, "anyOf": [form("kind", "a", &[])] });
        let expected = json!({ "discriminator": { "propertyName": "kind", "x": 1 }, "oneOf": [complete_form("kind", "a", &["kind"])] });
        assert_eq!(completed(choice), expected);
    }

    #[test]
    fn what_is_no_such_choice_is_left_alone() {
        for schema in [
            json!({ "anyOf": [form("kind", "a", &[]), form("kind", "a", &[])] }),
            json!({ "anyOf": [form("kind", "a", &[]), { "type": "null" }] }),
            json!({ "anyOf": [form("kind", "a", &[]), form("sort", "b", &[])] }),
            json!({ "oneOf": [{ "const": "a", "title": "A" }, { "const": "b" }] }),
            json!({ "anyOf": [] }),
            json!({ "properties": { "oneOf": { "type": "string" } }, "default": { "anyOf": "text" } }),
            json!(true),
        ] {
            assert_eq!(completed(schema.clone()), schema);
        }
    }
}
