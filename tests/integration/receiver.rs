//! A webhook receiver on loopback that does what it is told: answers, stays silent, drips, cuts, closes.
//!
//! It keeps what it was sent, with whole requests only. Waiting is by condition, with a limit that no sound run meets.

use std::collections::VecDeque;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpListener;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::Condvar;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

/// Longer than anything takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// One request that arrived whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn id(&self) -> &str {
        self.header("webhook-id")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// What comes back for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// A status and further header lines, each with its line break.
    Status(u16, &'static str),
    /// Nothing, until the receiver goes away.
    Silence,
    /// The connection is closed before the request was read.
    Refuse,
    /// The request is taken and the connection closed.
    Close,
    /// A head that ends in its middle.
    CutHead,
    /// 200 and half of the body.
    CutBody,
    /// A head that comes byte by byte.
    SlowHead,
    /// 200 and a body that comes byte by byte and never ends.
    SlowBody,
    /// 200 and a body without end, as fast as it goes.
    Endless,
    /// Something else than HTTP.
    NoHttp,
}

struct Shared {
    state: Mutex<State>,
    told: Condvar,
}

struct State {
    seen: Vec<Seen>,
    script: VecDeque<Reply>,
    usual: Reply,
    connections: usize,
    over: bool,
}

/// The receiver; goes away when it is dropped.
pub(crate) struct Receiver {
    address: SocketAddr,
    shared: Arc<Shared>,
}

impl Receiver {
    /// Answers `usual` to everything that `script` does not speak of.
    pub(crate) fn start(usual: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = State { seen: Vec::new(), script: VecDeque::new(), usual, connections: 0, over: false };
        let shared = Arc::new(Shared { state: Mutex::new(state), told: Condvar::new() });
        let own = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if own.state.lock().unwrap().over {
                    return;
                }
                let own = Arc::clone(&own);
                thread::spawn(move || own.serve(stream));
            }
        });
        Self { address, shared }
    }

    /// `http://127.0.0.1:PORT` and `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next answers, before the usual one.
    pub(crate) fn script(&self, replies: impl IntoIterator<Item = Reply>) {
        self.shared.state.lock().unwrap().script.extend(replies);
    }

    /// Another usual answer from now on.
    pub(crate) fn usually(&self, reply: Reply) {
        self.shared.state.lock().unwrap().usual = reply;
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.state.lock().unwrap().seen.clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.shared.state.lock().unwrap().connections
    }

    /// Waits until `count` requests have arrived.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Seen> {
        let state = self.shared.state.lock().unwrap();
        let (state, waited) = self.shared.told.wait_timeout_while(state, LONG, |state| state.seen.len() < count).unwrap();
        assert!(!waited.timed_out(), "only {} of {count} requests arrived", state.seen.len());
        state.seen.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap().over = true;
        self.shared.told.notify_all();
        drop(TcpStream::connect(self.address));
    }
}

impl Shared {
    fn serve(&self, stream: TcpStream) {
        let reply = {
            let mut state = self.state.lock().unwrap();
            state.connections += 1;
            state.script.pop_front().unwrap_or(state.usual)
        };
        if reply == Reply::Refuse {
            return;
        }
        let mut reader = BufReader::new(stream);
        let Some(seen) = request(&mut reader) else { return };
        self.state.lock().unwrap().seen.push(seen);
        self.told.notify_all();
        // The other side may be gone by then, which is its right.
        drop(self.answer(reply, reader.get_mut()));
    }

    fn answer(&self, reply: Reply, out: &mut TcpStream) -> std::io::Result<()> {
        match reply {
            Reply::Status(status, headers) => {
                write!(out, "HTTP/1.1 {status} Told\r\n{headers}content-length: 2\r\n\r\nok")
            }
            Reply::Silence => {
                self.pause(LONG);
                Ok(())
            }
            Reply::Refuse | Reply::Close => Ok(()),
            Reply::CutHead => out.write_all(b"HTTP/1.1 20"),
            Reply::CutBody => out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
            Reply::SlowHead => {
                self.drip(out, &b"HTTP/1.1 200 OK\r\nx: ".iter().chain(&[b'y'; 2000]).copied().collect::<Vec<_>>())
            }
            Reply::SlowBody => {
                out.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")?;
                self.drip(out, &[b'y'; 2000])
            }
            Reply::Endless => {
                out.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
                loop {
                    out.write_all(&[b'y'; 4096])?;
                }
            }
            Reply::NoHttp => out.write_all(b"SSH-2.0-OpenSSH_9.9\r\n"),
        }
    }

    fn drip(&self, out: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
        for byte in bytes {
            out.write_all(&[*byte])?;
            if self.pause(Duration::from_millis(50)) {
                break;
            }
        }
        Ok(())
    }

    /// Waits for `most`, or until the receiver goes away: whether it did.
    fn pause(&self, most: Duration) -> bool {
        let state = self.state.lock().unwrap();
        self.told.wait_timeout_while(state, most, |state| !state.over).unwrap().0.over
    }
}

fn request(reader: &mut impl BufRead) -> Option<Seen> {
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_lowercase(), value.trim().to_owned()));
    }
    let length = headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Seen { method, target, headers, body: String::from_utf8(body).unwrap() })
}

/// A TLS server on loopback whose certificate nobody vouches for: its address, and what it reads in clear, if anybody
/// trusts it, comes back when the first connection is over.
pub(crate) fn untrusted() -> (SocketAddr, thread::JoinHandle<Vec<u8>>) {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::PrivateKeyDer;
    use rustls::pki_types::pem::PemObject;

    let pem = include_bytes!("receiver/self-signed.pem");
    let certificate = CertificateDer::from_pem_slice(pem).unwrap();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(versions.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let served = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut server = rustls::ServerConnection::new(config).unwrap();
        let mut clear = Vec::new();
        // Ends with the client's alert.
        drop(rustls::Stream::new(&mut server, &mut stream).read_to_end(&mut clear));
        clear
    });
    (address, served)
}
