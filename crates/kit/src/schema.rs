//! JSON schemas: from Rust types, and those that a source tells.

mod sourced;
mod told_apart;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::Value;

pub(crate) use sourced::with_sourced_defaults;

/// The schema of `T`, without references: the forms that users fill in do not follow them.
pub(crate) fn of<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2019_09().with(|settings| settings.inline_subschemas = true);
    settings
        .into_generator()
        .into_root_schema_for::<T>()
        .to_value()
}

/// The schema of `T`, as a form that users fill in.
pub(crate) fn of_config<T: JsonSchema>() -> Value {
    let mut schema = of::<T>();
    told_apart::told_apart(&mut schema);
    schema
}
