//! Commits as documents, compared with `git log` and `git diff-tree --numstat`.

use source_git::{
    CommitDocument, FileChange, Person, Repository,
    fixture::{Commit, EPOCH, File, GitFixture, Import},
};

use crate::{id, open};

fn read(repository: &Repository, commit: &str) -> CommitDocument {
    repository
        .commit_reader(true)
        .unwrap()
        .read(id(commit))
        .unwrap()
}

/// What git says a commit changed, against its first parent.
fn changed_by_git(fixture: &GitFixture, commit: &str) -> Vec<FileChange> {
    let first_parent = fixture.git(&["rev-list", "--parents", "-1", commit]);
    let against: Vec<&str> = match first_parent.split(' ').nth(1) {
        Some(parent) => vec![parent, commit],
        None => vec!["--root", commit],
    };
    let fixed = [
        "diff-tree",
        "-r",
        "--no-commit-id",
        "--numstat",
        "-z",
        "--no-renames",
    ];
    let listed = fixture.git_bytes(&[&fixed[..], &against].concat(), b"");
    let mut files: Vec<(Vec<u8>, FileChange)> = listed
        .split(|&byte| byte == 0)
        .filter(|line| !line.is_empty())
        .map(|line| {
            let mut fields = line.splitn(3, |&byte| byte == b'\t');
            let mut number = || {
                std::str::from_utf8(fields.next().unwrap())
                    .unwrap()
                    .parse()
                    .ok()
            };
            let (added, removed) = (number(), number());
            let path = fields.next().unwrap();
            let text = String::from_utf8_lossy(path).into_owned();
            (
                path.to_vec(),
                FileChange {
                    path: text,
                    added,
                    removed,
                },
            )
        })
        .collect();
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files.into_iter().map(|(_, file)| file).collect()
}

fn assert_files_are_those_of_git(fixture: &GitFixture, commits: &[String]) {
    let reader = open(fixture).commit_reader(true).unwrap();
    for commit in commits {
        let document = reader.read(id(commit)).unwrap();
        let message = document.message.trim_end();
        assert_eq!(
            document.files,
            Some(changed_by_git(fixture, commit)),
            "{message}"
        );
    }
}

#[test]
fn a_commit_is_told_as_git_tells_it() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let root = import.commit(Commit {
        clock: "1767315845 +0200",
        message: "first\n\nwith a body\n".as_bytes(),
        ..Commit::default()
    });
    let merged = import.commit(Commit {
        message: b"",
        clock: "100000 -0730",
        ..Commit::default()
    });
    import.commit(Commit {
        parents: &[root, merged],
        person: "Gödel <kurt@example.com>".as_bytes(),
        message: "no newline at the end é".as_bytes(),
        ..Commit::default()
    });
    let commits = fixture.import(&import);
    let repository = open(&fixture);
    for commit in &commits {
        let format = "--format=%H|%T|%P|%an|%ae|%aI|%cn|%ce|%cI";
        let told = fixture.git(&["log", "-1", format, commit]);
        let told: Vec<&str> = told.split('|').collect();
        let CommitDocument {
            id,
            tree,
            parents,
            author,
            committer,
            message,
            ..
        } = read(&repository, commit);
        assert_eq!([id, tree, parents.join(" ")], told[..3]);
        assert_eq!(
            [author.name, author.email, author.time.unwrap()],
            told[3..6]
        );
        assert_eq!(
            [committer.name, committer.email, committer.time.unwrap()],
            told[6..9]
        );
        let body = fixture.git_bytes(&["cat-file", "commit", commit], b"");
        let body = String::from_utf8(body).unwrap();
        assert_eq!(message, body.split_once("\n\n").unwrap().1);
    }
    assert_eq!(
        serde_json::to_string(
            &repository
                .commit_reader(false)
                .unwrap()
                .read(id(&commits[2]))
                .unwrap()
        )
        .unwrap(),
        format!(
            r#"{{"id":"{}","tree":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","parents":["{}","{}"],"#,
            commits[2], commits[0], commits[1]
        ) + r#""author":{"name":"Gödel","email":"kurt@example.com","time":"2026-01-01T00:00:00+00:00"},"#
            + r#""committer":{"name":"Gödel","email":"kurt@example.com","time":"2026-01-01T00:00:00+00:00"},"#
            + r#""message":"no newline at the end é"}"#
    );
}

