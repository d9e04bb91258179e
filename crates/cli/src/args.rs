//! What can be typed: verbs, flags and their help. Nothing here does anything.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use jiff::Timestamp;
use staunch_runtime::upgrade::Probation;
use staunch_state::{Consent, ConsentError};

use crate::quantity;

/// Run capture connectors, and commit their documents and their state together.
///
/// A project is a `flow.yaml`: it says which captures there are, how their connectors are started, and into which
/// collections their bindings go. `staunch.yaml` beside it may say how it runs here.
#[derive(Debug, Parser)]
#[command(
    name = "staunch",
    version,
    max_term_width = 100,
    arg_required_else_help = true,
    subcommand_required = true,
    disable_help_subcommand = true,
    after_help = EXAMPLES,
    after_long_help = long_help(),
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

const EXAMPLES: &str = "\
Examples:
  staunch check                    is everything right?
  staunch discover --write         add what the source has to flow.yaml
  staunch run --until-idle 30s     capture until nothing new comes for half a minute
  staunch state | jq .             where the only capture of this project is
  staunch migrate plan shop        what the connector would do to the state of `acme/shop`";

const EXIT_CODES: &str = "\
Exit codes:
    0  success, or nothing to do
    1  it failed at run time
    2  it was asked for wrongly: a flag or its file, a name, flow.yaml or staunch.yaml
    3  something is missing or cannot be used: the connector's program, the state store
    4  `check` or `doctor` found something
    5  `migrate plan --exit-code`: the state would change
    6  refused by a safety check: consent is missing (`migrate apply`, `migrate plan --exit-code`),
       the plan is of another revision, or the state is newer than what is to read it
    7  another process is running a capture of this project
  130  interrupted, after a clean stop at a checkpoint

Every verb takes the name of a capture: in full (`acme/shop`), as a unique ending (`shop`), or none
where there is but one. Data goes to standard output, everything else to standard error.";

fn long_help() -> String {
    format!("{EXAMPLES}\n\n{EXIT_CODES}")
}

/// Flags of every verb.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Global {
    /// Do everything as if started in this folder
    #[arg(
        short = 'C',
        long = "directory",
        value_name = "DIR",
        global = true,
        env = "STAUNCH_DIRECTORY",
        hide_env_values = true
    )]
    pub(crate) directory: Option<PathBuf>,
    /// The project's catalog
    #[arg(
        short,
        long,
        value_name = "FILE",
        global = true,
        default_value = "flow.yaml",
        env = "STAUNCH_FILE",
        hide_env_values = true
    )]
    pub(crate) file: PathBuf,
    /// Print JSON; for `run`, one event per line
    #[arg(long, global = true, env = "STAUNCH_JSON", hide_env_values = true, value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// Show fewer logs; twice, only errors
    #[arg(short, long, global = true, action = ArgAction::Count, conflicts_with = "verbose")]
    pub(crate) quiet: u8,
    /// Show more logs; connectors write them with LOG_LEVEL=debug
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// When to use colour
    #[arg(
        long,
        value_name = "WHEN",
        global = true,
        default_value = "auto",
        env = "STAUNCH_COLOR",
        hide_env_values = true
    )]
    pub(crate) color: Color,
    /// How logs are printed
    #[arg(
        long,
        value_name = "FORMAT",
        global = true,
        default_value = "pretty",
        env = "STAUNCH_LOG_FORMAT",
        hide_env_values = true
    )]
    pub(crate) log_format: LogFormat,
}

/// When to use colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    Auto,
    Always,
    Never,
}

/// How logs are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Pretty,
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Spec(SpecArgs),
    Discover(DiscoverArgs),
    Check(CheckArgs),
    Run(RunArgs),
    Status(StatusArgs),
    Doctor(DoctorArgs),
    State(Box<StateArgs>),
    Migrate(Box<MigrateArgs>),
}

