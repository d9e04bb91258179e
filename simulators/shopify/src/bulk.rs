//! Which queries a bulk job runs.

use apollo_compiler::ExecutableDocument;
use apollo_compiler::executable::{Field, OperationType, Selection, SelectionSet};

/// Connections that a query may have.
const MAX_CONNECTIONS: usize = 5;

/// How deep they may lie inside of one another, the root's included.
const MAX_DEPTH: usize = 3;

/// Bytes that a query may have.
const MAX_BYTES: usize = 65_535;

/// What a bulk job would say against a query that is understood otherwise.
pub(crate) fn problems(document: &ExecutableDocument, query: &str) -> Vec<String> {
    let mut look = Look {
        document,
        connections: 0,
        problems: Vec::new(),
    };
    let mut operations = document.operations.iter();
    match (operations.next(), operations.next()) {
        (Some(operation), None) if operation.operation_type == OperationType::Query => {
            for field in look.fields(&operation.selection_set) {
                if matches!(field.name.as_str(), "node" | "nodes") {
                    look.say(format!("`{}` stands at the root", field.name));
                }
            }
            look.set(&operation.selection_set, 0, true, false);
        }
        _ => look.say("it is not one query".to_owned()),
    }
    if query.len() > MAX_BYTES {
        look.say(format!("it has more than {MAX_BYTES} bytes"));
    }
    match look.connections {
        0 => look.say("it has no connection".to_owned()),
        many if many > MAX_CONNECTIONS => {
            look.say(format!(
                "it has {many} connections, more than {MAX_CONNECTIONS}"
            ));
        }
        _ => {}
    }
    look.problems
}

struct Look<'a> {
    document: &'a ExecutableDocument,
    connections: usize,
    problems: Vec<String>,
}

impl<'a> Look<'a> {
    fn say(&mut self, problem: String) {
        self.problems.push(problem);
    }

    /// The fields of a set, those of its fragments too.
    fn fields(&self, set: &'a SelectionSet) -> Vec<&'a Field> {
        let fields = set.selections.iter().flat_map(|selection| match selection {
            Selection::Field(field) => vec![&**field],
            Selection::InlineFragment(fragment) => self.fields(&fragment.selection_set),
            Selection::FragmentSpread(spread) => {
                let fragment = self.document.fragments.get(&spread.fragment_name);
                fragment.map_or_else(Vec::new, |fragment| self.fields(&fragment.selection_set))
            }
        });
        fields.collect()
    }

    /// Looks at what is asked of an object that lies inside of so many connections, and perhaps of a list.
    fn set(&mut self, set: &'a SelectionSet, depth: usize, is_root: bool, is_in_list: bool) {
        let fields = self.fields(set);
        let has_id = is_root || fields.iter().any(|field| field.name == "id");
        for field in fields {
            let name = &field.name;
            if !field.ty().inner_named_type().ends_with("Connection") {
                let is_in_list = is_in_list || field.ty().is_list();
                self.set(&field.selection_set, depth, false, is_in_list);
                continue;
            }
            self.connections += 1;
            if is_in_list {
                self.say(format!("connection `{name}` lies inside of a list"));
            }
            if !has_id {
                self.say(format!(
                    "the object that connection `{name}` is of has no `id`"
                ));
            }
            if depth == MAX_DEPTH {
                self.say(format!("connection `{name}` lies too deep"));
            }
            self.connection(field, depth);
        }
    }

    fn connection(&mut self, connection: &'a Field, depth: usize) {
        for field in self.fields(&connection.selection_set) {
            match field.name.as_str() {
                "edges" => {
                    for node in self.fields(&field.selection_set) {
                        if node.name == "node" {
                            self.set(&node.selection_set, depth + 1, false, false);
                        }
                    }
                }
                "nodes" => self.say(format!(
                    "`nodes` of `{}`: only `edges` are written",
                    connection.name
                )),
                _ => {} // The page, of which a bulk job has none, is passed over.
            }
        }
    }
}
