//! What is read, what is refused, and in which words.

use std::collections::BTreeMap;

use serde_json::Value;
use tokio::io::BufReader;

use super::*;

/// What a splitter makes of chunks: the items, and what surrounds them or why not.
fn split<'c>(
    splitter: Result<Splitter<Array>, JsonError>,
    chunks: impl IntoIterator<Item = &'c [u8]>,
) -> (Vec<String>, Result<String, String>) {
    let mut items = Vec::new();
    let read = || {
        let mut splitter = splitter?;
        for mut chunk in chunks {
            while let Some(item) = splitter.split(&mut chunk)? {
                items.push(item.as_str().to_owned());
            }
        }
        assert!(splitter.end()?.is_none(), "an array's end is seen");
        let rest: &serde_json::value::RawValue = splitter.remainder()?;
        Ok(rest.get().to_owned())
    };
    let rest = read().map_err(|error: JsonError| error.to_string());
    (items, rest)
}

/// The same in one chunk, byte by byte, and cut in two anywhere: all must agree.
fn elements_of(path: &str, text: &[u8]) -> (Vec<String>, Result<String, String>) {
    elements_with(&|| Splitter::array(path), text)
}

fn elements_with(
    splitter: &dyn Fn() -> Result<Splitter<Array>, JsonError>,
    text: &[u8],
) -> (Vec<String>, Result<String, String>) {
    let whole = split(splitter(), [text]);
    let shown = String::from_utf8_lossy(text).into_owned();
    assert_eq!(split(splitter(), text.chunks(1)), whole, "{shown}");
    for at in 0..=text.len() {
        let (left, right) = text.split_at(at);
        assert_eq!(
            split(splitter(), [left, right]),
            whole,
            "{shown} cut at {at}"
        );
    }
    whole
}

fn ok<const N: usize>(items: [&str; N], rest: &str) -> (Vec<String>, Result<String, String>) {
    (items.map(str::to_owned).to_vec(), Ok(rest.to_owned()))
}

