//! `staunch state set`, `reset`, `copy`, `undo` and `import`: a state that a person changes, shown before it is done.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};

use serde::Serialize;
use staunch_protocol::RawValue;
use staunch_runtime::catalog::Capture;
use staunch_runtime::edit::{self, Changed, Deed, Edit, Proposal};
use staunch_runtime::observe::Seen;
use staunch_runtime::{Project, RunError};
use staunch_state::{BINDING_STATES, ConnectorState, Consent, Node, Object, StateUpdate};

use super::{at_revision, of_store, select, store, unreadable};
use crate::args::{ChangeArgs, CopyArgs, ResetArgs, SetArgs, UndoArgs, WordArgs};
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::given;
use crate::output::{BOLD, Glyphs, Report, clean, clean_line, styled};
use crate::pretty::pretty;
use crate::quantity::counted;

/// Bindings that are shown one by one; the rest are counted.
const SHOWN: usize = 20;

/// How one state differs from another.
#[derive(Serialize)]
pub(crate) struct Difference {
    /// Every binding whose state changes.
    pub(crate) changed: Vec<Changed>,
    /// What makes the one of the other: a merge patch, unless a `null` that stands in the state makes it the whole state.
    update: Box<RawValue>,
}

impl Difference {
    pub(crate) fn of(proposal: &Proposal) -> Self {
        Self {
            changed: proposal.changed.clone(),
            update: RawValue::from_string(proposal.update()).expect("an update is JSON"),
        }
    }

    pub(crate) fn seen(seen: &Seen) -> Self {
        Self {
            changed: seen.changed.clone(),
            update: seen.update.clone(),
        }
    }

    /// Where each binding resumes, what that means if it `is_judged`, and then what the change is.
    pub(crate) fn text(&self, is_judged: bool) -> String {
        let mut text = String::new();
        for changed in self.changed.iter().take(SHOWN) {
            let key = clean_line(&changed.state_key);
            text.push_str(&match is_judged {
                true => {
                    let outcome = format!("{:<9}", changed.outcome.to_string());
                    format!("{} {key}\n", styled(BOLD, outcome))
                }
                false => format!("{}\n", styled(BOLD, key)),
            });
            if changed.before != changed.after {
                text.push_str(&format!("  before  {}\n", clean_line(&changed.before)));
                text.push_str(&format!("  after   {}\n", clean_line(&changed.after)));
            }
            for note in changed.notes.iter().filter(|_| is_judged) {
                text.push_str(&format!("  note    {}\n", clean_line(note)));
            }
        }
        let more = self.changed.len().saturating_sub(SHOWN);
        if more > 0 {
            text.push_str(&format!("and {more} more\n"));
        }
        if let Ok(update) = Node::parse(self.update.get())
            && !self.changed.is_empty()
        {
            text.push_str(&format!("\n{}\n", clean(&pretty(&shown(update)))));
        }
        text
    }
}

