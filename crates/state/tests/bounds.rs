//! Depth and size: what is refused, and that nothing overflows a small stack.
//!
//! Threads here have 256 KiB of stack, an eighth of what a thread usually has, in a build without optimisation of
//! anything but this crate.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)] // Helpers outside a test function are test code too.

use staunch_state::{
    Cursor, ExactDiff, Leaf, MAX_BYTES, MAX_DEPTH, Node, Object, StateUpdate, WireUpdate,
};

/// Deeper than any stack could follow by recursion.
const BOTTOMLESS: usize = 1_000_000;

const KINDS: [(&str, &str); 2] = [("[", "]"), ("{\"a\":", "}")];

fn on_a_small_stack(run: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 10);
    thread.spawn(run).unwrap().join().unwrap();
}

fn nested(depth: usize, (open, close): (&str, &str), leaf: &str) -> String {
    format!("{}{leaf}{}", open.repeat(depth), close.repeat(depth))
}

/// A state of objects in each other, made from the inside out.
fn built(depth: usize, leaf: Node) -> Node {
    (0..depth).fold(leaf, |inner, _| {
        Node::from(Object::from_iter([("a", inner)]))
    })
}

#[test]
fn a_document_is_as_deep_as_the_bound_and_no_deeper() {
    on_a_small_stack(|| {
        for kind in KINDS {
            let (fits, beyond) = (
                nested(MAX_DEPTH, kind, "1"),
                nested(MAX_DEPTH + 1, kind, "1"),
            );
            let node = Node::parse(&fits).unwrap();
            assert_eq!(node.to_json(), fits);
            assert_eq!(serde_json::to_string(&node).unwrap(), fits);
            let error = Node::parse(&beyond).unwrap_err();
            assert!(error.message.contains("128"), "{error}");
            // An array is a leaf of a patch: inside one, the bound is the same.
            for (around, inside) in [("{\"p\":", "}"), ("[", "]")] {
                let text = |depth| format!("{around}{}{inside}", nested(depth, kind, "1"));
                assert!(Node::parse(&text(MAX_DEPTH - 1)).is_ok());
                assert!(Node::parse(&text(MAX_DEPTH)).is_err());
                let patch = format!("{{\"k\":{}}}", text(MAX_DEPTH - 2));
                assert!(StateUpdate::from_wire(&patch, true).is_ok());
                let patch = format!("{{\"k\":{}}}", text(MAX_DEPTH - 1));
                for merge_patch in [true, false] {
                    let error = StateUpdate::from_wire(&patch, merge_patch).unwrap_err();
                    assert!(error.message.contains("128"), "{error}");
                }
            }
        }
    });
}

#[test]
fn ten_million_brackets_are_refused_on_a_small_stack() {
    on_a_small_stack(|| {
        for (open, _) in KINDS {
            let text = open.repeat(10_000_000);
            let error = Node::parse(&text).unwrap_err();
            assert!(error.message.contains("128"), "{error}");
            let text = format!("{{\"k\":[1,{text}");
            assert!(Node::parse_bytes(text.as_bytes()).is_err());
            assert!(StateUpdate::from_wire(&text, true).is_err());
        }
    });
}

#[test]
fn the_deepest_documents_go_through_every_operation_on_a_small_stack() {
    on_a_small_stack(|| {
        let objects = |leaf| Node::parse(&nested(MAX_DEPTH, KINDS[1], leaf)).unwrap();
        let arrays = |leaf| {
            let array = nested(MAX_DEPTH - 1, KINDS[0], leaf);
            Node::parse(&format!("{{\"a\":{array}}}")).unwrap()
        };
        let mixed = |leaf| Node::parse(&nested(MAX_DEPTH / 2, ("{\"a\":[", "]}"), leaf)).unwrap();
        every_operation(&objects("1"), &objects("2"), &objects("1.0"));
        every_operation(&arrays("1"), &arrays("2"), &arrays("1.0"));
        every_operation(&mixed("1"), &mixed("2"), &mixed("1.0"));
    });
}