#[test]
fn text_in_another_encoding_is_read_as_declared_and_undeclared_bytes_never_fail() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let mut commit = |encoding| {
        import.commit(Commit {
            person: b"Andr\xe9 <andr\xe9@example.com>",
            encoding,
            message: b"caf\xe9\n",
            files: &[
                File::Put(b"d\xe9j\xe0/\"vu\"\\\t", b"x\n"),
                File::Put(b"d\xe9j\xe1", b"x\ny"),
            ],
            ..Commit::default()
        })
    };
    commit(Some("ISO-8859-1"));
    commit(None);
    let commits = fixture.import(&import);
    let repository = open(&fixture);
    let declared = read(&repository, &commits[0]);
    assert_eq!(declared.message, "café\n");
    assert_eq!(
        (
            declared.author.name.as_str(),
            declared.author.email.as_str()
        ),
        ("André", "andré@example.com")
    );
    let undeclared = read(&repository, &commits[1]);
    assert_eq!(undeclared.message, "caf\u{fffd}\n");
    assert_eq!(undeclared.committer.name, "Andr\u{fffd}");
    let paths: Vec<String> = undeclared
        .files
        .unwrap()
        .into_iter()
        .map(|file| file.path)
        .collect();
    assert_eq!(
        paths,
        ["d\u{fffd}j\u{fffd}/\"vu\"\\\t", "d\u{fffd}j\u{fffd}"]
    );
    assert_files_are_those_of_git(&fixture, &commits);
}

#[test]
fn a_commit_that_no_git_would_write_is_read_all_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let repository = open(&fixture);
    let tree = fixture.git(&["mktree", "--missing"]);
    let unknown = || Person {
        name: String::new(),
        email: String::new(),
        time: None,
    };
    let person = |name: &str, email: &str, time: Option<&str>| Person {
        name: name.into(),
        email: email.into(),
        time: time.map(Into::into),
    };
    for (headers, author, message) in [
        ("", unknown(), "m"),
        ("author \n", unknown(), "m"),
        ("author nobody\n", person("nobody", "", None), "m"),
        (
            "author A <a> 1 +9999\n",
            person("A", "a", Some("1970-01-01T00:00:01Z")),
            "m",
        ),
        (
            "author A <a> 99999999999999999999 +0000\n",
            person("A", "a", None),
            "m",
        ),
        (
            "author A <a> -62135596801 +0000\n",
            person("A", "a", Some("0000-12-31T23:59:59+00:00")),
            "m",
        ),
        (
            "author A <a>\nencoding \u{0}\u{1}\n",
            person("A", "a", None),
            "a\u{0}b",
        ),
    ] {
        let commit = fixture.object(
            "commit",
            format!("tree {tree}\n{headers}\n{message}").as_bytes(),
        );
        let document = read(&repository, &commit);
        assert_eq!(document.author, author, "{headers}");
        assert_eq!(document.committer, unknown(), "{headers}");
        assert_eq!(document.message, message, "{headers}");
        assert_eq!(document.files, Some(vec![]), "{headers}");
    }
    let damaged = fixture.object("commit", b"tree nothing\n");
    let error = repository
        .commit_reader(false)
        .unwrap()
        .read(id(&damaged))
        .unwrap_err();
    assert_eq!(error.code(), "corrupt");
}

#[test]
fn an_overlong_message_is_cut_so_that_its_document_can_be_sent() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let message = vec![1; 5 << 20];
    import.commit(Commit {
        message: &message,
        ..Commit::default()
    });
    let commits = fixture.import(&import);
    let document = read(&open(&fixture), &commits[0]);
    assert_eq!(document.message.len(), 4 << 20);
    assert!(serde_json::to_vec(&document).unwrap().len() < 32 << 20);
}

