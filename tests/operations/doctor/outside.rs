//! Planted: names without an address, closed and silent doors, certificates of nobody, clocks that are wrong.

use std::process::{Child, Command, Stdio};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::Patient;

/// Answers whatever it is asked with these bytes.
async fn answering(bytes: String) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut asked = [0; 1024];
            if socket.read(&mut asked).await.is_ok_and(|read| read > 0) {
                socket.write_all(bytes.as_bytes()).await.ok();
            }
        }
    });
    port
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port()
}

/// A TLS server whose certificate nobody vouches for; none where there is no openssl.
struct Stranger(Child, std::path::PathBuf);

impl Stranger {
    fn start(port: u16, folder: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&folder).ok()?;
        let quiet = |command: &mut Command| {
            command.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        };
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"]);
        make.args(["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]);
        quiet(&mut make);
        make.status().ok().filter(std::process::ExitStatus::success)?;
        let mut serve = Command::new("openssl");
        serve.args([
            "s_server",
            "-quiet",
            "-cert",
            "cert.pem",
            "-key",
            "key.pem",
            "-accept",
            &port.to_string(),
        ]);
        quiet(&mut serve);
        let child = serve.spawn().ok()?;
        for _ in 0..100 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        Some(Self(child, folder))
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
        std::fs::remove_dir_all(&self.1).ok();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_ways_that_do_not_lead_to_gong_are_found() {
    let patient = Patient::new().await;
    let (authorize, token) = ("network Gong authorize page", "network Gong token address");
    let local = [("GONG_API_HOSTS", "*.api.gong.io")];
    let beyond = |url: &str, finding: &str, words: &str| {
        let diagnosis = patient.asks(&[("GONG_TOKEN_URL", url), local[0]]);
        diagnosis.has(finding, 14);
        let found = diagnosis.checks.iter().find(|c| c["check"] == "Gong token address").unwrap();
        assert!(found["found"].as_str().unwrap().contains(words), "{words}: {found}");
    };
    beyond("https://nobody.invalid/token", token, "has no address in DNS");
    beyond(&format!("https://127.0.0.1:{}/token", free_port()), token, "refuses the connection");
    let plain = answering("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n".to_owned()).await;
    beyond(&format!("https://127.0.0.1:{plain}/token"), token, "TLS certificate");
    let port = free_port();
    match Stranger::start(port, patient.world.escrow.with_extension("tls")) {
        Some(_stranger) => beyond(&format!("https://localhost:{port}/token"), token, "TLS certificate"),
        None => eprintln!("SKIP the certificate of nobody: openssl is not there"),
    }
    patient.asks(&[("GONG_AUTHORIZE_URL", "http://127.0.0.1:1/authorize")]).is(authorize, 14);
    patient.asks(&[("SOUNDPOST_PUBLIC_URL", "http://127.0.0.1:1")]).is("network public address", 24);
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/authorize", silent.local_addr().unwrap());
    patient.asks(&[("GONG_AUTHORIZE_URL", &url)]).is(authorize, 14);
    patient.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_a_clock_that_is_wrong_is_found() {
    let patient = Patient::new().await;
    let old = "HTTP/1.1 404 Not Found\r\ndate: Sat, 01 Aug 2020 10:00:00 GMT\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    let port = answering(old.to_owned()).await;
    patient.asks(&[("GONG_TOKEN_URL", &format!("http://127.0.0.1:{port}/token"))]).is("machine clock", 11);
    patient.world.finish().await;
}
