use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, BufReader};

use super::*;

/// All rows as JSON, or the error that reading ends with. Errors of one row are passed over, and counted.
async fn read_chunks(csv: Csv, text: &[u8], chunk: usize) -> (Vec<Value>, Vec<CsvError>) {
    let mut rows = csv.read(BufReader::with_capacity(chunk, text));
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    loop {
        match rows.next().await {
            Ok(None) => return (found, errors),
            Ok(Some(row)) => {
                let mut out = Vec::new();
                row.write_json(&mut out);
                let value: Value = serde_json::from_slice(&out).unwrap();
                assert_eq!(serde_json::to_value(row).unwrap(), value);
                assert_eq!(serde_json::to_vec(&row).unwrap(), out);
                found.push(value);
            }
            Err(error) if error.is_of_one_row() => errors.push(error),
            Err(error) => {
                errors.push(error);
                assert!(matches!(
                    rows.next().await,
                    Err(CsvError::Over | CsvError::Dialect(_))
                ));
                return (found, errors);
            }
        }
    }
}

/// The same in chunks of any size.
async fn read(csv: Csv, text: &[u8]) -> (Vec<Value>, Vec<CsvError>) {
    let whole = read_chunks(csv.clone(), text, 1 << 20).await;
    let sizes = (1..=text.len().min(40)).chain([100, 1000]);
    for chunk in sizes {
        let chunked = read_chunks(csv.clone(), text, chunk).await;
        let told = |errors: &[CsvError]| errors.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(told(&chunked.1), told(&whole.1), "in chunks of {chunk}");
    }
    whole
}

async fn rows(csv: Csv, text: impl AsRef<[u8]>) -> Vec<Value> {
    let (rows, errors) = read(csv, text.as_ref()).await;
    assert!(errors.is_empty(), "{errors:?}");
    rows
}

fn ab(rows: &[(&str, &str)]) -> Vec<Value> {
    rows.iter().map(|(a, b)| json!({"a": a, "b": b})).collect()
}

#[tokio::test]
async fn lines_end_as_they_like_and_quotes_hold_what_they_like() {
    for (what, text, expected) in [
        ("nothing", "", vec![]),
        ("a header alone", "a,b\n", vec![]),
        ("a header without an end", "a,b", vec![]),
        ("lf", "a,b\n1,2\n3,4\n", vec![("1", "2"), ("3", "4")]),
        (
            "crlf",
            "a,b\r\n1,2\r\n3,4\r\n",
            vec![("1", "2"), ("3", "4")],
        ),
        ("cr", "a,b\r1,2\r3,4\r", vec![("1", "2"), ("3", "4")]),
        ("no last end", "a,b\n1,2\n3,4", vec![("1", "2"), ("3", "4")]),
        ("no last end, empty field", "a,b\n1,", vec![("1", "")]),
        (
            "blank lines",
            "\n\r\na,b\n\n1,2\r\n\r\n\n3,4\n\n",
            vec![("1", "2"), ("3", "4")],
        ),
        (
            "empty fields",
            "a,b\n,\n\"\",\"\"\n",
            vec![("", ""), ("", "")],
        ),
        ("quotes", "a,b\n\"1,2\",\"x\"\"y\"\n", vec![("1,2", "x\"y")]),
        (
            "quoted ends",
            "a,b\n\"1\n\r2\",\"\r\n\"\n3,4\n",
            vec![("1\n\r2", "\r\n"), ("3", "4")],
        ),
        ("a quote inside", "a,b\n1\"2,3\n", vec![("1\"2", "3")]),
        ("after a quote", "a,b\n\"1\"2,3\n", vec![("12", "3")]),
        ("quoted at the end", "a,b\n1,\"2\"", vec![("1", "2")]),
        ("nul", "a,b\n\0,1\0x\n", vec![("\0", "1\0x")]),
        ("white space", "a,b\n 1 ,\t2\n", vec![(" 1 ", "\t2")]),
        ("a mark", "\u{feff}a,b\n1,2\n", vec![("1", "2")]),
        ("a mark, quoted", "\u{feff}\"a\",b\n1,2\n", vec![("1", "2")]),
        ("unicode", "a,b\nö,𝄞\n", vec![("ö", "𝄞")]),
    ] {
        assert_eq!(rows(Csv::new(), text).await, ab(&expected), "{what}");
        assert_eq!(
            rows(Csv::detect(), text).await,
            ab(&expected),
            "{what}, detected"
        );
    }
}

