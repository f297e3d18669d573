//! One request, one answer: which page, and what every page carries.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::task::Poll;

use hyper::Method;
use hyper::Request;
use hyper::Response;
use hyper::StatusCode;
use hyper::Version;
use hyper::body::Body;
use hyper::body::Bytes;
use hyper::body::Frame;
use hyper::body::SizeHint;
use hyper::header;
use hyper::header::HeaderValue;
use tokio::sync::mpsc;

use super::Refused;
use super::Shared;
use super::gate;
use super::limits::Phase;
use crate::write::prometheus;

/// The longest target.
const LONGEST: usize = 4_096;
/// Events that wait for a slow client; it gets the newest state when it takes them.
const WAITING: usize = 2;

const FRONT: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>vitalog</title></head><body>\n<h1>vitalog</h1>\n<ul>\n\
<li><a href=\"/api/report\">/api/report</a> the report (?since=15m for less)</li>\n\
<li><a href=\"/api/alerts\">/api/alerts</a> alerts</li>\n\
<li><a href=\"/api/events\">/api/events</a> a stream of summaries</li>\n\
<li><a href=\"/metrics\">/metrics</a> for Prometheus</li>\n\
<li><a href=\"/healthz\">/healthz</a> is the reader alive?</li>\n\
<li><a href=\"/readyz\">/readyz</a> are input and state well?</li>\n\
</ul>\n</body></html>\n";

const HTML: &str = "text/html; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";

/// The body of an answer.
pub(super) enum Page {
    Whole(Option<Bytes>),
    Events(mpsc::Receiver<Bytes>),
}

impl Body for Page {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match &mut *self {
            Self::Whole(page) => Poll::Ready(page.take().map(|page| Ok(Frame::data(page)))),
            Self::Events(events) => events.poll_recv(cx).map(|event| event.map(|event| Ok(Frame::data(event)))),
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(page) => SizeHint::with_exact(page.as_ref().map_or(0, |p| p.len() as u64)),
            Self::Events(_) => SizeHint::default(),
        }
    }
}

