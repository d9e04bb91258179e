//! Builds the programs that an example needs, and says where they are.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The folder of the workspace that the running program is of.
///
/// # Errors
/// When it is not there any more.
pub fn workspace() -> Result<PathBuf> {
    // Cargo says where the package is now, which lies beside this one; without it, where this was built.
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

/// Builds these packages as this program was built, and says where these programs of theirs are.
///
/// # Errors
/// When they cannot be built, or have no such program.
pub fn build(
    workspace: &Path,
    packages: &[&str],
    programs: &[&str],
) -> Result<HashMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut arguments = vec!["build"];
    for package in packages {
        arguments.extend(["--package", package]);
    }
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
    let mut built = executables(&String::from_utf8_lossy(&output.stdout));
    if let Some(missing) = programs.iter().find(|name| !built.contains_key(**name)) {
        bail!("cargo built no program `{missing}`");
    }
    built.retain(|name, _| programs.contains(&name.as_str()));
    Ok(built)
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
