//! The web side of `tail --listen`: health, report, alerts, events and metrics over HTTP/1.1.
//!
//! Runs on a thread of its own with its own accept loop and never holds up reading: what it shows was published before
//! ([`Published`]), what takes longer is done beside. Every client is bounded: in number, in the size of what it asks, in
//! the time it takes. What is published, and when, is left to `drive::live`.

mod answer;
pub mod gate;
mod limits;
mod published;

use std::convert::Infallible;
use std::fmt;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::rt::TokioTimer;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;
use tokio::sync::oneshot;
use tokio::sync::watch;

use crate::error::Error;
use crate::error::Fault;

pub use limits::Limits;
pub use published::Published;
pub use published::Ready;

/// The longest head of a request: request line and headers.
const HEAD: usize = 16 << 10;
/// The most headers.
const HEADERS: usize = 64;
/// Reports that are made at once.
const AT_ONCE: usize = 2;
/// How often the loop's pulse is felt within the time after which it stands still.
const PULSES: u32 = 10;
/// How long open answers may take when the server stops.
const LAST: Duration = Duration::from_secs(1);

/// Why a report of a span of time cannot be given; the text is shown to who asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// What was asked for is no span of time.
    Bad(String),
    /// It cannot be read now.
    Cannot(String),
}

/// Makes `/api/report?since=…`: given the text behind `since=`, the report as JSON. Called on threads of the server's, at
/// most two at once.
pub type Ranges = Arc<dyn Fn(&str) -> Result<Vec<u8>, Refused> + Send + Sync>;

/// Makes `/api/report` as JSON. Called as [`Ranges`] is.
pub type Whole = Arc<dyn Fn() -> Result<Vec<u8>, Refused> + Send + Sync>;

/// How to serve.
#[derive(Clone)]
pub struct Settings {
    /// Where to listen; see [`address`].
    pub address: SocketAddr,
    /// Names beside addresses and `localhost` that may be asked under.
    pub hosts: Vec<String>,
    /// Asked for on connections that do not come in over loopback.
    pub token: Option<String>,
    /// Bounds of time and number.
    pub limits: Limits,
    /// Reports of a span of time.
    pub ranges: Ranges,
    /// The report since the state began; where there is none, the published one is given.
    pub whole: Option<Whole>,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("address", &self.address).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}

/// What all connections share.
struct Shared {
    hosts: Vec<String>,
    token: Option<String>,
    limits: Limits,
    ranges: Ranges,
    whole: Option<Whole>,
    published: watch::Sender<Arc<Published>>,
    heart: AtomicU64,
    still: AtomicBool,
    working: Semaphore,
    streams: Arc<Semaphore>,
}

impl Shared {
    fn newest(&self) -> Arc<Published> {
        Arc::clone(&self.published.borrow())
    }

    fn stands_still(&self) -> bool {
        self.still.load(Ordering::Relaxed)
    }
}

/// A running server. Dropping it stops it: open answers are finished, for a second at most.
pub struct Server {
    shared: Arc<Shared>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("address", &self.address).finish_non_exhaustive()
    }
}

/// What `--listen` says: `9100` (loopback), `:9100` (loopback), `localhost:9100`, or an address and a port.
pub fn address(text: &str) -> Result<SocketAddr, Error> {
    let loopback = |port: &str| port.parse().ok().map(|port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port));
    let port = text.strip_prefix("localhost:").or_else(|| text.strip_prefix(':')).unwrap_or(text);
    text.parse()
        .ok()
        .or_else(|| loopback(port))
        .ok_or_else(|| Error::usage(format!("'--listen {text}' is no address; write '127.0.0.1:9100' or '9100'")))
}

