//! `staunch migrate`: `plan` what a connector would do to a state; `apply` it; take it back with `rollback`; `new` begins a step of an author's own, with its `name`, in
//! the `crate_dir` of a connector, from a `template`.

pub(crate) mod apply;
mod crate_dir;
mod name;
pub(crate) mod new;
pub(crate) mod plan;
pub(crate) mod rollback;
mod template;
