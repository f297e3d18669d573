//! Logs for laws: samples with the arguments they are read with, and logs put together from pieces (accesses, pairs of lines,
//! tracebacks, broken lines) or from noise. Holds no tests.

use std::fs;
use std::io::Write;

use proptest::prelude::*;
use proptest::sample::select;
use vitalog::time::Timestamp;

use crate::program::root;
use crate::samples::expectations;

/// Combined, and microseconds.
pub(crate) const MICROSECONDS: &str = r#"%(h)s %(l)s %(u)s %(t)s "%(r)s" %(s)s %(b)s "%(f)s" "%(a)s" %(D)s"#;

/// The arguments for each sample, without the chosen outputs.
pub(crate) fn samples() -> Vec<(String, Vec<String>)> {
    let absolute = |word: String| match word.strip_prefix("@samples/") {
        Some(rest) => format!("@{}", root().join("samples").join(rest).display()),
        None if word.starts_with("samples/") => root().join(word).display().to_string(),
        None => word,
    };
    let arguments = |files: Vec<String>, options: Vec<String>| files.into_iter().chain(options).map(absolute).collect();
    expectations().into_iter().map(|(name, expected)| (name, arguments(expected.files, expected.options))).collect()
}

/// Lines that belong together, written by one process: they are never cut apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Piece {
    Access,
    Pair,
    Raised,
    Grouped,
    Said,
    Broken,
    Started,
}

pub(crate) fn piece() -> impl Strategy<Value = Piece> {
    prop_oneof![
        10 => Just(Piece::Access),
        10 => Just(Piece::Pair),
        1 => Just(Piece::Raised),
        1 => Just(Piece::Grouped),
        1 => Just(Piece::Said),
        1 => Just(Piece::Broken),
        1 => Just(Piece::Started),
    ]
}

const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/srv/shop/main.py\", line 88, in checkout
    order = await place(cart)
  File \"/srv/shop/orders.py\", line 41, in place
    return totals[cart.key]
           ~~~~~~^^^^^^^^^^
KeyError: 'total'

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File \"/srv/shop/main.py\", line 90, in checkout
    raise PaymentError(\"declined\") from error
main.PaymentError: declined
";
const GROUP: &str = "  + Exception Group Traceback (most recent call last):
  |   File \"/srv/shop/main.py\", line 12, in gather
  |     raise ExceptionGroup(\"two\", errors)
  | ExceptionGroup: two (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File \"/srv/shop/main.py\", line 7, in one
    |     raise KeyError(1)
    | KeyError: 1
    +---------------- 2 ----------------
    | ValueError: no
    +------------------------------------
";

impl Piece {
    /// Piece number `n`, written at its own second.
    pub(crate) fn write(self, n: usize, log: &mut Vec<u8>) {
        let at = format!("2026-11-23 10:{:02}:{:02},{:03}", n / 600 % 60, n / 10 % 60, n % 10 * 100 + n % 7);
        let path = ["/products", "/orders/1842", "/users/44/orders", "/cart", "/health", "/wp-login.php"][n * 7 % 11 % 6];
        let method = if n.is_multiple_of(5) { "POST" } else { "GET" };
        let status = [200, 200, 200, 201, 404, 422][n * 5 % 6];
        let access = |status: u16| {
            let line = format!("\"{method} {path}?page={n} HTTP/1.1\" {status}");
            format!("{at} - uvicorn.access - INFO - 127.0.0.1:{} - {line}\n", 40_000 + n)
        };
        let text = match self {
            Self::Access => access(status),
            Self::Pair => {
                let took = format!("{method} {path} completed_in={}.{:02}ms status_code={status}", n % 90, n % 100);
                format!("{at} - shop.timing - INFO - {took}\n{}", access(status))
            }
            Self::Raised => {
                format!("{}{at} - uvicorn.error - ERROR - Exception in ASGI application\n{TRACEBACK}", access(500))
            }
            Self::Grouped => {
                format!("{}{at} - uvicorn.error - ERROR - Exception in ASGI application\n{GROUP}", access(500))
            }
            Self::Said => format!("{at} - shop - INFO - order {n} placed\nand a second line of it\n"),
            Self::Broken => format!("{at} - uvicorn.access - INFO - 127.0.0.1:1 - \"GET /cut HTTP/1.1\" 99999\n"),
            Self::Started => format!("{at} - uvicorn.error - INFO - Started server process [{n}]\n"),
        };
        log.extend(text.bytes());
    }
}

/// A log of these pieces, and where each begins.
pub(crate) fn written(pieces: &[Piece]) -> (Vec<u8>, Vec<usize>) {
    let (mut log, mut starts) = (Vec::new(), Vec::new());
    for (n, piece) in pieces.iter().enumerate() {
        starts.push(log.len());
        piece.write(n, &mut log);
    }
    (log, starts)
}

/// A line of a logger, some tenths of a second after ten in the morning.
pub(crate) fn logged(tenths: i64, logger: &str, message: &str) -> String {
    let at = Timestamp(1_795_428_000_000_000 + tenths * 100_000);
    let (second, milli) = (at.second().rem_euclid(86_400), tenths.rem_euclid(10) * 100);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("2026-11-23 {hour:02}:{minute:02}:{second:02},{milli:03} - {logger} - INFO - {message}\n")
}

/// Packed.
pub(crate) fn gzip(log: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(log).unwrap();
    packer.finish().unwrap()
}

/// Samples of which wild logs are made.
const SNIPPETS: [&str; 8] =
    ["uvicorn", "nginx-json", "docker-json", "cri", "journald-json", "syslog-rfc3164", "structlog-logfmt", "compose"];

/// Bytes that have something of a log: pieces of samples, repeated, cut and mixed with noise.
pub(crate) fn wild() -> impl Strategy<Value = Vec<u8>> {
    let snippet = (select(&SNIPPETS[..]), any::<u16>(), 1_usize..900).prop_map(|(name, at, length)| {
        let log = fs::read(root().join(format!("samples/{name}.log"))).unwrap();
        let from = usize::from(at) * 37 % log.len();
        log[from..(from + length).min(log.len())].to_vec()
    });
    let part = prop_oneof![4 => snippet, 2 => prop::collection::vec(any::<u8>(), 0..80), 1 => Just(b"\n".to_vec())];
    prop::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}
