//! The real program, to be killed in the middle of a request.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::Duration,
};

use kernel::ExposeSecret;
use stories::{Browser, World};
use tokio::net::TcpStream;
use url::Url;

/// A running `soundpost serve --no-workers` on the world's database.
pub(crate) struct Served {
    child: Child,
    log: PathBuf,
    pub(crate) browser: Browser,
}

impl Served {
    pub(crate) async fn start(world: &World) -> Self {
        let here = std::env::current_exe().expect("tests know where they are");
        let folder = here.parent().and_then(std::path::Path::parent).expect("target/debug").to_owned();
        let program = folder.join(format!("soundpost{}", std::env::consts::EXE_SUFFIX));
        if !program.exists() {
            let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
            let built = Command::new(cargo).args(["build", "-q", "-p", "soundpost"]).status();
            assert!(built.expect("cargo runs").success(), "the program can be built");
        }
        let port =
            std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).expect("a port").port();
        let (base, listen) = (format!("http://localhost:{port}"), format!("127.0.0.1:{port}"));
        let log = world.escrow.with_extension(format!("{port}.log"));
        let file = fs::File::create(&log).expect("a log file");
        let child = Command::new(program)
            .args(["serve", "--no-workers"])
            .env_clear()
            .envs([
                ("DATABASE_URL", world.database.url.as_str()),
                ("SOUNDPOST_LISTEN", &listen),
                ("SOUNDPOST_PUBLIC_URL", &base),
                ("SOUNDPOST_KEYS", world.key.expose_secret()),
                ("SOUNDPOST_ESCROW_DIR", world.escrow.to_str().expect("UTF-8")),
                ("GONG_CLIENT_ID", "sim-client"),
                ("GONG_CLIENT_SECRET", "sim-secret"),
                ("GONG_AUTHORIZE_URL", &world.sim.authorize_url()),
                ("GONG_TOKEN_URL", &world.sim.token_url()),
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(file)
            .spawn()
            .expect("it starts");
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Self { child, log, browser: Browser::new(Url::parse(&base).expect("a URL")) }
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
        fs::remove_file(&self.log).ok();
    }
}
