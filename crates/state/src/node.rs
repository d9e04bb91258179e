//! A state document: a tree of objects, whose leaves stay the text they came as.
//!
//! A merge patch only ever looks inside objects, and so does this tree. A leaf is never taken apart, which
//! makes numbers exact, keeps the order of members, and makes reading and writing cheap. The cost: whoever
//! wants to look inside an array parses it there and then ([`Leaf::elements`]).

use std::fmt;

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::leaf::Leaf;
use crate::map::{self, Key, Map};
use crate::parse::{self, ParseError};
use crate::text;

/// A JSON value of a state document.
///
/// Equal by value: leaves as [`Leaf`] says, objects whatever the order of their members. A `null` member and an
/// absent one are *not* equal here; [`same_state`](Node::same_state) takes them as one.
///
/// ```
/// use staunch_state::Node;
///
/// let state = Node::parse(r#"{"bindingStateV1":{"users":{"inc":{"cursor":"2025-06-10T08:00:00Z"}}}}"#)?;
/// let cursor = state.pointer("/bindingStateV1/users/inc/cursor").and_then(Node::as_leaf);
/// assert_eq!(cursor.map(|leaf| leaf.as_json()), Some(r#""2025-06-10T08:00:00Z""#));
/// # Ok::<(), staunch_state::ParseError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`. As a member of an object it means the same as no member.
    Null,
    /// An array, a number, a string or a boolean.
    Leaf(Leaf),
    /// An object.
    Object(Object),
}

/// The members of a JSON object, in their order.
#[derive(Clone, Default, PartialEq)]
pub struct Object(Map<Node>);

impl Node {
    /// Reads JSON text of at most [`MAX_BYTES`](crate::MAX_BYTES), nested at most [`MAX_DEPTH`](crate::MAX_DEPTH) deep.
    ///
    /// A member that stands twice has its last value, at its first place.
    ///
    /// # Errors
    /// [`ParseError`] with the place, when the text is no JSON or beyond those bounds.
    pub fn parse(text: &str) -> Result<Node, ParseError> {
        parse::document(text.as_bytes())
    }

    /// As [`parse`](Node::parse); text that is not UTF-8 is refused.
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn parse_bytes(text: &[u8]) -> Result<Node, ParseError> {
        parse::document(text)
    }

