//! The meaning of connector state: documents, updates and their algebra, the resource-state model, migrations
//! and plans.
//!
//! Pure: no I/O, no clock, no logging, and no panic on input.
#![forbid(unsafe_code)]

mod cursor;
mod datetime;
mod leaf;
mod map;
mod migration;
mod model;
mod node;
mod parse;
mod plan;
mod text;
mod update;

pub use cursor::{Cursor, CursorError, CursorKind, CursorPart};
pub use datetime::{DateTime, DateTimeError, Granularity};
pub use leaf::{Leaf, LeafKind};
pub use migration::{
    Applied, Binding, Chain, CursorRule, Declared, Effects, Migrated, Migration, MigrationError,
    StepInfo, WholeMigration, transform,
};
pub use model::{
    BACKFILL_REQUESTS, BINDING_STATES, Backfill, ConnectorState, Incremental, ModelError, Page,
    Part, RESERVED_SUBTASKS, ResourceState, Snapshot, Unknown, UnknownMember, check_subtask_name,
};
pub use node::{Node, Object};
pub use parse::{MAX_BYTES, MAX_DEPTH, ParseError};
pub use plan::{
    BindingPlan, Budget, Consent, ConsentError, ConsentKind, Example, ExampleLine, Group, Outcome,
    Plan, PlannedStep, Refused, ResumePoint, Sign, Terms, WHOLE_STATE, plan, survey,
};
pub use update::{ExactDiff, StateUpdate, WireUpdate};
