//! Sends alerts to webhooks over HTTP and heartbeats to whoever listens for silence.
//!
//! Here stands one try: a request without redirects and without a proxy of the environment, over rustls, with bounds on
//! time and on what is read back. `outbox` keeps what waits, `courier` gives each sink its thread, `sign` signs,
//! `address` hides addresses, `retry` judges what came of a try, `payload` makes the bodies. No error, log line or
//! debug form names more of an address than its scheme and host, or any part of a secret.

mod address;
mod courier;
mod outbox;
mod sign;

pub use courier::Counts;
pub use courier::Courier;
pub use outbox::AGE;
pub use outbox::Change;
pub use outbox::Entry;
pub use outbox::Outbox;
pub use outbox::WAITING;
pub use sign::Key;
pub use sign::signature;

use std::io;
use std::io::Read;
use std::time::Duration;

use ureq::Agent;
use ureq::Error;
use ureq::http::HeaderName;
use ureq::http::HeaderValue;
use ureq::http::Response;

use crate::time::Timestamp;
use crate::write::payload;
use crate::write::payload::Body;
use crate::write::payload::Form;
use crate::write::payload::Hidden;
use crate::write::payload::Severity;
use crate::write::payload::State;
use crate::write::payload::Telling;
use crate::write::payload::Template;
use crate::write::retry;
use crate::write::retry::Failure;
use crate::write::retry::Outcome;
use crate::write::retry::Verdict;
use address::Address;

/// How long a connection may take, names and TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long the body of an answer is listened to once its status is known.
const BODY: Duration = Duration::from_secs(2);
/// How much of it.
const BODY_BYTES: u64 = 64 << 10;

/// The form of what a sink is sent, as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// vitalog's own JSON.
    Vitalog,
    /// Alertmanager's v2 API.
    Alertmanager,
    /// A Slack webhook.
    Slack,
    /// PagerDuty's Events API v2. Its routing key is the first secret, else the header `X-Routing-Key`, else the
    /// address's parameter `routing_key`; wherever it stands, it goes into the event and nowhere else.
    Pagerduty,
    /// A template of the user's.
    Template,
    /// No alerts: a GET every minute while reading works.
    Heartbeat,
}

/// A sink as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// An `http` or `https` address. Alertmanager's gets `/api/v2/alerts` where it names no path.
    pub url: Hidden,
    /// What is sent.
    pub format: Format,
    /// The text of a `Format::Template`.
    pub template: Option<String>,
    /// Sent with each message.
    pub headers: Vec<(String, Hidden)>,
    /// Keys that sign; while rotating there are two.
    pub secrets: Vec<Hidden>,
    /// How long one try may take.
    pub timeout: Duration,
    /// Which severities it gets.
    pub severities: Vec<Severity>,
    /// Whether redacted lines go along.
    pub lines: bool,
    /// Time between two reminders of an alert that still fires.
    pub repeat_every: Duration,
}

/// A sink that messages can be sent to.
#[derive(Debug, Clone)]
pub struct Sink {
    address: Address,
    form: Form,
    headers: Vec<(HeaderName, HeaderValue)>,
    keys: Vec<Key>,
    severities: Vec<Severity>,
    lines: bool,
    agent: Agent,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// The same however often it is sent.
    pub id: String,
    /// The same however often it is sent.
    pub body: Body,
    /// When this try is made; it is signed.
    pub at: Timestamp,
}

/// What came of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Try {
    /// An answer.
    Answer {
        /// Its status.
        status: u16,
        /// Its header `Retry-After`.
        retry_after: Option<String>,
    },
    /// No answer.
    Failure(Failure),
}

impl Try {
    /// For `retry::judge`.
    pub fn judged(&self) -> Outcome<'_> {
        match self {
            Self::Answer { status, retry_after } => Outcome::Answer { status: *status, retry_after: retry_after.as_deref() },
            Self::Failure(failure) => Outcome::Failure(*failure),
        }
    }
}

