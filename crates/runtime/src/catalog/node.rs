//! A YAML or JSON text as a tree that remembers where each node stands.
//!
//! Everything that reads a catalog walks this tree instead of deserialising into structs: an unknown member
//! then has a line, a column and a pointer, and several mistakes are found in one go. The cost is one
//! allocation per node, which a file written by hand does not notice.
//!
//! Scalars are read as YAML 1.2 reads them: `yes` and `on` are strings, and so are `007` and `1_000`.

use std::{fmt, io, thread};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::{Error as YamlError, Location as Mark, Spanned};

/// Bytes of the largest file that is read; a catalog with a thousand inline schemas stays well below.
pub(super) const MAX_FILE_BYTES: usize = 16 << 20;

/// Values of the largest file: a capture with 10,000 bindings has some 200,000.
const MAX_NODES: usize = 2_000_000;

/// Levels of nesting; schemas of real collections stay below 30.
const MAX_DEPTH: usize = 64;

/// Events that aliases may repeat, all together: the bound of an alias bomb.
const MAX_REPEATED_EVENTS: usize = 100_000;

/// Bytes of stack of the thread that parses: a level takes about 40 KiB where nothing is optimised.
const PARSER_STACK_BYTES: usize = 16 << 20;

/// One value of a file, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) kind: Kind,
    pub(super) mark: Mark,
    /// Whether the value was written elsewhere and only referred to here (`*alias`, `<<`).
    pub(super) referred: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Null,
    Bool(bool),
    Number(Number),
    String(String),
    List(Vec<Node>),
    Map(Vec<Member>),
}

/// One member of a mapping: names are unique within it.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: String,
    pub(super) mark: Mark,
    pub(super) value: Node,
}

/// Why a text is not one YAML document. Names members, never holds a value of the text.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: u64,
    pub(super) column: u64,
    pub(super) what: FaultKind,
}

#[derive(Debug)]
pub(super) enum FaultKind {
    Syntax(String),
    Duplicate(Option<String>),
    Thread(io::Error),
}

/// Reads one document. An empty text, or one of comments only, is `null`.
pub(super) fn parse(text: &str) -> Result<Node, Fault> {
    // The parser recurses once per level, and the caller's thread may have little stack left.
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(PARSER_STACK_BYTES)
            .spawn_scoped(scope, || parse_here(text))
            .map_err(|error| Fault {
                line: 1,
                column: 1,
                what: FaultKind::Thread(error),
            })?
            .join()
            .unwrap_or_else(|_| {
                Err(Fault {
                    line: 1,
                    column: 1,
                    what: FaultKind::Syntax("the parser gave up".into()),
                })
            })
    })
}

fn parse_here(text: &str) -> Result<Node, Fault> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_documents: 1,
            max_nodes: MAX_NODES,
            max_events: 2 * MAX_NODES,
            max_reader_input_bytes: Some(MAX_FILE_BYTES),
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_REPEATED_EVENTS },
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Node>(text, options)
        .map_err(|error| fault(error.without_snippet()))
}

/// Tells the parser's error without any value of the text: a config may stand in it.
fn fault(error: &YamlError) -> Fault {
    let mark = error.location();
    let what = match error {
        YamlError::DuplicateMappingKey { key, .. } => FaultKind::Duplicate(key.clone()),
        YamlError::MultipleDocuments { .. } => syntax("several documents in one file"),
        YamlError::Budget { breach, .. } => syntax(match breach {
            serde_saphyr::budget::BudgetBreach::Documents { .. } => "several documents in one file",
            _ => "too deep or too large to be read",
        }),
        YamlError::AliasReplayLimitExceeded { .. }
        | YamlError::AliasExpansionLimitExceeded { .. } => syntax("its aliases repeat too much"),
        YamlError::RecursiveReferencesRequireWeakTypes { .. } => {
            syntax("an alias inside what it stands for")
        }
        YamlError::NonFiniteFloat { .. } => syntax("a number that JSON cannot hold"),
        YamlError::InvalidScalar { .. } => syntax("a value that does not fit its tag"),
        YamlError::NullIntoString { .. } | YamlError::Unexpected { .. } => {
            syntax("a member name that is not a string")
        }
        YamlError::QuotingRequired { .. }
        | YamlError::SerdeInvalidType { .. }
        | YamlError::SerdeInvalidValue { .. } => syntax("a value of an unexpected kind"),
        YamlError::InvalidUtf8Input => syntax("text that is not UTF-8"),
        other => {
            let text = other.to_string();
            // The place is told by the caller, once and in its own way.
            syntax(
                text.rfind(" at line ")
                    .map_or(text.as_str(), |end| &text[..end]),
            )
        }
    };
    Fault {
        line: mark.map_or(1, |mark| mark.line()),
        column: mark.map_or(1, |mark| mark.column()),
        what,
    }
}

fn syntax(text: &str) -> FaultKind {
    FaultKind::Syntax(text.to_owned())
}