#[tokio::test]
async fn any_character_may_be_delimiter_quote_escape_and_comment() {
    let one_two = ab(&[("1", "2")]);
    for (csv, text, expected) in [
        (Csv::new().delimiter(b';'), "a;b\n1;2\n", one_two.clone()),
        (Csv::new().delimiter(b'\t'), "a\tb\n1\t2\n", one_two.clone()),
        (Csv::new().delimiter(b'|'), "a|b\n1|2\n", one_two.clone()),
        (
            Csv::new().delimiter(0x1f),
            "a\x1fb\n1\x1f2\n",
            one_two.clone(),
        ),
        (Csv::new().delimiter(b' '), "a b\n1 2\n", one_two.clone()),
        (Csv::new().delimiter(b'x'), "axb\n1x2\n", one_two.clone()),
        (
            Csv::new().quote(b'\''),
            "a,b\n'1,1','2''2'\n",
            ab(&[("1,1", "2'2")]),
        ),
        (
            Csv::new().no_quote(),
            "a,b\n\"1,2\"\n",
            ab(&[("\"1", "2\"")]),
        ),
        (
            Csv::new().escape(b'\\'),
            "a,b\n\"1\\\"1\",\"2\\\\\"\n",
            ab(&[("1\"1", "2\\")]),
        ),
        (
            Csv::new().comment(b'#'),
            "#x,\"\na,b\n# y\n1,#2\n#",
            ab(&[("1", "#2")]),
        ),
        (
            Csv::new().comment(b'#'),
            "#x\ra,b\r#y\r1,2\r#z\r",
            one_two.clone(),
        ),
        (Csv::new().trim(), " a , b\n 1,2\u{a0}\n", one_two.clone()),
        (
            Csv::new().skip_lines(2),
            "A title\r\n\"of, it\r\na,b\r\n1,2\r\n",
            one_two.clone(),
        ),
        (Csv::new().skip_lines(9), "a,b\n1,2\n", vec![]),
    ] {
        assert_eq!(rows(csv.clone(), text).await, expected, "{csv:?}");
    }
    for wrong in [
        Csv::new().delimiter(b'"'),
        Csv::new().delimiter(b'\n'),
        Csv::new().delimiter(0xa7),
        Csv::new().quote(b'\r'),
        Csv::new().comment(b','),
        Csv::new().escape(b'"'),
        Csv::detect().delimiter(b';').comment(b';'),
        Csv::detect().delimiter(b'\n'),
        Csv::detect().delimiter(b'\n').comment(b'#'),
        Csv::detect().quote(b'\r'),
    ] {
        let (rows, errors) = read(wrong.clone(), b"a,b\n1,2\n").await;
        assert!(rows.is_empty(), "{wrong:?}");
        assert!(matches!(errors[..], [CsvError::Dialect(_)]), "{errors:?}");
    }
}

