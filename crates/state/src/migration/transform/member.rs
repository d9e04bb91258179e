//! Edits of single members.

use super::{Rule, Transform, sealed, undoing};
use crate::migration::{Binding, Effects, MigrationError, WholeMigration};
use crate::node::{Node, Object, pointer_parent};

/// The member at the pointer, from the binding's state, is this value. Objects on the way to it are made. Named `set`.
pub fn set(pointer: impl Into<String>, value: impl Into<Node>) -> Transform<Edit> {
    Transform::new("set", Edit(Kind::Set(pointer.into(), value.into())))
}

/// There is no member at the pointer. Named `remove`.
pub fn remove(pointer: impl Into<String>) -> Transform<Edit> {
    Transform::new("remove", Edit(Kind::Remove(pointer.into())))
}

/// The member at one pointer moves to another, within the same binding. Undone by the same the other way. Named `rename`.
pub fn rename(from: impl Into<String>, to: impl Into<String>) -> Transform<Edit> {
    Transform::new("rename", Edit(Kind::Rename(from.into(), to.into())))
}

/// Where the member at the pointer has one value, it gets the other. Undone by the same the other way. Named `replace`.
pub fn replace(
    pointer: impl Into<String>,
    from: impl Into<Node>,
    to: impl Into<Node>,
) -> Transform<Edit> {
    Transform::new(
        "replace",
        Edit(Kind::Replace(pointer.into(), from.into(), to.into())),
    )
}

/// See [`set`], [`remove`], [`rename`] and [`replace`]. Pointers are those of RFC 6901, and do not reach into arrays.
#[derive(Clone, Debug, PartialEq)]
pub struct Edit(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Set(String, Node),
    Remove(String),
    Rename(String, String),
    Replace(String, Node, Node),
}

/// An [`Edit`] of the connector state itself. Of [`Chain::with_whole`](crate::Chain::with_whole).
#[derive(Clone, Debug)]
pub struct RootEdit {
    name: String,
    edit: Edit,
}

impl Transform<Edit> {
    /// The same with pointers from the connector state, for members that belong to no binding.
    pub fn at_root(self) -> RootEdit {
        RootEdit {
            name: self.name,
            edit: self.rule,
        }
    }
}

impl Edit {
    fn is_due(&self, state: &Object) -> bool {
        match &self.0 {
            Kind::Set(pointer, value) => {
                !at(state, pointer).unwrap_or(&Node::Null).same_state(value)
            }
            Kind::Remove(pointer) => at(state, pointer).is_some(),
            Kind::Rename(from, to) => from != to && at(state, from).is_some(),
            Kind::Replace(pointer, from, _) => {
                at(state, pointer).is_some_and(|there| there.same_state(from))
            }
        }
    }

    fn edited(&self, mut state: Object) -> Result<Object, MigrationError> {
        match &self.0 {
            Kind::Set(pointer, value) | Kind::Replace(pointer, _, value) => {
                put(&mut state, pointer, value.clone())?
            }
            Kind::Remove(pointer) => {
                take(&mut state, pointer);
            }
            Kind::Rename(from, to) => {
                if at(&state, to).is_some() {
                    return Err(MigrationError::failed(
                        to,
                        format!(
                            "is there already, beside `{from}` which is to become it; remove one of them"
                        ),
                    ));
                }
                if let Some(node) = take(&mut state, from) {
                    put(&mut state, to, node)?;
                }
            }
        }
        Ok(state)
    }

    fn effects(&self) -> Effects {
        match &self.0 {
            Kind::Set(pointer, _) | Kind::Remove(pointer) | Kind::Replace(pointer, ..) => {
                Effects::NONE.edits(pointer)
            }
            Kind::Rename(from, to) => Effects::NONE.edits(from).edits(to),
        }
    }

    fn reversed(&self) -> Option<Edit> {
        match &self.0 {
            Kind::Set(..) | Kind::Remove(_) => None,
            Kind::Rename(from, to) => Some(Edit(Kind::Rename(to.clone(), from.clone()))),
            Kind::Replace(pointer, from, to) => Some(Edit(Kind::Replace(
                pointer.clone(),
                to.clone(),
                from.clone(),
            ))),
        }
    }

    fn said(&self) -> String {
        match &self.0 {
            Kind::Set(pointer, value) => format!("{pointer} is {value}"),
            Kind::Remove(pointer) => format!("{pointer} is removed"),
            Kind::Rename(from, to) => format!("{from} becomes {to}"),
            Kind::Replace(pointer, from, to) => format!("{pointer} of {from} becomes {to}"),
        }
    }
}

/// What is at the pointer, unless it is `null`.
fn at<'a>(state: &'a Object, pointer: &str) -> Option<&'a Node> {
    let (parent, member) = pointer_parent(pointer)?;
    let mut object = state;
    for token in parent {
        object = object.get(&token)?.as_object()?;
    }
    object.present(&member)
}

fn take(state: &mut Object, pointer: &str) -> Option<Node> {
    let (parent, member) = pointer_parent(pointer)?;
    let mut object = state;
    for token in parent {
        object = object.get_mut(&token)?.as_object_mut()?;
    }
    object.remove(&member)
}

fn put(state: &mut Object, pointer: &str, node: Node) -> Result<(), MigrationError> {
    let (parent, member) = pointer_parent(pointer).ok_or_else(|| {
        MigrationError::failed(
            pointer,
            "is no pointer to a member; write it as in `/inc/cursor`",
        )
    })?;
    let mut object = state;
    for token in parent {
        if object.present(&token).is_none() {
            object.insert(token.as_str(), Object::new());
        }
        object = object.get_mut(&token).and_then(Node::as_object_mut).ok_or_else(|| {
            MigrationError::failed(pointer, format!("cannot be written: `{token}` on the way to it is no object; correct the pointer"))
        })?;
    }
    object.insert(member.as_str(), node);
    Ok(())
}

impl sealed::Sealed for Edit {}

impl Rule for Edit {
    type Reverse = Edit;

    fn applies(&self, _: &Binding, state: &Object) -> bool {
        self.is_due(state)
    }

    fn migrate(&self, _: &Binding, state: Object) -> Result<Object, MigrationError> {
        self.edited(state)
    }

    fn declares(&self) -> Effects {
        self.effects()
    }

    fn reverse(&self) -> Option<Edit> {
        self.reversed()
    }

    fn definition(&self) -> String {
        self.said()
    }
}

impl RootEdit {
    /// As [`Transform::named`].
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }
}

impl WholeMigration for RootEdit {
    fn name(&self) -> &str {
        &self.name
    }

    fn applies(&self, _: &[Binding], state: &Object) -> bool {
        self.edit.is_due(state)
    }

    fn migrate(&self, _: &[Binding], state: Object) -> Result<Object, MigrationError> {
        self.edit.edited(state)
    }

    fn declares(&self) -> Effects {
        self.edit.effects()
    }

    fn reverse(&self) -> Option<Box<dyn WholeMigration>> {
        Some(Box::new(RootEdit {
            name: undoing(&self.name),
            edit: self.edit.reversed()?,
        }))
    }

    fn definition(&self) -> String {
        format!("{}: {}", self.name, self.edit.said())
    }
}
