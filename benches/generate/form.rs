//! How a request is written: three forms, and the lines between that are no requests.

use super::random::Random;
use super::routes::slugs;
use super::traffic::Request;

/// A written form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Combined log format with microseconds at the end, as gunicorn's `%(D)s` writes them.
    Combined,
    /// One JSON object a line, as structlog's renderer writes it.
    Json,
    /// uvicorn's default access line: neither time nor latency.
    Uvicorn,
}

impl Form {
    /// The form with this name on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "combined" => Some(Self::Combined),
            "json" => Some(Self::Json),
            "uvicorn" => Some(Self::Uvicorn),
            _ => None,
        }
    }
}

const AGENTS: [&str; 8] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/127.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "python-requests/2.32.3",
    "shop-app/4.11 (Android 15)",
    "python-httpx/0.28.1",
    "curl/8.5.0",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
];
const REFERRERS: [&str; 4] = ["-", "-", "https://shop.example/", "https://shop.example/products?page=2"];
const QUERIES: [&str; 8] = [
    "page=",
    "limit=20&offset=",
    "sort=price&page=",
    "q=gr%C3%BCn&max=",
    "q=%22red+shoe%22&n=",
    "v=2.0&t=",
    "id=",
    "ref=a-b_c.d~e&x=",
];
const WORDS: [&str; 20] = [
    "amber", "birch", "coral", "delta", "ember", "fjord", "grove", "harbor", "indigo", "juniper", "kelp", "lotus", "maple",
    "nectar", "onyx", "pebble", "quartz", "river", "saffron", "tundra",
];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const TRACEBACK: &str = "Traceback (most recent call last):
  File \"/srv/shop/main.py\", line 88, in checkout
    order = await place(cart)
            ^^^^^^^^^^^^^^^^^
  File \"/srv/shop/orders.py\", line 41, in place
    return totals[cart.key]
           ~~~~~~^^^^^^^^^^
KeyError: 'total'
";

/// Writes lines of one form; keeps the text of the second it is in.
pub(crate) struct Writer {
    form: Form,
    second: u64,
    /// The time in the form's own way, without a fraction.
    stamp: String,
}

impl Writer {
    pub(crate) fn new(form: Form) -> Self {
        Self { form, second: u64::MAX, stamp: String::new() }
    }

    /// One access line.
    pub(crate) fn request(&mut self, out: &mut Vec<u8>, request: &Request, clock_ns: u64, random: &mut Random) {
        self.tick(clock_ns);
        match self.form {
            Form::Combined => self.combined(out, request, random),
            Form::Json => self.json(out, request, clock_ns, random),
            Form::Uvicorn => uvicorn(out, request, random),
        }
    }

    /// Lines that are no access lines; returns how many.
    pub(crate) fn aside(&mut self, out: &mut Vec<u8>, clock_ns: u64, random: &mut Random) -> u64 {
        self.tick(clock_ns);
        let raised = random.below(10) < 5;
        let mut lines = 0;
        if !raised || self.form != Form::Json {
            let (level, text) =
                if raised { ("ERROR", "Exception in ASGI application") } else { ("INFO", "catalogue refreshed") };
            match self.form {
                Form::Combined => text_parts(out, &["[", &iso(self.second), " +0000] [4711] [", level, "] ", text]),
                Form::Json => {
                    text_parts(
                        out,
                        &[
                            "{\"timestamp\": \"",
                            &self.stamp,
                            "Z\", \"level\": \"info\", \"event\": \"",
                            text,
                            "\", \"items\": ",
                        ],
                    );
                    number(out, random.below(5000));
                    out.push(b'}');
                }
                Form::Uvicorn => text_parts(out, &[level, ":     ", text]),
            }
            out.push(b'\n');
            lines += 1;
        }
        if raised {
            out.extend_from_slice(TRACEBACK.as_bytes());
            lines += TRACEBACK.matches('\n').count() as u64;
        }
        lines
    }

    fn tick(&mut self, clock_ns: u64) {
        let second = clock_ns / 1_000_000_000;
        if second != self.second {
            self.second = second;
            self.stamp = if self.form == Form::Combined { common(second) } else { iso(second).replace(' ', "T") };
        }
    }

    fn combined(&self, out: &mut Vec<u8>, request: &Request, random: &mut Random) {
        let draw = random.next();
        address(out, draw);
        if draw >> 61 == 0 {
            out.extend_from_slice(b" - u");
            number(out, draw >> 40 & 0xfff);
        } else {
            out.extend_from_slice(b" - -");
        }
        text_parts(out, &[" [", &self.stamp, " +0000] \"", request.method, " "]);
        path(out, request.template, random);
        query(out, request, random);
        out.extend_from_slice(b" HTTP/1.1\" ");
        number(out, u64::from(request.status));
        out.push(b' ');
        match request.body {
            Some(bytes) => number(out, bytes),
            None => out.push(b'-'),
        }
        let (referrer, agent) = (REFERRERS[(draw >> 32) as usize % 4], AGENTS[(draw >> 34) as usize % 8]);
        text_parts(out, &[" \"", referrer, "\" \"", agent, "\" "]);
        number(out, u64::from(request.latency_us));
        out.push(b'\n');
    }