#[tokio::test]
async fn columns_are_named_by_the_file_by_the_caller_or_by_number() {
    let names = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<Vec<_>>()
    };
    let text = "a,b\n1,2\n";
    for (header, text, expected) in [
        (Header::FirstRow, text, vec![json!({"a": "1", "b": "2"})]),
        (
            Header::None,
            text,
            vec![
                json!({"column_1": "a", "column_2": "b"}),
                json!({"column_1": "1", "column_2": "2"}),
            ],
        ),
        (
            Header::Given(names(&["x", "y"])),
            text,
            vec![json!({"x": "a", "y": "b"}), json!({"x": "1", "y": "2"})],
        ),
        (
            Header::Replaced(names(&["x", "y"])),
            text,
            vec![json!({"x": "1", "y": "2"})],
        ),
        (Header::None, "", vec![]),
        (Header::Given(names(&["x"])), "", vec![]),
        (
            Header::FirstRow,
            "a,a,\n1,2,3\n",
            vec![json!({"a": "1", "a_2": "2", "column_3": "3"})],
        ),
        (
            Header::FirstRow,
            "\"a \"\"b\"\"\n\"\n1\n",
            vec![json!({"a \"b\"\n": "1"})],
        ),
    ] {
        let csv = Csv::new().header(header.clone());
        assert_eq!(rows(csv, text).await, expected, "{header:?}");
    }
    let mut reader = Csv::new().read(&b"a,a,\n"[..]);
    let columns = reader.columns().await.unwrap();
    assert_eq!(columns.renamed().len(), 2);
    assert_eq!(
        (
            columns.renamed()[0].position,
            columns.renamed()[0].from.as_str()
        ),
        (1, "a")
    );
    assert!(reader.next().await.unwrap().is_none());
    assert!(reader.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_row_of_another_length_is_refused_with_its_line_padded_or_taken() {
    let text = b"\n#c\na,b\n\"1\n1\",2\n3\n\n\n4,5,6\n7,8\n";
    let csv = Csv::new().comment(b'#');
    let (found, errors) = read(csv.clone(), text).await;
    assert_eq!(found, ab(&[("1\n1", "2"), ("7", "8")]));
    let told: Vec<_> = errors
        .iter()
        .map(|error| match error {
            CsvError::Ragged {
                line,
                expected,
                found,
            } => (*line, *expected, *found),
            error => panic!("{error}"),
        })
        .collect();
    assert_eq!(told, [(6, 2, 1), (9, 2, 3)]);
    insta::assert_snapshot!(
        errors[0],
        @"the row in line 6 has 1 fields instead of 2; if such rows are meant, pad them or take them as they are"
    );

    let (found, errors) = read(csv.clone().ragged(Ragged::Pad), text).await;
    assert_eq!(found, ab(&[("1\n1", "2"), ("3", ""), ("7", "8")]));
    assert!(matches!(errors[..], [CsvError::Ragged { line: 9, .. }]));

    let found = rows(csv.ragged(Ragged::Take), text).await;
    assert_eq!(
        found[1..],
        [
            json!({"a": "3"}),
            json!({"a": "4", "b": "5", "column_3": "6"}),
            json!({"a": "7", "b": "8"})
        ]
    );
}

#[tokio::test]
async fn a_quote_that_is_never_closed_is_an_error_with_the_line_where_it_is_opened() {
    let endless = format!("a,b\n1,2\n\"3\n\",\"4{}", ",5\n".repeat(10_000));
    for (csv, text, line) in [
        (Csv::new(), "a,b\n\"1,2\n3,4\n", 2),
        (Csv::new(), "a,b\n1,\"", 2),
        (Csv::new(), "a,b\n1,\"2\"\"", 2),
        (Csv::new(), "\"", 1),
        (Csv::new(), "a,b\r\n\"1\r\n\r\n\",\"2", 4),
        (Csv::new(), "a,b\r\"1\r\",\"\n\r2", 3),
        (Csv::new().escape(b'\\'), "a,b\n1,\"2\\", 2),
        (Csv::new().max_field_bytes(100), &endless, 4),
        (
            Csv::new().max_field_bytes(100).max_record_bytes(100),
            &endless,
            4,
        ),
    ] {
        let (_, errors) = read(csv, text.as_bytes()).await;
        let [CsvError::UnclosedQuote { line: told, .. }] = errors[..] else {
            panic!("{text:.40?}: {errors:?}");
        };
        assert_eq!(told, line, "{text:.40?}");
    }
}

#[tokio::test]
async fn fields_rows_and_their_number_are_bounded() {
    let text = |bytes: usize| format!("a,b\n1,{}\n2,3\n", "x".repeat(bytes));
    for (csv, bytes, fits) in [
        (Csv::new().max_field_bytes(5000), 5000, true),
        (Csv::new().max_field_bytes(5000), 5001, false),
        (Csv::new().max_record_bytes(5000), 4999, true),
        (Csv::new().max_record_bytes(5000), 5000, false),
    ] {
        let (found, errors) = read(csv, text(bytes).as_bytes()).await;
        assert_eq!(
            (found.len(), errors.len()),
            if fits { (2, 0) } else { (0, 1) }
        );
        assert!(
            errors.iter().all(|error| error.line() == Some(2)),
            "{errors:?}"
        );
    }
    let many = ",".repeat(parser::FIELDS_MAX);
    let (_, errors) = read_chunks(Csv::new(), many.as_bytes(), 4096).await;
    assert!(
        matches!(errors[..], [CsvError::ManyFields { line: 1, .. }]),
        "{errors:?}"
    );
    let (_, errors) = read_chunks(Csv::new(), &many.as_bytes()[1..], 4096).await;
    assert!(errors.is_empty(), "{errors:?}");
}

#[tokio::test]
async fn which_bound_is_met_first_does_not_depend_on_the_chunks() {
    let long = "x".repeat(201);
    for text in [
        format!("a,b\n{long},\"2\n"),
        format!("a,b\n1,\"2\n{long}\"3,4\n"),
        format!("a,b\n{long}\",{long}\n"),
        format!("a,b\n\"{long}\"\n"),
    ] {
        for (field, record) in [(200, 500), (200, 201), (200, 200), (201, 202), (300, 210)] {
            let csv = Csv::new().max_field_bytes(field).max_record_bytes(record);
            read(csv, text.as_bytes()).await;
        }
    }
}

#[tokio::test]
async fn a_field_that_is_no_text_is_an_error_of_its_row() {
    for (text, line, column) in [
        (&b"a,b\n1,gr\xf6\n2,3\n"[..], 2, 2),
        (b"a,b\n\n\xc3,\xb6\n2,3\n", 3, 1),
        (b"a,b\n1,\xc3\n2,3\n", 2, 2),
    ] {
        let (found, errors) = read(Csv::new(), text).await;
        assert_eq!(found, ab(&[("2", "3")]));
        let [
            CsvError::NotText {
                line: told,
                column: which,
            },
        ] = errors[..]
        else {
            panic!("{errors:?}");
        };
        assert_eq!((told, which), (line, column));
    }
    let (_, errors) = read(Csv::new(), b"a\xff,b\n1,2\n").await;
    assert!(
        matches!(errors[0], CsvError::NotText { line: 1, column: 1 }),
        "{errors:?}"
    );
}

#[tokio::test]
async fn what_is_given_wins_and_what_is_not_is_detected() {
    let in_utf16 = |text: &str, mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xfeff);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(u16::to_le_bytes)
            .collect()
    };
    let expected = ab(&[("größer; ja", "1,5"), ("x", "2,25")]);
    let semicolons = "a;b\n\"größer; ja\";1,5\nx;2,25\n";
    let latin: Vec<u8> = semicolons.chars().map(|c| c as u8).collect();
    for (csv, bytes, delimiter, encoding) in [
        (Csv::detect(), semicolons.as_bytes().to_vec(), b';', "UTF-8"),
        (Csv::detect(), latin.clone(), b';', "windows-1252"),
        (Csv::detect(), in_utf16(semicolons, true), b';', "UTF-16LE"),
        (Csv::detect(), in_utf16(semicolons, false), b';', "UTF-16LE"),
        (
            Csv::new().delimiter(b';'),
            in_utf16(semicolons, true),
            b';',
            "UTF-16LE",
        ),
        (
            Csv::new().delimiter(b';').encoding(Encoding::WINDOWS_1252),
            latin,
            b';',
            "windows-1252",
        ),
        (
            Csv::detect(),
            in_utf16("a\tb\n\"größer; ja\"\t\"1,5\"\nx\t2,25\n", true),
            b'\t',
            "UTF-16LE",
        ),
        (
            Csv::detect(),
            b"a|b\ngr\xc3\xb6\xc3\x9fer; ja|1,5\nx|2,25\n".to_vec(),
            b'|',
            "UTF-8",
        ),
        (
            Csv::detect(),
            "a,b\n'größer; ja','1,5'\nx,'2,25'\n".into(),
            b',',
            "UTF-8",
        ),
    ] {
        assert_eq!(rows(csv.clone(), &bytes).await, expected, "{csv:?}");
        let mut reader = csv.read(&bytes[..]);
        let dialect = reader.dialect().await.unwrap();
        assert_eq!(
            (dialect.delimiter, dialect.encoding.name()),
            (delimiter, encoding)
        );
    }
}

