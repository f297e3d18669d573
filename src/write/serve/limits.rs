//! A connection with deadlines: a client that dawdles is cut off, whether it reads or writes.
//!
//! hyper's own header time limit is set too, but its beginning is hyper's; these deadlines are counted here and tested on
//! raw sockets. What counts as progress: a request begins with its first byte, an answer is done when all of it was
//! handed to the system.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering;
use std::task::Context;
use std::task::Poll;
use std::task::ready;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::io::AsyncWrite;
use tokio::io::ReadBuf;
use tokio::net::TcpStream;
use tokio::time::Sleep;

/// How long a client may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// From the first byte of a request to the end of its head.
    pub head: Duration,
    /// Between requests, and before the first.
    pub idle: Duration,
    /// For taking an answer, or one event of a stream.
    pub write: Duration,
    /// The loop stands still when its heart has not beaten for so long.
    pub still: Duration,
    /// As many connections are served at once; more are refused.
    pub connections: usize,
    /// As many of them may be streams of events.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            head: Duration::from_secs(5),
            idle: Duration::from_secs(15),
            write: Duration::from_secs(10),
            still: Duration::from_secs(10),
            connections: 64,
            streams: 16,
        }
    }
}

/// Where a connection stands; shared with the service, which knows when a request has begun and ended.
#[derive(Debug, Default)]
pub(super) struct Phase(AtomicU8);

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const BUSY: u8 = 2;
const ANSWERED: u8 = 3;
const STREAM: u8 = 4;

impl Phase {
    fn get(&self) -> u8 {
        self.0.load(Ordering::Relaxed)
    }

    fn set(&self, phase: u8) {
        self.0.store(phase, Ordering::Relaxed);
    }

    /// A request's head is complete.
    pub(super) fn busy(&self) {
        self.set(BUSY);
    }

    /// Its answer is ready to be written.
    pub(super) fn answered(&self) {
        self.set(ANSWERED);
    }

    /// Its answer is a stream: only writing is timed from now on.
    pub(super) fn stream(&self) {
        self.set(STREAM);
    }
}

/// A socket with deadlines.
pub(super) struct Timed {
    socket: TcpStream,
    limits: Limits,
    phase: Arc<Phase>,
    /// The phase that `read_by` was set for.
    armed: Option<u8>,
    read_by: Pin<Box<Sleep>>,
    writing: bool,
    write_by: Pin<Box<Sleep>>,
}

impl Timed {
    pub(super) fn new(socket: TcpStream, limits: Limits, phase: Arc<Phase>) -> Self {
        let sleep = || Box::pin(tokio::time::sleep(limits.idle));
        Self { socket, limits, phase, armed: None, read_by: sleep(), writing: false, write_by: sleep() }
    }

    /// Waits for the client, not longer than it may take.
    fn dawdle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let phase = self.phase.get();
        let most = match phase {
            IDLE => self.limits.idle,
            HEAD => self.limits.head,
            _ => {
                self.armed = None;
                return Poll::Pending;
            }
        };
        if self.armed != Some(phase) {
            self.armed = Some(phase);
            self.read_by.set(tokio::time::sleep(most));
        }
        ready!(self.read_by.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    fn written<T>(&mut self, done: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if done.is_pending() {
            if !self.writing {
                self.writing = true;
                self.write_by.set(tokio::time::sleep(self.limits.write));
            }
            ready!(self.write_by.as_mut().poll(cx));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        done
    }
}

impl AsyncRead for Timed {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        match Pin::new(&mut self.socket).poll_read(cx, buf) {
            Poll::Ready(done) => {
                if buf.filled().len() > before && self.phase.get() == IDLE {
                    self.phase.set(HEAD);
                }
                Poll::Ready(done)
            }
            Poll::Pending => self.dawdle(cx),
        }
    }
}

impl AsyncWrite for Timed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.socket).poll_write(cx, buf);
        self.written(done, cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.socket).poll_write_vectored(cx, bufs);
        self.written(done, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    /// hyper flushes when it has nothing left of its own to write.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(Pin::new(&mut self.socket).poll_flush(cx))?;
        self.writing = false;
        if self.phase.get() == ANSWERED {
            self.phase.set(IDLE);
            self.armed = None;
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
