//! `soundpost probe`: asks the process beside us whether it lives. For images without a shell and without curl.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use crate::{
    exit::{Doing, Exit},
    settings,
};

/// Engines give a health check a few seconds.
const PATIENCE: Duration = Duration::from_secs(3);

/// Ends well when the answer is 200.
pub(crate) async fn run(metrics: bool, ready: bool) -> Result<(), Exit> {
    let (listen, metrics_listen) = settings::listeners()?;
    let (address, path) = match (metrics, ready) {
        (true, _) => {
            let none =
                || Exit::misuse(vec!["SOUNDPOST_METRICS_LISTEN is not set: nothing listens there".into()]);
            (metrics_listen.ok_or_else(none)?, "/metrics")
        }
        (false, true) => (listen, "/readyz"),
        (false, false) => (listen, "/livez"),
    };
    let asked = tokio::time::timeout(PATIENCE, ask(beside_us(address), path)).await;
    let answer = asked.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    match answer.doing("asking the process beside us")? {
        head if head.starts_with(b"HTTP/1.1 200 ") => Ok(()),
        _ => Err(Exit::failed("asking the process beside us", &io::Error::other("it is not well"))),
    }
}

/// The first bytes of the answer.
async fn ask(address: SocketAddr, path: &str) -> io::Result<[u8; 13]> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 13];
    stream.read_exact(&mut head).await?;
    Ok(head)
}

/// Who listens everywhere is asked on loopback.
fn beside_us(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        let loopback = match address {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        };
        address.set_ip(loopback);
    }
    address
}
