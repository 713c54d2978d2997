//! A wire that can be bad: it stands before PostgreSQL or Gong and delays, stalls, cuts or swallows what passes.
//! Knows bytes and nothing of what they mean.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::fault::{Doing, Fault};

/// What the wire does to whatever passes, in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wire {
    /// Nothing.
    Clear,
    /// Everything comes so much later.
    Latency(Duration),
    /// Nothing passes; connections stay open, and what was sent passes later.
    Stall,
    /// Nothing passes; connections stay open, and what was sent is lost.
    Swallow,
    /// Every connection ends after so many further bytes.
    CutAfter(u64),
    /// Open connections end at once, new ones right after they began.
    Down,
    /// So many bytes a second for each connection and direction.
    Bandwidth(u64),
}

/// A wire to one address. Dropping it ends all that passes through it.
pub(super) struct Proxy {
    /// Where it listens, on 127.0.0.1.
    pub(super) port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    target: SocketAddr,
    wire: Mutex<Wire>,
    /// Counts changes of the wire, so that bytes are counted anew after each.
    changes: AtomicU64,
    open: Mutex<Vec<TcpStream>>,
    over: AtomicBool,
}

impl Proxy {
    /// A clear wire to `target` (`host:port`).
    pub(super) fn before(target: &str) -> Result<Self, Fault> {
        let target = target.parse().doing(format!("reading the address {target}"))?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).doing("listening for a proxy")?;
        let port = listener.local_addr().doing("reading a proxy's address")?.port();
        let shared = Arc::new(Shared {
            target,
            wire: Mutex::new(Wire::Clear),
            changes: AtomicU64::new(0),
            open: Mutex::default(),
            over: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepting.over.load(Ordering::SeqCst) {
                    return;
                }
                let shared = Arc::clone(&accepting);
                std::thread::spawn(move || shared.carry(stream));
            }
        });
        Ok(Self { port, shared })
    }

    /// Changes what the wire does.
    pub(super) fn set(&self, wire: Wire) {
        *self.shared.wire.lock().unwrap_or_else(PoisonError::into_inner) = wire;
        self.shared.changes.fetch_add(1, Ordering::SeqCst);
        if wire == Wire::Down {
            self.shared.end_all();
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::SeqCst);
        self.shared.end_all();
        // The thread that accepts looks at the flag when somebody comes.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn wire(&self) -> Wire {
        *self.wire.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_all(&self) {
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn carry(self: Arc<Self>, client: TcpStream) {
        if self.wire() == Wire::Down {
            return;
        }
        let Ok(server) = TcpStream::connect_timeout(&self.target, Duration::from_secs(5)) else { return };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let halves = (client.try_clone(), server.try_clone(), client.try_clone(), server.try_clone());
        let (Ok(client_too), Ok(server_too), Ok(kept), Ok(kept_too)) = halves else { return };
        {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.retain(|stream| stream.peer_addr().is_ok());
            open.extend([kept, kept_too]);
        }
        let there = Arc::clone(&self);
        std::thread::spawn(move || there.pump(client, server));
        self.pump(server_too, client_too);
    }

    /// Carries one direction until either end is gone; then both are ended.
    fn pump(&self, mut from: TcpStream, mut to: TcpStream) {
        let mut buffer = vec![0; 16 << 10];
        let (mut change, mut passed) = (0, 0_u64);
        let _ = from.set_read_timeout(Some(Duration::from_millis(200)));
        while !self.over.load(Ordering::SeqCst) {
            let read = match from.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => break,
            };
            let now = self.changes.load(Ordering::SeqCst);
            if now != change {
                (change, passed) = (now, 0);
            }
            passed += read as u64;
            if !self.let_pass(read, passed) {
                if matches!(self.wire(), Wire::Swallow) {
                    continue;
                }
                break;
            }
            if to.write_all(&buffer[..read]).is_err() {
                break;
            }
        }
        let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
    }

    /// Waits as long as the wire wants; false when these bytes do not arrive.
    fn let_pass(&self, bytes: usize, passed: u64) -> bool {
        match self.wire() {
            Wire::Clear => {}
            Wire::Latency(time) => std::thread::sleep(time),
            Wire::Bandwidth(rate) => {
                std::thread::sleep(Duration::from_secs_f64(bytes as f64 / rate.max(1) as f64));
            }
            Wire::Stall => {
                while self.wire() == Wire::Stall && !self.over.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return self.wire() != Wire::Down;
            }
            Wire::CutAfter(most) => return passed <= most,
            Wire::Swallow | Wire::Down => return false,
        }
        true
    }
}

/// `scheme://[user@]host:port/rest` with another host and port, and the ones it had.
pub(super) fn through(url: &str, port: u16) -> Result<(String, String), Fault> {
    let wrong = || Fault::new("an address without host and port");
    let start = url.find("://").ok_or_else(wrong)? + 3;
    let end = url[start..].find('/').map_or(url.len(), |at| start + at);
    let start = url[start..end].rfind('@').map_or(start, |at| start + at + 1);
    Ok((format!("{}127.0.0.1:{port}{}", &url[..start], &url[end..]), url[start..end].to_owned()))
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::{Duration, Instant};

    use super::{Proxy, Wire, through};

    /// A server that says everything back.
    fn echo() -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    let mut byte = [0; 64];
                    while let Ok(read @ 1..) = stream.read(&mut byte) {
                        stream.write_all(&byte[..read]).unwrap_or_default();
                    }
                });
            }
        });
        address
    }

    fn say(stream: &mut TcpStream, words: &[u8]) -> Option<Vec<u8>> {
        stream.set_read_timeout(Some(Duration::from_millis(600))).ok()?;
        stream.write_all(words).ok()?;
        let mut heard = vec![0; words.len()];
        stream.read_exact(&mut heard).ok().map(|()| heard)
    }

    #[test]
    fn a_wire_carries_delays_stalls_swallows_and_cuts() {
        let proxy = Proxy::before(&echo()).unwrap();
        let mut stream = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        assert_eq!(say(&mut stream, b"hello").unwrap(), b"hello");
        proxy.set(Wire::Latency(Duration::from_millis(60)));
        let before = Instant::now();
        assert!(say(&mut stream, b"late").is_some());
        assert!(before.elapsed() >= Duration::from_millis(120));
        proxy.set(Wire::Stall);
        assert!(say(&mut stream, b"later").is_none());
        proxy.set(Wire::Clear);
        let mut rest = [0; 5];
        stream.read_exact(&mut rest).unwrap();
        assert_eq!(&rest, b"later");
        proxy.set(Wire::Swallow);
        assert!(say(&mut stream, b"lost").is_none());
        proxy.set(Wire::CutAfter(4));
        assert!(say(&mut stream, b"cut off").is_none());
        proxy.set(Wire::Clear);
        let mut anew = TcpStream::connect(("127.0.0.1", proxy.port)).unwrap();
        assert!(say(&mut anew, b"again").is_some());
        proxy.set(Wire::Down);
        assert!(say(&mut anew, b"down").is_none());
    }

    #[test]
    fn addresses_lead_through_the_wire() {
        let (url, target) = through("postgres://a:b@127.0.0.1:54/db", 7).unwrap();
        assert_eq!((url.as_str(), target.as_str()), ("postgres://a:b@127.0.0.1:7/db", "127.0.0.1:54"));
        assert_eq!(through("http://127.0.0.2:80", 7).unwrap().0, "http://127.0.0.1:7");
    }
}
