//! A state document: a tree of objects, whose leaves stay the text they came as.
//!
//! A merge patch only ever looks inside objects, and so does this tree. A leaf is never taken apart, which
//! makes numbers exact, keeps the order of members, and makes reading and writing cheap. The cost: whoever
//! wants to look inside an array parses it there and then ([`Leaf::elements`]).

use std::borrow::Cow;
use std::fmt;

use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::leaf::Leaf;
use crate::map::{self, Building, Key, Map};
use crate::parse::{self, MAX_DEPTH, ParseError};
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
#[derive(Clone, Debug)]
pub enum Node {
    /// `null`. As a member of an object it means the same as no member.
    Null,
    /// An array, a number, a string or a boolean.
    Leaf(Leaf),
    /// An object.
    Object(Object),
}

/// The members of a JSON object, in their order.
///
/// Cheap to clone: clones share their members until one of them is changed, and then only the objects on the way to
/// the change are copied.
#[derive(Clone, Default)]
pub struct Object(Map<Node>);

/// Objects inside each other that are walked by recursion. What is deeper can only have been built in code, and is
/// put on a list instead, so that no state overflows the stack.
const RECURSION: usize = MAX_DEPTH;

/// Passes over everything, in the order of the text, and needs no more of the stack for a deep state. Slower than
/// recursion: for where that ends.
struct Walk<'a> {
    /// A value that is to be entered.
    next: Option<&'a Node>,
    /// The objects around it: whether each has yet to show a member, and the members to come.
    open: Vec<(bool, map::Iter<'a, Node>)>,
}

/// What a [`Walk`] comes by.
enum Part<'a> {
    Open,
    Key {
        key: &'a str,
        is_first: bool,
    },
    /// Anything but an object.
    Value(&'a Node),
    Close,
}

impl<'a> Iterator for Walk<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if let Some(node) = self.next.take() {
            let Node::Object(object) = node else {
                return Some(Part::Value(node));
            };
            self.open.push((true, object.0.iter()));
            return Some(Part::Open);
        }
        let (is_first, members) = self.open.last_mut()?;
        let Some((key, node)) = members.next() else {
            self.open.pop();
            return Some(Part::Close);
        };
        self.next = Some(node);
        let is_first = std::mem::take(is_first);
        Some(Part::Key { key, is_first })
    }
}

impl Node {
    /// Reads JSON text of at most [`MAX_BYTES`](crate::MAX_BYTES), nested at most [`MAX_DEPTH`](crate::MAX_DEPTH) deep.
    ///
    /// A member that stands twice has its last value, at its first place.
    ///
    /// # Errors
    /// [`ParseError`] with the place, when the text is no JSON or beyond those bounds.
    pub fn parse(text: &str) -> Result<Node, ParseError> {
        parse::document(Cow::Borrowed(text.as_bytes()))
    }

    /// As [`parse`](Node::parse), without a copy of the text, which the node keeps: for large documents.
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn parse_owned(text: String) -> Result<Node, ParseError> {
        parse::document(Cow::Owned(text.into_bytes()))
    }

    /// As [`parse`](Node::parse); text that is not UTF-8 is refused.
    ///
    /// # Errors
    /// [`ParseError`].
    pub fn parse_bytes(text: &[u8]) -> Result<Node, ParseError> {
        parse::document(Cow::Borrowed(text))
    }

    /// The JSON text, on one line, without whitespace between its tokens.
    pub fn to_json(&self) -> String {
        let mut out = String::with_capacity(self.serialized_len());
        self.write_json(&mut out);
        out
    }

    /// Appends the text that [`to_json`](Node::to_json) gives.
    pub fn write_json(&self, out: &mut String) {
        self.write_within(RECURSION, out);
    }

    fn write_within(&self, recursion: usize, out: &mut String) {
        match self {
            Node::Null => out.push_str("null"),
            Node::Leaf(leaf) => out.push_str(leaf.as_json()),
            Node::Object(_) if recursion == 0 => self.write_walking(out),
            Node::Object(object) => {
                let mut before = '{';
                for (key, node) in object.0.iter() {
                    out.push(before);
                    text::write_string(key, out);
                    out.push(':');
                    node.write_within(recursion - 1, out);
                    before = ',';
                }
                out.push_str(if object.is_empty() { "{}" } else { "}" });
            }
        }
    }

    #[cold]
    fn write_walking(&self, out: &mut String) {
        for part in self.walk() {
            match part {
                Part::Value(node) => node.write_within(0, out),
                Part::Open => out.push('{'),
                Part::Key { key, is_first } => {
                    out.push_str(if is_first { "" } else { "," });
                    text::write_string(key, out);
                    out.push(':');
                }
                Part::Close => out.push('}'),
            }
        }
    }

