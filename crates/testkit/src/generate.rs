//! States that a release could have written, made of those that releases did write.
//!
//! A released state is a template. What is varied is what differs between captures: where cursors stand, whether a backfill is under
//! way and at which page, what is unknown, absent or `null`, which bindings there are, under which state keys, and how far each of
//! them has been migrated already.

use staunch_state::{BINDING_STATES, Binding, Chain, Consent, Cursor, Node, Object};

use crate::case::{Case, Subject};
use crate::cursors::{self, Shift};
use crate::fixture::Fixture;
use crate::law::{Law, Violation};
use crate::progress::next_page;
use crate::random::Random;
use crate::shape::{self, BACKFILL, INC, SNAPSHOT};

/// The name of a member that nobody knows.
pub(crate) const UNKNOWN: &str = "testkit_unknown";

/// Bindings of the largest generated state.
const MOST_BINDINGS: u64 = 200;

/// State keys that something might stumble over.
const ODD_KEYS: [&str; 6] = [
    "acme/orders%2Fopen items",
    "名前–ñ",
    "say \"hi\"\\'",
    "a/b~c~1d",
    "UPPER.v0x",
    "v1.v",
];

/// Makes states.
pub(crate) struct Generator<'a> {
    subject: &'a Subject,
    templates: Vec<Template>,
    /// What the released states hold beside bindings, and which templates go with each: all, unless a step looks at the whole state.
    roots: Vec<Root>,
    /// Undoes steps, newest first: what a release in between would have written.
    prefixes: Vec<Chain>,
    random: Random,
    seed: u64,
    made: usize,
}

/// The state of one binding, as some release wrote it.
struct Template {
    file: String,
    key: String,
    state: Object,
    binding: Option<Binding>,
    consents: Vec<Consent>,
    /// Whether the chain does the same whatever the state key is.
    may_be_renamed: bool,
}

struct Root {
    members: Object,
    has_bindings: bool,
    templates: Vec<usize>,
}

/// A generated binding.
#[derive(Clone)]
struct Made {
    key: String,
    state: Object,
    binding: Option<Binding>,
    consents: Vec<Consent>,
    file: String,
}

impl<'a> Generator<'a> {
    /// Takes the released states apart.
    ///
    /// # Errors
    /// When the chain treats a state key with a counter of backfills otherwise than the one without.
    pub(crate) fn new(
        subject: &'a Subject,
        fixtures: &[(Fixture, Case)],
        is_whole: bool,
        seed: u64,
    ) -> Result<Self, Box<(Violation, Case)>> {
        let mut templates = Vec::new();
        let mut roots = Vec::new();
        for (fixture, case) in fixtures {
            let first = templates.len();
            for (key, state) in shape::bindings(&fixture.state) {
                let binding = case
                    .bindings
                    .iter()
                    .find(|binding| binding.state_key == key);
                let consents = case
                    .consents
                    .iter()
                    .filter(|consent| consent.state_key == key);
                let template = Template {
                    file: fixture.name.clone(),
                    key: key.to_owned(),
                    state: state.clone(),
                    binding: binding.cloned(),
                    consents: consents.cloned().collect(),
                    may_be_renamed: false,
                };
                templates.push(template.tried(subject)?);
            }
            let mut members = fixture.state.as_object().cloned().unwrap_or_default();
            let has_bindings = members.remove(BINDING_STATES).is_some();
            roots.push(Root {
                members,
                has_bindings,
                templates: (first..templates.len()).collect(),
            });
        }
        if !is_whole {
            let all: Vec<usize> = (0..templates.len()).collect();
            roots
                .iter_mut()
                .for_each(|root| root.templates.clone_from(&all));
        }
        let back = |name: &String| subject.chain.back_to(Some(name)).ok();
        Ok(Generator {
            subject,
            templates,
            roots,
            prefixes: subject
                .names
                .iter()
                .filter_map(back)
                .filter(|chain| !chain.is_empty())
                .collect(),
            random: Random::new(seed),
            seed,
            made: 0,
        })
    }

    /// What no release in between can be asked for: the steps behind which there is no way back.
    pub(crate) fn left_out(&self) -> Option<String> {
        let expected = self.subject.names.len().saturating_sub(1);
        (self.prefixes.len() < expected).then(|| {
            "some states between two steps: what is behind declares no reverse; add a released state of each such shape".to_owned()
        })
    }