    fn json(&self, out: &mut Vec<u8>, request: &Request, clock_ns: u64, random: &mut Random) {
        let draw = random.next();
        text_parts(out, &["{\"timestamp\": \"", &self.stamp, "."]);
        padded(out, clock_ns / 1000 % 1_000_000, 6);
        text_parts(out, &["Z\", \"level\": \"info\", \"event\": \"request\", \"logger\": \"shop.access\", \"request_id\": \""]);
        hex(out, draw, 16);
        text_parts(out, &["\", \"method\": \"", request.method, "\", \"path\": \""]);
        path(out, request.template, random);
        query(out, request, random);
        match request.route {
            Some(_) => text_parts(out, &["\", \"route\": \"", request.template, "\", \"status_code\": "]),
            None => text_parts(out, &["\", \"route\": null, \"status_code\": "]),
        }
        number(out, u64::from(request.status));
        out.extend_from_slice(b", \"duration_ms\": ");
        number(out, u64::from(request.latency_us / 1000));
        out.push(b'.');
        padded(out, u64::from(request.latency_us % 1000), 3);
        out.extend_from_slice(b", \"client_ip\": \"");
        address(out, draw);
        text_parts(out, &["\", \"user_agent\": \"", AGENTS[(draw >> 34) as usize % 8], "\""]);
        match draw >> 57 {
            0 => out.extend_from_slice(br#", "context": {"cart": {"items": [1, 2], "status_code": "none"}, "flags": []}"#),
            1 => out.extend_from_slice(br#", "note": "caf\u00e9 \"au lait\", \"route\": \"/x\"""#),
            _ => {}
        }
        out.extend_from_slice(b", \"version\": \"1.4.2\"}\n");
    }
}

fn uvicorn(out: &mut Vec<u8>, request: &Request, random: &mut Random) {
    let draw = random.next();
    out.extend_from_slice(b"INFO:     ");
    address(out, draw);
    out.push(b':');
    number(out, 32_768 + (draw >> 40) % 28_000);
    text_parts(out, &[" - \"", request.method, " "]);
    path(out, request.template, random);
    query(out, request, random);
    out.extend_from_slice(b" HTTP/1.1\" ");
    number(out, u64::from(request.status));
    text_parts(out, &[" ", phrase(request.status), "\n"]);
}

fn phrase(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        303 => "See Other",
        304 => "Not Modified",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Gateway Timeout",
    }
}

fn path(out: &mut Vec<u8>, template: &'static str, random: &mut Random) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        out.extend_from_slice(before.as_bytes());
        let (name, after) = after.split_once('}').unwrap_or((after, ""));
        match name {
            "id" => number(out, 1 + random.below(200_000)),
            "uuid" => uuid(out, random),
            _ => slug(out, template, random),
        }
        rest = after;
    }
    out.extend_from_slice(rest.as_bytes());
}

fn slug(out: &mut Vec<u8>, template: &str, random: &mut Random) {
    let n = random.below(slugs(template));
    let (first, second) = (WORDS[n as usize % 20], WORDS[(n / 20) as usize % 20]);
    match template {
        "/static/{slug}" => {
            text_parts(out, &[first, "-", second]);
            out.extend_from_slice(if n.is_multiple_of(2) { b".css" } else { b".js" });
        }
        "/profiles/{slug}" => {
            text_parts(out, &[first, "_", second]);
            number(out, n / 400);
        }
        _ if n < 400 => text_parts(out, &[first, "-", second]),
        _ => text_parts(out, &[first, "-", second, "-caf%C3%A9"]),
    }
}

fn query(out: &mut Vec<u8>, request: &Request, random: &mut Random) {
    let draw = random.next();
    if request.route.is_some() && draw % 100 < 33 {
        text_parts(out, &["?", QUERIES[(draw >> 32) as usize % 8]]);
        number(out, (draw >> 40) % 90);
    }
}

fn uuid(out: &mut Vec<u8>, random: &mut Random) {
    let (high, low) = (random.next(), random.next());
    hex(out, high, 8);
    out.push(b'-');
    hex(out, high >> 32, 4);
    out.extend_from_slice(b"-4");
    hex(out, high >> 48, 3);
    out.extend_from_slice(b"-a");
    hex(out, low, 3);
    out.push(b'-');
    hex(out, low >> 12, 12);
}

fn address(out: &mut Vec<u8>, draw: u64) {
    out.extend_from_slice(b"10.");
    number(out, draw & 7);
    out.push(b'.');
    number(out, draw >> 8 & 0xff);
    out.push(b'.');
    number(out, draw >> 16 & 0xff);
}

fn text_parts(out: &mut Vec<u8>, parts: &[&str]) {
    for part in parts {
        out.extend_from_slice(part.as_bytes());
    }
}

/// The last `digits` hexadecimal digits of `value`.
fn hex(out: &mut Vec<u8>, value: u64, digits: u32) {
    out.extend((0..digits).rev().map(|i| b"0123456789abcdef"[(value >> (4 * i) & 15) as usize]));
}

fn number(out: &mut Vec<u8>, value: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = value;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The last `width` decimal digits of `value`, with leading noughts.
fn padded(out: &mut Vec<u8>, value: u64, width: u32) {
    out.extend((0..width).rev().map(|i| b'0' + (value / 10_u64.pow(i) % 10) as u8));
}

/// Year, month from 1, day: H. Hinnant, "chrono-compatible low-level date algorithms" (2013).
fn civil(days: u64) -> (u64, u64, u64) {
    let z = days + 719_468;
    let era = z / 146_097;
    let doe = z % 146_097;
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + u64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn common(second: u64) -> String {
    let (year, month, day) = civil(second / 86_400);
    let of_day = second % 86_400;
    let name = MONTHS[month as usize - 1];
    format!("{day:02}/{name}/{year}:{:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

fn iso(second: u64) -> String {
    let (year, month, day) = civil(second / 86_400);
    let of_day = second % 86_400;
    format!("{year}-{month:02}-{day:02} {:02}:{:02}:{:02}", of_day / 3600, of_day / 60 % 60, of_day % 60)
}
