//! JSON over several lines, with its members in their order and its numbers as they were written.

use staunch_state::Node;

/// Writes a state document as people read it: two blanks per level, short arrays on one line.
pub(crate) fn pretty(node: &Node) -> String {
    let mut text = String::new();
    write(node, 0, &mut text);
    text
}

/// Characters of an array that stays on one line.
const ARRAY_WIDTH: usize = 72;

fn write(node: &Node, depth: usize, out: &mut String) {
    match node {
        Node::Object(object) if !object.is_empty() => {
            let members = object.iter().map(|(key, node)| (Some(key), node));
            block(['{', '}'], members, depth, out);
        }
        Node::Leaf(leaf) if leaf.as_json().len() > ARRAY_WIDTH => match leaf.elements() {
            Some(elements) => block(
                ['[', ']'],
                elements.iter().map(|node| (None, node)),
                depth,
                out,
            ),
            None => out.push_str(leaf.as_json()),
        },
        short => short.write_json(out),
    }
}

fn block<'a>(
    brackets: [char; 2],
    members: impl Iterator<Item = (Option<&'a str>, &'a Node)>,
    depth: usize,
    out: &mut String,
) {
    let indent = |depth: usize, out: &mut String| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    out.push(brackets[0]);
    for (index, (key, node)) in members.enumerate() {
        if index > 0 {
            out.push(',');
        }
        indent(depth + 1, out);
        if let Some(key) = key {
            Node::string(key).write_json(out);
            out.push_str(": ");
        }
        write(node, depth + 1, out);
    }
    indent(depth, out);
    out.push(brackets[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_and_numbers_stay_as_they_were() {
        let node = Node::parse(
            r#"{"z":{"b":1.50,"a":123456789012345678901234567890},"e":{},"n":null,"l":[1,2]}"#,
        )
        .unwrap();
        let expected = "{\n  \"z\": {\n    \"b\": 1.50,\n    \"a\": 123456789012345678901234567890\n  },\n  \
                        \"e\": {},\n  \"n\": null,\n  \"l\": [1,2]\n}";
        assert_eq!(pretty(&node), expected);
        assert_eq!(Node::parse(&pretty(&node)).unwrap(), node);
    }

    #[test]
    fn a_long_array_has_a_line_for_each_element() {
        let long = format!(r#"{{"l":["{}",{{"a":1}}]}}"#, "x".repeat(80));
        let text = pretty(&Node::parse(&long).unwrap());
        assert_eq!(text.lines().count(), 8, "{text}");
        assert_eq!(Node::parse(&text).unwrap(), Node::parse(&long).unwrap());
    }
}
