//! What `flow.yaml` says, step by step.

use std::path::Path;

use anyhow::{Result, bail};
use serde_json::Value;

/// The catalog beside this program's source; the job fills in what differs.
const TEMPLATE: &str = include_str!("../flow.yaml");

/// What differs from one `flow.yaml` of the job to the next.
#[derive(Debug)]
pub(crate) struct Catalog<'a> {
    pub(crate) command: &'a [&'a str],
    pub(crate) repository: &'a Path,
    pub(crate) page_size: usize,
}

impl Catalog<'_> {
    pub(crate) fn text(&self) -> Result<String> {
        let Some(path) = self.repository.to_str() else {
            bail!(
                "`{}` is not UTF-8, which flow.yaml has to be",
                self.repository.display()
            );
        };
        // Every JSON string and array is YAML too.
        let path = Value::from(path).to_string();
        let command: Vec<String> = self
            .command
            .iter()
            .map(|word| Value::from(*word).to_string())
            .collect();
        let command = format!("[{}]", command.join(", "));
        staunch_stage::filled(
            TEMPLATE,
            &[
                ("[../../target/debug/source-git]", command),
                ("../..\n", format!("{path}\n")),
                ("page_size: 1000", format!("page_size: {}", self.page_size)),
            ],
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalog_is_the_example_with_its_command_path_and_page_size_filled_in() {
        let catalog = Catalog {
            command: &["bin/relay", "--", "bin/connector"],
            repository: Path::new("/a \"b\" #c"),
            page_size: 7,
        };
        let text = catalog.text().unwrap();
        for expected in [
            "        command: [\"bin/relay\", \"--\", \"bin/connector\"]\n",
            "          path: \"/a \\\"b\\\" #c\"\n",
            "page_size: 7 ",
            "key: [/id]",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
        assert!(!text.contains("../"), "{text}");
    }
}
