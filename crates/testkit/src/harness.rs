//! Runs everything, in an order that tells the plainest mistake first.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use staunch_state::{Binding, Budget, Chain, Consent, Node};

use crate::case::{Case, Subject};
use crate::crash;
use crate::failure::Failure;
use crate::fixture::{self, Expected, Fixture};
use crate::generate::Generator;
use crate::law::{Law, Violation};
use crate::laws::{self, Sound};
use crate::mutation::{self, Mutation};
use crate::random::Random;
use crate::report::Report;
use crate::residue::{self, Residue};
use crate::shape;
use crate::shrink::smallest;
use crate::undo;

/// Generated states, unless it is said otherwise.
const CASES: usize = 1_500;

/// Sessions that are cut at most, unless it is said otherwise.
const KILLS: usize = 400;

/// Generated states of several bindings in which mistakes are made, beside the released ones.
const GROUNDS: usize = 12;

/// Holds a chain against the laws, with the states that releases wrote.
///
/// ```
/// use staunch_state::{Chain, Node, transform::flat_to_keyed};
/// use staunch_testkit::Harness;
///
/// let released = Node::parse(r#"{"bindingStateV1": {"orders": {"inc": {"cursor": "2025-06-10T08:00:00Z"}}}}"#)?;
/// let report = Harness::new(Chain::new().with(flat_to_keyed("main")))
///     .state("v1", released)
///     .cases(50)
///     .kills(10)
///     .run()?;
/// assert_eq!((report.states, report.generated), (1, 50));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Harness {
    chain: Chain,
    folder: Option<PathBuf>,
    states: Vec<Fixture>,
    bindings: Vec<Binding>,
    consents: Vec<Consent>,
    budget: Budget,
    cases: usize,
    kills: usize,
    seed: u64,
}

impl Harness {
    /// For a chain; it has no state yet.
    pub fn new(chain: Chain) -> Self {
        Harness {
            chain,
            folder: None,
            states: Vec::new(),
            bindings: Vec::new(),
            consents: Vec::new(),
            budget: Budget::default(),
            cases: CASES,
            kills: KILLS,
            seed: 1,
        }
    }

    /// Takes every `*.json` of a folder as a released state. See the crate's page for what a file holds.
    pub fn states(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Takes one more released state.
    pub fn state(mut self, name: impl Into<String>, state: Node) -> Self {
        self.states.push(Fixture::bare(name, state));
        self
    }

    /// The bindings of each state whose file tells none. Without any, every state key is an open binding of a resource of that name.
    pub fn bindings(mut self, bindings: Vec<Binding>) -> Self {
        self.bindings = bindings;
        self
    }

    /// What people will have consented to. A generated binding has the consents of the one that it is made of.
    pub fn consents(mut self, consents: impl IntoIterator<Item = Consent>) -> Self {
        self.consents.extend(consents);
        self
    }

    /// How large a migrated state and its update may be.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How many states are generated; 1,500 by default.
    pub fn cases(mut self, cases: usize) -> Self {
        self.cases = cases;
        self
    }

    /// How many sessions are cut at most; 400 by default, 0 for none.
    pub fn kills(mut self, kills: usize) -> Self {
        self.kills = kills;
        self
    }

    /// Tells the generated states: the same seed, the same states. A failure names it.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks all of it.
    ///
    /// # Errors
    /// [`Failure`] for the first law that is broken, with the smallest state found that shows it.
    pub fn run(self) -> Result<Report, Failure> {
        let mut fixtures = self.states;
        if let Some(folder) = &self.folder {
            let read = fixture::read(folder)
                .map_err(|violation| Failure::of(violation, folder.display().to_string(), None))?;
            fixtures.extend(read);
        }
        if fixtures.is_empty() {
            let violation = Violation::new(
                Law::Fixtures,
                "there is no released state",
                "name a folder of them with `states`",
            );
            return Err(Failure::of(violation, "the harness", None));
        }
        let cases = fixtures
            .into_iter()
            .map(|fixture| {
                let case = Case {
                    origin: fixture.name.clone(),
                    state: fixture.state.clone(),
                    bindings: fixture.bindings(&self.bindings),
                    consents: self.consents.clone(),
                };
                (fixture, case)
            })
            .collect();
        let run = Run {
            subject: Arc::new(Subject::new(self.chain, self.budget)),
            cases: self.cases,
            kills: self.kills,
            seed: self.seed,
            report: Report::default(),
        };
        run.all(cases)
    }
}

/// One run of the harness.
struct Run {
    subject: Arc<Subject>,
    cases: usize,
    kills: usize,
    seed: u64,
    report: Report,
}

impl Run {
    fn all(mut self, cases: Vec<(Fixture, Case)>) -> Result<Report, Failure> {
        let mut grounds = Vec::new();
        for (fixture, case) in &cases {
            let sound = self.sound(case.clone())?;
            self.expected(fixture, case, &sound)?;
            grounds.push((case.clone(), sound));
            self.report.states += 1;
        }
        self.every_step(&grounds)?;
        let is_whole = grounds.iter().any(|(_, sound)| {
            let mut keys = sound.applied.iter().flat_map(|applied| &applied.state_keys);
            keys.any(|key| key.is_empty())
        });
        let released = grounds.len();
        let subject = Arc::clone(&self.subject);
        let generator = Generator::new(&subject, &cases, is_whole, self.seed)
            .map_err(|told| failure(&told.1, told.0.clone()));
        let generated = match generator {
            Err(failure) => Err(failure),
            Ok(generator) => Generated {
                subject: &subject,
                generator,
                cases: self.cases,
                report: &mut self.report,
            }
            .all(),
        };
        grounds.extend(generated?);
        self.mutations(&grounds)?;
        self.crashes(&grounds, released)?;
        Ok(self.report)
    }