/// `same` says what `old` says, in other words.
fn every_operation(old: &Node, new: &Node, same: &Node) {
    assert!(old == same && same.same_state(old) && old != new && !old.same_state(new));
    assert!(StateUpdate::diff(old, same).is_empty());
    let ExactDiff::Merge(exact) = StateUpdate::diff_exact(old, same) else {
        panic!("no null is in it")
    };
    assert_eq!(exact.apply(old.clone()).to_json(), same.to_json());

    let update = StateUpdate::diff(old, new);
    assert_eq!(update.apply(old.clone()), *new);
    assert_eq!(
        update.apply(Node::Null),
        StateUpdate::diff(&Node::Null, new).apply(Node::Null)
    );
    let back = StateUpdate::diff(new, old);
    let both = update.clone().then(back.clone());
    assert_eq!(both.apply(old.clone()), *old);
    let deletion = StateUpdate::merge(Node::from(Object::from_iter([("a", Node::Null)])));
    let reset = deletion.then(StateUpdate::merge(new.clone()));
    assert_eq!(reset.apply(old.clone()), *new);
    assert_eq!(reset.clone(), reset);
    let wired: usize = reset.to_wire().iter().map(|one| one.updated.len()).sum();
    assert_eq!(reset.wire_len(), wired);
    assert!(!format!("{reset:?}{old:?}").is_empty());
    let _ = (
        both.as_merge_patch(),
        old.to_value(),
        serde_json::to_string(old),
        Cursor::from_node(old),
    );
    assert_eq!(old.serialized_len(), old.to_json().len());
}

#[test]
fn a_composition_is_no_deeper_than_what_it_was_made_of() {
    let patch = |depth, leaf| StateUpdate::merge(built(depth, leaf));
    for (first, second) in [(MAX_DEPTH, MAX_DEPTH), (3, MAX_DEPTH), (MAX_DEPTH, 3)] {
        for leaf in [Node::Null, Node::integer(1)] {
            let both = patch(first, leaf.clone()).then(patch(second, Node::integer(2)));
            for WireUpdate {
                updated,
                merge_patch,
            } in both.to_wire()
            {
                assert!(
                    StateUpdate::from_wire(&updated, merge_patch).is_ok(),
                    "{first} {second}"
                );
            }
            assert!(Node::parse(&both.apply(Object::new().into()).to_json()).is_ok());
        }
    }
}

#[test]
fn a_state_built_deeper_than_any_stack_is_still_a_state() {
    on_a_small_stack(|| {
        let depth = BOTTOMLESS;
        let old = built(depth, Node::integer(1));
        let same = built(depth, Node::Leaf(Leaf::integer(1)));
        let new = built(depth, Node::integer(2));
        every_operation(&old, &new, &same);
        assert_eq!(old.to_json().len(), depth * "{\"a\":}".len() + 1);

        // Deeper than a document may be, an update sets what stands there.
        let update = StateUpdate::diff(&old, &new);
        assert_eq!(update.as_merge_patch(), None);
        assert!(
            Node::parse(&update.to_wire()[0].updated).is_ok(),
            "the deletion is not deep"
        );
        assert!(StateUpdate::merge(new.clone()).apply(old.clone()) == new);
        assert!(serde_json::to_string(&old).is_err());
        let mut shared = old.clone();
        *shared.pointer_mut(&"/a".repeat(5_000)).unwrap() = Node::Null;
        assert!(old == same && shared != old);
        drop((old, shared));
        assert_eq!(same.serialized_len(), depth * "{\"a\":}".len() + 1);
    });
}

#[test]
fn an_array_built_deeper_than_a_document_is_compared_by_its_text() {
    on_a_small_stack(|| {
        let built = |leaf| (0..2_000).fold(Node::Leaf(leaf), |inner, _| Node::array([inner]));
        let (one, same, other) = (
            built(Leaf::integer(1)),
            built(Leaf::integer(1)),
            built(Leaf::integer(2)),
        );
        assert!(one == same && one != other && !one.same_state(&other));
        assert_eq!(one.as_leaf().unwrap().elements(), None);
        assert!(one.to_value().is_string(), "its text");
        assert!(!StateUpdate::diff(&one, &other).is_empty());
        assert!(StateUpdate::diff(&one, &same).is_empty());
        let _ = (Cursor::from_node(&one), serde_json::to_string(&one));
    });
}

#[test]
fn a_document_of_the_largest_size_is_read_compared_and_written_and_one_byte_more_is_refused() {
    let around = "{\"k\":\"\"}".len();
    let text = |bytes: usize| format!("{{\"k\":\"{}\"}}", "x".repeat(bytes - around));
    let largest = text(MAX_BYTES);
    let node = Node::parse(&largest).unwrap();
    let other = Node::parse("{\"k\":\"y\"}").unwrap();
    let update = StateUpdate::diff(&other, &node);
    assert_eq!(update.wire_len(), MAX_BYTES);
    assert_eq!(update.apply(other), node);
    assert!(node.to_json() == largest);
    drop((largest, update));
    for refused in [
        Node::parse(&text(MAX_BYTES + 1)),
        Node::parse_bytes(text(MAX_BYTES + 1).as_bytes()),
    ] {
        let error = refused.unwrap_err();
        assert!(
            error.message.contains("128 MiB") && error.offset == MAX_BYTES,
            "{error}"
        );
    }
    assert!(StateUpdate::from_wire(&text(MAX_BYTES + 1), true).is_err());
}