#[test]
fn files_and_line_counts_are_those_of_git() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let mut last = None;
    let mut step = |message: &str, files: &[File<'_>]| {
        let parents: Vec<usize> = last.into_iter().collect();
        let number = import.commit(Commit {
            parents: &parents,
            message: message.as_bytes(),
            files,
            ..Commit::default()
        });
        last = Some(number);
        number
    };
    let (one, other) = ("1".repeat(40), "2".repeat(40));
    let nul_late = [b"x\n".repeat(4000), b"\0\n".to_vec()].concat();
    step(
        "root",
        &[
            File::Put(b"a", b"1\n2\n3\n"),
            File::Put(b"d/e/f", b"deep\n"),
            File::Put(b"empty", b""),
        ],
    );
    step("change", &[File::Put(b"a", b"1\ntwo\n3\n4\n")]);
    step("no newline at the end", &[File::Put(b"a", b"1\ntwo\n3\n4")]);
    step("only the newline", &[File::Put(b"a", b"1\ntwo\n3\n4\n")]);
    step("line endings", &[File::Put(b"a", b"1\r\ntwo\r\n3\n4\n")]);
    step(
        "mode",
        &[File::PutAs("100755", b"a", b"1\r\ntwo\r\n3\n4\n")],
    );
    step(
        "binary",
        &[File::Put(b"bin", b"\0\x01"), File::Put(b"a.bin", b"x\0")],
    );
    step("binary to binary", &[File::Put(b"bin", b"\0\x02")]);
    step("binary to text", &[File::Put(b"bin", b"text\n")]);
    step(
        "mode of a binary",
        &[File::PutAs("100755", b"a.bin", b"x\0")],
    );
    step("binary removed", &[File::Remove(b"a.bin")]);
    step("NUL past git's probe", &[File::Put(b"late", &nul_late)]);
    step(
        "rename",
        &[File::Remove(b"d/e/f"), File::Put(b"d/g", b"deep\n")],
    );
    step("link", &[File::PutAs("120000", b"link", b"a")]);
    step("link to file", &[File::Put(b"link", b"a\nb\n")]);
    step(
        "folder to file",
        &[File::Remove(b"d"), File::Put(b"d", b"now a file\n")],
    );
    step(
        "file to folder",
        &[
            File::Remove(b"d"),
            File::Put(b"d/x", b"1\n"),
            File::Put(b"d/y/z", b"1\n"),
        ],
    );
    step(
        "names around a folder",
        &[
            File::Put(b"d-", b"1\n"),
            File::Put(b"d.c", b"1\n"),
            File::Put(b"d0", b"1\n"),
        ],
    );
    step("submodule", &[File::Submodule(b"sub", &one)]);
    step("submodule moved", &[File::Submodule(b"sub", &other)]);
    step("submodule to file", &[File::Put(b"sub", b"1\n2\n")]);
    step("file to submodule", &[File::Submodule(b"sub", &one)]);
    step("submodule removed", &[File::Remove(b"sub")]);
    step("nothing", &[]);
    step("everything removed", &[File::Remove(b"")]);
    let commits = fixture.import(&import);
    assert_eq!(commits.len(), 25);
    assert_files_are_those_of_git(&fixture, &commits);
    fixture.git(&["repack", "-a", "-d", "--quiet"]);
    assert_files_are_those_of_git(&fixture, &commits);
}

#[test]
fn a_merge_is_compared_with_its_first_parent_and_a_rootless_merge_with_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let mut commit = |parents: &[usize], message: &str, files: &[File<'_>]| {
        import.commit(Commit {
            parents,
            message: message.as_bytes(),
            files,
            ..Commit::default()
        })
    };
    let root = commit(&[], "root", &[File::Put(b"a", b"1\n")]);
    let left = commit(&[root], "left", &[File::Put(b"left", b"1\n2\n")]);
    let right = commit(&[root], "right", &[File::Put(b"right", b"1\n2\n3\n")]);
    let merge = commit(
        &[left, right],
        "merge",
        &[File::Put(b"right", b"1\n2\n3\n")],
    );
    commit(
        &[right, left, root],
        "octopus",
        &[File::Put(b"left", b"1\n2\n"), File::Put(b"a", b"2\n")],
    );
    let unrelated = commit(&[], "another root", &[File::Put(b"b", b"1\n")]);
    commit(&[unrelated, merge], "unrelated histories", &[]);
    let commits = fixture.import(&import);
    assert_files_are_those_of_git(&fixture, &commits);
}

