//! From one store to many, and an entry for each store that is configured.
//!
//! ```text
//! 1   inc: {cursor: T}             backfill: {cutoff: C, next_page: P}
//! 2   inc: {<store>: {cursor: T}}  backfill: {<store>: {cutoff: C, next_page: P}}
//! ```
//!
//! A flat state says nothing of whose it is. The store that a flat config names is its owner, and so is a single one; where there are several,
//! nobody is: to guess would have one store go on where another stood, and miss what it has. A finished backfill is not begun again, in
//! whatever shape it is: whether a store is new is decided by `inc` alone.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use staunch::state::transform::{custom, ensure_subtasks, flat_to_keyed, keyed_to_flat};
use staunch::state::{Binding, Chain, Effects, Migration, MigrationError, Node, Object};

use crate::fetch::text;
use crate::streams::{Kind, STREAMS, Stream};

/// Names that a store cannot have: they are those of members of a flat state.
pub const RESERVED: [&str; 3] = ["cursor", "cutoff", "next_page"];

/// Sees that no store has one of these names.
///
/// # Errors
/// Which one has, and what to do.
pub fn check_names(stores: &[String]) -> Result<(), String> {
    let reserved = |store: &&String| RESERVED.contains(&store.as_str());
    match stores.iter().find(reserved) {
        None => Ok(()),
        Some(store) => Err(format!(
            "no store can be named `{store}`: its entry could not be told from a member of a state; name it as its address begins"
        )),
    }
}

/// The step that gives each store its entry.
pub const ENSURE_STORES: &str = "ensure-stores";

/// What the steps depend on, beside the state.
#[derive(Clone, Copy, Debug)]
pub struct Stores<'a> {
    /// Those of the config, in its order.
    pub configured: &'a [String],
    /// The store that a flat config names.
    pub of_flat_config: Option<&'a str>,
    /// When it is.
    pub now: Timestamp,
    /// When history begins.
    pub start_date: Timestamp,
}

/// The steps from the first release to this one. `has_access` says whether a store lets a stream be read.
pub fn chain(stores: &Stores<'_>, has_access: impl Fn(&Stream, &str) -> bool) -> Chain {
    let owner = match (stores.of_flat_config, stores.configured) {
        (Some(owner), _) => Some(owner),
        (None, [single]) => Some(single.as_str()),
        (None, _) => None,
    };
    let chain = match owner {
        Some(owner) => Chain::new().with(
            flat_to_keyed(owner)
                .marking_finished()
                .named("store-of-flat-state"),
        ),
        None => Chain::new().with(custom(
            "store-of-flat-state",
            |_, state| is_flat(state),
            |_, _| Err(nobodys()),
        )),
    };
    chain.with(ensure_stores(stores, has_access))
}

/// An entry for each store, of each stream that it lets be read.
fn ensure_stores(
    stores: &Stores<'_>,
    has_access: impl Fn(&Stream, &str) -> bool,
) -> impl Migration + 'static {
    let of_stream = |stream: &Stream| {
        let initial = initial(stream, stores);
        let stores = stores.configured.iter();
        let with_access = stores.filter(|store| has_access(stream, store));
        ensure_subtasks(with_access.map(|store| (store.clone(), initial.clone())))
    };
    let ensured = STREAMS
        .iter()
        .map(|stream| (stream.name, of_stream(stream)));
    let ensured: BTreeMap<&str, _> = ensured.collect();
    let effects = ensured
        .values()
        .fold(Effects::NONE, |effects, step| effects.and(&step.declares()));
    let ensured = Arc::new(ensured);
    let of = move |binding: &Binding| {
        let name = resource(binding)?;
        ensured.get(name.as_str()).cloned()
    };
    let applies = of.clone();
    custom(
        ENSURE_STORES,
        move |binding, state| applies(binding).is_some_and(|step| step.applies(binding, state)),
        move |binding, state| match of(binding) {
            Some(step) => step.migrate(binding, state),
            None => Ok(state),
        },
    )
    .declaring(effects)
}

/// The way back to a release that knows one store: its entries become flat. A state with others is refused, since they would be lost.
pub fn back_to_one(store: &str) -> Chain {
    Chain::new().with(keyed_to_flat(store).named("state-of-one-store"))
}

/// The state of a stream for one store, as it begins.
pub(crate) fn initial(stream: &Stream, stores: &Stores<'_>) -> Object {
    let [now, start] = [stores.now, stores.start_date].map(text);
    let members = match stream.kind {
        // History is walked through by its windows.
        Kind::Bulk => format!(r#"{{"inc":{{"cursor":"{start}"}}}}"#),
        Kind::Sorted { .. } | Kind::Unsorted { .. } => {
            format!(r#"{{"inc":{{"cursor":"{now}"}},"backfill":{{"cutoff":"{now}"}}}}"#)
        }
        Kind::Snapshot { .. } => "{}".to_owned(),
    };
    let node = Node::parse(&members).ok().and_then(Node::into_object);
    node.expect("it is an object")
}

fn is_flat(state: &Object) -> bool {
    let inc = state.get("inc").and_then(Node::as_object);
    inc.is_some_and(|inc| inc.contains("cursor"))
}

fn nobodys() -> MigrationError {
    MigrationError::failed(
        "/inc",
        "this state is of one store, and nothing says of which of those that are configured; configure that one alone, \
         open the capture once, and add the others then",
    )
}

fn resource(binding: &Binding) -> Option<String> {
    let name = binding.resource.as_ref()?.pointer("/name")?.as_str()?;
    Some(name.into_owned())
}