    /// Whether there is anything to make states of.
    pub(crate) fn is_empty(&self) -> bool {
        self.templates.is_empty()
    }

    /// The next state; now and then a large one.
    pub(crate) fn state(&mut self) -> Result<Case, Violation> {
        let bindings = match self.random.below(200) {
            0 => 1 + self.random.below(MOST_BINDINGS),
            1..=9 => 6 + self.random.below(15),
            10..=79 => 2 + self.random.below(4),
            _ => 1,
        };
        self.state_of(bindings)
    }

    /// The largest state.
    pub(crate) fn largest(&mut self) -> Result<Case, Violation> {
        self.state_of(MOST_BINDINGS)
    }

    /// A state of several bindings, for mistakes that need more than one.
    pub(crate) fn several(&mut self) -> Result<Case, Violation> {
        let count = 3 + self.random.below(3);
        let mut case = self.state_of(count)?;
        if let Some(root) = case
            .state
            .as_object_mut()
            .filter(|root| root.contains(BINDING_STATES))
        {
            root.insert(UNKNOWN, unknown());
        }
        Ok(case)
    }

    fn state_of(&mut self, count: u64) -> Result<Case, Violation> {
        self.made += 1;
        let root = self.random.index(self.roots.len());
        let mut bindings: Vec<Made> = Vec::new();
        let templates = self.roots[root].templates.clone();
        for _ in 0..count {
            let Some(&template) = self.random.pick(&templates) else {
                break;
            };
            let made = self.binding(template)?;
            let key = self.free_key(made.key, &bindings, self.templates[template].may_be_renamed);
            bindings.push(Made { key, ..made });
        }
        Ok(self.assembled(root, bindings))
    }

    /// A binding in a shape of today put over the one of before, as a merge without deletions leaves it; or one that was interrupted
    /// while it began. No release could have written the first, every release leaves the second now and then.
    pub(crate) fn residue(&mut self) -> Result<Option<Case>, Violation> {
        let root = self.random.index(self.roots.len());
        let Some(&template) = self.random.pick(&self.roots[root].templates) else {
            return Ok(None);
        };
        self.made += 1;
        let made = self.binding(template)?;
        let Some(after) = self.migrated(&made)? else {
            return Ok(None);
        };
        let halves = if self.random.once_in(4) {
            let mut begun = made.state.clone();
            INC.take(&mut begun, None);
            begun
        } else {
            let mut halves = Node::Object(made.state.clone());
            let mut newer = shape::state_of([("b", after)]);
            if self.random.once_in(2) {
                newer = crate::progress::progressed(&newer, &mut self.random);
            }
            let newer = shape::binding(&newer, "b").cloned().unwrap_or_default();
            overlay(&mut halves, &Node::Object(newer));
            halves.into_object().unwrap_or_default()
        };
        if halves == made.state {
            return Ok(None);
        }
        Ok(Some(self.assembled(
            root,
            vec![Made {
                state: halves,
                ..made
            }],
        )))
    }

    fn assembled(&mut self, root: usize, mut bindings: Vec<Made>) -> Case {
        let mut state = self.roots[root].members.clone();
        if self.roots[root].has_bindings || state.is_empty() {
            let mut states = Object::new();
            for made in &bindings {
                states.insert(made.key.as_str(), made.state.clone());
            }
            if self.random.once_in(10) {
                states.insert("testkit/gone", Node::Null);
            }
            state.insert(BINDING_STATES, states);
        } else {
            bindings.clear();
        }
        if self.random.once_in(6) {
            state.insert(UNKNOWN, unknown());
        }
        if self.random.once_in(12) {
            state.insert("testkit_absent", Node::Null);
        }
        let mut files: Vec<&str> = bindings.iter().map(|made| made.file.as_str()).collect();
        files.sort_unstable();
        files.dedup();
        Case {
            origin: format!(
                "generated state {} of seed {}, made of {}",
                self.made,
                self.seed,
                if files.is_empty() {
                    "a released state".to_owned()
                } else {
                    files.join(", ")
                }
            ),
            state: Node::Object(state),
            bindings: bindings
                .iter()
                .filter_map(|made| {
                    let binding = made.binding.clone()?;
                    Some(Binding {
                        state_key: made.key.clone(),
                        ..binding
                    })
                })
                .collect(),
            consents: bindings
                .iter()
                .flat_map(|made| {
                    made.consents.iter().map(|consent| Consent {
                        kind: consent.kind,
                        state_key: made.key.clone(),
                    })
                })
                .collect(),
        }
    }

