//! Builds the programs that the job needs, and says where they are.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The programs, by name.
pub(crate) const PROGRAMS: [&str; 3] = ["staunch", "source-git-v1", "source-git"];

/// The folder of the workspace that this program is of.
pub(crate) fn workspace() -> Result<PathBuf> {
    // Cargo says where the package is now; without it, where it was built.
    let package = std::env::var_os("CARGO_MANIFEST_DIR")
        .unwrap_or_else(|| OsString::from(env!("CARGO_MANIFEST_DIR")));
    let root = Path::new(&package).join("../..");
    root.canonicalize().with_context(|| {
        format!(
            "the project is not at `{}` any more; build this program anew",
            root.display()
        )
    })
}

/// Builds them as this program was built.
pub(crate) fn build(workspace: &Path) -> Result<HashMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut arguments = vec![
        "build",
        "--package",
        "staunch-cli",
        "--package",
        "source-git",
    ];
    let profile = profile()?;
    if profile != "debug" {
        arguments.extend(["--profile", &profile]);
    }
    println!("$ cargo {}", arguments.join(" "));
    let output = Command::new(cargo)
        .args(&arguments)
        .arg("--message-format=json-render-diagnostics")
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .context("starting cargo; install Rust, and run this with `cargo run`")?;
    if !output.status.success() {
        bail!("the build failed; cargo says why above");
    }
    let built = executables(&String::from_utf8_lossy(&output.stdout));
    match PROGRAMS.iter().find(|name| !built.contains_key(**name)) {
        Some(missing) => bail!("cargo built no program `{missing}`"),
        None => Ok(built),
    }
}

/// The profile, as the folder that this program lies in is named.
fn profile() -> Result<String> {
    let program = std::env::current_exe().context("finding this program")?;
    let folder = program.parent().and_then(Path::file_name);
    Ok(folder.map_or_else(
        || "debug".into(),
        |name| name.to_string_lossy().into_owned(),
    ))
}

/// The programs among what cargo says it has built, or found built already.
fn executables(messages: &str) -> HashMap<String, PathBuf> {
    let executable = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message.pointer("/target/name")?.as_str()?;
        let path = message.get("executable")?.as_str()?;
        Some((name.to_owned(), PathBuf::from(path)))
    };
    messages.lines().filter_map(executable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"staunch_state"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"staunch"},"executable":"/t/debug/staunch"}
{"reason":"build-finished","success":true}"#;
        let expected = [("staunch".to_owned(), PathBuf::from("/t/debug/staunch"))];
        assert_eq!(executables(messages), expected.into());
    }
}
