//! States and updates that get in each other's way.
//!
//! A few keys, so that whatever is made next falls on what is there: deletions and then writes at every depth,
//! `null` at every depth, a leaf where there was an object, wide objects with holes, one value in several texts.
//! Made by hand because a million of them must cost seconds; what a seed makes never changes by itself.

use std::fmt;
use std::sync::LazyLock;

use serde_json::Value;
use staunch_state::{Node, Object, StateUpdate};

/// SplitMix64: small, fast, and any seed will do.
pub(crate) struct Random(u64);

/// One value in its two readings: ours, and the one that the reference works on.
#[derive(Clone, Debug)]
pub(crate) struct Twin {
    pub(crate) node: Node,
    pub(crate) value: Value,
}

impl fmt::Display for Twin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.node.fmt(f)
    }
}

const KEYS: [&str; 9] = [
    "a",
    "b",
    "c",
    "d",
    "",
    "\u{e9}",
    "\u{1f600}",
    "a/b~c",
    "q\"\\\n\u{1}",
];

const LEAVES: [&str; 20] = [
    "1",
    "1.0",
    "1e0",
    "2",
    "-0",
    "0",
    "123456789012345678901234567890",
    "123456789012345678901234567890.0",
    "123456789012345678901234567891",
    "\"a\"",
    "\"\\u0061\"",
    "\"\\ud83d\\ude00\"",
    "\"\u{1f600}\"",
    "\"\"",
    "true",
    "false",
    "[]",
    "[1,{\"a\":null,\"b\":[2]}]",
    "[1.0,{\"b\":[2e0],\"a\":null}]",
    "[1,{}]",
];

static LEAF_TWINS: LazyLock<Vec<Twin>> =
    LazyLock::new(|| LEAVES.iter().map(|json| twin(json)).collect());