    /// A state key that no other binding of the state has.
    fn free_key(&mut self, key: String, taken: &[Made], may_be_renamed: bool) -> String {
        let mut free = key;
        if may_be_renamed && self.random.once_in(3) {
            free = self
                .random
                .pick(&ODD_KEYS)
                .map_or(free, |odd| (*odd).to_owned());
        }
        if self.random.once_in(4) {
            free = counted(&free, 1 + self.random.below(9));
        }
        let mut counter = 0;
        while taken.iter().any(|made| made.key == free) {
            counter += 1;
            free = counted(&free, 10 + counter);
        }
        free
    }

    fn binding(&mut self, template: usize) -> Result<Made, Violation> {
        let random = &mut self.random;
        let template = &self.templates[template];
        let mut state = shifted(&template.state, random);
        vary_backfill(&mut state, random);
        vary_snapshot(&mut state, random);
        vary_siblings(&mut state, random);
        vary_unknown(&mut state, random);
        vary_nulls(&mut state, random);
        let mut binding = template.binding.clone();
        match random.below(8) {
            0 => binding = None,
            1 => binding
                .iter_mut()
                .for_each(|binding| binding.is_active = false),
            _ => {}
        }
        let made = Made {
            key: template.key.clone(),
            state,
            binding,
            consents: template.consents.clone(),
            file: template.file.clone(),
        };
        self.perhaps_migrated(made)
    }

    /// The binding as it is, or migrated already: wholly, or as far as some release in between went.
    fn perhaps_migrated(&mut self, made: Made) -> Result<Made, Violation> {
        if !self.random.once_in(5) {
            return Ok(made);
        }
        let Some(after) = self.migrated(&made)? else {
            return Ok(made); // Refused alone, it is refused among others: that is for the laws to tell.
        };
        let whole = Made {
            state: after,
            ..made
        };
        if self.prefixes.is_empty() || self.random.once_in(2) {
            return Ok(whole);
        }
        let at = self.random.index(self.prefixes.len());
        let before = alone(&whole);
        let bindings: Vec<Binding> = whole.binding.iter().cloned().collect();
        let back = crate::case::run(&self.prefixes[at], &before, &bindings)?;
        let in_between = back.ok().and_then(|back| only(&back.after, &whole.key));
        Ok(match in_between {
            Some(state) => Made { state, ..whole },
            None => whole,
        })
    }

    /// What the chain makes of this binding alone, unless its key changes or its state goes.
    fn migrated(&self, made: &Made) -> Result<Option<Object>, Violation> {
        let bindings: Vec<Binding> = made.binding.iter().cloned().collect();
        let ran = self.subject.run(&alone(made), &bindings)?;
        Ok(ran
            .ok()
            .and_then(|migrated| only(&migrated.after, &made.key)))
    }
}

impl Template {
    /// Finds out whether the chain looks at the state key.
    fn tried(mut self, subject: &Subject) -> Result<Self, Box<(Violation, Case)>> {
        let under = |key: &str| {
            let case = self.case(key);
            match subject.run(&case.state, &case.bindings) {
                Err(violation) => Err(Box::new((violation, case))),
                Ok(Err(error)) => Ok((Err(error.code()), case)),
                Ok(Ok(migrated)) => {
                    let states: Vec<(String, Object)> = shape::bindings(&migrated.after)
                        .map(|(key, state)| {
                            (shape::without_counter(key).0.to_owned(), state.clone())
                        })
                        .collect();
                    Ok((Ok(states), case))
                }
            }
        };
        let (plain, _) = under(&self.key)?;
        let (with_counter, case) = under(&counted(&self.key, 7))?;
        if plain != with_counter {
            let told = |outcome: Result<Vec<(String, Object)>, &str>| match outcome {
                Err(code) => format!("refused ({code})"),
                Ok(states) => shape::state_of(
                    states
                        .iter()
                        .map(|(key, state)| (key.as_str(), state.clone())),
                )
                .to_json(),
            };
            let came_out = format!(
                "`{}`: {}\nwith a counter: {}",
                self.key,
                told(plain),
                told(with_counter)
            );
            let remedy = "compare state keys without the counter `.v<n>` that they get when a backfill is asked for";
            return Err(Box::new((
                Violation::new(Law::Counter, came_out, remedy),
                case,
            )));
        }
        let (elsewhere, _) = under("testkit other")?;
        self.may_be_renamed = match (plain, elsewhere) {
            (Ok(plain), Ok(elsewhere)) => {
                plain
                    .iter()
                    .map(|(_, state)| state)
                    .eq(elsewhere.iter().map(|(_, state)| state))
                    && elsewhere.iter().all(|(key, _)| key == "testkit other")
            }
            _ => false,
        };
        Ok(self)
    }

