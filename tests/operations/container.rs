//! The program where nothing is but itself, its libraries and certificates: no shell, nothing to write to, not root.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use kernel::ExposeSecret;
use stories::{Browser, PASSWORD, World};
use url::Url;

use crate::support::{program, still_world, text};

const USER: &str = "10001:10001";

/// Mounts the root read-only but for the escrow folder, enters it as nobody in particular, and becomes the program.
const ENTER: &str = "set -e; root=$1; user=$2; shift 2; \
    mount --bind \"$root\" \"$root\"; mount --bind \"$root/escrow\" \"$root/escrow\"; mount -o remount,bind,ro \"$root\"; \
    exec chroot $user \"$root\" /soundpost \"$@\"";

fn output(program: &str, words: &[&str]) -> Option<String> {
    let output = Command::new(program).args(words).output().ok()?;
    output.status.success().then(|| text(&output.stdout))
}

/// An empty root with the program in it, as the Dockerfile makes one.
struct Root {
    folder: PathBuf,
    is_root: bool,
}

impl Root {
    fn make(folder: PathBuf) -> Self {
        let program = program();
        let libraries = output("ldd", &[program.to_str().expect("UTF-8")]).expect("ldd names the libraries");
        for inner in ["escrow", "etc/ssl/certs", "tmp"] {
            fs::create_dir_all(folder.join(inner)).expect("a folder");
        }
        fs::copy(&program, folder.join("soundpost")).expect("the program");
        let libraries =
            libraries.split_whitespace().filter(|word| word.starts_with('/') && word.contains(".so"));
        let certificates = "/etc/ssl/certs/ca-certificates.crt";
        for file in libraries.chain([certificates]) {
            let inside = folder.join(file.trim_start_matches('/'));
            fs::create_dir_all(inside.parent().expect("a folder")).expect("a folder");
            fs::copy(file, inside).expect("a file");
        }
        fs::write(folder.join("etc/nsswitch.conf"), "hosts: files dns\n").expect("a file");
        fs::write(folder.join("etc/hosts"), "127.0.0.1 localhost\n").expect("a file");
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("rights");
        fs::set_permissions(folder.join("escrow"), fs::Permissions::from_mode(0o700)).expect("rights");
        let is_root = output("id", &["-u"]).is_some_and(|id| id.trim() == "0");
        if is_root {
            output("chown", &["-R", USER, folder.join("escrow").to_str().expect("UTF-8")]).expect("an owner");
        }
        Self { folder, is_root }
    }

    /// The program inside; where we are not root, as the only user of a namespace.
    fn command(&self, words: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new("unshare");
        if !self.is_root {
            command.args(["--user", "--map-root-user"]);
        }
        let user = if self.is_root { "--userspec=10001:10001" } else { "--groups=" };
        command.args(["--mount", "sh", "-c", ENTER, "sh"]).arg(&self.folder).arg(user).args(words);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").envs(variables.iter().copied());
        command.stdin(Stdio::null());
        command
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

/// Ends with the story.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_16_the_program_lives_in_an_empty_root_that_is_read_only() {
    let world: World = still_world().await;
    let acme = world.organization("acme").await;
    let root = Root::make(world.escrow.with_extension("root"));
    let tried = root.command(&["--version"], &[]).output().expect("unshare is there");
    if !tried.status.success() {
        eprintln!("SKIP: no root can be mounted here: {}", text(&tried.stderr));
        return;
    }
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|l| l.local_addr()).unwrap().port();
    let (listen, base) = (format!("127.0.0.1:{port}"), format!("http://localhost:{port}"));
    let variables = [
        ("DATABASE_URL", world.database.url.as_str()),
        ("SOUNDPOST_LISTEN", &listen),
        ("SOUNDPOST_PUBLIC_URL", &base),
        ("SOUNDPOST_KEYS", world.key.expose_secret()),
        ("SOUNDPOST_ESCROW_DIR", "/escrow"),
        ("GONG_CLIENT_ID", "sim-client"),
        ("GONG_CLIENT_SECRET", "sim-secret"),
        ("GONG_AUTHORIZE_URL", &world.sim.authorize_url()),
        ("GONG_TOKEN_URL", &world.sim.token_url()),
        ("GONG_API_HOSTS", "http://127.0.0.1,http://127.0.0.2,http://127.0.0.3"),
    ];
    let before = files(&root.folder);
    assert!(!before.iter().any(|file| file.ends_with("sh") || file.ends_with("busybox")), "no shell");
    let probe = || root.command(&["probe", "--ready"], &variables).output().expect("it starts").status.code();
    assert_eq!(probe(), Some(1), "nobody listens yet");
    let log = fs::File::create(world.escrow.with_extension("root.log")).unwrap();
    let serve = root.command(&["serve"], &variables).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    let mut serve = Running(serve);
    let begun = Instant::now();
    while probe() != Some(0) {
        assert!(
            begun.elapsed() < Duration::from_secs(20),
            "{:?}",
            fs::read_to_string(world.escrow.with_extension("root.log"))
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if root.is_root {
        let status = fs::read_to_string(format!("/proc/{}/status", serve.0.id())).unwrap();
        assert!(
            status.lines().any(|line| line.starts_with("Uid:") && line.contains("10001\t10001")),
            "{status}"
        );
    }
    let browser = Browser::new(Url::parse(&base).unwrap());
    assert_eq!(browser.log_in(&acme.email, PASSWORD).await.status, 200);
    world.sim.set_consent(gong_sim::Consent::Approve(acme.company));
    let connected = browser.connect(None).await;
    assert_eq!(connected.status, 303, "tokens go through the escrow: {}", connected.text);
    let told = Instant::now();
    output("kill", &["-TERM", &serve.0.id().to_string()]).expect("a signal");
    let ended = serve.0.wait().unwrap();
    assert!(
        ended.success() && told.elapsed() < Duration::from_secs(30),
        "{ended} after {:?}",
        told.elapsed()
    );
    let wrote = root.command(&["migrate"], &[("DATABASE_URL", variables[0].1)]).output().unwrap();
    assert!(wrote.status.success(), "{}", text(&wrote.stderr));
    assert_eq!(files(&root.folder), before, "nothing was written");
    fs::remove_file(world.escrow.with_extension("root.log")).ok();
    world.finish().await;
}