    /// The bytes that [`to_json`](Node::to_json) gives, counted without writing them.
    pub fn serialized_len(&self) -> usize {
        self.len_within(RECURSION)
    }

    fn len_within(&self, recursion: usize) -> usize {
        match self {
            Node::Null => "null".len(),
            Node::Leaf(leaf) => leaf.as_json().len(),
            Node::Object(_) if recursion == 0 => self.len_walking(),
            Node::Object(object) => {
                let members = object.0.iter();
                let bytes = members
                    .map(|(key, node)| text::written_len(key) + 2 + node.len_within(recursion - 1));
                1 + bytes.sum::<usize>().max(1)
            }
        }
    }

    #[cold]
    fn len_walking(&self) -> usize {
        let bytes = |part| match part {
            Part::Value(node) => node.len_within(0),
            Part::Key { key, is_first } => text::written_len(key) + 1 + usize::from(!is_first),
            Part::Open | Part::Close => 1,
        };
        self.walk().map(bytes).sum()
    }

    /// Containers nested in each other, as [`MAX_DEPTH`](crate::MAX_DEPTH) counts them.
    pub(crate) fn depth(&self) -> usize {
        let (mut open, mut deepest) = (0, 0);
        for part in self.walk() {
            match part {
                Part::Open => open += 1,
                Part::Close => open -= 1,
                Part::Value(Node::Leaf(leaf)) => deepest = deepest.max(open + leaf.depth()),
                Part::Value(_) | Part::Key { .. } => {}
            }
            deepest = deepest.max(open);
        }
        deepest
    }

    fn walk(&self) -> Walk<'_> {
        Walk {
            next: Some(self),
            open: Vec::new(),
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
        Sameness::OfStates.holds(self, other)
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
        Node::Leaf(Leaf::from_valid(json))
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
            Value::Number(number) => Node::Leaf(Leaf::from_valid(number.to_string())),
        }
    }

    /// The value as `serde_json` holds it: numbers beyond 64 bits are rounded to a float, and one beyond every
    /// float becomes its text, as does an object nested deeper than [`MAX_DEPTH`](crate::MAX_DEPTH). To keep numbers exact, stay
    /// with the node.
    pub fn to_value(&self) -> Value {
        self.to_value_within(MAX_DEPTH)
    }

    fn to_value_within(&self, depth: usize) -> Value {
        let deeper = depth.checked_sub(1);
        match (self, deeper) {
            (Node::Null, _) => Value::Null,
            (Node::Object(object), Some(deeper)) => Value::Object(
                object
                    .iter()
                    .map(|(key, node)| (key.to_owned(), node.to_value_within(deeper)))
                    .collect(),
            ),
            (Node::Object(_), None) => Value::from(self.to_json()),
            (Node::Leaf(leaf), deeper) => match deeper.and_then(|_| leaf.elements()) {
                Some(elements) => elements
                    .iter()
                    .map(|element| element.to_value_within(depth - 1))
                    .collect(),
                None => serde_json::from_str(leaf.as_json())
                    .unwrap_or_else(|_| Value::from(leaf.as_json())),
            },
        }
    }
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        Sameness::OfValues.holds(self, other)
    }
}

impl PartialEq for Object {
    fn eq(&self, other: &Self) -> bool {
        Sameness::OfValues.holds_of_objects(self, other)
    }
}

/// Whether a `null` member and an absent one are the same.
#[derive(Clone, Copy, PartialEq)]
enum Sameness {
    OfValues,
    OfStates,
}

/// Pairs of objects that are still to be compared.
type Pairs<'a> = Vec<(&'a Object, &'a Object)>;

impl Sameness {
    fn holds(self, left: &Node, right: &Node) -> bool {
        match (left, right) {
            (Node::Object(left), Node::Object(right)) => self.holds_of_objects(left, right),
            _ => same_leaves(left, right),
        }
    }

    fn holds_of_objects(self, left: &Object, right: &Object) -> bool {
        let mut deeper = Vec::new();
        if !self.objects(left, right, RECURSION, &mut deeper) {
            return false;
        }
        while let Some((left, right)) = deeper.pop() {
            if !self.objects(left, right, RECURSION, &mut deeper) {
                return false;
            }
        }
        true
    }

    fn objects<'a>(
        self,
        left: &'a Object,
        right: &'a Object,
        recursion: usize,
        deeper: &mut Pairs<'a>,
    ) -> bool {
        if left.0.is_same(&right.0) {
            return true;
        }
        if recursion == 0 {
            deeper.push((left, right));
            return true;
        }
        let mut shared = 0;
        for (_, ours, theirs) in map::beside(&left.0, &right.0) {
            shared += usize::from(theirs.is_some());
            let same = match (ours, theirs) {
                (Node::Object(ours), Some(Node::Object(theirs))) => {
                    self.objects(ours, theirs, recursion - 1, deeper)
                }
                (_, Some(theirs)) => same_leaves(ours, theirs),
                (_, None) => self == Sameness::OfStates && ours.is_null(),
            };
            if !same {
                return false;
            }
        }
        // What only the other one has.
        shared == right.len()
            || self == Sameness::OfStates
                && right
                    .iter()
                    .all(|(key, theirs)| theirs.is_null() || left.contains(key))
    }
}

