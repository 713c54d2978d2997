//! A peer that answers each connection with the next scripted reply and remembers what it was sent.

use std::sync::{Arc, Mutex};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

/// What the peer does with one request.
pub(crate) enum Reply {
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Closes with a reset.
    Reset,
}

impl Reply {
    /// A complete answer with a JSON content type.
    pub(crate) fn json(status: u16, body: &str) -> Self {
        let length = body.len();
        Self::raw(&format!(
            "HTTP/1.1 {status} Word\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
    }

    /// These bytes as they are.
    pub(crate) fn raw(text: &str) -> Self {
        Self::Raw(text.as_bytes().to_vec())
    }
}

/// A listener on loopback; ends when dropped.
pub(crate) struct Peer {
    base: String,
    seen: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Peer {
    /// Starts to listen.
    pub(crate) async fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let task = tokio::spawn(serve(listener, replies, seen.clone()));
        Self { base, seen, task }
    }

    /// Scheme, host and port.
    pub(crate) fn base(&self) -> String {
        self.base.clone()
    }

    /// Every request so far, head and body.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn serve(listener: TcpListener, replies: Vec<Reply>, seen: Arc<Mutex<Vec<String>>>) {
    for reply in replies {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = request(&mut stream).await;
        seen.lock().unwrap().push(request);
        match reply {
            Reply::Raw(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.shutdown().await;
            }
            Reply::Reset => {
                let _ = stream.set_zero_linger();
            }
        }
    }
    std::future::pending::<()>().await;
}

async fn request(stream: &mut TcpStream) -> String {
    let (mut text, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        text.extend_from_slice(&buffer[..read]);
        let sent = String::from_utf8_lossy(&text).into_owned();
        if let Some((head, body)) = sent.split_once("\r\n\r\n") {
            let length = head
                .lines()
                .filter_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length:").map(str::to_owned)
                })
                .find_map(|length| length.trim().parse().ok())
                .unwrap_or(0);
            if body.len() >= length {
                return sent;
            }
        }
        if read == 0 {
            return sent;
        }
    }
}
