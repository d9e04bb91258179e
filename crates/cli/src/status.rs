//! `staunch status`: where captures are, from what they have committed.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use staunch_runtime::catalog::Capture;
use staunch_runtime::store::CaptureRow;
use staunch_runtime::{inspect, short_version};
use staunch_state::{ConnectorState, ResumePoint};

use crate::args::StatusArgs;
use crate::context::{self, Context};
use crate::exit::{Asked, Exit};
use crate::failure::Failure;
use crate::output::{Glyphs, Report, clean_line, columns};
use crate::quantity::{count, counted, time};

/// Bindings of a capture that are shown; the rest are counted. The JSON has all.
const SHOWN: usize = 20;

#[derive(Serialize)]
struct StatusReport {
    captures: Vec<CaptureStatus>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CaptureStatus {
    capture: String,
    /// The process that seems to run it, or to change its state.
    process: Option<u32>,
    /// None for one that never committed.
    committed: Option<Committed>,
    /// In the order of the state.
    bindings: Vec<BindingStatus>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Committed {
    revision: u64,
    at: String,
    /// How long ago, when it was asked.
    seconds_ago: u64,
    connector: String,
    documents: u64,
    checkpoints: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BindingStatus {
    state_key: String,
    /// Where it goes on, for people.
    resumes_at: String,
}

pub(crate) fn run(context: &Context, args: &StatusArgs) -> Result<Exit, Failure> {
    let project = context.project(Asked::Other)?;
    let captures: Vec<&Capture> = match &args.capture {
        Some(name) => vec![context::capture(&project, Some(name), Asked::Other)?],
        None => project.catalog.captures.values().collect(),
    };
    let now = Timestamp::now();
    let status = |capture: &Capture| {
        let row = inspect::state(&project, capture);
        let row = row.map_err(context::failed(capture, Asked::Other))?;
        Ok(CaptureStatus::of(
            capture,
            context::runner(&project, capture),
            row.filter(|row| row.revision > 0),
            now,
        ))
    };
    let captures: Result<Vec<CaptureStatus>, Failure> = captures.into_iter().map(status).collect();
    let report = StatusReport {
        captures: captures?,
    };
    let exit = context.output.answer(&report)?;
    context.output.note(&report.summary());
    Ok(exit)
}

impl CaptureStatus {
    fn of(
        capture: &Capture,
        process: Option<u32>,
        row: Option<CaptureRow>,
        now: Timestamp,
    ) -> Self {
        let capture = capture.name.clone();
        let Some(row) = row else {
            return Self {
                capture,
                process,
                committed: None,
                bindings: Vec::new(),
            };
        };
        let state = ConnectorState::parse(&row.state).ok();
        let bindings = state.iter().flat_map(|state| state.bindings());
        let bindings = bindings.map(|(key, node)| BindingStatus {
            state_key: key.to_owned(),
            resumes_at: ResumePoint::of(Some(node)).to_string(),
        });
        let at: Option<Timestamp> = row.updated_at.parse().ok();
        let ago = at.map_or(0, |at| now.duration_since(at).as_secs());
        Self {
            capture,
            process,
            bindings: bindings.collect(),
            committed: Some(Committed {
                revision: row.revision,
                seconds_ago: u64::try_from(ago).unwrap_or(0),
                at: row.updated_at,
                connector: row.connector,
                documents: row.documents,
                checkpoints: row.checkpoints,
            }),
        }
    }

    fn runs(&self) -> String {
        let runs = |process| format!("; process {process} runs it");
        self.process.map(runs).unwrap_or_default()
    }

    fn rows(&self) -> Vec<[String; 5]> {
        let name = clean_line(&self.capture);
        let Some(committed) = &self.committed else {
            let nothing = String::new;
            return vec![[
                name,
                nothing(),
                nothing(),
                nothing(),
                format!("never committed{}", self.runs()),
            ]];
        };
        let ago = Duration::from_secs(committed.seconds_ago);
        let mut rows = vec![[
            name,
            clean_line(short_version(&committed.connector)),
            count(committed.revision),
            count(committed.documents),
            format!("{} ago{}", time(ago), self.runs()),
        ]];
        let binding = |name: String, place: String| {
            [
                format!("  {name}"),
                String::new(),
                String::new(),
                String::new(),
                place,
            ]
        };
        let shown = self.bindings.iter().take(SHOWN);
        rows.extend(shown.map(|of| binding(clean_line(&of.state_key), clean_line(&of.resumes_at))));
        let more = self.bindings.len().saturating_sub(SHOWN);
        if more > 0 {
            rows.push(binding(format!("and {more} more"), String::new()));
        }
        rows
    }
}

impl Report for StatusReport {
    const COMMAND: &'static str = "status";

    fn summary(&self) -> String {
        let captures = counted(self.captures.len() as u64, "capture");
        match self
            .captures
            .iter()
            .filter(|of| of.process.is_some())
            .count()
        {
            0 => format!("{captures}; none runs"),
            1 => format!("{captures}; one runs"),
            many => format!("{captures}; {many} run"),
        }
    }

    fn text(&self, _: &Glyphs) -> String {
        let header = [
            "CAPTURE",
            "CONNECTOR",
            "REVISION",
            "DOCUMENTS",
            "LAST COMMIT, AND WHERE IT GOES ON",
        ];
        columns(&header, self.captures.iter().flat_map(CaptureStatus::rows))
    }
}