impl Verb {
    /// Its name, as machines read it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Spec(_) => "spec",
            Self::Discover(_) => "discover",
            Self::Check(_) => "check",
            Self::Run(_) => "run",
            Self::Status(_) => "status",
            Self::Doctor(_) => "doctor",
            Self::State(args) => match args.verb {
                Some(StateVerb::History(_)) => "state history",
                Some(StateVerb::Set(_)) => "state set",
                Some(StateVerb::Reset(_)) => "state reset",
                Some(StateVerb::Copy(_)) => "state copy",
                Some(StateVerb::Undo(_)) => "state undo",
                Some(StateVerb::Export(_)) => "state export",
                Some(StateVerb::Import(_)) => "state import",
                Some(StateVerb::Show(_)) | None => "state show",
            },
            Self::Migrate(args) => match args.verb {
                Some(MigrateVerb::Apply(_)) => "migrate apply",
                Some(MigrateVerb::Rollback(_)) => "migrate rollback",
                Some(MigrateVerb::History(_)) => "migrate history",
                Some(MigrateVerb::New(_)) => "migrate new",
                Some(MigrateVerb::Plan(_)) | None => "migrate plan",
            },
        }
    }
}

/// Which capture is meant.
#[derive(Clone, Debug, Args)]
pub(crate) struct CaptureArg {
    /// Full name of a capture or a unique ending of it; may be left out if there is but one
    #[arg(value_name = "CAPTURE")]
    pub(crate) capture: Option<String>,
}

impl CaptureArg {
    /// What was typed, if anything was.
    pub(crate) fn name(&self) -> Option<&str> {
        self.capture.as_deref()
    }
}

/// Show what a connector needs to be told: its endpoint config and its resource config
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch spec                                    a table of the config's members
  staunch spec shop --format schema | jq .endpoint   the JSON schema, for an editor
  staunch spec --json                             all that the connector answers")]
pub(crate) struct SpecArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Print JSON instead: `json`, the connector's whole answer; `schema`, its two schemas
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<SpecFormat>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "lower")]
pub(crate) enum SpecFormat {
    /// The connector's whole answer
    Json,
    /// The schemas of `endpoint` and `resource`
    Schema,
}

/// List what the source has to offer, and add it to flow.yaml if asked to
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch discover                 list resources, and which of them are new
  staunch discover shop --write    add the new ones to flow.yaml, comments and all else kept")]
pub(crate) struct DiscoverArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Add what is new to flow.yaml
    #[arg(long)]
    pub(crate) write: bool,
}

/// See whether the project's files are right, and ask the connector whether the config is
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch check              everything that is wrong, at once; exits with 4 if there is something
  staunch check shop --json  the same, for a machine")]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
}

/// Run a capture: its documents and its state are committed together
///
/// The connector is started again each `interval` of the capture until you stop it. The first Ctrl-C (or SIGTERM) ends at the
/// next checkpoint, the second now; what was not committed is captured again by the next run, and nothing is lost.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch run                        until Ctrl-C
  staunch run shop --until-idle 30s  until nothing came for half a minute
  staunch run --once --json | jq -c 'select(.type == \"committed\")'
                                     one start of the connector, events for a machine
  staunch run --sink warehouse       into the database that staunch.yaml calls so
  staunch run --sink stdout | jq     [\"acme/orders\", {…}], a line for each document")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Start the connector once, and end when it does
    #[arg(long)]
    pub(crate) once: bool,
    /// End when nothing was captured for this long: 30s, 5m, 1h30m
    #[arg(long, value_name = "DURATION", value_parser = quantity::parse_time)]
    pub(crate) until_idle: Option<Duration>,
    /// Put documents into this sink of staunch.yaml instead of the capture's own; `stdout` prints them, one line each
    #[arg(long, value_name = "NAME")]
    pub(crate) sink: Option<String>,
    /// Open it with a connector from before the last migration of its state, should that be what there is
    #[arg(long)]
    pub(crate) allow_older_connector: bool,
}

/// See where captures are: their last commit, and where each binding goes on
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch status              all captures of the project
  staunch status shop --json  one of them, for a machine")]