    /// Holds a released state against every law.
    fn sound(&mut self, case: Case) -> Result<Sound, Failure> {
        let (sound, undone) = check_both(&self.subject, self.seed, &case).map_err(|violation| {
            let again = |case: &Case| check_both(&self.subject, self.seed, case).err();
            let (case, violation) = smallest(case.clone(), violation, &again);
            failure(&case, violation)
        })?;
        self.report.undone += undone.bindings;
        undone
            .left_out
            .into_iter()
            .for_each(|what| self.report.skip(what));
        Ok(sound)
    }

    /// What the file of a released state says is what comes out.
    fn expected(&self, fixture: &Fixture, case: &Case, sound: &Sound) -> Result<(), Failure> {
        let sent = sound.plan.update.as_ref();
        let sent = sent.map(|update| update.updated.as_str());
        let wrong = |what: &str, expected: &str, came_out: &str| {
            let violation = Violation::new(
                Law::Expected,
                format!("{what}: {came_out}\nthe file says: {expected}"),
                "correct the chain; a file of a released state is never changed, for captures in that state are out there",
            );
            Err(failure(case, violation))
        };
        let nothing = "nothing";
        match (&fixture.update, sent) {
            (Expected::Nothing, Some(sent)) => return wrong("is sent", nothing, sent),
            (Expected::Update(update), sent) if sent != Some(update) => {
                return wrong("is sent", update, sent.unwrap_or(nothing));
            }
            _ => {}
        }
        match &fixture.after {
            Some(after) if *after != sound.after => {
                wrong("the state after", &after.to_json(), &sound.after.to_json())
            }
            _ => Ok(()),
        }
    }

    /// Every step has a released state that it changes.
    fn every_step(&self, grounds: &[(Case, Sound)]) -> Result<(), Failure> {
        let seen: BTreeSet<&str> = grounds
            .iter()
            .flat_map(|(_, sound)| &sound.applied)
            .map(|applied| applied.migration.as_str())
            .collect();
        match self
            .subject
            .names
            .iter()
            .find(|name| !seen.contains(name.as_str()))
        {
            None => Ok(()),
            Some(name) => {
                let violation = Violation::new(
                    Law::Fixtures,
                    format!("no fixture has the old shape of `{name}`"),
                    "add a state as the release before that step wrote it",
                );
                Err(Failure::of(violation, "the released states together", None))
            }
        }
    }

    fn mutations(&mut self, grounds: &[(Case, Sound)]) -> Result<(), Failure> {
        for (case, sound) in grounds {
            for made in mutation::all(&self.subject, case, sound) {
                mutation::check(&self.subject, case, sound, &made).map_err(|violation| {
                    let again = |case: &Case| self.mistaken(case, made.mutation);
                    let (case, violation) = smallest(case.clone(), violation, &again);
                    failure(&case, violation)
                })?;
                *self.report.mutations.entry(made.mutation).or_default() += 1;
            }
            if let Some(rest) = mutation::check_rest(&self.subject, case) {
                rest.map_err(|violation| failure(case, violation))?;
                *self
                    .report
                    .mutations
                    .entry(Mutation::NeverRests)
                    .or_default() += 1;
            }
        }
        Ok(())
    }

