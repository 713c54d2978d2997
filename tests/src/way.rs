//! A way to the database that can be closed, or swallow everything.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::Duration,
};

use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// How a way is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Everything passes.
    Pass,
    /// What passes is cut off, and so is whoever comes.
    Refuse,
    /// Nothing comes through, and nobody is told.
    Hang,
}

/// A way to a database, between it and whoever uses [`Way::url`].
#[derive(Debug, Clone)]
pub struct Way {
    /// The database's address on this way.
    pub url: String,
    mood: Arc<AtomicU8>,
}

impl Way {
    /// A way to the database at `url`; open.
    ///
    /// # Panics
    /// When there is no port.
    pub async fn to(url: &str) -> Self {
        let mut url = Url::parse(url).expect("a URL");
        let target = (url.host_str().unwrap_or_default().to_owned(), url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(listener.local_addr().ok().map(|a| a.port())).expect("a port");
        let mood = Arc::new(AtomicU8::new(Mood::Pass as u8));
        let ours = mood.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), ours.clone()));
            }
        });
        Self { url: url.into(), mood }
    }

    /// From now on the way is like that.
    pub fn be(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::SeqCst);
    }
}

async fn carry(mut client: TcpStream, target: (String, u16), mood: Arc<AtomicU8>) {
    let is = |wanted: Mood| mood.load(Ordering::SeqCst) == wanted as u8;
    if is(Mood::Hang) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    if is(Mood::Refuse) {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else { return };
    let changed = async {
        while is(Mood::Pass) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        () = changed => {}
    }
    if is(Mood::Hang) {
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
}