pub(crate) struct StatusArgs {
    /// Only this capture: its full name, or a unique ending of it
    #[arg(value_name = "CAPTURE")]
    pub(crate) capture: Option<String>,
}

/// See whether the project is well: its store, its files, its connectors
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch doctor           a look at everything; exits with 4 if something is wrong
  staunch doctor --deep    the whole database, and every state that is kept, made anew")]
pub(crate) struct DoctorArgs {
    /// Read all of it, which takes longer
    #[arg(long)]
    pub(crate) deep: bool,
}

/// Look at the state of a capture, go back in its history, and change it
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  staunch state                               the same as `staunch state show`
  staunch state show shop --binding orders    one binding's part of it
  staunch state history shop                  what was done to it, and by whom
  staunch state reset shop --binding orders --allow backfill:orders
                                              have a binding start over
  staunch state undo shop                     take back what a person did last"
)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<StateVerb>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateVerb {
    Show(ShowArgs),
    History(HistoryArgs),
    Set(SetArgs),
    Reset(ResetArgs),
    Copy(CopyArgs),
    Undo(UndoArgs),
    Export(ExportArgs),
    Import(ImportArgs),
}

/// Print the state as JSON: what it is, at which revision, and by which connector
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state show                          the whole state of the only capture
  staunch state show shop --binding orders    one binding's part of it
  staunch state show -q | jq .bindingStateV1  the state alone, to go on with
  staunch state show --at 2026-11-23T10:00Z   as it was then
  staunch state show --diff 8812              what has changed since a revision")]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Only this binding: its resource path, or its state key
    #[arg(long, value_name = "BINDING")]
    pub(crate) binding: Option<String>,
    /// As it was at this revision, if that is kept
    #[arg(long, value_name = "REVISION", conflicts_with = "at")]
    pub(crate) rev: Option<u64>,
    /// As it was at this time: 2026-11-23T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(crate) at: Option<Timestamp>,
    /// Print what has changed since this revision, as a merge patch and binding by binding
    #[arg(long, value_name = "REVISION", conflicts_with = "binding")]
    pub(crate) diff: Option<u64>,
}

/// List what was done to the state: checkpoints, migrations, and what people did, the newest first
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state history              the last twenty changes
  staunch state history shop -n 500  as many as that, if they are kept
  staunch state history --only-marked
                                     without what were mere checkpoints
  staunch state history --check      make every state anew that is kept, and compare")]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// How many
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 20)]
    pub(crate) count: usize,
    /// Leave checkpoints out
    #[arg(long)]
    pub(crate) only_marked: bool,
    /// Check that all that is kept is as it was written
    #[arg(long)]
    pub(crate) check: bool,
}

/// What is said with every change of a state.
#[derive(Debug, Args)]
#[command(next_help_heading = "Changing")]
pub(crate) struct WordArgs {
    /// Consent to what the change means: `rewind:orders`; may be given several times
    #[arg(long, value_name = "KIND:BINDING", value_parser = consent)]
    pub(crate) allow: Vec<Consent>,
    /// Do not ask before it is done. This is no consent
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Why, for the history
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
    /// Who, for the history [default: whoever is logged in]
    #[arg(
        long,
        value_name = "NAME",
        env = "STAUNCH_AUTHOR",
        hide_env_values = true
    )]
    pub(crate) author: Option<String>,
}

/// What is said with a change by hand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Changing")]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) word: WordArgs,
    /// Do not have the connector read the new state first
    #[arg(long)]
    pub(crate) unread: bool,
}

/// Write the state of a binding
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state set --binding orders --merge --value '{\"inc\":{\"cursor\":17}}'
                                                       one member of it
  staunch state set shop --binding orders --from -     all of it, from standard input")]