fn same_leaves(left: &Node, right: &Node) -> bool {
    match (left, right) {
        (Node::Null, Node::Null) => true,
        (Node::Leaf(left), Node::Leaf(right)) => left == right,
        _ => false,
    }
}

/// Takes a deep state apart without recursion beyond what a document may have.
impl Drop for Object {
    fn drop(&mut self) {
        let mut deeper = Vec::new();
        self.release(RECURSION, &mut deeper);
        while let Some(mut object) = deeper.pop() {
            object.release(RECURSION, &mut deeper);
        }
    }
}

impl Object {
    fn release(&mut self, recursion: usize, deeper: &mut Vec<Object>) {
        let Some(values) = self.0.unshared_values() else {
            return;
        };
        for value in values {
            if let Node::Object(inner) = value {
                if recursion > 0 {
                    inner.release(recursion - 1, deeper);
                } else {
                    deeper.push(std::mem::take(inner));
                }
            }
        }
        self.0 = Map::new();
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

/// Writes the same text as [`Node::to_json`], with `serde_json`. Refuses what is nested deeper than
/// [`MAX_DEPTH`](crate::MAX_DEPTH).
impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Within(MAX_DEPTH, self).serialize(serializer)
    }
}

/// A node, and the objects that may still be opened in it.
struct Within<'a>(usize, &'a Node);

impl Serialize for Within<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Node::Null => serializer.serialize_unit(),
            Node::Leaf(leaf) => {
                let raw: &RawValue =
                    serde_json::from_str(leaf.as_json()).map_err(S::Error::custom)?;
                raw.serialize(serializer)
            }
            Node::Object(object) => {
                let left = self.0.checked_sub(1).ok_or_else(|| {
                    S::Error::custom("the state is nested deeper than 128 containers")
                })?;
                let mut map = serializer.serialize_map(Some(object.len()))?;
                for (key, node) in object.iter() {
                    map.serialize_entry(key, &Within(left, node))?;
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

    /// Appends members that are known not to be there.
    pub(crate) fn extend_distinct(&mut self, members: Vec<(Key, Node)>) {
        self.0.extend_distinct(members);
    }

    pub(crate) fn map(&self) -> &Map<Node> {
        &self.0
    }

    pub(crate) fn from_map(map: Map<Node>) -> Self {
        Object(map)
    }

    pub(crate) fn into_map(mut self) -> Map<Node> {
        std::mem::take(&mut self.0)
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
        f.write_str(&Node::Object(self.clone()).to_json())
    }
}

impl IntoIterator for Object {
    type Item = (Key, Node);
    type IntoIter = Box<dyn Iterator<Item = (Key, Node)>>;

    fn into_iter(self) -> Self::IntoIter {
        Box::new(self.into_map().into_members())
    }
}

impl<K: Into<Key>, V: Into<Node>> FromIterator<(K, V)> for Object {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(members: I) -> Self {
        let mut building = Building::new();
        let mut object = building.open();
        for (key, node) in members {
            building.put(&mut object, key.into(), node.into());
        }
        Object(building.close(object))
    }
}

/// The tokens of an RFC 6901 pointer; `None` when it is none.
fn pointer_tokens(pointer: &str) -> Option<impl Iterator<Item = String>> {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return None;
    }
    Some(pointer.split('/').skip(1).map(pointer_token))
}

/// What a token of an RFC 6901 pointer names.
pub(crate) fn pointer_token(token: &str) -> String {
    token.replace("~1", "/").replace("~0", "~")
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
    fn changing_a_clone_copies_the_way_to_the_change_and_nothing_else() {
        let before = Node::parse(r#"{"a":{"b":{"c":1}},"x":{"y":{"z":2}}}"#).unwrap();
        let mut after = before.clone();
        *after.pointer_mut("/a/b/c").unwrap() = Node::integer(7);
        let same = |pointer: &str| {
            let object = |node: &Node| node.pointer(pointer).unwrap().as_object().unwrap().clone();
            object(&before).map().is_same(object(&after).map())
        };
        assert_eq!(
            ["", "/a", "/a/b", "/x", "/x/y"].map(same),
            [false, false, false, true, true]
        );
        assert_eq!(before.pointer("/a/b/c"), Some(&Node::integer(1)));
        assert_eq!(after.pointer("/a/b/c"), Some(&Node::integer(7)));
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