#[test]
fn line_counts_of_long_random_edits_are_those_of_git() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let mut import = Import::default();
    let mut lines: Vec<u32> = (0..300).map(|line| line % 40).collect();
    let mut seed = 1u32;
    let mut roll = |sides: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % sides
    };
    let mut last = None;
    for number in 0..40 {
        for _ in 0..=roll(20) {
            let place = roll(lines.len());
            match roll(3) {
                0 => lines.insert(place, roll(60) as u32),
                1 => drop(lines.remove(place)),
                _ => lines[place] = roll(60) as u32,
            }
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let parents: Vec<usize> = last.into_iter().collect();
        let message = format!("edit {number}\n");
        let files = [File::Put(b"file", text.as_bytes())];
        last = Some(import.commit(Commit {
            parents: &parents,
            message: message.as_bytes(),
            files: &files,
            ..Commit::default()
        }));
    }
    let commits = fixture.import(&import);
    assert_files_are_those_of_git(&fixture, &commits);
}

#[test]
fn too_many_files_to_tell_leave_the_commit_without_them() {
    // Each level has ten names for the one below: 10^12 files in a few hundred bytes.
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init_bare(dir.path());
    let blob = fixture.object("blob", b"x\n");
    let level = |mode: &str, kind: &str, id: &str| -> String {
        let listing: String = (0..10)
            .map(|name| format!("{mode} {kind} {id}\t{name}\n"))
            .collect();
        String::from_utf8(fixture.git_bytes(&["mktree"], listing.as_bytes()))
            .unwrap()
            .trim()
            .to_owned()
    };
    let mut tree = level("100644", "blob", &blob);
    for _ in 0..11 {
        tree = level("040000", "tree", &tree);
    }
    let commit = fixture.git(&["commit-tree", "-m", "bomb", &tree]);
    assert_eq!(read(&open(&fixture), &commit).files, None);
}

#[test]
fn a_file_that_is_not_there_is_an_error_with_stats_and_none_without() {
    let dir = tempfile::tempdir().unwrap();
    let origin = GitFixture::init(dir.path().join("origin"));
    origin.git(&["config", "uploadpack.allowFilter", "true"]);
    let commit = origin.commit("first", EPOCH, &[("d/a", "1\n")]);
    let url = format!("file://{}", origin.path().display());
    for filter in ["blob:none", "tree:0"] {
        let name = filter.replace(':', "-");
        let to = format!("../{name}");
        origin.git(&["clone", "--quiet", "--bare", "--filter", filter, &url, &to]);
        let repository = Repository::open(dir.path().join(name)).unwrap();
        assert!(
            repository
                .commit_reader(false)
                .unwrap()
                .read(id(&commit))
                .is_ok()
        );
        let error = repository
            .commit_reader(true)
            .unwrap()
            .read(id(&commit))
            .unwrap_err();
        assert_eq!(error.code(), "missing", "{error:?}");
    }
}

#[test]
fn the_same_commit_gives_the_same_bytes_in_any_copy_of_the_repository() {
    let dir = tempfile::tempdir().unwrap();
    let fixture = GitFixture::init(dir.path().join("one"));
    fixture.commit(
        "first",
        EPOCH,
        &[("b", "1\n"), ("a", "1\n"), ("c/d", "1\n")],
    );
    let commit = fixture.commit(
        "second",
        EPOCH,
        &[("b", "2\n"), ("a", "2\n"), ("c/d", "2\n")],
    );
    fixture.git(&["clone", "--quiet", "--bare", "--no-local", ".", "../two"]);
    let bytes = |path| {
        let repository = Repository::open(dir.path().join(path)).unwrap();
        serde_json::to_vec(&read(&repository, &commit)).unwrap()
    };
    assert_eq!(bytes("one"), bytes("two"));
}
