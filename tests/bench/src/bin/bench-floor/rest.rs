//! Pages over HTTP: a server, and the least that a client can do with them.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::value::RawValue;
use staunch_bench::document::Order;
use staunch_bench::pages::{PAGE_DOCUMENTS, PAGES, bodies, end};

use super::{ENVELOPE, Out, Pipe};

/// Says its port, and answers `GET /orders?page=n` until it is killed.
pub(super) fn serve() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?.port());
    let bodies = bodies();
    std::thread::scope(|scope| {
        for stream in listener.incoming() {
            let bodies = &bodies;
            // A client that goes away ends its connection, and nothing else.
            scope.spawn(move || stream.and_then(|stream| answer(stream, bodies)));
        }
    });
    Ok(())
}

fn answer(stream: TcpStream, bodies: &[Vec<u8>]) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let page = line
            .split_once("page=")
            .and_then(|(_, rest)| rest.split(' ').next());
        let page: u64 = page.unwrap_or("0").parse().map_err(io::Error::other)?;
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line)?;
        }
        let (body, end) = (&bodies[page as usize % bodies.len()], end(page));
        let length = body.len() + end.len();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
        );
        let stream = reader.get_mut();
        stream.write_all(head.as_bytes())?;
        stream.write_all(body)?;
        stream.write_all(end.as_bytes())?;
    }
}

/// Asks for all pages, and does with them what `mode` says.
pub(super) fn fetch(mode: &str, port: &str) -> io::Result<()> {
    let stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_nodelay(true)?;
    let mut reader = BufReader::new(stream);
    let (mut body, mut buffer, mut out) = (Vec::new(), Vec::new(), Pipe::new()?);
    for page in 0..PAGES {
        let ask = format!("GET /orders?page={page} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        reader.get_mut().write_all(ask.as_bytes())?;
        read_body(&mut reader, &mut body)?;
        buffer.clear();
        match mode {
            "rest-fetch" => {
                std::hint::black_box(&body);
                continue;
            }
            "rest-raw" => raw(&body, &mut buffer)?,
            _ => typed(&body, &mut buffer)?,
        }
        out.documents(&buffer)?;
        out.checkpoint((page + 1) * PAGE_DOCUMENTS)?;
    }
    Ok(())
}

fn read_body(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) -> io::Result<()> {
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line)?;
        if let Some(value) = line.strip_prefix("content-length: ") {
            length = value.trim().parse().map_err(io::Error::other)?;
        }
    }
    body.resize(length, 0);
    reader.read_exact(body)
}

#[derive(serde::Deserialize)]
struct Raw<'a> {
    #[serde(borrow)]
    data: Vec<&'a RawValue>,
}

#[derive(serde::Deserialize)]
struct Typed {
    data: Vec<Order>,
}

fn raw(body: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
    for document in serde_json::from_slice::<Raw<'_>>(body)?.data {
        buffer.extend_from_slice(ENVELOPE.before);
        buffer.extend_from_slice(document.get().as_bytes());
        buffer.extend_from_slice(ENVELOPE.after);
    }
    Ok(())
}

fn typed(body: &[u8], buffer: &mut Vec<u8>) -> io::Result<()> {
    for document in serde_json::from_slice::<Typed>(body)?.data {
        buffer.extend_from_slice(ENVELOPE.before);
        serde_json::to_writer(&mut *buffer, &document)?;
        buffer.extend_from_slice(ENVELOPE.after);
    }
    Ok(())
}