#[tokio::test]
async fn the_dialect_is_the_one_that_makes_rows_alike() {
    for (what, text, delimiter, quote) in [
        ("nothing", "", b',', b'"'),
        ("one column", "name\nx\ny z\n", b',', b'"'),
        (
            "decimal commas",
            "2024-01-01;1,5;2,5\n2024-01-02;3,5;4,5\n",
            b';',
            b'"',
        ),
        ("a comma in each row", "a;b\n1,0;2\n2,0;3\n", b';', b'"'),
        (
            "text with commas",
            "id\ttext\n1\tyes, no, perhaps\n2\twell, no\n",
            b'\t',
            b'"',
        ),
        (
            "quoted semicolons",
            "a,b,c\n1,\"x;y;z\",2\n3,\"u;v\",4\n",
            b',',
            b'"',
        ),
        (
            "apostrophes",
            "a,b\n'tis,it's\n'twas,dogs'\nx,y\n",
            b',',
            b'"',
        ),
        ("single quotes", "'a';'b'\n'1;2';'it''s'\n", b';', b'\''),
        ("a row alone", "a|b|c", b'|', b'"'),
        ("ragged", "a;b;c\n1;2;3\n4;5\n6;7;8\n", b';', b'"'),
        (
            "quoted ends of lines",
            "a,b\n\"1\n;2\n;3\",4\n\"5\n;;;;\n\",6\n",
            b',',
            b'"',
        ),
    ] {
        let mut reader = Csv::detect().read(text.as_bytes());
        let dialect = reader.dialect().await.unwrap();
        assert_eq!(
            (dialect.delimiter, dialect.quote),
            (delimiter, Some(quote)),
            "{what}"
        );
    }
    // Of a file that is longer than the sample, too, whose last row is cut.
    let long = "a;b;c\n1,5;\"2,5 and ; more\";3,5\n".repeat(5000);
    let mut reader = Csv::detect().read(long.as_bytes());
    assert_eq!(reader.dialect().await.unwrap().delimiter, b';');
}