/// An update for people. What belongs to no binding may be a token: that it changes is told, and not to what.
fn shown(mut update: Node) -> Node {
    let members = update.as_object_mut().into_iter();
    for (name, value) in members.flat_map(Object::iter_mut) {
        if name != BINDING_STATES && !value.is_null() {
            *value = Node::string("…");
        }
    }
    update
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ChangeReport {
    #[serde(skip)]
    command: &'static str,
    capture: String,
    /// The revision that was changed.
    revision_before: u64,
    /// The one that the change made; none if there was nothing to change.
    revision: Option<u64>,
    #[serde(flatten)]
    difference: Difference,
    /// Whether the connector has read the new state.
    is_read: bool,
    /// Whether it was shown before.
    #[serde(skip)]
    is_shown: bool,
}

impl Report for ChangeReport {
    const COMMAND: &'static str = "state set";

    fn command(&self) -> &'static str {
        self.command
    }

    fn summary(&self) -> String {
        let (capture, verb) = (&self.capture, verb(self.command));
        match self.revision {
            None => format!(
                "{capture} at revision {}: nothing to do",
                self.revision_before
            ),
            Some(revision) => format!(
                "{capture} at revision {revision}: {verb}, {}",
                counted(self.difference.changed.len() as u64, "binding")
            ),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        let summary = styled(BOLD, clean_line(&self.summary()));
        match self.is_shown || self.revision.is_none() {
            true => format!("{summary}\n"),
            false => format!("{}\n{summary}\n", self.difference.text(true)),
        }
    }
}

pub(crate) fn set(context: &Context, args: &SetArgs) -> Result<Exit, Failure> {
    let value = match (&args.value, &args.from) {
        (Some(text), _) => parse("--value", text)?,
        (None, Some(path)) => parse("--from", &given::text(context, path, "--from")?)?,
        (None, None) => unreachable!("one of them is required"),
    };
    let change = |edit: &Edit, _: &Capture| {
        let state = connector_state(edit)?;
        let key = match args.new {
            false => select(&state, &args.binding)?.0.to_owned(),
            true if state.binding(&args.binding).is_some() => {
                let message = format!("binding `{}` has a state; leave `--new` out", args.binding);
                return Err(Failure::new("usage", message));
            }
            true => args.binding.clone(),
        };
        let now = state.binding(&key).cloned();
        let value = match args.merge {
            true => StateUpdate::merge(value.clone()).apply(now.unwrap_or_else(nothing)),
            false => value.clone(),
        };
        Ok(with_binding(edit.state(), &key, Some(value)))
    };
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    run(
        context,
        &project,
        capture,
        &args.change,
        "state set",
        change,
    )
}

pub(crate) fn reset(context: &Context, args: &ResetArgs) -> Result<Exit, Failure> {
    let change = |edit: &Edit, _: &Capture| {
        let state = connector_state(edit)?;
        let mut changed = edit.state().clone();
        for binding in &args.binding {
            let (key, _) = select(&state, binding)?;
            changed = with_binding(&changed, key, None);
        }
        Ok(changed)
    };
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    run(
        context,
        &project,
        capture,
        &args.change,
        "state reset",
        change,
    )
}

pub(crate) fn copy(context: &Context, args: &CopyArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let from = context::capture(&project, Some(&args.from), Asked::Other)?;
    let row = store(&project, from)?.load(&from.name);
    let row = row.map_err(of_store(&from.name))?;
    let Some(row) = row.filter(|row| row.revision > 0) else {
        let message = format!("`{}` has no state yet; there is nothing to copy", from.name);
        return Err(Failure::new("state.none", message).about(&from.name));
    };
    let given = ConnectorState::parse(&row.state);
    let given = given.map_err(|error| unreadable(&from.name, &error))?;
    let change = |edit: &Edit, to: &Capture| {
        if to.name == from.name {
            let message = format!(
                "`{}` cannot be copied to itself; name another capture",
                to.name
            );
            return Err(Failure::new("usage", message));
        }
        if args.binding.is_empty() {
            return Ok(given.node().clone());
        }
        let mut changed = edit.state().clone();
        for binding in &args.binding {
            let (key, node) = select(&given, binding)?;
            changed = with_binding(&changed, key, Some(node.clone()));
        }
        Ok(changed)
    };
    let to = context::capture(&project, Some(&args.to), Asked::Other)?;
    run(context, &project, to, &args.change, "state copy", change)
}

pub(crate) fn undo(context: &Context, args: &UndoArgs) -> Result<Exit, Failure> {
    let change = |edit: &Edit, capture: &Capture| {
        let reader = edit.reader();
        let revision = match args.to {
            Some(revision) => revision,
            None => {
                let history = reader.history(&capture.name, usize::MAX);
                let history = history.map_err(of_store(&capture.name))?;
                let mut by_hand = history.iter().filter(|change| !change.author.is_empty());
                let last = by_hand.next().ok_or_else(|| {
                    let message = format!(
                        "nobody has changed the state of `{}` by hand, as far as is kept; name a revision with `--to`",
                        capture.name
                    );
                    Failure::new("state.not_kept", message)
                })?;
                last.revision - 1
            }
        };
        at_revision(reader, &capture.name, revision)
    };
    let project = context.project(Asked::Other)?;
    let capture = context::capture(&project, args.capture.name(), Asked::Other)?;
    run(
        context,
        &project,
        capture,
        &args.change,
        "state undo",
        change,
    )
}

/// The last word of a command, as the history tells it.
fn verb(command: &'static str) -> &'static str {
    command.rsplit(' ').next().unwrap_or(command)
}

/// Shows what a change means, asks, and does it.
pub(super) fn run(
    context: &Context,
    project: &Project,
    capture: &Capture,
    args: &ChangeArgs,
    command: &'static str,
    change: impl FnOnce(&Edit, &Capture) -> Result<Node, Failure>,
) -> Result<Exit, Failure> {
    let about = |failure: Failure| failure.about(&capture.name);
    let failed = context::failed(capture, Asked::Other);
    let mut edit = Edit::begin(project, capture).map_err(&failed)?;
    let proposal = edit.propose(change(&edit, capture).map_err(about)?);
    let mut report = ChangeReport {
        command,
        capture: capture.name.clone(),
        revision_before: edit.revision(),
        revision: None,
        difference: Difference::of(&proposal),
        is_read: false,
        is_shown: false,
    };
    if proposal.is_empty() {
        return context.output.answer(&report);
    }
    report.is_read = is_read(context, project, capture, args, &proposal).map_err(about)?;
    let given = consents(proposal.needed(), &args.word.allow);
    // What is refused is shown, too: it is what is consented to, or not.
    let is_asked = !args.word.yes && !context.output.json;
    if given.is_err() || is_asked {
        context.output.note(report.difference.text(true).trim_end());
        report.is_shown = true;
    }
    let given = given.map_err(about)?;
    confirm(context, capture, &args.word).map_err(about)?;
    let author = author(args.word.author.as_deref());
    let deed = Deed {
        kind: verb(command),
        author: &author,
        reason: &args.word.reason,
        consents: &given,
    };
    report.revision = Some(edit.commit(&proposal, deed).map_err(&failed)?);
    let exit = context.output.answer(&report)?;
    let undo = context.command(&format!("state undo {}", capture.name));
    context.output.next("take it back", &undo);
    Ok(exit)
}

/// Has the connector read the new state, if it is one that can.
fn is_read(
    context: &Context,
    project: &Project,
    capture: &Capture,
    args: &ChangeArgs,
    proposal: &Proposal,
) -> Result<bool, Failure> {
    if args.unread {
        return Ok(false);
    }
    let read = edit::check_readable(project, capture, proposal.state(), context.log());
    read.map_err(|error: RunError| {
        Failure::of(&error, Asked::Plan)
            .hint("the connector does not take the new state, and nothing was changed; `--unread` leaves it unasked")
    })
}

/// The consents that a change needs, all of them given.
pub(crate) fn consents(needed: Vec<Consent>, allowed: &[Consent]) -> Result<Vec<Consent>, Failure> {
    let given: BTreeSet<&Consent> = allowed.iter().collect();
    let idle = allowed.iter().find(|consent| !needed.contains(consent));
    if let Some(idle) = idle {
        let message = format!("this change has no need of `{idle}`; leave it out, or correct it");
        return Err(Failure::new("consent.not_needed", message));
    }
    let missing: Vec<String> = needed
        .iter()
        .filter(|consent| !given.contains(consent))
        .map(|consent| format!("--allow {consent}"))
        .collect();
    if missing.is_empty() {
        return Ok(needed);
    }
    let shown = missing
        .iter()
        .take(SHOWN)
        .cloned()
        .collect::<Vec<_>>()
        .join(" ");
    let message = format!(
        "this would lose data or have it read again, or nobody can tell; nothing was changed. If it is meant: {shown}"
    );
    Err(Failure::new("consent.missing", message))
}

/// Asks on a terminal. Where there is none, nobody has said yes.
pub(crate) fn confirm(
    context: &Context,
    capture: &Capture,
    args: &WordArgs,
) -> Result<(), Failure> {
    let can_ask =
        !context.output.json && std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    let has_said = args.yes || can_ask && has_said_yes(context, capture)?;
    if has_said {
        return Ok(());
    }
    let message = "nothing was changed: nobody said yes; say `--yes` where nobody can be asked";
    Err(Failure::new("change.not_confirmed", message))
}

fn has_said_yes(context: &Context, capture: &Capture) -> Result<bool, Failure> {
    context
        .output
        .note(&format!("Change the state of {}? [y/N]", capture.name));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    read.map_err(|error| Failure::new("input.unreadable", error.to_string()))?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Who it is that changes something: whoever is logged in, as far as the environment tells.
pub(crate) fn author(given: Option<&str>) -> String {
    let of_environment = || {
        let names = ["USER", "LOGNAME", "USERNAME"];
        names.into_iter().find_map(|name| std::env::var(name).ok())
    };
    let name = given.map(str::to_owned).or_else(of_environment);
    name.filter(|name| !name.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

fn connector_state(edit: &Edit) -> Result<ConnectorState, Failure> {
    ConnectorState::new(edit.state().clone())
        .map_err(|error| Failure::new("state.unreadable", error.to_string()))
}

fn nothing() -> Node {
    Node::Object(Object::new())
}

/// A state in which a binding has another state, or none.
fn with_binding(state: &Node, key: &str, value: Option<Node>) -> Node {
    let mut state = state.clone();
    let mut states = match state.pointer(&format!("/{BINDING_STATES}")) {
        Some(Node::Object(states)) => states.clone(),
        _ => Object::new(),
    };
    match value {
        Some(value) => drop(states.insert(key, value)),
        None => drop(states.remove(key)),
    }
    if let Some(members) = state.as_object_mut() {
        members.insert(BINDING_STATES, Node::Object(states));
    }
    state
}

fn parse(flag: &str, text: &str) -> Result<Node, Failure> {
    let refused = |problem: String| {
        Failure::new(
            "input.syntax",
            format!("`{flag}` {problem}; give it the state of a binding, a JSON object"),
        )
    };
    let node = Node::parse(text).map_err(|error| refused(format!("is no JSON ({error})")))?;
    match node.as_object() {
        Some(_) => Ok(node),
        None => Err(refused("is no object".to_owned())),
    }
}