pub(crate) struct SetArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Which one: its resource path, or its state key
    #[arg(long, value_name = "BINDING")]
    pub(crate) binding: String,
    /// The new state, as JSON
    #[arg(
        long,
        value_name = "JSON",
        conflicts_with = "from",
        required_unless_present = "from"
    )]
    pub(crate) value: Option<String>,
    /// The file that has it; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Take it for a merge patch of the state that is there
    #[arg(long)]
    pub(crate) merge: bool,
    /// The binding has no state yet; `--binding` is its state key
    #[arg(long)]
    pub(crate) new: bool,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Have bindings start over, by removing their state
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state reset shop --binding orders                           what that means; changes nothing
  staunch state reset shop --binding orders --allow backfill:orders   after a question
  staunch state reset --binding orders --allow backfill:orders --yes --reason \"lost its webhooks\"")]
pub(crate) struct ResetArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Which ones: their resource paths, or state keys
    #[arg(long, value_name = "BINDING", required = true)]
    pub(crate) binding: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Copy the state of another capture, or of some of its bindings
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state copy acme/shop acme/shop-2                     all of it
  staunch state copy acme/shop acme/shop-2 --binding orders    of one binding")]
pub(crate) struct CopyArgs {
    /// The capture that has the state
    #[arg(value_name = "FROM")]
    pub(crate) from: String,
    /// The one that is to have it
    #[arg(value_name = "TO")]
    pub(crate) to: String,
    /// Only these: their resource paths, or state keys
    #[arg(long, value_name = "BINDING")]
    pub(crate) binding: Vec<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Go back to a state of before
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state undo shop              to the state before what a person did last; again, and that is undone
  staunch state undo shop --to 8812    to the state of a revision")]
pub(crate) struct UndoArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// To the state of this revision, if that is kept
    #[arg(long, value_name = "REVISION")]
    pub(crate) to: Option<u64>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// Print states as a file that `import` reads, with a checksum
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state export > states.json        of all captures that have any
  staunch state export shop > shop.json     of one")]
pub(crate) struct ExportArgs {
    /// Only these captures
    #[arg(value_name = "CAPTURE")]
    pub(crate) captures: Vec<String>,
}

/// Take the state of a capture from a file that `export` printed
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch state import states.json shop                    the state of the capture of that name
  staunch state import states.json shop --as acme/shop-1   that of another one")]
pub(crate) struct ImportArgs {
    /// The file; `-` is standard input
    #[arg(value_name = "FILE")]
    pub(crate) states: PathBuf,
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// The name that the state has in the file [default: that of the capture]
    #[arg(long = "as", value_name = "NAME")]
    pub(crate) name: Option<String>,
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
}

/// See what a connector would do to a state, have it done, or begin a migration of your own
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    after_help = "\
Examples:
  staunch migrate                                 the same as `staunch migrate plan`
  staunch migrate plan shop --to ./source-shop-2  what another version would do
  staunch migrate apply shop                      have the connector of flow.yaml do it
  staunch migrate rollback shop                   take the last one back
  staunch migrate new split-cursor                begin a migration, in a connector's crate"
)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    pub(crate) verb: Option<MigrateVerb>,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateVerb {
    Plan(PlanArgs),
    Apply(ApplyArgs),
    Rollback(RollbackArgs),
    History(MigrationsArgs),
    New(NewArgs),
}

/// Plan a migration, binding by binding; changes nothing
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch migrate plan                                 with the connector of flow.yaml
  staunch migrate plan shop --to \"./source-shop-2 -v\"  with another one in its place
  staunch migrate plan --exit-code || echo pending     exits with 5 if the state would change
  staunch migrate plan --allow rewind:orders           what is still missing with that consent
  staunch migrate plan --state old.json --to ./source-shop-2
                                                       of a state in a file; needs no project
  staunch state show --json | staunch migrate plan --state - --to ./source-shop-2")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// Ask this connector instead: a program and its arguments, split at blanks
    #[arg(long, visible_alias = "connector", value_name = "COMMAND", value_parser = words)]
    pub(crate) to: Option<Words>,
    /// Plan for the state in this file instead of the stored one; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Outside of a project: the endpoint config, as YAML or JSON [default: `{}`]
    #[arg(long, value_name = "FILE", requires = "state")]
    pub(crate) config: Option<PathBuf>,
    /// Consent to what the plan needs: `rewind:orders`; may be given several times
    #[arg(long, value_name = "KIND:BINDING", value_parser = consent)]
    pub(crate) allow: Vec<Consent>,
    /// Let the connector ask its source, should a migration need to
    #[arg(long)]
    pub(crate) ask_source: bool,
    /// Open the capture with the connector on a copy of the state for so long, and tell what it does: for a connector that cannot tell it by
    /// itself. It reads from the real source; nothing of it is kept [default: 30s]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "30s", value_parser = quantity::parse_time, conflicts_with_all = ["state", "ask_source"])]
    pub(crate) observe: Option<Duration>,
    /// Write the plan to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Exit with 5 if the state would change, with 6 if that needs a consent which is missing
    #[arg(long)]
    pub(crate) exit_code: bool,
}

