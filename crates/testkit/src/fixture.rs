//! The released states: a folder of files, each a connector state as some release wrote it.
//!
//! ```text
//! {"bindingStateV1": {…}}                      a bare state
//! {"state":    {"bindingStateV1": {…}},        a state with what is known of it:
//!  "update":   {…} | null,                     what is sent, to the byte but for whitespace; null for nothing
//!  "after":    {…},                            the whole state after
//!  "bindings": [{"stateKey": "a", "resource": {"name": "a"}, "isActive": true}]}
//! ```

use std::path::Path;

use staunch_state::{BINDING_STATES, Binding, Node, Object};

use crate::law::{Law, Violation};
use crate::shape;

/// A released state.
#[derive(Clone, Debug)]
pub(crate) struct Fixture {
    /// Its name for people: that of its file.
    pub(crate) name: String,
    pub(crate) state: Node,
    pub(crate) update: Expected,
    pub(crate) after: Option<Node>,
    /// None where the file says nothing of them.
    pub(crate) bindings: Option<Vec<Binding>>,
}

/// What a file says of the update.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Expected {
    /// Nothing.
    Unsaid,
    /// That none is sent.
    Nothing,
    /// That this one is.
    Update(String),
}

impl Fixture {
    pub(crate) fn bare(name: impl Into<String>, state: Node) -> Self {
        Fixture {
            name: name.into(),
            state,
            update: Expected::Unsaid,
            after: None,
            bindings: None,
        }
    }

    fn parse(name: String, text: &str) -> Result<Self, String> {
        let node = Node::parse(text).map_err(|error| format!("it is no JSON: {error}"))?;
        let Node::Object(mut members) = node else {
            return Err("it is no object, and a connector state is one".to_owned());
        };
        if members.contains(BINDING_STATES) || !members.contains("state") {
            return Ok(Fixture::bare(name, Node::Object(members)));
        }
        let state = members.remove("state").unwrap_or(Node::Null);
        if !state.is_null() && state.as_object().is_none() {
            return Err("its `state` is no object".to_owned());
        }
        let update = match members.remove("update") {
            None => Expected::Unsaid,
            Some(Node::Null) => Expected::Nothing,
            Some(update) => Expected::Update(update.to_json()),
        };
        let after = members.remove("after");
        let bindings = members
            .remove("bindings")
            .map(|node| bindings(&node))
            .transpose()?;
        match members.keys().next() {
            None => Ok(Fixture {
                name,
                state,
                update,
                after,
                bindings,
            }),
            Some(unknown) => Err(format!(
                "its member `{unknown}` is not known; beside `state` there can be `update`, `after` and `bindings`"
            )),
        }
    }

    /// The bindings that a migration of this state sees: those of the file, else the given ones, else an open one for each state key.
    pub(crate) fn bindings(&self, given: &[Binding]) -> Vec<Binding> {
        match &self.bindings {
            Some(bindings) => bindings.clone(),
            None if !given.is_empty() => given.to_vec(),
            None => shape::bindings(&self.state)
                .map(|(key, _)| presumed(key))
                .collect(),
        }
    }
}

/// An open binding whose resource is named like its state key.
fn presumed(key: &str) -> Binding {
    let (name, _) = shape::without_counter(key);
    Binding {
        state_key: key.to_owned(),
        resource: Some(Node::Object(Object::from_iter([(
            "name",
            Node::string(name),
        )]))),
        is_active: true,
    }
}

fn bindings(node: &Node) -> Result<Vec<Binding>, String> {
    const SHAPE: &str =
        r#"its `bindings` are no list of {"stateKey": …, "resource": …, "isActive": …}"#;
    let elements = node
        .as_leaf()
        .and_then(|leaf| leaf.elements())
        .ok_or(SHAPE)?;
    let one = |element: Node| -> Option<Binding> {
        let members = element.as_object()?;
        let known = ["stateKey", "resource", "isActive"];
        if members.keys().any(|key| !known.contains(&key)) {
            return None;
        }
        let is_active = match members.present("isActive") {
            None => true,
            Some(node) => node.as_leaf()?.as_bool()?,
        };
        Some(Binding {
            state_key: members.get("stateKey")?.as_str()?.into_owned(),
            resource: members.present("resource").cloned(),
            is_active,
        })
    };
    elements
        .into_iter()
        .map(|element| one(element).ok_or_else(|| SHAPE.to_owned()))
        .collect()
}

/// Every released state of a folder, in the order of the file names.
pub(crate) fn read(folder: &Path) -> Result<Vec<Fixture>, Violation> {
    let failed = |came_out: String| {
        Violation::new(
            Law::Fixtures,
            came_out,
            "give the harness a folder with the states that releases wrote, a file each, named `*.json`",
        )
    };
    let entries = std::fs::read_dir(folder).map_err(|error| {
        failed(format!(
            "the folder `{}` cannot be read: {error}",
            folder.display()
        ))
    })?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry
            .map_err(|error| {
                failed(format!(
                    "the folder `{}` cannot be read: {error}",
                    folder.display()
                ))
            })?
            .path();
        if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(failed(format!(
            "the folder `{}` has no released state",
            folder.display()
        )));
    }
    files
        .into_iter()
        .map(|file| {
            let name = file
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default();
            let wrong = |why: String| failed(format!("`{name}` cannot be used: {why}"));
            let text = std::fs::read_to_string(&file).map_err(|error| wrong(error.to_string()))?;
            Fixture::parse(name.clone(), &text).map_err(wrong)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Fixture, String> {
        Fixture::parse("a.json".to_owned(), text)
    }

    #[test]
    fn a_state_is_bare_or_told_with_what_is_known_of_it() {
        let bare = parse(r#"{"bindingStateV1":{"a":{}},"state":1}"#).unwrap();
        assert_eq!(
            bare.state.to_json(),
            r#"{"bindingStateV1":{"a":{}},"state":1}"#
        );
        assert_eq!(bare.update, Expected::Unsaid);
        let told = parse(
            r#"{"state":{}, "update": null, "bindings":[{"stateKey":"a","resource":{"name":"x"},"isActive":false},{"stateKey":"b"}]}"#,
        )
        .unwrap();
        assert_eq!(told.update, Expected::Nothing);
        let bindings = told.bindings(&[]);
        assert!(!bindings[0].is_active && bindings[0].resource.is_some());
        assert!(bindings[1].is_active && bindings[1].resource.is_none());
        let sent = parse(r#"{"state":{}, "update": { "a" : [1,  2] }}"#).unwrap();
        assert_eq!(sent.update, Expected::Update(r#"{"a":[1,2]}"#.to_owned()));
    }

    #[test]
    fn what_cannot_be_used_says_why() {
        for (text, why) in [
            ("{", "no JSON"),
            ("[]", "no object"),
            (r#"{"state":[]}"#, "`state` is no object"),
            (r#"{"state":{},"updates":{}}"#, "`updates` is not known"),
            (r#"{"state":{},"bindings":{}}"#, "no list"),
            (r#"{"state":{},"bindings":[{"stateKey":7}]}"#, "no list"),
            (
                r#"{"state":{},"bindings":[{"stateKey":"a","active":true}]}"#,
                "no list",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn an_empty_folder_and_one_that_is_not_there_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("notes.txt"), "").unwrap();
        let empty = read(folder.path()).unwrap_err();
        assert!(
            empty.came_out.contains("no released state"),
            "{}",
            empty.came_out
        );
        let absent = read(&folder.path().join("absent")).unwrap_err();
        assert!(
            absent.came_out.contains("cannot be read"),
            "{}",
            absent.came_out
        );
    }
}