fn page(status: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Response<Page> {
    let mut answer = Response::new(Page::Whole(Some(body.into())));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn told(status: StatusCode, text: &str) -> Response<Page> {
    page(status, TEXT, format!("{text}\n"))
}

/// The answer, with what every answer carries. `secured` where the client must show the token.
pub(super) async fn answer<B: Body>(request: Request<B>, shared: &Arc<Shared>, phase: &Phase, secured: bool) -> Response<Page> {
    phase.busy();
    let mut answer = match refused(&request, shared) {
        Some(refused) => refused,
        None => found(&request, shared, secured).await,
    };
    if matches!(answer.body(), Page::Events(_)) {
        phase.stream();
    } else {
        phase.answered();
    }
    let closes = !answer.status().is_success() || !request.body().is_end_stream();
    let headers = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if closes {
        // A body is never read: what follows on this connection could not be told from one.
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    answer
}

/// What is wrong with a request whatever it asks for.
fn refused<B>(request: &Request<B>, shared: &Shared) -> Option<Response<Page>> {
    if request.uri().path().len() + request.uri().query().map_or(0, str::len) > LONGEST {
        return Some(told(StatusCode::URI_TOO_LONG, "the target is too long"));
    }
    let named: Vec<_> = request.headers().get_all(header::HOST).iter().collect();
    let host = match named.as_slice() {
        // Browsers always name a host; HTTP/1.0 checks of load balancers need not.
        [] if request.version() < Version::HTTP_11 => None,
        [one] => Some(one.to_str().unwrap_or("")),
        _ => return Some(told(StatusCode::BAD_REQUEST, "one Host header is needed")),
    };
    let target = request.uri().authority().map(hyper::http::uri::Authority::as_str);
    if host.into_iter().chain(target).any(|name| !gate::is_ours(name, &shared.hosts)) {
        return Some(told(StatusCode::MISDIRECTED_REQUEST, "this host name is not served (see [tail] hosts)"));
    }
    if ![Method::GET, Method::HEAD].contains(request.method()) {
        let mut answer = told(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only");
        answer.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(answer);
    }
    None
}

async fn found<B>(request: &Request<B>, shared: &Arc<Shared>, secured: bool) -> Response<Page> {
    let path = request.uri().path();
    if path == "/healthz" {
        return health(shared);
    }
    let trusted = !secured
        || shared.token.as_ref().is_none_or(|token| {
            request.headers().get(header::AUTHORIZATION).is_some_and(|given| gate::carries(given.as_bytes(), token))
        });
    if path == "/readyz" {
        return ready(shared, trusted);
    }
    if !trusted {
        let mut answer = told(StatusCode::UNAUTHORIZED, "a token is needed");
        answer.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"vitalog\""));
        return answer;
    }
    let published = shared.newest();
    match path {
        "/" => page(StatusCode::OK, HTML, FRONT),
        "/metrics" => page(StatusCode::OK, prometheus::CONTENT_TYPE, published.metrics.clone()),
        "/api/alerts" => {
            let alerts = if published.alerts.is_empty() { Bytes::from_static(b"[]") } else { published.alerts.clone() };
            page(StatusCode::OK, JSON, alerts)
        }
        "/api/report" => report(request.uri().query().unwrap_or(""), shared).await,
        "/api/events" => events(request.method() == Method::HEAD, shared),
        _ => told(StatusCode::NOT_FOUND, "no such page"),
    }
}

fn health(shared: &Shared) -> Response<Page> {
    if shared.stands_still() {
        told(StatusCode::SERVICE_UNAVAILABLE, "the reader stands still")
    } else {
        told(StatusCode::OK, "ok")
    }
}

fn ready(shared: &Shared, trusted: bool) -> Response<Page> {
    let published = shared.newest();
    let ready = &published.ready;
    let mut text = if ready.ok { "ready\n".to_owned() } else { "not ready\n".to_owned() };
    if trusted {
        for reason in &ready.reasons {
            text.push_str(crate::write::figures::clean(reason).as_str());
            text.push('\n');
        }
    }
    page(if ready.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, TEXT, text)
}

/// The value of `since` in a query; `Some(Err)` for anything else in it.
fn since(query: &str) -> Option<Result<String, ()>> {
    let mut found = None;
    for pair in query.split('&').filter(|p| !p.is_empty()) {
        match pair.split_once('=') {
            Some(("since", value)) if found.is_none() => found = Some(decoded(value).ok_or(())),
            _ => return Some(Err(())),
        }
    }
    found
}

/// Percent-decoded, at most 64 printable ASCII bytes.
fn decoded(value: &str) -> Option<String> {
    let mut out = String::new();
    let mut bytes = value.bytes();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => {
                let mut digit = || char::from(bytes.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            b'+' => b' ',
            byte => byte,
        };
        if !(byte == b' ' || byte.is_ascii_graphic()) || out.len() >= 64 {
            return None;
        }
        out.push(char::from(byte));
    }
    Some(out)
}

async fn report(query: &str, shared: &Arc<Shared>) -> Response<Page> {
    const BAD: &str = "write ?since=15m, 6h, 2d or a time";
    let since = match since(query) {
        None => None,
        Some(Ok(since)) if !since.is_empty() => Some(since),
        Some(_) => return told(StatusCode::BAD_REQUEST, BAD),
    };
    let Ok(_one) = shared.working.try_acquire() else { return busy() };
    let work = Arc::clone(shared);
    let made = tokio::task::spawn_blocking(move || match since {
        None => work.whole.as_ref().map_or_else(|| Ok(work.newest().page()), |whole| whole().map(Bytes::from)),
        Some(since) => (work.ranges)(&since).map(Bytes::from),
    });
    match made.await {
        Ok(Ok(json)) => page(StatusCode::OK, JSON, json),
        Ok(Err(Refused::Bad(why))) => told(StatusCode::BAD_REQUEST, &why),
        Ok(Err(Refused::Cannot(why))) => told(StatusCode::SERVICE_UNAVAILABLE, &why),
        Err(_) => told(StatusCode::INTERNAL_SERVER_ERROR, "the report could not be made"),
    }
}

fn busy() -> Response<Page> {
    let mut answer = told(StatusCode::SERVICE_UNAVAILABLE, "busy with other reports");
    answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    answer
}

/// A stream of states: the newest at once, then each new one; a client that is slow misses those in between.
fn events(head_only: bool, shared: &Arc<Shared>) -> Response<Page> {
    let kind = |mut answer: Response<Page>| {
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        answer
    };
    if head_only {
        return kind(Response::new(Page::Whole(None)));
    }
    let Ok(place) = Arc::clone(&shared.streams).try_acquire_owned() else { return busy() };
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut news = shared.published.subscribe();
    let quiet = shared.limits.idle;
    tokio::spawn(async move {
        let _place = place;
        loop {
            let event = Arc::clone(&news.borrow_and_update()).event.clone();
            let mut text = Vec::with_capacity(event.len() + 24);
            if event.is_empty() {
                text.extend_from_slice(b": nothing yet\n\n");
            } else {
                text.extend_from_slice(b"event: summary\n");
                for line in event.split(|b| matches!(b, b'\n' | b'\r')).filter(|l| !l.is_empty()) {
                    text.extend_from_slice(b"data: ");
                    text.extend_from_slice(line);
                    text.push(b'\n');
                }
                text.push(b'\n');
            }
            if sender.send(text.into()).await.is_err() {
                return;
            }
            loop {
                tokio::select! {
                    () = sender.closed() => return,
                    changed = news.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return,
                    },
                    () = tokio::time::sleep(quiet) => {
                        if sender.send(Bytes::from_static(b": still here\n\n")).await.is_err() {
                            return;
                        }
                    }
                }
            }
        }
    });
    kind(Response::new(Page::Events(receiver)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_one_since_or_nothing() {
        for (expected, query) in [
            (None, ""),
            (Some(Ok("15m")), "since=15m"),
            (Some(Ok("2026-11-22 10:00")), "since=2026-11-22+10%3a00"),
            (Some(Ok("")), "since="),
            (Some(Err(())), "since=1&since=2"),
            (Some(Err(())), "until=1"),
            (Some(Err(())), "since"),
            (Some(Err(())), "since=%0a"),
            (Some(Err(())), "since=%"),
            (Some(Err(())), "since=%c3%bc"),
        ] {
            assert_eq!(expected.map(|e| e.map(str::to_owned)), since(query), "{query}");
        }
        assert_eq!(Some(Err(())), since(&format!("since={}", "1".repeat(65))));
    }
}