/// Hand the capture over to a connector: it is opened, migrates the state, is watched, and stopped again
///
/// The migration is one commit, which is recorded in the history with the state before it. Nothing is captured before that, and what is
/// captured then waits until the connector has shown itself: until so many checkpoints, or for so long. If it fails by then, or reads again
/// what nobody consented to, the state of before is back, and nothing that it captured is there. A capture that runs
/// is handed over by the process that runs it, and goes on with the new connector.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch migrate apply                              the connector of flow.yaml
  staunch migrate apply shop --to ./source-shop-2    another one; name it in flow.yaml then
  staunch migrate apply shop.plan                    what `migrate plan --out shop.plan` planned, or nothing
  staunch migrate apply shop --to ./v2 --observe     a connector that cannot tell what it would do: see first
  staunch migrate apply shop.plan --allow rewind:payouts --probation 10,5m
  staunch migrate apply shop --json | jq .result.migrated
                                                     the revision that the migration made")]
pub(crate) struct ApplyArgs {
    /// A file that `migrate plan --out` wrote: then it is this plan that is applied, or none. Or the name of a capture, in full
    /// or a unique ending of it; may be left out if there is but one
    #[arg(value_name = "PLAN|CAPTURE")]
    pub(crate) what: Option<String>,
    /// Open this connector instead: a program and its arguments, split at blanks
    #[arg(long, visible_alias = "connector", value_name = "COMMAND", value_parser = words)]
    pub(crate) to: Option<Words>,
    /// Let the connector ask its source when it plans, should a migration need to
    #[arg(long)]
    pub(crate) ask_source: bool,
    /// Consent to what the upgrade needs: `rewind:orders`; may be given several times
    #[arg(long, value_name = "KIND:BINDING", value_parser = consent)]
    pub(crate) allow: Vec<Consent>,
    /// Watch first what the connector does with a copy of the state, as `migrate plan --observe` [default: 30s]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true, default_missing_value = "30s", value_parser = quantity::parse_time)]
    pub(crate) observe: Option<Duration>,
    /// How long the connector is watched before it is trusted: so many checkpoints, a duration, or both, as in `3,60s`; `none` for not at all
    /// [default: that of staunch.yaml, or `3,60s`]
    #[arg(long, env = "STAUNCH_PROBATION", hide_env_values = true, value_name = "CHECKPOINTS,DURATION", value_parser = probation)]
    pub(crate) probation: Option<Probation>,
    /// Who does it, as the history tells it [default: whoever is logged in]
    #[arg(
        long,
        env = "STAUNCH_AUTHOR",
        hide_env_values = true,
        value_name = "NAME"
    )]
    pub(crate) author: Option<String>,
    /// Why, for the history
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "",
        hide_default_value = true
    )]
    pub(crate) reason: String,
}