impl Sink {
    /// A sink that can be sent to, or what is wrong with its configuration, without any secret.
    pub fn new(plan: &Plan) -> Result<Self, String> {
        let mut address = Address::new(&plan.url)?;
        let mut secrets = plan.secrets.as_slice();
        let mut headers = plan.headers.as_slice().to_vec();
        let form = match plan.format {
            Format::Vitalog => Form::Vitalog,
            Format::Alertmanager => {
                address = address.with_path("/api/v2/alerts");
                Form::Alertmanager { hold_s: plan.repeat_every.as_secs().saturating_mul(2).max(600) }
            }
            Format::Slack => Form::Slack,
            Format::Pagerduty => {
                let in_address;
                (address, in_address) = address.without("routing_key");
                let named = headers.iter().position(|(name, _)| name.eq_ignore_ascii_case("x-routing-key"));
                let in_header = named.map(|at| headers.remove(at).1);
                let key = secrets.first().cloned().or(in_header).or(in_address).filter(|key| !key.reveal().is_empty());
                secrets = &[];
                let routing_key = key.ok_or("a 'pagerduty' sink needs its routing key; write it as 'secret'")?;
                Form::Pagerduty { routing_key }
            }
            Format::Template => {
                let text = plan.template.as_deref().ok_or("format 'template' and a 'template' belong together")?;
                Form::Template(Template::new(text)?)
            }
            Format::Heartbeat => Form::Heartbeat,
        };
        let agent = agent(plan.timeout);
        Ok(Self {
            address,
            form,
            headers: headers.iter().map(header).collect::<Result<_, _>>()?,
            keys: secrets.iter().map(Key::new).collect::<Result<_, _>>()?,
            severities: plan.severities.clone(),
            lines: plan.lines,
            agent,
        })
    }

    /// The form of its messages.
    pub fn form(&self) -> &Form {
        &self.form
    }

    /// Whether it gets alerts so grave.
    pub fn wants(&self, severity: Severity) -> bool {
        self.severities.contains(&severity)
    }

    /// Whether redacted lines go along.
    pub fn lines(&self) -> bool {
        self.lines
    }

    /// What people may see of it: `slack sink https://hooks.slack.com/…`.
    pub fn shown(&self) -> String {
        format!("{} sink {}", self.form.word(), self.address.shown())
    }

    /// Its name in a state file: form and host, no secret; two sinks may have one. A new token keeps it.
    pub fn key(&self) -> String {
        format!("{} {}", self.form.word(), self.address.host())
    }