#[test]
fn elements_are_as_they_were_sent_and_the_rest_has_an_empty_array() {
    for (path, text, want) in [
        ("", "[]", ok([], "[]")),
        ("", " [ ] ", ok([], "[]")),
        ("", "[1]", ok(["1"], "[]")),
        ("", "\u{feff}[1, 2 ,\n3\r\n]\t", ok(["1", "2", "3"], "[]")),
        (
            "",
            r#"[null,true,false,-0,0.5e-7,"",{},[]]"#,
            ok(
                ["null", "true", "false", "-0", "0.5e-7", r#""""#, "{}", "[]"],
                "[]",
            ),
        ),
        (
            "",
            r#"[{ "a" : [ 1 , { } ] }, "]\"}"]"#,
            ok([r#"{ "a" : [ 1 , { } ] }"#, r#""]\"}""#], "[]"),
        ),
        (
            "/data",
            r#"{ "data" : [1,2] , "next" : "a b" }"#,
            ok(["1", "2"], r#"{"data":[],"next":"a b"}"#),
        ),
        (
            "/data",
            r#"{"next":{"data":[7]},"list":["data", 8],"data":[]}"#,
            ok([], r#"{"next":{"data":[7]},"list":["data", 8],"data":[]}"#),
        ),
        (
            "/d~1a/~0/",
            r#"{"d/a":{"x":1,"~":{"":[1]},"y":2}}"#,
            ok(["1"], r#"{"d/a":{"x":1,"~":{"":[]},"y":2}}"#),
        ),
        (
            "/data",
            r#"{"d\u0061ta":["\ud83d\ude00"]}"#,
            ok([r#""\ud83d\ude00""#], r#"{"d\u0061ta":[]}"#),
        ),
        (
            "/1/rows",
            r#"[[5],{"rows":[6]},{"rows":[7]}]"#,
            ok(["6"], r#"[[5],{"rows":[]},{"rows":[7]}]"#),
        ),
        ("/0", "[[1],2]", ok(["1"], "[[],2]")),
        (
            "/é",
            r#"{"é":["ключ","😀"],"x":"ключ"}"#,
            ok([r#""ключ""#, r#""😀""#], r#"{"é":[],"x":"ключ"}"#),
        ),
        (
            "",
            "[1e999,123456789012345678901234567890]",
            ok(["1e999", "123456789012345678901234567890"], "[]"),
        ),
    ] {
        assert_eq!(elements_of(path, text.as_bytes()), want, "{text}");
    }
}

#[test]
fn a_byte_order_mark_is_skipped_only_where_the_input_begins() {
    assert_eq!(elements_of("", b"\xef\xbb\xbf[1]"), ok(["1"], "[]"));
    for text in [
        &b"\xef\xbb[1]"[..],
        b"\xef\xbb\xbf\xef\xbb\xbf[1]",
        b"[\xef\xbb\xbf1]",
        b"[1]\xef\xbb\xbf",
        b"\xff\xfe[\x001\x00]\x00",
    ] {
        let (_, rest) = elements_of("", text);
        assert!(rest.is_err(), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_without_its_text() {
    let mut told = BTreeMap::new();
    for (path, text) in [
        ("", &b""[..]),
        ("", b"  "),
        ("", b"["),
        ("", b"[1"),
        ("", b"[1,"),
        ("", b"[1,{\"a\":"),
        ("", b"[1]x"),
        ("", b"[1][2]"),
        ("", b"[1,]"),
        ("", b"[,1]"),
        ("", b"[1 2]"),
        ("", b"[01]"),
        ("", b"[1.]"),
        ("", b"[-]"),
        ("", b"[1e]"),
        ("", b"[+1]"),
        ("", b"[nul]"),
        ("", b"[truefalse]"),
        ("", b"[NaN]"),
        ("", b"[\"\\x\"]"),
        ("", b"[\"\\u12g4\"]"),
        ("", b"[\"\\ud800\"]"),
        ("", b"[\"\\ud800\\u0041\"]"),
        ("", b"[\"\\ud800\\n\"]"),
        ("", b"[\"\\udc00\"]"),
        ("", b"[\"a\nb\"]"),
        ("", b"[1,\"\xff\"]"),
        ("", b"[\"\xed\xa0\x80\"]"),
        ("", b"[\"\xe2\x82\"]"),
        ("", b"[{\"a\" 1}]"),
        ("", b"[{\"a\":1,}]"),
        ("", b"[{a:1}]"),
        ("", b"[{\"a\":1]]"),
        ("", b"[[1}]"),
        ("", b"[1}"),
        ("/a", b"{\"a\":[1]"),
        ("/a", b"{\"a\":[1],}"),
        ("/a", b"{\"a\":[1],\"b\":}"),
        ("/a", b"{\"a\":[1],\"b\":1]"),
        ("/a", b"{\"a\":[1],\"\xff\":1}"),
        ("/a", b"{\"b\":\"\xc0\",\"a\":[1]}"),
        ("/a", b"{\"a\":[1],\"\\u0061\":[2]}"),
        ("/a/b", b"{\"a\":{},\"a\":{\"b\":[1]}}"),
        ("/a", b"{\"b\":[1]}"),
        ("/a", b"{\"a\":null}"),
        ("/a/b", b"{\"a\":null}"),
        ("/a/b", b"{\"a\":{\"b\":{}}}"),
        ("/a/b", b"{\"a\":\"secret\"}"),
        ("/a", b"17"),
        ("/a", b"{\"a\":true}"),
        ("/a", b"{\"a\":-1}"),
        ("/a", b"{\"a\":nil}"),
        ("/3", b"[[1]]"),
        ("/a", b"<html>"),
        ("a", b"[]"),
    ] {
        let (_, rest) = elements_of(path, text);
        let shown = format!("{path:?} of {}", text.escape_ascii());
        assert_eq!(told.insert(shown, rest.expect_err("it is wrong")), None);
    }
    insta::assert_debug_snapshot!(told);
}

#[test]
fn elements_before_a_fault_are_handed_out() {
    let (items, rest) = elements_of("/a", br#"{"a":[1,{"b":2},{"c":]}"#);
    assert_eq!(items, ["1", r#"{"b":2}"#]);
    assert!(rest.is_err_and(|error| error.contains("at byte 21, in element 2")));
}

#[test]
fn an_absent_array_is_an_empty_one_only_if_that_is_said() {
    for text in [
        r#"{"b":1}"#,
        r#"{"a":null,"b":1}"#,
        r#"{"a":{},"b":1}"#,
        r#"{"a":{"rows":null}}"#,
    ] {
        let allowed = || Splitter::array("/a/rows").map(Splitter::or_absent);
        assert_eq!(elements_with(&allowed, text.as_bytes()), ok([], text));
        assert!(elements_of("/a/rows", text.as_bytes()).1.is_err());
    }
    let allowed = || Splitter::array("/a/rows").map(Splitter::or_absent);
    for text in [
        r#"{"a":"rows"}"#,
        r#"{"a":{"rows":{}}}"#,
        r#"{"a":nil}"#,
        "",
    ] {
        let (_, rest) = elements_with(&allowed, text.as_bytes());
        assert!(rest.is_err(), "{text}");
    }
}

#[test]
fn containers_are_nested_as_deep_as_a_parser_reads_them() {
    for (depth, is_read) in [(127, true), (128, false), (100_000, false)] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            assert_eq!(serde_json::from_str::<Value>(&value).is_ok(), is_read);
            let element = format!("[{value}]");
            let (items, rest) = split(Splitter::array(""), [element.as_bytes()]);
            assert_eq!((items.len() == 1, rest.is_ok()), (is_read, is_read));
            let mut lines = Splitter::lines();
            let line = value + "\n";
            let read = lines.split(&mut line.as_bytes()).map(|item| item.is_some());
            assert_eq!(read.is_ok(), is_read);
        }
    }
    // Around the array it is counted from the document, which is what the remainder's parser does.
    for (depth, is_read) in [(126, true), (127, false)] {
        let beside = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let text = format!("{{\"b\":{beside},\"a\":[1]}}");
        let (_, rest) = split(Splitter::array("/a"), [text.as_bytes()]);
        assert_eq!(rest.is_ok(), is_read, "{rest:?}");
        assert_eq!(serde_json::from_str::<Value>(&text).is_ok(), is_read);
    }
}

#[test]
fn an_item_and_the_remainder_are_bounded() {
    let text = br#"{"a":["123456","1234567"],"next":"12345678"}"#;
    let bounded = |item: usize, rest: usize| {
        let splitter = || {
            let splitter = Splitter::array("/a")?.max_item_bytes(item);
            Ok(splitter.max_remainder_bytes(rest))
        };
        elements_with(&splitter, text)
    };
    let rest = r#"{"a":[],"next":"12345678"}"#;
    assert_eq!(
        bounded(9, rest.len()),
        ok([r#""123456""#, r#""1234567""#], rest)
    );
    let (items, error) = bounded(8, rest.len());
    assert_eq!(items, [r#""123456""#]);
    insta::assert_snapshot!(error.expect_err("the second element is larger"), @"more than 8 bytes in element 1; allow more with `max_item_bytes` if it is meant to be so large");
    let (items, error) = bounded(9, rest.len() - 1);
    assert_eq!(items.len(), 2);
    insta::assert_snapshot!(error.expect_err("the remainder is larger"), @"more than 25 bytes around the array; allow more with `max_remainder_bytes` if it is meant to be so large");
}

#[test]
fn an_endless_element_is_refused_at_its_bound() {
    let mut splitter = Splitter::array("")
        .expect("it is a path")
        .max_item_bytes(1 << 20);
    let mut error = splitter.split(&mut &b"[\""[..]).err();
    let mut given = 0;
    while error.is_none() {
        given += 4096;
        assert!(given <= (1 << 20) + 4096, "it is held without bound");
        error = splitter.split(&mut &[b'x'; 4096][..]).err();
    }
    assert!(matches!(error, Some(JsonError::TooLarge { .. })));
}

#[test]
fn nothing_is_read_after_a_fault() {
    let mut splitter = Splitter::array("").expect("it is a path");
    let mut chunk = &b"[1,x,2]"[..];
    assert!(splitter.split(&mut chunk).expect("the first").is_some());
    assert!(splitter.split(&mut chunk).is_err());
    let again = splitter.split(&mut chunk).err();
    assert!(matches!(again, Some(JsonError::Failed)));
    assert!(matches!(splitter.end(), Err(JsonError::Failed)));
    assert!(matches!(
        splitter.remainder::<Value>(),
        Err(JsonError::Unread)
    ));
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Order<'a> {
    id: u64,
    name: &'a str,
}

#[tokio::test]
async fn an_element_of_another_shape_is_an_error_and_the_next_one_is_read() {
    let text = &br#"{"data":[{"id":1,"name":"one"},{"id":"secret","name":"two"},{"id":3,"name":"three"}],"next":"x"}"#[..];
    let mut orders = elements(text, "/data").expect("it is a path");
    assert!(matches!(
        orders.remainder::<Value>(),
        Err(JsonError::Unread)
    ));
    let first = orders.next_as::<Order<'_>>().await.expect("it fits");
    assert_eq!(first, Some(Order { id: 1, name: "one" }));
    let error = orders.next_as::<Order<'_>>().await.expect_err("no number");
    insta::assert_snapshot!(error, @"wrong type, expected u64 at line 1 column 14, in element 1; the type it is read as has another shape");
    let third = orders.next_as::<Order<'_>>().await.expect("it fits");
    assert_eq!(third.map(|order| order.name), Some("three"));
    assert!(orders.next().await.expect("it is whole").is_none());
    assert!(orders.next().await.expect("it still is").is_none());
    #[derive(serde::Deserialize)]
    struct Rest<'a> {
        next: &'a str,
        data: [(); 0],
    }
    let rest: Rest<'_> = orders.remainder().expect("it fits");
    assert_eq!((rest.next, rest.data), ("x", []));
}

#[tokio::test]
async fn whatever_the_size_of_the_buffer_the_elements_are_the_same() {
    let text = br#"{"data": [ {"id":1,"name":"one"}, "two", 3 ], "next": null}"#;
    for capacity in 1..text.len() + 2 {
        let reader = BufReader::with_capacity(capacity, &text[..]);
        let mut items = elements(reader, "/data").expect("it is a path");
        let mut read = Vec::new();
        while let Some(item) = items.next().await.expect("it is JSON") {
            let at = item.offset() as usize;
            assert_eq!(
                &text[at..at + item.as_str().len()],
                item.as_str().as_bytes()
            );
            read.push(item.as_str().to_owned());
        }
        assert_eq!(read, [r#"{"id":1,"name":"one"}"#, r#""two""#, "3"]);
        let rest: Value = items.remainder().expect("it is JSON");
        assert_eq!(rest, serde_json::json!({"data": [], "next": null}));
    }
}

#[tokio::test]
async fn a_wait_that_is_cancelled_loses_nothing() {
    let (reader, mut writer) = tokio::io::duplex(7);
    let mut items = elements(BufReader::with_capacity(5, reader), "").expect("it is a path");
    let writing = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt;
        for byte in br#"["first", {"second":2}, 3]"# {
            writer.write_all(&[*byte]).await.expect("there is a reader");
            tokio::task::yield_now().await;
        }
    });
    let mut read = Vec::new();
    let mut cancelled = 0;
    loop {
        tokio::select! {
            biased;
            item = items.next() => match item.expect("it is JSON") {
                Some(item) => read.push(item.as_str().to_owned()),
                None => break,
            },
            () = tokio::task::yield_now() => cancelled += 1,
        }
    }
    writing.await.expect("it has written");
    assert_eq!(read, ["\"first\"", r#"{"second":2}"#, "3"]);
    assert!(cancelled > 5, "{cancelled}");
}

/// What lines or values are read as, however they are cut.
fn items_of<F: Format>(
    splitter: impl Fn() -> Splitter<F>,
    text: &[u8],
) -> (Vec<(Place, String)>, Option<String>) {
    let run = |chunks: &mut dyn Iterator<Item = &[u8]>| {
        let mut items = Vec::new();
        let read = || {
            let mut splitter = splitter();
            for mut chunk in chunks {
                while let Some(item) = splitter.split(&mut chunk)? {
                    items.push((item.place(), item.as_str().to_owned()));
                }
            }
            while let Some(item) = splitter.end()? {
                items.push((item.place(), item.as_str().to_owned()));
            }
            Ok(())
        };
        let error = read().err().map(|error: JsonError| error.to_string());
        (items, error)
    };
    let whole = run(&mut [text].into_iter());
    assert_eq!(run(&mut text.chunks(1)), whole);
    for at in 0..=text.len() {
        let (left, right) = text.split_at(at);
        assert_eq!(run(&mut [left, right].into_iter()), whole, "cut at {at}");
    }
    whole
}

#[test]
fn each_line_is_a_value() {
    let (lines, error) = items_of(
        Splitter::lines,
        b"\xef\xbb\xbf{\"id\":1}\r\n\n  \t\r\n [2 ]\t\n\"\\n\"\n17",
    );
    let line = |number, text: &str| (Place::Line(number), text.to_owned());
    let want = [
        line(1, "{\"id\":1}"),
        line(4, "[2 ]"),
        line(5, "\"\\n\""),
        line(6, "17"),
    ];
    assert_eq!((lines.as_slice(), error), (&want[..], None));
    for text in [&b""[..], b"\n", b" \r\n\r\n "] {
        assert_eq!(items_of(Splitter::lines, text), (vec![], None));
    }
}

#[test]
fn a_line_that_is_no_value_is_told_by_its_number() {
    let mut told = Vec::new();
    for text in [
        &b"1\n{\"a\":\n1}\n"[..],
        b"1\n2 3\n",
        b"{}{}",
        b"\n\n{\"a\":tru}",
        b"[1",
        b"\"\xff\"\n",
        b"1\n-\n",
        b"1\n\"a\rb\"",
        b"1\x0c\n",
        b"1,\n",
    ] {
        let (_, error) = items_of(Splitter::lines, text);
        told.push((text.escape_ascii().to_string(), error.expect("it is wrong")));
    }
    insta::assert_debug_snapshot!(told);
    let bounded = || Splitter::lines().max_item_bytes(4);
    let (lines, error) = items_of(bounded, b"123\n1234\n");
    assert_eq!(lines.len(), 1);
    insta::assert_snapshot!(error.expect("it is too long"), @"more than 4 bytes in line 2; allow more with `max_item_bytes` if it is meant to be so large");
}

#[test]
fn values_follow_one_another() {
    let (values, error) = items_of(Splitter::values, b" {}[]\"a\"1 2\ntrue{} null\"b\"-3");
    assert_eq!(error, None);
    let texts: Vec<_> = values.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(
        texts,
        [
            "{}", "[]", "\"a\"", "1", "2", "true", "{}", "null", "\"b\"", "-3"
        ]
    );
    for (index, (place, _)) in values.iter().enumerate() {
        assert_eq!(*place, Place::Value(index as u64));
    }
    for text in [
        &b"truefalse"[..],
        b"1-2",
        b"null1",
        b"{},{}",
        b"{",
        b"1.",
        b"\"a",
        b"]",
    ] {
        let (_, error) = items_of(Splitter::values, text);
        assert!(error.is_some(), "{}", text.escape_ascii());
    }
    assert_eq!(items_of(Splitter::values, b" \n"), (vec![], None));
}

#[test]
fn no_debug_output_shows_the_text() {
    let mut splitter = Splitter::array("").expect("it is a path");
    let mut chunk = &b"[\"secret\"]"[..];
    let item = splitter.split(&mut chunk).expect("it is JSON");
    assert_eq!(
        format!("{item:?}"),
        "Some(Item { place: Element(0), offset: 1, bytes: 8 })"
    );
    let _ = splitter.split(&mut &b",\"secret"[..]);
    insta::assert_snapshot!(format!("{splitter:?}"), @"Splitter { place: Element(1), offset: 17, progress: Reading, .. }");
    let items = lines(&b"secret"[..]);
    insta::assert_snapshot!(format!("{items:?}"), @"Items { splitter: Splitter { place: Line(1), offset: 0, progress: Reading, .. }, .. }");
}