    /// The JSON text, on one line, without whitespace between its tokens.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.serialized_len());
        self.write_json(&mut out);
        out
    }

    /// Appends the text that [`to_json`](Node::to_json) gives.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Node::Null => out.push_str("null"),
            Node::Leaf(leaf) => out.push_str(leaf.as_json()),
            Node::Object(object) => {
                let mut before = '{';
                for (key, node) in object.0.iter() {
                    out.push(before);
                    text::write_string(key, out);
                    out.push(':');
                    node.write_json(out);
                    before = ',';
                }
                out.push_str(if object.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// The bytes that [`to_json`](Node::to_json) gives, counted without writing them.
    pub fn serialized_len(&self) -> usize {
        match self {
            Node::Null => 4,
            Node::Leaf(leaf) => leaf.as_json().len(),
            Node::Object(object) => {
                let members = object
                    .0
                    .iter()
                    .map(|(key, node)| text::written_len(key) + 2 + node.serialized_len());
                1 + members.sum::<usize>().max(1)
            }
        }
    }

    /// Containers nested in each other, as [`MAX_DEPTH`](crate::MAX_DEPTH) counts them.
    pub(crate) fn depth(&self) -> usize {
        match self {
            Node::Null => 0,
            Node::Leaf(leaf) => leaf.depth(),
            Node::Object(object) => {
                1 + object
                    .iter()
                    .map(|(_, node)| node.depth())
                    .max()
                    .unwrap_or(0)
            }
        }
    }

    /// Whether this is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self, Node::Null)
    }

    /// The object, when it is one.
    pub fn as_object(&self) -> Option<&Object> {
        match self {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The object, to change it.
    pub fn as_object_mut(&mut self) -> Option<&mut Object> {
        match self {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The object itself; `None`, and the node is gone, when it is something else.
    pub fn into_object(self) -> Option<Object> {
        match self {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The leaf, when it is one.
    pub fn as_leaf(&self) -> Option<&Leaf> {
        match self {
            Node::Leaf(leaf) => Some(leaf),
            _ => None,
        }
    }

    /// What a string says. See [`Leaf::as_str`].
    pub fn as_str(&self) -> Option<std::borrow::Cow<'_, str>> {
        self.as_leaf().and_then(Leaf::as_str)
    }

    /// The value at an RFC 6901 pointer. It does not reach into arrays, which are leaves.
    pub fn pointer(&self, pointer: &str) -> Option<&Node> {
        let mut node = self;
        for token in pointer_tokens(pointer)? {
            node = node.as_object()?.get(&token)?;
        }
        Some(node)
    }

    /// As [`pointer`](Node::pointer), to change what is there.
    pub fn pointer_mut(&mut self, pointer: &str) -> Option<&mut Node> {
        let mut node = self;
        for token in pointer_tokens(pointer)? {
            node = node.as_object_mut()?.get_mut(&token)?;
        }
        Some(node)
    }

    /// Whether two states say the same: equal, where a member that is `null` counts as absent.
    ///
    /// Inside arrays a `null` is a value like others.
    pub fn same_state(&self, other: &Node) -> bool {
        match (self, other) {
            (Node::Object(left), Node::Object(right)) => {
                map::beside(&left.0, &right.0)
                    .all(|(_, ours, theirs)| ours.same_state(theirs.unwrap_or(&Node::Null)))
                    && right
                        .0
                        .iter()
                        .all(|(key, theirs)| theirs.is_null() || left.contains(key))
            }
            _ => self == other,
        }
    }

    /// A string.
    pub fn string(value: impl AsRef<str>) -> Node {
        Node::Leaf(Leaf::string(value.as_ref()))
    }

    /// A non-negative integer.
    pub fn integer(value: u64) -> Node {
        Node::Leaf(Leaf::integer(value))
    }

    /// `true` or `false`.
    pub fn boolean(value: bool) -> Node {
        Node::Leaf(Leaf::boolean(value))
    }

    /// An array.
    pub fn array(elements: impl IntoIterator<Item = Node>) -> Node {
        let mut json = String::from("[");
        for element in elements {
            if json.len() > 1 {
                json.push(',');
            }
            element.write_json(&mut json);
        }
        json.push(']');
        Node::Leaf(Leaf::from_valid(&json))
    }

    /// An array of strings.
    pub fn strings<S: AsRef<str>>(elements: impl IntoIterator<Item = S>) -> Node {
        Node::array(elements.into_iter().map(Node::string))
    }

    /// Takes over a value of `serde_json`. Nest it no deeper than [`MAX_DEPTH`](crate::MAX_DEPTH).
    pub fn from_value(value: &Value) -> Node {
        match value {
            Value::Null => Node::Null,
            Value::Object(members) => Node::Object(
                members
                    .iter()
                    .map(|(key, value)| (key.as_str(), Node::from_value(value)))
                    .collect(),
            ),
            Value::Array(elements) => Node::array(elements.iter().map(Node::from_value)),
            Value::String(text) => Node::string(text),
            Value::Bool(value) => Node::boolean(*value),
            Value::Number(number) => Node::Leaf(Leaf::from_valid(&number.to_string())),
        }
    }

    /// The value as `serde_json` holds it: numbers beyond 64 bits are rounded to a float, and one beyond every
    /// float becomes its text. To keep numbers exact, stay with the node.
    pub fn to_value(&self) -> Value {
        match self {
            Node::Null => Value::Null,
            Node::Object(object) => Value::Object(
                object
                    .iter()
                    .map(|(key, node)| (key.to_owned(), node.to_value()))
                    .collect(),
            ),
            Node::Leaf(leaf) => match leaf.elements() {
                Some(elements) => elements.iter().map(Node::to_value).collect(),
                None => serde_json::from_str(leaf.as_json())
                    .unwrap_or_else(|_| Value::from(leaf.as_json())),
            },
        }
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_json())
    }
}

impl From<Object> for Node {
    fn from(object: Object) -> Self {
        Node::Object(object)
    }
}

impl From<Leaf> for Node {
    fn from(leaf: Leaf) -> Self {
        Node::Leaf(leaf)
    }
}

/// Writes the same text as [`Node::to_json`], with `serde_json`.
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Node::Null => serializer.serialize_unit(),
            Node::Leaf(leaf) => {
                let raw: &RawValue =
                    serde_json::from_str(leaf.as_json()).map_err(S::Error::custom)?;
                raw.serialize(serializer)
            }
            Node::Object(object) => {
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, node) in object.iter() {
                    map.serialize_entry(key, node)?;
                }
                map.end()
            }
        }
    }
}

impl Object {
    /// An object without members.
    pub const fn new() -> Object {
        Object(Map::new())
    }