    /// The same mistake, made in another state and not refused.
    fn mistaken(&self, case: &Case, mutation: Mutation) -> Option<Violation> {
        let sound = laws::check(&self.subject, case).ok()?;
        let all = mutation::all(&self.subject, case, &sound);
        all.iter()
            .filter(|made| made.mutation == mutation)
            .find_map(|made| mutation::check(&self.subject, case, &sound, made).err())
    }

    /// Released states first, then a generated one of several bindings.
    fn crashes(&mut self, grounds: &[(Case, Sound)], released: usize) -> Result<(), Failure> {
        let several = grounds[released..]
            .iter()
            .find(|(_, sound)| !sound.plan.is_empty());
        for (case, _) in grounds[..released].iter().chain(several) {
            let left = self.kills.saturating_sub(self.report.kills);
            if left == 0 {
                if self.kills > 0 {
                    self.report.skip(format!(
                        "kills of {}: {} sessions were cut by then",
                        case.origin, self.kills
                    ));
                }
                continue;
            }
            let killed = crash::check(&self.subject, case, left)
                .map_err(|violation| failure(case, violation))?;
            self.report.kills += killed.kills;
            killed
                .left_out
                .into_iter()
                .for_each(|what| self.report.skip(what));
        }
        Ok(())
    }
}

/// The part of a run that makes states.
struct Generated<'a> {
    subject: &'a Subject,
    generator: Generator<'a>,
    cases: usize,
    report: &'a mut Report,
}

impl Generated<'_> {
    /// Checks generated states, and hands out some in which mistakes can be made.
    fn all(mut self) -> Result<Vec<(Case, Sound)>, Failure> {
        let mut grounds = Vec::new();
        if self.generator.is_empty() {
            self.report
                .skip("generated states: no released state has a binding".to_owned());
            return Ok(grounds);
        }
        self.generator
            .left_out()
            .into_iter()
            .for_each(|what| self.report.skip(what));
        let unmade = |violation| Failure::of(violation, "a generated state", None);
        for at in 0..self.cases {
            let case = match at {
                0 => self.generator.largest(),
                1..=GROUNDS => self.generator.several(),
                _ => self.generator.state(),
            }
            .map_err(unmade)?;
            let sound = self.sound(case.clone(), at as u64)?;
            self.report.generated += 1;
            if (1..=GROUNDS).contains(&at) {
                grounds.push((case, sound));
            }
        }
        for _ in 0..self.cases / 4 {
            if let Some(case) = self.generator.residue().map_err(unmade)? {
                self.residue(case)?;
            }
        }
        Ok(grounds)
    }

    fn sound(&mut self, case: Case, seed: u64) -> Result<Sound, Failure> {
        let (sound, undone) = check_both(self.subject, seed, &case).map_err(|violation| {
            let again = |case: &Case| check_both(self.subject, seed, case).err();
            let (case, violation) = smallest(case.clone(), violation, &again);
            failure(&case, violation)
        })?;
        self.report.undone += undone.bindings;
        undone
            .left_out
            .into_iter()
            .for_each(|what| self.report.skip(what));
        Ok(sound)
    }

    fn residue(&mut self, case: Case) -> Result<(), Failure> {
        let residue = residue::check(self.subject, &case).map_err(|violation| {
            let again = |case: &Case| residue::check(self.subject, case).err();
            let (case, violation) = smallest(case.clone(), violation, &again);
            failure(&case, violation)
        })?;
        self.report.residues += 1;
        self.report.residues_refused += usize::from(residue == Residue::Refused);
        Ok(())
    }
}

/// Forth, and back.
fn check_both(
    subject: &Subject,
    seed: u64,
    case: &Case,
) -> Result<(Sound, undo::Undone), Violation> {
    let sound = laws::check(subject, case)?;
    let undone = undo::check(subject, case, &sound, &mut Random::new(seed))?;
    Ok((sound, undone))
}

fn failure(case: &Case, violation: Violation) -> Failure {
    let known = case
        .bindings
        .iter()
        .any(|binding| shape::binding(&case.state, &binding.state_key).is_some());
    let bindings: &[Binding] = if known { &case.bindings } else { &[] };
    Failure::of(
        violation,
        case.origin.clone(),
        Some((&case.state, bindings)),
    )
}