    /// Makes one try.
    pub fn send(&self, parcel: &Parcel) -> Try {
        let mut request = self.agent.post(self.address.reveal());
        if !self.headers.iter().any(|(name, _)| name == "content-type") {
            request = request.header("content-type", parcel.body.content_type);
        }
        request = request.header("webhook-id", &parcel.id).header("webhook-timestamp", parcel.at.second().to_string());
        if !self.keys.is_empty() {
            request = request.header("webhook-signature", signature(&self.keys, &parcel.id, parcel.at, &parcel.body.bytes));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        outcome(request.send(&parcel.body.bytes[..]))
    }

    /// Makes one try to say that reading works.
    pub fn beat(&self) -> Try {
        let mut request = self.agent.get(self.address.reveal());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        outcome(request.call())
    }
}

/// Sends one alert marked as a test, or one heartbeat, at `now`, and says what came of it; nothing is tried again.
/// PagerDuty is told at once that the test is over, Alertmanager forgets it after 5 minutes: nobody is left with it.
pub fn send_test(sink: &Sink, now: Timestamp) -> Result<String, String> {
    if matches!(sink.form, Form::Heartbeat) {
        return settled(sink, &sink.beat(), now);
    }
    let firing = Telling::test(now);
    let mut over = firing.clone();
    (over.alert.state, over.alert.resolved_at) = (State::Resolved, Some(now));
    let rounds = if matches!(sink.form, Form::Pagerduty { .. }) { vec![firing, over] } else { vec![firing] };
    let form = match &sink.form {
        Form::Alertmanager { .. } => &Form::Alertmanager { hold_s: 300 },
        form => form,
    };
    let mut said = Err(format!("{}: nothing to send", sink.shown()));
    for telling in rounds {
        let id = format!("msg_{}_{:?}", telling.alert.id, telling.alert.state).to_lowercase();
        let batch = payload::Batch { tellings: &[telling], truncated: 0, queued_at: now };
        let body = payload::body(form, batch).map_err(|why| format!("{}: {why}", sink.shown()))?;
        said = Ok(settled(sink, &sink.send(&Parcel { id, body, at: now }), now)?);
    }
    said
}

fn settled(sink: &Sink, outcome: &Try, now: Timestamp) -> Result<String, String> {
    match retry::judge(outcome.judged(), 0, now, 0.0) {
        Verdict::Delivered => Ok(format!("{}: delivered", sink.shown())),
        Verdict::Again { why, .. } | Verdict::Never { why } => Err(format!("{}: {why}", sink.shown())),
    }
}

fn agent(timeout: Duration) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("vitalog/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(timeout))
        .timeout_connect(Some(CONNECT.min(timeout)))
        .timeout_recv_body(Some(BODY))
        // A new connection each time: names are resolved anew and no dead connection is met.
        .max_idle_connections(0)
        .build()
        .into()
}

fn header((name, value): &(String, Hidden)) -> Result<(HeaderName, HeaderValue), String> {
    let read: Result<HeaderName, _> = name.parse();
    let name = read.map_err(|_| "a header's name cannot be sent".to_owned())?;
    let mut value =
        HeaderValue::from_str(value.reveal()).map_err(|_| format!("the value of header '{name}' cannot be sent"))?;
    value.set_sensitive(true);
    Ok((name, value))
}

fn outcome(answer: Result<Response<ureq::Body>, Error>) -> Try {
    let mut answer = match answer {
        Ok(answer) => answer,
        Err(error) => return Try::Failure(failure(&error)),
    };
    // The status has decided. What follows is heard out for politeness, as far as that costs little.
    let body = answer.body_mut().with_config().limit(BODY_BYTES).reader();
    drop(io::copy(&mut body.take(BODY_BYTES), &mut io::sink()));
    let retry_after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()).map(str::to_owned);
    Try::Answer { status: answer.status().as_u16(), retry_after }
}

/// The cause in our own words: those of libraries may hold the address.
fn failure(error: &Error) -> Failure {
    match error {
        Error::HostNotFound | Error::Timeout(ureq::Timeout::Resolve) => Failure::Resolve,
        Error::Timeout(ureq::Timeout::Connect) | Error::ConnectionFailed => Failure::Connect("no connection in time"),
        Error::Timeout(_) => Failure::Timeout,
        Error::Protocol(_) => Failure::NoHttp,
        Error::Tls(_) | Error::Pem(_) => Failure::Tls("no TLS connection could be made"),
        Error::Rustls(cause) => Failure::Tls(tls(&cause.to_string())),
        Error::Io(cause) => broken(cause),
        Error::BadUri(_) | Error::Http(_) => Failure::Unsendable("the address or a header cannot be sent"),
        Error::BodyExceedsLimit(_) => Failure::Unsendable("the message cannot be sent"),
        _ => Failure::Broken,
    }
}

fn broken(cause: &io::Error) -> Failure {
    use io::ErrorKind as Kind;
    match cause.kind() {
        Kind::ConnectionRefused => Failure::Connect("the connection was refused"),
        Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::AddrNotAvailable => {
            Failure::Connect("the host cannot be reached")
        }
        Kind::TimedOut | Kind::WouldBlock => Failure::Timeout,
        Kind::InvalidData if cause.get_ref().is_some() => Failure::Tls(tls(&cause.to_string())),
        _ => Failure::Broken,
    }
}

/// Which of the usual troubles with certificates it is, told from rustls' words.
fn tls(words: &str) -> &'static str {
    let has = |word: &str| words.contains(word);
    match () {
        () if has("UnknownIssuer") || has("CaUsedAsEndEntity") => "its certificate is not trusted (unknown issuer)",
        () if has("Expired") || has("expired") => "its certificate has expired",
        () if has("NotValidYet") || has("not valid yet") => "its certificate is not valid yet",
        () if has("NotValidForName") || has("not valid for name") => "its certificate is for another name",
        () if has("certificate") => "its certificate is not trusted",
        () => "no TLS connection could be made",
    }
}