impl Node {
    /// The value alone, as JSON.
    pub(super) fn to_value(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Bool(value) => Value::Bool(*value),
            Kind::Number(value) => Value::Number(value.clone()),
            Kind::String(value) => Value::String(value.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Kind::Map(members) => Value::Object(
                members
                    .iter()
                    .map(|member| (member.name.clone(), member.value.to_value()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The member of that name, of a mapping.
    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        match &self.kind {
            Kind::Map(members) => members.iter().find(|member| member.name == name),
            _ => None,
        }
    }

    /// The deepest node that exists along `pointer`: where an error about it is best shown.
    pub(super) fn nearest(&self, pointer: &str) -> &Node {
        let mut node = self;
        for part in pointer.split('/').skip(1) {
            let name = part.replace("~1", "/").replace("~0", "~");
            let next = match &node.kind {
                Kind::List(items) => name
                    .parse::<usize>()
                    .ok()
                    .and_then(|index| items.get(index)),
                _ => node.member(&name).map(|member| &member.value),
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        node
    }

    /// What the value is, in words for a person.
    pub(super) fn describe(&self) -> &'static str {
        match self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "a boolean",
            Kind::Number(_) => "a number",
            Kind::String(_) => "a string",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Kind>::deserialize(deserializer)?;
        Ok(Node {
            kind: spanned.value,
            mark: spanned.referenced,
            referred: spanned.referenced != spanned.defined,
        })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Kind, E> {
        Number::from_f64(value)
            .map(Kind::Number)
            .ok_or_else(|| E::custom("a number that JSON cannot hold"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Kind, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Kind::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
        let mut members: Vec<Member> = Vec::new();
        while let Some(name) = map.next_key::<Spanned<String>>()? {
            members.push(Member {
                name: name.value,
                mark: name.referenced,
                value: map.next_value()?,
            });
        }
        Ok(Kind::Map(members))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fault_of(text: &str) -> String {
        let fault = parse(text).expect_err("not a document");
        format!("{}:{} {:?}", fault.line, fault.column, fault.what)
    }

    #[test]
    fn scalars_are_those_of_yaml_1_2() {
        for (text, value) in [
            ("yes", serde_json::json!("yes")),
            ("off", serde_json::json!("off")),
            ("true", serde_json::json!(true)),
            ("007", serde_json::json!("007")),
            ("1_000", serde_json::json!("1_000")),
            ("12", serde_json::json!(12)),
            ("-3.5", serde_json::json!(-3.5)),
            ("'12'", serde_json::json!("12")),
            ("~", serde_json::json!(null)),
            ("", serde_json::json!(null)),
            ("# only a comment", serde_json::json!(null)),
            ("\"\\ud83d\\ude00\\/\"", serde_json::json!("😀/")),
            ("{\n\t\"a\": [1,\n\t2]}", serde_json::json!({"a": [1, 2]})),
            (
                "a: &x {k: v}\nb: *x\nc: {<<: *x, l: 1}",
                serde_json::json!({"a": {"k": "v"}, "b": {"k": "v"}, "c": {"k": "v", "l": 1}}),
            ),
        ] {
            assert_eq!(parse(text).expect(text).to_value(), value, "{text}");
        }
    }

    #[test]
    fn a_fault_has_its_place_and_tells_no_value() {
        for (text, told) in [
            ("a: 1\na: 2", "2:1 Duplicate(Some(\"a\"))"),
            (
                "a: 1\n---\nb: 2",
                "2:1 Syntax(\"several documents in one file\")",
            ),
            (
                "a: *hunter2",
                "1:4 Syntax(\"alias references unknown anchor\")",
            ),
            ("a: 'hunter2", "1:4 Syntax(\"unclosed quote\")"),
            ("a: .inf", "1:4 Syntax(\"a number that JSON cannot hold\")"),
            (
                "a: !!int hunter2",
                "1:10 Syntax(\"a value that does not fit its tag\")",
            ),
            ("~: a", "1:1 Syntax(\"a member name that is not a string\")"),
            (
                "? [a]\n: 1",
                "1:3 Syntax(\"a member name that is not a string\")",
            ),
            (
                "a: &x [*x]",
                "1:8 Syntax(\"an alias inside what it stands for\")",
            ),
        ] {
            assert_eq!(fault_of(text), told, "{text}");
        }
    }

    #[test]
    fn nesting_and_aliases_are_bounded() {
        let deepest = MAX_DEPTH - 1;
        parse(&format!("{}{}", "[".repeat(deepest), "]".repeat(deepest)))
            .expect("deep, within the bound");
        assert!(fault_of(&"[".repeat(100_000)).contains("Syntax"));
        assert!(fault_of(&"- ".repeat(1000)).contains("Syntax"));
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\n".to_owned()
            + &('b'..='h')
                .map(|name| {
                    let before = char::from(name as u8 - 1);
                    format!(
                        "{name}: &{name} [{}]\n",
                        vec![format!("*{before}"); 10].join(",")
                    )
                })
                .collect::<String>();
        assert!(fault_of(&bomb).contains("Syntax"), "{}", fault_of(&bomb));
    }

    #[test]
    fn the_nearest_node_is_the_deepest_one_that_exists() {
        let node = parse("a:\n  b~/c:\n    - x: 1\n").expect("yaml");
        assert_eq!(node.nearest("/a/b~0~1c/0/x").mark.line(), 3);
        assert_eq!(node.nearest("/a/b~0~1c/0/x/y/z").mark.column(), 10);
        assert_eq!(node.nearest("/q").mark.line(), 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,200}", yaml in "[a-c:\\-\\[\\]{}&*!|>'\"#, \n\t~<?%@]{0,120}") {
            let _ = parse_here(&text);
            let _ = parse_here(&yaml);
        }
    }
}
