//! One line of each form, drawn from a seed: what the servers and libraries write, with paths, statuses, durations and
//! times that change from line to line.

use std::fmt::Write;

use crate::generate::random::Random;

/// What a line says, whatever its form.
pub(crate) struct Draw {
    method: &'static str,
    path: String,
    status: u64,
    us: u64,
    bytes: u64,
    host: u64,
    port: u64,
    second: u64,
    micros: u64,
}

const PHRASES: [(u64, &str); 6] = [
    (200, "OK"),
    (201, "Created"),
    (304, "Not Modified"),
    (404, "Not Found"),
    (422, "Unprocessable Entity"),
    (500, "Internal Server Error"),
];

impl Draw {
    /// The `n`th request of a log.
    pub(crate) fn new(n: u64, random: &mut Random) -> Self {
        let id = random.below(200_000);
        let (method, path) = match random.below(6) {
            0 => ("GET", format!("/products?category=new&page={}", id % 40)),
            1 => ("GET", format!("/products/{id}")),
            2 => ("POST", "/checkout".to_owned()),
            3 => ("GET", format!("/users/{id}/orders?limit=20&offset={}", id % 90)),
            4 => ("PUT", format!("/cart/items/{id}")),
            _ => ("GET", "/search?q=red%20shoe".to_owned()),
        };
        let status = if random.below(10) < 8 { 200 } else { PHRASES[usize_of(random.below(6))].0 };
        let us = 800 + random.below(90_000);
        let (bytes, host, port) = (random.below(40_000), random.below(250), 32_768 + random.below(28_000));
        Self { method, path, status, us, bytes, host, port, second: n / 40, micros: n % 40 * 25_000 + random.below(25_000) }
    }

    fn phrase(&self) -> &'static str {
        PHRASES.iter().find(|(status, _)| *status == self.status).map_or("OK", |(_, phrase)| phrase)
    }

    /// `00:36:48`
    fn clock(&self) -> String {
        let second = self.second % 86_400;
        format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60)
    }

    /// `2026-11-23 00:36:48`
    fn iso(&self, between: char) -> String {
        format!("2026-11-23{between}{}", self.clock())
    }

    /// `23/Nov/2026:00:36:48 +0000`
    fn common(&self) -> String {
        format!("23/Nov/2026:{} +0000", self.clock())
    }

    fn bare_path(&self) -> &str {
        self.path.split('?').next().unwrap_or_default()
    }
}

fn usize_of(small: u64) -> usize {
    usize::try_from(small).expect("a small number")
}

const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

/// Writes one line without its end.
pub(crate) type Writer = fn(&mut String, &Draw) -> std::fmt::Result;

/// A form: its name, how a line of it is written, and the `--format` it is read with.
pub(crate) struct Form {
    pub(crate) name: &'static str,
    pub(crate) write: Writer,
    pub(crate) format: Option<&'static str>,
}

const fn auto(name: &'static str, write: Writer) -> Form {
    Form { name, write, format: None }
}

