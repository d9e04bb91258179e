//! Migrations made of an author's own functions.

use std::fmt;
use std::sync::Arc;

use super::{Rule, Transform, sealed, undoing};
use crate::migration::{Binding, Effects, MigrationError, WholeMigration};
use crate::node::Object;

type Applies = dyn Fn(&Binding, &Object) -> bool + Send + Sync;
type Migrate = dyn Fn(&Binding, Object) -> Result<Object, MigrationError> + Send + Sync;
type AppliesWhole = dyn Fn(&[Binding], &Object) -> bool + Send + Sync;
type MigrateWhole = dyn Fn(&[Binding], Object) -> Result<Object, MigrationError> + Send + Sync;

/// A step of two pure functions: whether a binding's state has the old shape, and what its new state is.
///
/// ```
/// use staunch_state::transform::custom;
/// use staunch_state::{Chain, Effects, Node};
///
/// let chain = Chain::new().with(
///     custom(
///         "count-from-one",
///         |_, state| state.contains("index"),
///         |_, mut state| {
///             let index = state.remove("index").and_then(|node| node.as_leaf()?.as_u64()).unwrap_or(0);
///             state.insert("number", Node::integer(index + 1));
///             Ok(state)
///         },
///     )
///     .declaring(Effects::NONE.edits("/index").edits("/number")),
/// );
/// # let _ = chain;
/// ```
pub fn custom(
    name: &str,
    applies: impl Fn(&Binding, &Object) -> bool + Send + Sync + 'static,
    migrate: impl Fn(&Binding, Object) -> Result<Object, MigrationError> + Send + Sync + 'static,
) -> Transform<Custom> {
    Transform::new(
        name,
        Custom {
            way: Way {
                applies: Arc::new(applies),
                migrate: Arc::new(migrate),
            },
            back: None,
            effects: Effects::NONE,
        },
    )
}

/// As [`custom`], for a step that needs the whole connector state. Of [`Chain::with_whole`](crate::Chain::with_whole).
pub fn custom_whole(
    name: &str,
    applies: impl Fn(&[Binding], &Object) -> bool + Send + Sync + 'static,
    migrate: impl Fn(&[Binding], Object) -> Result<Object, MigrationError> + Send + Sync + 'static,
) -> CustomWhole {
    CustomWhole {
        name: name.to_owned(),
        way: Way {
            applies: Arc::new(applies),
            migrate: Arc::new(migrate),
        },
        back: None,
        effects: Effects::NONE,
    }
}

/// See [`custom`].
#[derive(Clone)]
pub struct Custom {
    way: Way<Applies, Migrate>,
    back: Option<Way<Applies, Migrate>>,
    effects: Effects,
}

/// See [`custom_whole`].
#[derive(Clone)]
pub struct CustomWhole {
    name: String,
    way: Way<AppliesWhole, MigrateWhole>,
    back: Option<Way<AppliesWhole, MigrateWhole>>,
    effects: Effects,
}

struct Way<A: ?Sized, M: ?Sized> {
    applies: Arc<A>,
    migrate: Arc<M>,
}

impl<A: ?Sized, M: ?Sized> Clone for Way<A, M> {
    fn clone(&self) -> Self {
        Way {
            applies: Arc::clone(&self.applies),
            migrate: Arc::clone(&self.migrate),
        }
    }
}

impl Transform<Custom> {
    /// Says what effects it has that the safety checks would otherwise refuse. They hold for its reverse too.
    #[must_use]
    pub fn declaring(mut self, effects: Effects) -> Self {
        self.rule.effects = effects;
        self
    }

    /// Says how it is undone.
    #[must_use]
    pub fn undone_by(
        mut self,
        applies: impl Fn(&Binding, &Object) -> bool + Send + Sync + 'static,
        migrate: impl Fn(&Binding, Object) -> Result<Object, MigrationError> + Send + Sync + 'static,
    ) -> Self {
        self.rule.back = Some(Way {
            applies: Arc::new(applies),
            migrate: Arc::new(migrate),
        });
        self
    }
}

impl sealed::Sealed for Custom {}

impl Rule for Custom {
    type Reverse = Custom;

    fn applies(&self, binding: &Binding, state: &Object) -> bool {
        (self.way.applies)(binding, state)
    }

    fn migrate(&self, binding: &Binding, state: Object) -> Result<Object, MigrationError> {
        (self.way.migrate)(binding, state)
    }

    fn declares(&self) -> Effects {
        self.effects.clone()
    }

    fn reverse(&self) -> Option<Custom> {
        Some(Custom {
            way: self.back.clone()?,
            back: Some(self.way.clone()),
            effects: self.effects.clone(),
        })
    }

    fn definition(&self) -> String {
        self.effects.to_string()
    }
}

impl CustomWhole {
    /// As [`Transform::declaring`](Transform::<Custom>::declaring).
    #[must_use]
    pub fn declaring(mut self, effects: Effects) -> Self {
        self.effects = effects;
        self
    }

    /// As [`Transform::undone_by`](Transform::<Custom>::undone_by).
    #[must_use]
    pub fn undone_by(
        mut self,
        applies: impl Fn(&[Binding], &Object) -> bool + Send + Sync + 'static,
        migrate: impl Fn(&[Binding], Object) -> Result<Object, MigrationError> + Send + Sync + 'static,
    ) -> Self {
        self.back = Some(Way {
            applies: Arc::new(applies),
            migrate: Arc::new(migrate),
        });
        self
    }
}

impl WholeMigration for CustomWhole {
    fn name(&self) -> &str {
        &self.name
    }

    fn applies(&self, bindings: &[Binding], state: &Object) -> bool {
        (self.way.applies)(bindings, state)
    }

    fn migrate(&self, bindings: &[Binding], state: Object) -> Result<Object, MigrationError> {
        (self.way.migrate)(bindings, state)
    }

    fn declares(&self) -> Effects {
        self.effects.clone()
    }

    fn reverse(&self) -> Option<Box<dyn WholeMigration>> {
        Some(Box::new(CustomWhole {
            name: undoing(&self.name),
            way: self.back.clone()?,
            back: Some(self.way.clone()),
            effects: self.effects.clone(),
        }))
    }
}

impl fmt::Debug for CustomWhole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.definition())
    }
}