impl Server {
    /// Listens and serves from now on. Fails with `Fault::Usage` where the address cannot be had; never takes another.
    pub fn start(settings: Settings) -> Result<Self, Error> {
        let asked = settings.address;
        let cannot = |e: std::io::Error| {
            let why = if e.kind() == std::io::ErrorKind::AddrInUse { "the port is taken".to_owned() } else { e.to_string() };
            Error::usage(format!("listening on '{asked}': {why} (choose another with --listen)"))
        };
        let listener = TcpListener::bind(asked).map_err(cannot)?;
        listener.set_nonblocking(true).map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let shared = Arc::new(Shared {
            hosts: settings.hosts,
            token: settings.token,
            limits: settings.limits,
            ranges: settings.ranges,
            whole: settings.whole,
            published: watch::Sender::new(Arc::default()),
            heart: AtomicU64::new(0),
            still: AtomicBool::new(false),
            working: Semaphore::new(AT_ONCE),
            streams: Arc::new(Semaphore::new(settings.limits.streams)),
        });
        let (stop, stopped) = oneshot::channel();
        let failed = |e: std::io::Error| Error::new(Fault::Output, format!("starting the server on '{asked}': {e}"));
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(AT_ONCE).build().map_err(failed)?;
        let serving = Arc::clone(&shared);
        let run = move || {
            runtime.block_on(serve(listener, serving, stopped));
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("serve".to_owned()).spawn(run).map_err(failed)?;
        Ok(Self { shared, address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens; the port is the real one where 0 was asked for.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Shows this from now on. Never waits for a client.
    pub fn publish(&self, published: Published) {
        self.shared.published.send_replace(Arc::new(published));
    }

    /// The loop has gone round once more.
    pub fn beat(&self) {
        self.shared.heart.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Gone already where the thread has ended by itself.
            let _gone = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(shared.limits.connections));
    let (closing, close) = watch::channel(false);
    let pulse = tokio::spawn(feel_pulse(Arc::clone(&shared)));
    loop {
        let accepted = tokio::select! {
            _ = &mut stopped => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, _)) => match Arc::clone(&places).try_acquire_owned() {
                Ok(place) => drop(tokio::spawn(converse(socket, Arc::clone(&shared), place, close.clone()))),
                Err(_) => refuse(&socket),
            },
            // A connection that was gone before it was taken, or no descriptor left: the latter passes.
            Err(e) if e.kind() == std::io::ErrorKind::ConnectionAborted => {}
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
    drop(listener);
    closing.send_replace(true);
    pulse.abort();
    let all = u32::try_from(shared.limits.connections).unwrap_or(u32::MAX);
    drop(tokio::time::timeout(LAST, places.acquire_many(all)).await);
}

/// Says once that there is no place, as far as the system takes it without waiting.
fn refuse(socket: &TcpStream) {
    const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
    let _as_far_as_it_goes = socket.try_write(FULL);
}

/// Notes now and then whether the loop's heart has beaten.
async fn feel_pulse(shared: Arc<Shared>) {
    let (mut last, mut silent) = (0, 0);
    let mut tick = tokio::time::interval(shared.limits.still / PULSES);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let now = shared.heart.load(Ordering::Relaxed);
        silent = if now == last { silent + 1 } else { 0 };
        last = now;
        shared.still.store(silent > PULSES, Ordering::Relaxed);
    }
}

/// Serves one connection to its end.
async fn converse(socket: TcpStream, shared: Arc<Shared>, place: OwnedSemaphorePermit, mut close: watch::Receiver<bool>) {
    let local = socket.local_addr().map(|a| a.ip().to_canonical());
    let secured = local.map_or(true, |ip| !ip.is_loopback());
    let phase = Arc::new(limits::Phase::default());
    // Small answers leave at once; where that cannot be set they leave a little later.
    drop(socket.set_nodelay(true));
    let socket = TokioIo::new(limits::Timed::new(socket, shared.limits, Arc::clone(&phase)));
    let most = shared.limits.idle;
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (shared, phase) = (Arc::clone(&shared), Arc::clone(&phase));
        async move { Ok::<_, Infallible>(answer::answer(request, &shared, &phase, secured).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(most)
        .max_buf_size(HEAD)
        .max_headers(HEADERS)
        .serve_connection(socket, service);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // What goes wrong with one client is that client's.
        ended = connection.as_mut() => drop(ended),
        () = async { drop(close.wait_for(|closing| *closing).await) } => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
    drop(place);
}