/// Both readings of one text, each by its own parser.
pub(crate) fn twin(json: &str) -> Twin {
    Twin {
        node: Node::parse(json).unwrap(),
        value: serde_json::from_str(json).unwrap(),
    }
}

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 up to `bound`, which is never reached.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn of<T: Clone>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())].clone()
    }

    pub(crate) fn leaf(&mut self) -> Twin {
        self.of(&LEAF_TWINS)
    }

    fn tree(&mut self, depth: usize) -> Twin {
        match self.below(6) {
            0 => twin_of_null(),
            1..=2 => self.leaf(),
            _ if depth == 0 => self.leaf(),
            _ => self.object(depth - 1),
        }
    }

    fn object(&mut self, depth: usize) -> Twin {
        let members: Vec<_> = (0..self.below(5))
            .map(|_| (self.of(&KEYS), self.tree(depth)))
            .collect();
        self.twin_of(members)
    }

    /// More members than are searched one by one, and holes among them.
    fn wide(&mut self) -> Twin {
        let members: Vec<_> = (0..10 + self.below(40))
            .map(|_| {
                let node = if self.one_in(6) {
                    self.tree(2)
                } else {
                    self.leaf()
                };
                (self.of(&WIDE), node)
            })
            .collect();
        let mut wide = self.twin_of(members);
        for _ in 0..self.below(30) {
            let key = self.of(&WIDE);
            wide.node.as_object_mut().unwrap().remove(key);
            wide.value.as_object_mut().unwrap().remove(key);
        }
        wide
    }

    fn twin_of(&mut self, members: Vec<(&str, Twin)>) -> Twin {
        let value = members
            .iter()
            .map(|(key, twin)| ((*key).to_owned(), twin.value.clone()));
        let value = Value::Object(value.collect());
        let node = members.into_iter().map(|(key, twin)| (key, twin.node));
        Twin {
            node: node.collect::<Object>().into(),
            value,
        }
    }

    /// A connector state: an object.
    pub(crate) fn state(&mut self) -> Twin {
        match self.below(12) {
            0 => self.wide(),
            1 => {
                let (key, inner) = (self.of(&KEYS), self.wide());
                self.twin_of(vec![(key, inner)])
            }
            _ => self.object(4),
        }
    }

    /// What an update may be applied to: nearly always an object.
    pub(crate) fn anything(&mut self) -> Twin {
        if self.one_in(10) {
            self.tree(1)
        } else {
            self.state()
        }
    }

    /// Another version of a state, which has most of it in common, allocations included.
    pub(crate) fn version_of(&mut self, state: &Twin) -> Twin {
        let mut version = state.clone();
        for _ in 0..1 + self.below(3) {
            self.change(&mut version.node, &mut version.value);
        }
        version
    }

    fn change(&mut self, node: &mut Node, value: &mut Value) {
        let (Some(object), Some(members)) = (node.as_object_mut(), value.as_object_mut()) else {
            let new = self.tree(2);
            (*node, *value) = (new.node, new.value);
            return;
        };
        let present: Vec<String> = object.keys().map(str::to_owned).collect();
        let key = if present.is_empty() || self.one_in(4) {
            self.of(&KEYS).to_owned()
        } else {
            self.of(&present)
        };
        match self.below(4) {
            0 => {
                object.remove(&key);
                members.remove(&key);
            }
            1 => {
                let new = self.tree(2);
                object.insert(key.as_str(), new.node);
                members.insert(key, new.value);
            }
            _ => {
                if let (Some(node), Some(value)) = (object.get_mut(&key), members.get_mut(&key)) {
                    self.change(node, value);
                }
            }
        }
    }

    /// Two states, half the time one made of the other.
    pub(crate) fn two_states(&mut self) -> (Twin, Twin) {
        let old = self.state();
        let new = if self.one_in(2) {
            self.state()
        } else {
            self.version_of(&old)
        };
        let new = if new.node.as_object().is_some() {
            new
        } else {
            self.state()
        };
        (old, new)
    }

    /// A patch, often one that deletes or writes where `state` has something.
    pub(crate) fn patch(&mut self, state: &Twin) -> Twin {
        if self.one_in(20) {
            return self.tree(1);
        }
        if self.one_in(2) {
            return self.state();
        }
        self.patch_into(&state.node, 4)
    }

    fn patch_into(&mut self, node: &Node, depth: usize) -> Twin {
        let Some(object) = node
            .as_object()
            .filter(|object| depth > 0 && !object.is_empty())
        else {
            return self.tree(2);
        };
        let mut members = Vec::new();
        for _ in 0..1 + self.below(3) {
            let at = self.below(object.len());
            let (key, there) = object.iter().nth(at).unwrap();
            let change = match self.below(4) {
                0 => twin_of_null(),
                1 => self.tree(2),
                _ => self.patch_into(there, depth - 1),
            };
            members.push((key, change));
        }
        if self.one_in(3) {
            members.push((self.of(&KEYS), self.tree(2)));
        }
        self.twin_of(members)
    }

    /// A merge, a replacement, several of them composed, or nothing.
    pub(crate) fn update(&mut self, state: &Twin) -> StateUpdate {
        match self.below(12) {
            0 => StateUpdate::empty(),
            1 => StateUpdate::replace(self.state().node),
            2..=7 => StateUpdate::merge(self.patch(state).node),
            _ => {
                // A deletion, and then a write at the same place: what one merge patch cannot say.
                let (first, second) = (self.patch(state).node, self.patch(state).node);
                let deletion = without_leaves(&first);
                StateUpdate::merge(if self.one_in(2) { deletion } else { first })
                    .then(StateUpdate::merge(second))
            }
        }
    }
}

const WIDE: [&str; 44] = [
    "a", "b", "c", "d", "k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k11",
    "k12", "k13", "k14", "k15", "k16", "k17", "k18", "k19", "k20", "k21", "k22", "k23", "k24",
    "k25", "k26", "k27", "k28", "k29", "k30", "k31", "k32", "k33", "k34", "k35", "k36", "k37",
    "k38", "k39",
];

fn twin_of_null() -> Twin {
    Twin {
        node: Node::Null,
        value: Value::Null,
    }
}

/// The patch that deletes what this one writes.
fn without_leaves(patch: &Node) -> Node {
    match patch {
        Node::Object(members) if !members.is_empty() => members
            .iter()
            .map(|(key, node)| (key, without_leaves(node)))
            .collect::<Object>()
            .into(),
        _ => Node::Null,
    }
}