/// Every form of a request.
pub(crate) const REQUESTS: [Form; 23] = [
    auto("uvicorn", |out, d| {
        let (path, phrase) = (&d.path, d.phrase());
        write!(out, "INFO:     10.0.0.{}:{} - \"{} {path} HTTP/1.1\" {} {phrase}", d.host, d.port, d.method, d.status)
    }),
    auto("uvicorn, behind a time", |out, d| {
        let (time, millis) = (d.iso(' '), d.micros / 1000);
        write!(out, "{time},{millis:03} - uvicorn.access - INFO - ")?;
        write!(out, "10.0.0.{}:{} - \"{} {} HTTP/1.1\" {}", d.host, d.port, d.method, d.path, d.status)
    }),
    auto("gunicorn", combined),
    auto("hypercorn", |out, d| {
        write!(out, "[{} +0000] [4711] [INFO] 10.0.0.{}:{} - - [{}] ", d.iso(' '), d.host, d.port, d.common())?;
        write!(out, "\"{} {} 1.1\" {} {} \"-\" \"{AGENT}\"", d.method, d.bare_path(), d.status, d.bytes)
    }),
    auto("granian", |out, d| {
        write!(out, "[{} +0000] 10.0.0.{} - ", d.iso(' '), d.host)?;
        write!(out, "\"{} {} HTTP/1.1\" {} {}.{:03}", d.method, d.bare_path(), d.status, d.us / 1000, d.us % 1000)
    }),
    auto("daphne", |out, d| {
        let time = d.common();
        let time = time.trim_end_matches(" +0000");
        write!(out, "10.0.0.{}:{} - - [{time}] \"{} {}\" {} {}", d.host, d.port, d.method, d.path, d.status, d.bytes)
    }),
    auto("common", common),
    auto("combined", combined),
    auto("nginx, timed", |out, d| {
        combined(out, d)?;
        write!(out, " {0}.{1:03} {0}.{1:03} MISS", d.us / 1_000_000, d.us / 1000 % 1000)
    }),
    auto("nginx, named figures", |out, d| {
        combined(out, d)?;
        let (whole, millis) = (d.us / 1_000_000, d.us / 1000 % 1000);
        write!(out, " rt={whole}.{millis:03} uct=\"0.000\" uht=\"{whole}.{millis:03}\" urt=\"{whole}.{millis:03}\" ucs=HIT")
    }),
    auto("nginx JSON", |out, d| {
        write!(out, "{{\"time\":\"{}+00:00\",\"remote_addr\":\"10.0.0.{}\",\"method\":\"{}\",", d.iso('T'), d.host, d.method)?;
        write!(out, "\"uri\":\"{}\",\"status\":{},\"body_bytes_sent\":{},", d.path, d.status, d.bytes)?;
        write!(out, "\"request_time\":{}.{:03},\"agent\":\"{AGENT}\"}}", d.us / 1_000_000, d.us / 1000 % 1000)
    }),
    auto("structlog JSON", |out, d| {
        write!(out, "{{\"method\": \"{}\", \"path\": \"{}\", \"status_code\": {}, ", d.method, d.path, d.status)?;
        write!(out, "\"duration_ms\": {}.{:03}, \"request_id\": \"{:016x}\", ", d.us / 1000, d.us % 1000, d.micros * d.port)?;
        write!(out, "\"event\": \"request\", \"level\": \"info\", \"timestamp\": \"{}.{:06}Z\"}}", d.iso('T'), d.micros)
    }),
    auto("logfmt", |out, d| {
        write!(out, "timestamp={}.{:06}Z level=info event=request method={} ", d.iso('T'), d.micros, d.method)?;
        write!(out, "path=\"{}\" status={} duration=0.{:06} request_id={:016x}", d.path, d.status, d.us, d.micros * d.port)
    }),
    auto("loguru", |out, d| {
        write!(out, "{}.{:03} | INFO     | uvicorn.protocols.http.httptools_impl:send:482 - ", d.iso(' '), d.micros / 1000)?;
        write!(out, "10.0.0.{}:{} - \"{} {} HTTP/1.1\" {}", d.host, d.port, d.method, d.path, d.status)
    }),
    auto("structlog console", |out, d| {
        write!(out, "{}.{:06} [info     ] request                        [api.access] ", d.iso('T'), d.micros)?;
        write!(
            out,
            "duration_ms={}.{:03} method={} path={} status_code={}",
            d.us / 1000,
            d.us % 1000,
            d.method,
            d.bare_path(),
            d.status
        )
    }),
    auto("timing", |out, d| {
        write!(out, "{},{:03} - shop.timing - INFO - ", d.iso(' '), d.micros / 1000)?;
        write!(out, "{} {} completed_in={}.{:02}ms status_code={}", d.method, d.bare_path(), d.us / 1000, d.us % 100, d.status)
    }),
    auto("python-json-logger", |out, d| {
        write!(out, "{{\"asctime\": \"{},{:03}\", \"levelname\": \"INFO\", ", d.iso(' '), d.micros / 1000)?;
        write!(out, "\"name\": \"uvicorn.access\", \"message\": \"10.0.0.{}:{} - \\\"{} ", d.host, d.port, d.method)?;
        write!(out, "{} HTTP/1.1\\\" {}\"}}", d.path, d.status)
    }),
    Form {
        name: "python logging format, %",
        format: Some("%(asctime)s | %(levelname)s | %(name)s | %(message)s"),
        write: |out, d| {
            write!(out, "{},{:03} | INFO | uvicorn.access | ", d.iso(' '), d.micros / 1000)?;
            write!(out, "10.0.0.{}:{} - \"{} {} HTTP/1.1\" {}", d.host, d.port, d.method, d.path, d.status)
        },
    },
    Form {
        name: "python logging format, {",
        format: Some("{asctime} <{levelname}> {name}: {message}"),
        write: |out, d| {
            write!(out, "{},{:03} <INFO> uvicorn.access: ", d.iso(' '), d.micros / 1000)?;
            write!(out, "10.0.0.{}:{} - \"{} {} HTTP/1.1\" {}", d.host, d.port, d.method, d.path, d.status)
        },
    },
    Form {
        name: "access format",
        format: Some("%(h)s %(l)s %(u)s %(t)s \"%(r)s\" %(s)s %(b)s \"%(f)s\" \"%(a)s\" %(D)s"),
        write: |out, d| {
            combined(out, d)?;
            write!(out, " {}", d.us)
        },
    },
    Form {
        name: "access format, key=value",
        format: Some("m=%(m)s p=%(U)s s=%(s)s b=%(B)s us=%(D)s t=%(t)s"),
        write: |out, d| {
            write!(out, "m={} p={} s={} b={} us={} t=[{}]", d.method, d.bare_path(), d.status, d.bytes, d.us, d.common())
        },
    },
    Form {
        name: "nginx log_format",
        format: Some("$remote_addr [$time_iso8601] $request_method $uri $status $body_bytes_sent $request_time"),
        write: |out, d| {
            write!(out, "10.0.0.{} [{}+00:00] {} {} ", d.host, d.iso('T'), d.method, d.bare_path())?;
            write!(out, "{} {} {}.{:03}", d.status, d.bytes, d.us / 1_000_000, d.us / 1000 % 1000)
        },
    },
    Form {
        name: "regular expression",
        format: Some(r"/^(?P<method>[A-Z]+) (?P<path>\S+) (?P<status>\d{3}) (?P<latency_ms>[\d.]+)$/"),
        write: |out, d| write!(out, "{} {} {} {}.{:03}", d.method, d.path, d.status, d.us / 1000, d.us % 1000),
    },
];