    /// How many members there are, those that are `null` included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of a member.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.get(key)
    }

    /// The value of a member, unless it is `null`.
    pub fn present(&self, key: &str) -> Option<&Node> {
        self.0.get(key).filter(|node| !node.is_null())
    }

    /// The value of a member, to change it.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.get_mut(key)
    }

    /// Whether there is such a member, be it `null`.
    pub fn contains(&self, key: &str) -> bool {
        self.0.get(key).is_some()
    }

    /// Sets a member and returns what it was. It keeps its place when it was there, and is appended otherwise.
    pub fn insert(
        &mut self,
        key: impl Into<std::sync::Arc<str>>,
        node: impl Into<Node>,
    ) -> Option<Node> {
        self.0.insert(key.into(), node.into())
    }

    pub(crate) fn insert_key(&mut self, key: Key, node: Node) {
        self.0.insert(key, node);
    }

    pub(crate) fn shrink(&mut self) {
        self.0.shrink();
    }

    pub(crate) fn map(&self) -> &Map<Node> {
        &self.0
    }

    pub(crate) fn from_map(map: Map<Node>) -> Self {
        Object(map)
    }

    pub(crate) fn into_map(self) -> Map<Node> {
        self.0
    }

    /// Removes a member; the others keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.0.remove(key)
    }

    /// The members, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Node)> + use<'_> {
        self.0.iter().map(|(key, node)| (&**key, node))
    }

    /// The members, to change their values.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&str, &mut Node)> + use<'_> {
        self.0.iter_mut().map(|(key, node)| (&**key, node))
    }

    /// The names of the members, in their order.
    pub fn keys(&self) -> impl Iterator<Item = &str> + use<'_> {
        self.0.iter().map(|(key, _)| &**key)
    }

    /// Keeps the members for which `keep` is true.
    pub fn retain(&mut self, keep: impl FnMut(&str, &mut Node) -> bool) {
        self.0.retain(keep);
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl IntoIterator for Object {
    type Item = (Key, Node);
    type IntoIter = Box<dyn Iterator<Item = (Key, Node)>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.0.into_members())
    }
}

impl<K: Into<Key>, V: Into<Node>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let members = members.into_iter();
        let mut map = Map::with_capacity(members.size_hint().0);
        for (key, node) in members {
            map.insert(key.into(), node.into());
        }
        Object(map)
    }
}

/// The tokens of an RFC 6901 pointer; `None` when it is none.
fn pointer_tokens(pointer: &str) -> Option<impl Iterator<Item = String>> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return None;
    }
    Some(
        pointer
            .split('/')
            .skip(1)
            .map(|token| token.replace("~1", "/").replace("~0", "~")),
    )
}

/// The tokens on the way to a member, and its own; `None` for the pointer of the whole document.
pub(crate) fn pointer_parent(pointer: &str) -> Option<(Vec<String>, String)> {
    let mut tokens: Vec<String> = pointer_tokens(pointer)?.collect();
    let member = tokens.pop()?;
    Some((tokens, member))
}

/// Appends a token to an RFC 6901 pointer.
pub(crate) fn push_pointer_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_finds_members_by_their_unescaped_names() {
        let node = Node::parse(r#"{"a/b":{"m~n":{"":1}},"l":[1]}"#).unwrap();
        assert_eq!(
            node.pointer("/a~1b/m~0n/").map(Node::to_json).as_deref(),
            Some("1")
        );
        assert_eq!(node.pointer(""), Some(&node));
        assert_eq!(node.pointer("a"), None);
        assert_eq!(node.pointer("/l/0"), None, "arrays are leaves");
    }

    #[test]
    fn a_null_member_and_an_absent_one_are_the_same_state_but_not_equal() {
        let with = Node::parse(r#"{"a":{"b":null,"c":1},"d":null}"#).unwrap();
        let without = Node::parse(r#"{"a":{"c":1.0}}"#).unwrap();
        assert!(with.same_state(&without) && without.same_state(&with));
        assert_ne!(with, without);
        let other = Node::parse(r#"{"a":{"c":1},"d":{}}"#).unwrap();
        assert!(
            !with.same_state(&other) && !other.same_state(&with),
            "an empty object is something"
        );
    }

    #[test]
    fn a_node_is_written_alike_by_both_writers() {
        let text = r#"{"a":[1,{"b":null}],"big":123456789012345678901234567890,"s":"\u0000"}"#;
        let node = Node::parse(text).unwrap();
        assert_eq!(serde_json::to_string(&node).unwrap(), node.to_json());
        assert_eq!(node.to_json(), text);
    }

    #[test]
    fn a_member_that_is_replaced_keeps_its_place() {
        let mut object: Object = [("a", Node::integer(1)), ("b", Node::integer(2))]
            .into_iter()
            .collect();
        assert_eq!(object.insert("a", Node::integer(3)), Some(Node::integer(1)));
        assert_eq!(Node::from(object).to_json(), r#"{"a":3,"b":2}"#);
    }
}