    /// This binding alone, under some key.
    fn case(&self, key: &str) -> Case {
        Case {
            origin: format!("binding `{}` of {}, as `{key}`", self.key, self.file),
            state: shape::state_of([(key, self.state.clone())]),
            bindings: self
                .binding
                .iter()
                .map(|binding| Binding {
                    state_key: key.to_owned(),
                    ..binding.clone()
                })
                .collect(),
            consents: Vec::new(),
        }
    }
}

fn alone(made: &Made) -> Node {
    shape::state_of([(made.key.as_str(), made.state.clone())])
}

fn only(state: &Node, key: &str) -> Option<Object> {
    shape::binding(state, key).cloned()
}

/// The state key with another counter of backfills.
fn counted(key: &str, counter: u64) -> String {
    format!("{}.v{counter}", shape::without_counter(key).0)
}

/// Lays what is new over what is old, and deletes nothing.
fn overlay(old: &mut Node, new: &Node) {
    match (old.as_object_mut(), new) {
        (Some(old), Node::Object(new)) => {
            for (key, node) in new.iter() {
                match old.get_mut(key) {
                    Some(member) => overlay(member, node),
                    None => {
                        old.insert(key, node.clone());
                    }
                }
            }
        }
        _ => *old = new.clone(),
    }
}

/// The same state with all cursors and cutoffs moved by one distance.
fn shifted(state: &Object, random: &mut Random) -> Object {
    let mut state = state.clone();
    if random.once_in(8) {
        return state;
    }
    let shift = Shift::random(random);
    let places = [(INC, "cursor"), (BACKFILL, "cutoff")];
    let all = |state: &Object| -> Vec<u64> {
        let of = |(part, member): &(shape::Part, &str)| -> Vec<u64> {
            let entries = part.entries(state);
            let cursors = entries
                .iter()
                .filter_map(|(_, entry)| cursors::read(entry.get(member)));
            cursors.filter_map(|cursor| cursor.as_u64()).collect()
        };
        places.iter().flat_map(of).collect()
    };
    let least = all(&state).into_iter().min().unwrap_or(0);
    for (part, member) in places {
        for name in part.names(&state) {
            let Some(entry) = part.entry_mut(&mut state, name.as_deref()) else {
                continue;
            };
            if let Some(cursor) = cursors::read(entry.get(member)) {
                entry.insert(member, shift.of(&cursor, least).to_node());
            }
        }
    }
    state
}

/// A backfill that is under way at another page, or one where there was none.
fn vary_backfill(state: &mut Object, random: &mut Random) {
    let names = BACKFILL.names(state);
    if let Some(name) = names.first() {
        let name = name.clone();
        match random.below(4) {
            0 => {
                if let Some(entry) = BACKFILL.entry_mut(state, name.as_deref()) {
                    entry.insert("next_page", page(random));
                }
            }
            1 => {
                if let Some(entry) = BACKFILL.entry_mut(state, name.as_deref()) {
                    let next = next_page(entry.get("next_page"));
                    entry.insert("next_page", next.unwrap_or(Node::Null));
                }
            }
            2 if INC.entry(state, name.as_deref()).is_some() => {
                BACKFILL.take(state, name.as_deref()); // Finished.
            }
            _ => {}
        }
        return;
    }
    let entries = INC.entries(state);
    let with_cursor: Vec<(Option<String>, Cursor)> = entries
        .into_iter()
        .filter_map(|(name, entry)| {
            Some((name.map(str::to_owned), cursors::read(entry.get("cursor"))?))
        })
        .collect();
    let Some((name, cursor)) = random.pick(&with_cursor).cloned() else {
        return;
    };
    match random.below(6) {
        0 | 1 => {
            let mut entry = Object::from_iter([("cutoff", cursor.to_node())]);
            if !random.once_in(4) {
                entry.insert("next_page", page(random));
            }
            if !state.contains(BACKFILL.name) || name.is_none() {
                state.remove(BACKFILL.name);
            }
            BACKFILL.put(state, name.as_deref(), entry);
        }
        2 if !state.contains(BACKFILL.name) => {
            state.insert(BACKFILL.name, Node::Null);
        }
        3 if !state.contains(BACKFILL.name) => {
            state.insert(BACKFILL.name, Object::new());
        }
        _ => {}
    }
}