fn common(out: &mut String, d: &Draw) -> std::fmt::Result {
    write!(out, "10.0.0.{} - - [{}] \"{} {} HTTP/1.1\" ", d.host, d.common(), d.method, d.path)?;
    write!(out, "{} {}", d.status, d.bytes)
}

fn combined(out: &mut String, d: &Draw) -> std::fmt::Result {
    common(out, d)?;
    write!(out, " \"-\" \"{AGENT}\"")
}

/// A traceback as uvicorn prints one.
pub(crate) fn traceback(out: &mut String, d: &Draw) -> std::fmt::Result {
    writeln!(out, "ERROR:    Exception in ASGI application")?;
    writeln!(out, "Traceback (most recent call last):")?;
    for (file, line, code) in [
        ("/srv/venv/lib/python3.11/site-packages/uvicorn/protocols/http/httptools_impl.py", 409, "result = await app("),
        ("/srv/venv/lib/python3.11/site-packages/starlette/routing.py", 74, "response = await f(request)"),
        ("/srv/shop/orders.py", d.port % 400, "return totals[cart.key]"),
    ] {
        writeln!(out, "  File \"{file}\", line {line}, in call\n    {code}\n           ^^^^^^^^^^^^")?;
    }
    write!(out, "KeyError: 'item {}'", d.host)
}

/// Lines in which servers speak of themselves.
pub(crate) fn lifecycle(out: &mut String, d: &Draw) -> std::fmt::Result {
    match d.host % 6 {
        0 => write!(out, "INFO:     Started server process [{}]", d.port),
        1 => write!(out, "INFO:     Application startup complete."),
        2 => write!(out, "[{} +0000] [{}] [INFO] Booting worker with pid: {}", d.iso(' '), d.port, d.port),
        3 => write!(out, "[{} +0000] [7] [CRITICAL] WORKER TIMEOUT (pid:{})", d.iso(' '), d.port),
        4 => write!(out, "INFO:     Shutting down"),
        _ => write!(out, "INFO:     Uvicorn running on http://0.0.0.0:8000 (Press CTRL+C to quit)"),
    }
}

/// What an application prints.
pub(crate) fn message(out: &mut String, d: &Draw) -> std::fmt::Result {
    write!(out, "{},{:03} - shop.catalogue - INFO - refreshed {} items in the cache", d.iso(' '), d.micros / 1000, d.bytes)
}
