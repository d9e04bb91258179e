//! Exit codes: what a code of the runtime means to a script, decided in one table.

use std::process::ExitCode;

/// How the command ends. `staunch --help` documents these, and they do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done, or nothing to do.
    Success = 0,
    /// It failed at run time.
    Failure = 1,
    /// It was asked for wrongly: a flag, a name, a file of the project or given with a flag.
    Usage = 2,
    /// Something outside is missing: the connector's program, the state store.
    Unreachable = 3,
    /// `check` found something.
    Findings = 4,
    /// `migrate plan --exit-code`: the state would change.
    Pending = 5,
    /// A safety check refused.
    Refused = 6,
    /// Another process runs a capture of this project.
    Locked = 7,
    /// Interrupted, after a clean stop.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// What was being done when something failed: the same failure is a finding to one verb and an accident to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Whether things are right. What is wrong with them is the answer.
    Check,
    /// What a connector would do to the state.
    Plan,
    /// Anything else.
    Other,
}

/// The exit for a stable code.
pub(crate) fn exit(code: &str, asked: Asked) -> Exit {
    match (code, asked) {
        // A name that was typed, or a file that is not there, is a mistake of the one who asks, whatever was asked.
        (
            "usage"
            | "catalog.not_found"
            | "catalog.unknown_capture"
            | "catalog.ambiguous_capture"
            | "catalog.several_captures"
            | "state.unknown_binding"
            | "state.none"
            | "state.not_kept"
            | "input.not_found"
            | "input.unreadable"
            | "input.too_large"
            | "input.syntax"
            | "input.not_a_state"
            | "input.not_a_plan"
            | "config.invalid"
            | "consent.not_needed"
            | "crate.not_found"
            | "crate.not_a_connector"
            | "crate.occupied"
            | "migration.name"
            | "sink.unknown",
            _,
        ) => Exit::Usage,
        ("connector.failed" | "connector.answer" | "schema.invalid", Asked::Check) => {
            Exit::Findings
        }
        ("connector.failed", Asked::Plan) => Exit::Refused,
        (code, Asked::Check) if code.starts_with("catalog.") => Exit::Findings,
        (code, _) if code.starts_with("catalog.") => Exit::Usage,
        ("schema.invalid" | "unsupported", _) => Exit::Usage,
        ("connector.not_found" | "connector.start", _) => Exit::Unreachable,
        (
            "store.not_found"
            | "store.foreign"
            | "store.corrupt"
            | "store.old_sqlite"
            | "store.io"
            | "store.sqlite"
            | "store.history_broken"
            | "state.unreadable"
            | "sink.unreachable"
            | "sink.table",
            _,
        ) => Exit::Unreachable,
        (
            "store.newer"
            | "state.newer_than_connector"
            | "consent.missing"
            | "change.not_confirmed"
            | "rollback.no_reverse"
            | "rollback.not_possible"
            | "plan.stale"
            | "upgrade.unfinished"
            | "sink.taken"
            | "sink.diverged"
            | "sink.emptied",
            _,
        ) => Exit::Refused,
        ("store.locked", _) => Exit::Locked,
        ("interrupted", _) => Exit::Interrupted,
        _ => Exit::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_the_exit_that_is_documented() {
        use Asked::{Check, Other, Plan};
        use Exit::{Failure, Findings, Interrupted, Locked, Refused, Unreachable, Usage};
        for (code, other, check, plan) in [
            ("usage", Usage, Usage, Usage),
            ("catalog.not_found", Usage, Usage, Usage),
            ("catalog.unknown_capture", Usage, Usage, Usage),
            ("catalog.several_captures", Usage, Usage, Usage),
            ("catalog.syntax", Usage, Findings, Usage),
            ("catalog.unknown_member", Usage, Findings, Usage),
            ("catalog.no_captures", Usage, Findings, Usage),
            ("schema.invalid", Usage, Findings, Usage),
            ("unsupported", Usage, Usage, Usage),
            ("connector.not_found", Unreachable, Unreachable, Unreachable),
            ("connector.start", Unreachable, Unreachable, Unreachable),
            ("connector.failed", Failure, Findings, Refused),
            ("connector.answer", Failure, Findings, Failure),
            ("connector.garbage", Failure, Failure, Failure),
            ("connector.silent", Failure, Failure, Failure),
            ("connector.slow", Failure, Failure, Failure),
            ("protocol.unexpected_response", Failure, Failure, Failure),
            ("document.rejected", Failure, Failure, Failure),
            ("files.full", Failure, Failure, Failure),
            ("files.shorter", Failure, Failure, Failure),
            ("files.unknown", Failure, Failure, Failure),
            ("store.not_found", Unreachable, Unreachable, Unreachable),
            ("store.foreign", Unreachable, Unreachable, Unreachable),
            ("store.corrupt", Unreachable, Unreachable, Unreachable),
            ("store.conflict", Failure, Failure, Failure),
            ("store.newer", Refused, Refused, Refused),
            ("state.unreadable", Unreachable, Unreachable, Unreachable),
            ("sink.unknown", Usage, Usage, Usage),
            ("sink.unreachable", Unreachable, Unreachable, Unreachable),
            ("sink.down", Failure, Failure, Failure),
            ("sink.document", Failure, Failure, Failure),
            ("sink.taken", Refused, Refused, Refused),
            ("state.newer_than_connector", Refused, Refused, Refused),
            ("consent.missing", Refused, Refused, Refused),
            ("change.not_confirmed", Refused, Refused, Refused),
            ("rollback.no_reverse", Refused, Refused, Refused),
            ("rollback.not_possible", Refused, Refused, Refused),
            (
                "store.history_broken",
                Unreachable,
                Unreachable,
                Unreachable,
            ),
            ("state.not_kept", Usage, Usage, Usage),
            ("plan.stale", Refused, Refused, Refused),
            ("upgrade.taken_back", Failure, Failure, Failure),
            ("upgrade.unfinished", Refused, Refused, Refused),
            ("state.unknown_binding", Usage, Usage, Usage),
            ("state.none", Usage, Usage, Usage),
            ("input.not_found", Usage, Usage, Usage),
            ("input.unreadable", Usage, Usage, Usage),
            ("input.too_large", Usage, Usage, Usage),
            ("input.syntax", Usage, Usage, Usage),
            ("input.not_a_state", Usage, Usage, Usage),
            ("input.not_a_plan", Usage, Usage, Usage),
            ("config.invalid", Usage, Usage, Usage),
            ("consent.not_needed", Usage, Usage, Usage),
            ("crate.not_found", Usage, Usage, Usage),
            ("crate.not_a_connector", Usage, Usage, Usage),
            ("crate.occupied", Usage, Usage, Usage),
            ("migration.name", Usage, Usage, Usage),
            ("store.locked", Locked, Locked, Locked),
            ("interrupted", Interrupted, Interrupted, Interrupted),
            ("plan.failed", Failure, Failure, Failure),
            ("a.code.of.tomorrow", Failure, Failure, Failure),
        ] {
            let found = [Other, Check, Plan].map(|asked| exit(code, asked));
            assert_eq!(found, [other, check, plan], "{code}");
        }
    }
}