fn page(random: &mut Random) -> Node {
    match random.below(4) {
        0 => Node::string(format!("token-{}", random.below(1_000))),
        1 => Node::integer(random.below(1_000_000)),
        2 => Node::Object(Object::from_iter([
            ("after", Node::string("k\"1")),
            ("cutoff", Node::integer(7)),
        ])),
        _ => Node::Null,
    }
}

fn vary_snapshot(state: &mut Object, random: &mut Random) {
    for name in SNAPSHOT.names(state) {
        let Some(entry) = SNAPSHOT.entry_mut(state, name.as_deref()) else {
            continue;
        };
        if entry.present("last_count").is_some() && random.once_in(2) {
            entry.insert("last_count", Node::integer(1 + random.below(1_000_000)));
        }
        if entry.present("last_digest").is_some() && random.once_in(2) {
            entry.insert(
                "last_digest",
                Node::string(format!("{:032x}", random.next_u64())),
            );
        }
    }
}

fn vary_siblings(state: &mut Object, random: &mut Random) {
    match random.below(6) {
        0 => {
            state.remove("last_initialized");
        }
        1 => {
            state.insert("last_initialized", Node::Null);
        }
        2 => {
            state.insert(
                "last_initialized",
                Node::string("2025-01-01T00:00:00.000001+00:00"),
            );
        }
        _ => {}
    }
    match random.below(8) {
        0 => {
            state.insert("is_connector_initiated", Node::boolean(true));
        }
        1 => {
            state.insert("is_connector_initiated", Node::boolean(false));
        }
        2 => {
            state.insert("is_connector_initiated", Node::Null);
        }
        _ => {}
    }
}

fn unknown() -> Node {
    Node::Object(Object::from_iter([(
        "kept",
        Node::array([Node::integer(1), Node::string("é")]),
    )]))
}

fn vary_unknown(state: &mut Object, random: &mut Random) {
    if random.once_in(5) {
        state.insert(UNKNOWN, unknown());
    }
    if !random.once_in(5) {
        return;
    }
    // In every entry of a part: a release that knows a member writes it everywhere.
    let part = shape::PARTS[random.index(shape::PARTS.len())];
    for name in part.names(state) {
        if let Some(entry) = part.entry_mut(state, name.as_deref())
            // Anything in an object without a member of an entry would be a subtask.
            && part.members.iter().any(|member| entry.present(member).is_some())
        {
            entry.insert(UNKNOWN, Node::string("kept"));
        }
    }
}

/// Members that say nothing, where any release may have left one.
fn vary_nulls(state: &mut Object, random: &mut Random) {
    if !random.once_in(4) {
        return;
    }
    let part = shape::PARTS[random.index(shape::PARTS.len())];
    match random.below(3) {
        0 if !state.contains(part.name) => {
            state.insert(part.name, Node::Null);
        }
        1 if !part.is_flat(state) && !part.names(state).is_empty() => {
            for null in [part.members[0], "testkit gone"] {
                if let Some(members) = part.entry_mut(state, None)
                    && !members.contains(null)
                {
                    members.insert(null, Node::Null);
                }
            }
        }
        _ => {
            state.insert("testkit_absent", Node::Null);
            if let Some(entry) = BACKFILL.entry_mut(state, None)
                && entry.contains("cutoff")
                && !entry.contains("next_page")
            {
                entry.insert("next_page", Node::Null);
            }
        }
    }
}
