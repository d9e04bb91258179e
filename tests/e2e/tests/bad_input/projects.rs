//! The project's own files, and what is typed.

use crate::support::{MISBEHAVE, Project, SECRET, catalog};

#[test]
fn a_catalog_that_is_not_as_it_should_be_is_a_usage_error_that_says_where() {
    let good = catalog(&[MISBEHAVE], "interval: 1s");
    for (what, text, said) in [
        (
            "not YAML",
            good.replace("bindings:\n", "bindings: [\n"),
            &["flow.yaml:"][..],
        ),
        (
            "unclosed text",
            good.replace(SECRET, &format!("\"{SECRET}")),
            &["flow.yaml:"],
        ),
        (
            "a tab",
            good.replace("    bindings", "\tbindings"),
            &["flow.yaml:"],
        ),
        ("empty", String::new(), &["flow.yaml"]),
        (
            "a list",
            "- captures\n".into(),
            &["flow.yaml:1:1", "expected a mapping", "list"],
        ),
        (
            "unknown member",
            good.replace("interval:", "intervall:"),
            &[
                "flow.yaml:3:5",
                "unknown member `intervall`",
                "did you mean `interval`?",
            ],
        ),
        (
            "unknown member beside the secret",
            good.replace("config:", "confg:"),
            &[
                "missing member `config`",
                "unknown member `confg`",
                "did you mean `config`?",
            ],
        ),
        (
            "config is a text",
            good.replace(&format!("{{ token: {SECRET} }}"), "[1]"),
            &["config"],
        ),
        (
            "unknown collection",
            good.replace("target: acme/numbers", "target: acme/number"),
            &[
                "collection `acme/number`",
                "not defined",
                "did you mean `acme/numbers`?",
            ],
        ),
        (
            "bad schema",
            good.replace("type: integer", "type: integr"),
            &["flow.yaml:", "schema", "/properties/id/type"],
        ),
        (
            "no captures",
            "collections: {}\n".into(),
            &["no captures", "captures"],
        ),
    ] {
        let project = Project::new(&["good"]);
        project.write("flow.yaml", text);
        project.run().failed(2, said, what);
        let found = project.staunch(&["check"]);
        assert!(matches!(found.code, Some(2 | 4)), "{what}: {found:#?}");
        assert!(
            !project.path(".staunch").exists() && !project.path("out").exists(),
            "{what}: nothing is begun"
        );
    }
}

#[test]
fn a_missing_catalog_is_a_usage_error_that_says_how_to_name_another() {
    let project = Project::new(&["good"]);
    std::fs::rename(project.path("flow.yaml"), project.path("other.yaml")).unwrap();
    project
        .run()
        .failed(2, &["flow.yaml", "is not there", "-f"], "missing");
    project
        .staunch(&["run", "--once", "-f", "other.yaml"])
        .succeeded("named");
}

#[test]
fn what_is_typed_wrong_is_a_usage_error() {
    let project = Project::new(&["good"]);
    for (arguments, said) in [
        (
            &["run", "acme/numbrs"][..],
            &["acme/numbrs", "did you mean `acme/numbers`?"][..],
        ),
        (&["run", "--onse"], &["--onse", "--once"]),
        (&["run", "--until-idle", "5"], &["5", "5s"]),
        (&["serve"], &["serve"]),
        (&["run", "-C", "nowhere"], &["nowhere"]),
    ] {
        project
            .staunch(arguments)
            .failed(2, said, &arguments.join(" "));
    }
    assert!(!project.path(".staunch").exists(), "nothing is begun");
}

#[test]
fn a_mistake_in_staunch_yaml_is_a_usage_error() {
    for (what, text, said) in [
        (
            "unknown member",
            "version: 1\nstat: {}\n",
            &["staunch.yaml:2:1", "`stat`", "did you mean `state`?"][..],
        ),
        (
            "unknown capture",
            "version: 1\ncaptures: { acme/numbrs: { connector: [x] } }\n",
            &["acme/numbrs", "acme/numbers"],
        ),
        ("not YAML", "version: [\n", &["staunch.yaml:"]),
    ] {
        let project = Project::new(&["good"]);
        project.write("staunch.yaml", text);
        project.run().failed(2, said, what);
        assert!(
            !project.path(".staunch").exists(),
            "{what}: nothing is begun"
        );
    }
}

#[test]
fn a_connector_that_cannot_be_started_is_an_unreachable_environment() {
    let project = Project::new(&["good"]);
    project.write("not-a-program", "#!/nowhere/interpreter\n");
    for (what, command, said) in [
        (
            "no such name",
            "no-such-connector-anywhere",
            &["no-such-connector-anywhere", "not found", "command"][..],
        ),
        (
            "no such path",
            "./no-such-file",
            &["no-such-file", "not found"],
        ),
        (
            "not executable",
            "./not-a-program",
            &["not-a-program", "executable"],
        ),
        ("a folder", "/", &["`/`", "executable"]),
    ] {
        project.command(&[command]);
        project.run().failed(3, said, what);
        project.staunch(&["check"]).failed(3, said, what);
    }
    project.assert_committed(0, "before any run");
    project.assert_completes(10, "with the right command");
}
