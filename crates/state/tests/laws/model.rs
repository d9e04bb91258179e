//! States of bindings: of every shape that decodes, and of shapes that nearly do.

use staunch_state::{Node, Object};

use crate::random::Random;

const CURSORS: [&str; 8] = [
    "\"2025-06-10T08:00:00Z\"",
    "\"2025-06-10 08:00:00.250000+02:00\"",
    "\"2025-06-1\\u0030T08:00:00Z\"",
    "0",
    "123456789012345678901234567890",
    "[\"a\",7]",
    "[\"\\u0061\"]",
    "[18446744073709551615]",
];
const PAGES: [&str; 6] = [
    "\"\"",
    "\"to\\u006ben\"",
    "7",
    "-9223372036854775808",
    "{}",
    "{\"b1\":{\"n\":10,\"cutoff\":1}}",
];
const DATE_TIMES: [&str; 3] = [CURSORS[0], CURSORS[1], CURSORS[2]];
const WRONG: [&str; 16] = [
    "null",
    "true",
    "-1",
    "1.5",
    "1e3",
    "99999999999999999999",
    "\"\"",
    "\"tomorrow\"",
    "\"2025-06-10T08:00:00\"",
    "[]",
    "[null]",
    "[[1]]",
    "{}",
    "{\"cursor\":1}",
    "{\"cutoff\":{}}",
    "{\"a\":null}",
];
const SUBTASKS: [&str; 5] = ["realtime", "lookback", "", "a/b~c", "\u{e9}"];

fn node(json: &str) -> Node {
    Node::parse(json).unwrap()
}

impl Random {
    /// The state of a binding that decodes.
    pub(crate) fn resource_state(&mut self) -> Node {
        let mut state = Object::new();
        self.part(&mut state, "inc", Random::incremental);
        self.part(&mut state, "backfill", Random::backfill);
        self.part(&mut state, "snapshot", Random::snapshot);
        self.member(&mut state, "last_initialized", &DATE_TIMES);
        self.member(&mut state, "is_connector_initiated", &["true"]);
        self.unknown(&mut state);
        state.into()
    }

    /// As [`resource_state`](Random::resource_state), with something wrong in it, or nothing after all.
    pub(crate) fn nearly_resource_state(&mut self) -> Node {
        let mut state = self.resource_state();
        for _ in 0..1 + self.below(2) {
            let pointer = self.pointer_into(&state);
            let wrong = node(self.of(&WRONG));
            if let Some(place) = state.pointer_mut(&pointer) {
                *place = wrong;
            }
        }
        state
    }

    fn pointer_into(&mut self, node: &Node) -> String {
        let Some(object) = node.as_object().filter(|object| !object.is_empty()) else {
            return String::new();
        };
        let (key, inner) = object.iter().nth(self.below(object.len())).unwrap();
        let token = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        if self.one_in(3) {
            token
        } else {
            token + &self.pointer_into(inner)
        }
    }

    fn part(&mut self, state: &mut Object, part: &str, entry: fn(&mut Random) -> Object) {
        match self.below(5) {
            0 => {}
            1 => {
                state.insert(part, Node::Null);
            }
            2 => {
                let entry = entry(self);
                state.insert(part, entry);
            }
            _ => {
                let mut keyed = Object::new();
                for _ in 0..self.below(4) {
                    let name = self.of(&SUBTASKS);
                    let entry = if self.one_in(5) {
                        Node::Null
                    } else {
                        entry(self).into()
                    };
                    keyed.insert(name, entry);
                }
                state.insert(part, keyed);
            }
        }
    }

    fn incremental(&mut self) -> Object {
        let mut entry = Object::new();
        entry.insert("cursor", node(self.of(&CURSORS)));
        self.unknown(&mut entry);
        entry
    }

    fn backfill(&mut self) -> Object {
        let mut entry = Object::new();
        entry.insert("cutoff", node(self.of(&CURSORS)));
        self.member(&mut entry, "next_page", &PAGES);
        self.unknown(&mut entry);
        entry
    }

    fn snapshot(&mut self) -> Object {
        let mut entry = Object::new();
        entry.insert("updated_at", node(self.of(&DATE_TIMES)));
        entry.insert("last_count", node(self.of(&["0", "18446744073709551615"])));
        entry.insert("last_digest", node(self.of(&["\"\"", "\"d\\\"\""])));
        self.unknown(&mut entry);
        entry
    }

    fn member(&mut self, object: &mut Object, name: &str, values: &[&str]) {
        match self.below(3) {
            0 => {}
            1 => {
                object.insert(name, Node::Null);
            }
            _ => {
                object.insert(name, node(self.of(values)));
            }
        }
    }

    fn unknown(&mut self, object: &mut Object) {
        for name in ["newer", "of_others"] {
            if self.one_in(4) {
                let member = self.leaf().node;
                object.insert(name, member);
            }
        }
    }
}