/// Take the last migration back: by the reverse of its steps, or by the state that it found
///
/// The reverse is run on the state of today, so what was captured since is kept. From the state that the migration found, that is captured
/// again. Without `--mode` it is the reverse, if there is one. Documents are not touched, and neither is flow.yaml: put the connector of
/// before back into it, or the next run migrates again.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch migrate rollback shop                    after a question, by the reverse of its steps
  staunch migrate rollback shop --mode snapshot    to the state of before
  staunch migrate rollback shop --with ./source-shop-2 --yes
                                                   where flow.yaml has the connector of before already")]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// How. To say `snapshot` is to consent that what was captured since is captured again
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<RollbackMode>,
    /// Ask this connector for the reverse: a program and its arguments, split at blanks
    #[arg(long, value_name = "COMMAND", value_parser = words)]
    pub(crate) with: Option<Words>,
    #[command(flatten)]
    pub(crate) word: WordArgs,
}

/// How a migration is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RollbackMode {
    /// By the reverse of its steps, on the state of today
    Down,
    /// By the state that it found
    Snapshot,
}

/// List the migrations that were committed, and those that were taken back
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch migrate history              the last twenty
  staunch migrate history shop -n 50   as many as that, if they are kept")]
pub(crate) struct MigrationsArgs {
    #[command(flatten)]
    pub(crate) capture: CaptureArg,
    /// How many
    #[arg(short = 'n', value_name = "COUNT", default_value_t = 20)]
    pub(crate) count: usize,
}

/// Begin a migration in a connector's crate: a step to fill in, and a state to try it on
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  staunch migrate new split-cursor                   with a small example of an old state
  staunch migrate new split-cursor --state old.json  with the state in a file
  staunch -C ../source-shop -f ../prod/flow.yaml migrate new split-cursor --capture shop
                                                     with the stored state of a capture")]
pub(crate) struct NewArgs {
    /// What is recorded with each state that it changes, for ever: small letters, digits and `-`
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Take the state of before from this file; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "capture")]
    pub(crate) state: Option<PathBuf>,
    /// Take it from what this capture of the project has stored
    #[arg(long, value_name = "CAPTURE")]
    pub(crate) capture: Option<String>,
}

/// A command, split at blanks: no shell is involved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Words(pub(crate) Vec<String>);

fn words(text: &str) -> Result<Words, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    if words.is_empty() {
        Err("it names no program".into())
    } else {
        Ok(Words(words))
    }
}

fn time(text: &str) -> Result<Timestamp, String> {
    let at = text.parse();
    at.map_err(|_| "it is no time with a zone, as in `2026-11-23T10:00:00Z`".to_owned())
}

fn consent(text: &str) -> Result<Consent, ConsentError> {
    text.parse()
}

fn probation(text: &str) -> Result<Probation, String> {
    let mut probation = Probation {
        checkpoints: u64::MAX,
        within: Duration::MAX,
    };
    if text.trim() == "none" {
        probation.checkpoints = 0;
        return Ok(probation);
    }
    for part in text.split(',').map(str::trim) {
        let count = part
            .strip_suffix("checkpoints")
            .or(part.strip_suffix("checkpoint"));
        match count.unwrap_or(part).trim().parse() {
            Ok(checkpoints) => probation.checkpoints = checkpoints,
            Err(_) => probation.within = quantity::parse_time(part)?,
        }
    }
    if probation.within == Duration::MAX {
        probation.within = Probation::default().within; // A quiet source makes no checkpoints, and some end there has to be.
    }
    Ok(probation)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_is_declared_without_contradiction() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_has_examples() {
        fn look(command: &clap::Command) {
            let help = command
                .get_after_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(help.starts_with("Examples:"), "{}", command.get_name());
            command.get_subcommands().for_each(look);
        }
        look(&Cli::command());
    }

    #[test]
    fn a_verb_without_a_second_word_only_looks() {
        let verb = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().verb;
        let Verb::State(args) = verb("staunch state shop") else {
            panic!()
        };
        assert_eq!(
            (args.verb.is_none(), args.show.capture.capture.as_deref()),
            (true, Some("shop"))
        );
        let Verb::Migrate(args) = verb("staunch migrate plan shop --exit-code") else {
            panic!()
        };
        let Some(MigrateVerb::Plan(plan)) = args.verb else {
            panic!()
        };
        assert!(plan.exit_code && plan.capture.capture.as_deref() == Some("shop"));
    }
}