#[derive(Debug, PartialEq, serde::Deserialize)]
struct Order {
    id: u64,
    price: f64,
    paid: Option<bool>,
    state: OrderState,
    note: String,
}

#[derive(Debug, PartialEq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
enum OrderState {
    Open,
    Sent,
}

#[tokio::test]
async fn rows_are_read_as_types_and_what_does_not_fit_is_told_without_its_value() {
    let text = "note,id,price,paid,state\nx,1,1.5,true,open\n,2,-1e3,,sent\n\
                n,secret,1,,open\nn,3,secret,,open\nn,3,1,secret,open\nn,3,1,,secret\n";
    let mut rows = Csv::new().read(text.as_bytes());
    let mut found = Vec::new();
    let mut errors = Vec::new();
    while let Some(row) = rows.next().await.unwrap() {
        match row.deserialize::<Order>() {
            Ok(order) => found.push(order),
            Err(error) => errors.push(error.to_string()),
        }
    }
    let order = |id, price, paid, state, note: &str| Order {
        id,
        price,
        paid,
        state,
        note: note.to_owned(),
    };
    assert_eq!(
        found,
        [
            order(1, 1.5, Some(true), OrderState::Open, "x"),
            order(2, -1000.0, None, OrderState::Sent, ""),
        ]
    );
    insta::assert_snapshot!(errors.join("\n"), @r"
    column `id` of the row in line 4: expected a natural number of 64 bits
    column `price` of the row in line 5: expected a number
    column `paid` of the row in line 6: expected `true` or `false`
    column `state` of the row in line 7: expected one of `open`, `sent`
    ");

    let mut rows = Csv::new().header(Header::None).read(&b"1,x\n2,y\n"[..]);
    let row = rows.next().await.unwrap().unwrap();
    assert_eq!(row.deserialize::<(u8, char)>().unwrap(), (1, 'x'));
    assert_eq!(row.deserialize::<Vec<&str>>().unwrap(), ["1", "x"]);
    let map: std::collections::BTreeMap<String, &str> = row.deserialize().unwrap();
    assert_eq!(map["column_2"], "x");
    for error in [
        row.deserialize::<(u8,)>().unwrap_err(),
        row.deserialize::<(u8, char, u8)>().unwrap_err(),
        row.deserialize::<Order>().unwrap_err(),
        row.deserialize::<u8>().unwrap_err(),
        row.deserialize::<(u8, Vec<u8>)>().unwrap_err(),
    ] {
        assert!(error.is_of_one_row(), "{error}");
        assert!(
            !error.to_string().contains('x') || error.to_string().contains("expected"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn an_error_of_the_stream_is_told_with_the_line_it_came_to() {
    let broken = BufReader::new((&b"a,b\n1,2\n"[..]).chain(Broken));
    let mut rows = Csv::new().read(broken);
    assert!(rows.next().await.unwrap().is_some());
    let Err(CsvError::Read { line: 3, source }) = rows.next().await else {
        panic!("the stream is broken");
    };
    assert_eq!(source.kind(), std::io::ErrorKind::ConnectionReset);
    assert!(matches!(rows.next().await, Err(CsvError::Over)));
}

/// Nothing but an error.
struct Broken;

impl tokio::io::AsyncRead for Broken {
    fn poll_read(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
        _: &mut tokio::io::ReadBuf<'_>,
    ) -> std::task::Poll<std::io::Result<()>> {
        std::task::Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_call_loses_nothing() {
    let (mut writer, reader) = tokio::io::duplex(1);
    let text = "a;b\n1;\"2\n3\"\n4;5";
    let writing = tokio::spawn(async move {
        for byte in text.as_bytes() {
            tokio::time::sleep(std::time::Duration::from_millis(3)).await;
            tokio::io::AsyncWriteExt::write_all(&mut writer, &[*byte])
                .await
                .unwrap();
        }
    });
    let mut rows = Csv::detect().read(BufReader::new(reader));
    let (mut found, mut cancelled) = (Vec::new(), 0);
    loop {
        match tokio::time::timeout(std::time::Duration::from_millis(2), rows.next()).await {
            Err(_) => cancelled += 1,
            Ok(Ok(Some(row))) => found.push(serde_json::to_value(row).unwrap()),
            Ok(Ok(None)) => break,
            Ok(Err(error)) => panic!("{error}"),
        }
    }
    writing.await.unwrap();
    assert_eq!(found, ab(&[("1", "2\n3"), ("4", "5")]));
    assert!(cancelled >= text.len(), "{cancelled}");
}

/// The fields of each row, by the crate `csv`.
fn by_another(text: &[u8], delimiter: u8, quote: u8) -> Vec<Vec<Vec<u8>>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(delimiter)
        .quote(quote)
        .from_reader(text);
    let rows = reader.byte_records().map(|row| row.unwrap());
    rows.map(|row| row.iter().map(<[u8]>::to_vec).collect())
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Also of text that is hardly CSV: both take whatever comes.
    #[test]
    fn fields_are_those_that_another_parser_finds(
        text in "[ab,;'\"\r\nö]{0,60}",
        delimiter in prop::sample::select(&b",;"[..]),
        quote in prop::sample::select(&b"\"'"[..]),
        chunk in 1_usize..70,
    ) {
        let expected = by_another(text.as_bytes(), delimiter, quote);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found: Result<Vec<Vec<Vec<u8>>>, CsvError> = runtime.block_on(async {
            let csv = Csv::new().delimiter(delimiter).quote(quote).header(Header::None).ragged(Ragged::Take);
            let mut rows = csv.read(BufReader::with_capacity(chunk, text.as_bytes()));
            let mut found = Vec::new();
            while let Some(row) = rows.next().await? {
                found.push(row.fields().map(|field| field.as_bytes().to_vec()).collect());
            }
            Ok(found)
        });
        match found {
            Ok(found) => prop_assert_eq!(found, expected),
            // The other one takes the end of the file for the missing quote.
            Err(CsvError::UnclosedQuote { .. }) => {
                let last = expected.last().unwrap().last().unwrap();
                let closed = [text.as_bytes(), &[quote, b'\n', b'z']].concat();
                let with_quote = by_another(&closed, delimiter, quote);
                prop_assert_eq!(with_quote.last().unwrap(), &vec![b"z".to_vec()], "{:?}", last);
            }
            Err(error) => prop_assert!(false, "{}", error),
        }
    }

    /// What a writer wrote is read as it was, quoted or not, whatever the chunks.
    #[test]
    fn what_another_wrote_is_read(
        table in prop::collection::vec(prop::collection::vec("[a ,;|\t'\"\r\nö]{0,8}", 3), 1..8),
        delimiter in prop::sample::select(&b",;\t|"[..]),
        chunk in 1_usize..70,
    ) {
        let mut writer = ::csv::WriterBuilder::new()
            .delimiter(delimiter)
            .quote_style(::csv::QuoteStyle::Always)
            .from_writer(Vec::new());
        for row in &table {
            writer.write_record(row).unwrap();
        }
        let text = writer.into_inner().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let found = runtime.block_on(async {
            let csv = Csv::new().delimiter(delimiter).header(Header::None);
            let mut rows = csv.read(BufReader::with_capacity(chunk, &text[..]));
            let mut found = Vec::new();
            while let Some(row) = rows.next().await.unwrap() {
                found.push(row.fields().map(str::to_owned).collect::<Vec<_>>());
            }
            found
        });
        prop_assert_eq!(found, table);
    }
}

#[tokio::test]
async fn a_compressed_file_in_any_encoding_is_read_through_all_of_it() {
    let text = "a;b\r\n1;größer\r\n".repeat(3);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let marked = [&b"\xfe\xff"[..], &utf16].concat();
    let mut gzip = Vec::new();
    async_compression::tokio::bufread::GzipEncoder::new(&marked[..])
        .read_to_end(&mut gzip)
        .await
        .unwrap();
    let mut rows = Csv::detect().read(crate::stream::decompress_detected(&gzip[..]));
    let mut found = Vec::new();
    while let Some(row) = rows.next().await.unwrap() {
        found.push(row.named("b").unwrap().to_owned());
    }
    assert_eq!(found, ["größer", "b", "größer", "b", "größer"]);
    let cut = &gzip[..gzip.len() - 1];
    let mut rows = Csv::detect().read(crate::stream::decompress_detected(cut));
    let error = loop {
        match rows.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the end is missing"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, CsvError::Read { .. }), "{error}");
}
