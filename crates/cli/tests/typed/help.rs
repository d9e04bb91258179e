//! Help, as it is read.

use crate::project::{Shop, assert_shown};

#[test]
fn without_a_verb_it_helps_and_exits_with_2() {
    assert_shown!(Shop::empty().staunch(""));
}

#[test]
fn the_long_help_lists_the_exit_codes() {
    assert_shown!(Shop::empty().staunch("--help"));
}

#[test]
fn help_of_spec() {
    assert_shown!(Shop::empty().staunch("spec -h"));
}

#[test]
fn help_of_discover() {
    assert_shown!(Shop::empty().staunch("discover -h"));
}

#[test]
fn help_of_check() {
    assert_shown!(Shop::empty().staunch("check -h"));
}

#[test]
fn help_of_run() {
    assert_shown!(Shop::empty().staunch("run --help"));
}

#[test]
fn help_of_state() {
    assert_shown!(Shop::empty().staunch("state -h"));
}

#[test]
fn help_of_state_show() {
    assert_shown!(Shop::empty().staunch("state show -h"));
}

#[test]
fn help_of_migrate() {
    assert_shown!(Shop::empty().staunch("migrate -h"));
}

#[test]
fn help_of_migrate_plan() {
    assert_shown!(Shop::empty().staunch("migrate plan -h"));
}

#[test]
fn help_of_migrate_apply() {
    assert_shown!(Shop::empty().staunch("migrate apply --help"));
}

#[test]
fn help_of_migrate_new() {
    assert_shown!(Shop::empty().staunch("migrate new -h"));
}

#[test]
fn help_of_state_history() {
    assert_shown!(Shop::empty().staunch("state history -h"));
}

#[test]
fn help_of_state_set() {
    assert_shown!(Shop::empty().staunch("state set -h"));
}

#[test]
fn help_of_state_reset() {
    assert_shown!(Shop::empty().staunch("state reset -h"));
}

#[test]
fn help_of_state_copy() {
    assert_shown!(Shop::empty().staunch("state copy -h"));
}

#[test]
fn help_of_state_undo() {
    assert_shown!(Shop::empty().staunch("state undo -h"));
}

#[test]
fn help_of_state_export() {
    assert_shown!(Shop::empty().staunch("state export -h"));
}

#[test]
fn help_of_state_import() {
    assert_shown!(Shop::empty().staunch("state import -h"));
}

#[test]
fn help_of_migrate_history() {
    assert_shown!(Shop::empty().staunch("migrate history -h"));
}

#[test]
fn help_of_status() {
    assert_shown!(Shop::empty().staunch("status -h"));
}

#[test]
fn help_of_migrate_rollback() {
    assert_shown!(Shop::empty().staunch("migrate rollback --help"));
}

#[test]
fn help_of_doctor() {
    assert_shown!(Shop::empty().staunch("doctor -h"));
}
