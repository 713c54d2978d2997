//! Makes a data folder and runs a server on it: the files, the flags, the waiting.

use std::ffi::OsString;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::binaries::Binaries;
use super::{Postgres, Sweep, other_user};
use crate::fault::{Doing, Fault};
use crate::guard::{Guarded, Launch};
use crate::{run, secret, stop};

/// Nothing of a test run is worth a disk flush.
const FORGETFUL: [&str; 9] = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "max_connections=300",
    "shared_buffers=128MB",
    "jit=off",
];
const DURABLE: [&str; 3] = ["max_connections=100", "shared_buffers=128MB", "jit=off"];

/// What the bench measures on: nothing is forgotten, statements are counted.
pub(super) const MEASURED: [&str; 5] = [
    "max_connections=200",
    "shared_buffers=512MB",
    "max_wal_size=4GB",
    "jit=off",
    "shared_preload_libraries=pg_stat_statements",
];

/// What proofs stand on: our processes die, not the machine, so nothing is lost without fsync.
pub(super) const PROVED: [&str; 5] =
    ["max_connections=400", "shared_buffers=128MB", "max_wal_size=2GB", "jit=off", "fsync=off"];

/// A data folder that a server can run on.
struct Cluster<'a> {
    binaries: &'a Binaries,
    data: PathBuf,
    password: String,
    log: PathBuf,
    user: Option<u32>,
    settings: &'a [&'a str],
    /// Added to ours.
    environment: Vec<(String, String)>,
    sweep: Option<PathBuf>,
}

/// Starts a server whose folder is removed when it ends; `cache` keeps a fresh data folder to copy from.
pub(super) fn start_for_tests(binaries: &Binaries, cache: &Path) -> Result<Postgres, Fault> {
    start_passing(binaries, cache, &roomy_folder(), &FORGETFUL, Vec::new())
}

/// The same on disk, with the settings that are measured.
pub(super) fn start_for_bench(
    binaries: &Binaries,
    cache: &Path,
    environment: Vec<(String, String)>,
) -> Result<Postgres, Fault> {
    start_passing(binaries, cache, &std::env::temp_dir(), &MEASURED, environment)
}

/// The same for proofs.
pub(super) fn start_for_proofs(binaries: &Binaries, cache: &Path) -> Result<Postgres, Fault> {
    start_passing(binaries, cache, &roomy_folder(), &PROVED, Vec::new())
}

fn start_passing(
    binaries: &Binaries,
    cache: &Path,
    place: &Path,
    settings: &'static [&'static str],
    environment: Vec<(String, String)>,
) -> Result<Postgres, Fault> {
    let user = other_user();
    let name = format!("soundpost-test-{}-{}", std::process::id(), secret::random_word(4)?);
    let folder = place.join(name);
    let swept = Sweep(folder.clone());
    make_folder(&folder, user)?;
    let data = folder.join("data");
    let version: String =
        binaries.version.chars().map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' }).collect();
    let cached = cache.join(format!("postgres-{version}-{}", user.unwrap_or_default()));
    let password = match copy_cached(&cached, &data) {
        Some(password) => password,
        None => {
            let password = secret::random_word(16)?;
            initialize(binaries, &folder, &data, &password, user)?;
            keep_cached(&cached, &data, &password);
            password
        }
    };
    let log = folder.join("log");
    let cluster = Cluster { binaries, data, password, log, user, settings, environment, sweep: Some(folder) };
    let (url, server) = cluster.start()?;
    Ok(cluster.running(url, server, Some(swept)))
}

/// Starts the server of this checkout's demo, and makes its data folder the first time.
pub(super) fn start_for_demo(binaries: &Binaries, root: &Path, keep: &Path) -> Result<Postgres, Fault> {
    let user = other_user();
    let record = keep.join("postgres.path");
    let folder = match fs::read_to_string(&record) {
        Ok(path) => PathBuf::from(path.trim()),
        // Our own folder may lie where nobody else can look, such as under /root.
        Err(_) if user.is_some() => {
            let mut hasher = DefaultHasher::new();
            root.hash(&mut hasher);
            PathBuf::from(format!("/var/lib/soundpost-demo/{:016x}", hasher.finish()))
        }
        Err(_) => keep.join("postgres"),
    };
    let data = folder.join("data");
    let file = keep.join("postgres.password");
    if !data.join("PG_VERSION").is_file() || !file.is_file() {
        let password = secret::random_word(16)?;
        if folder.exists() {
            fs::remove_dir_all(&folder).doing(format!("removing the unfinished {}", folder.display()))?;
        }
        make_folder(&folder, user)?;
        initialize(binaries, &folder, &data, &password, user)?;
        secret::write(&file, &password)?;
        fs::write(&record, format!("{}\n", folder.display()))
            .doing(format!("writing {}", record.display()))?;
    }
    let password = fs::read_to_string(&file).doing("reading the password of PostgreSQL")?.trim().to_owned();
    let log = keep.join("postgres.log");
    let cluster = Cluster {
        binaries,
        data,
        password,
        log,
        user,
        settings: &DURABLE,
        environment: Vec::new(),
        sweep: None,
    };
    let (url, server) = cluster.start()?;
    Ok(cluster.running(url, server, None))
}

/// The folder that the demo recorded, data and all.
pub(super) fn recorded_data(keep: &Path) -> Option<PathBuf> {
    Some(PathBuf::from(fs::read_to_string(keep.join("postgres.path")).ok()?.trim()))
}

impl Cluster<'_> {
    /// Takes free ports until one works; waits for an earlier server on the same data to end.
    fn start(&self) -> Result<(String, Guarded), Fault> {
        for attempt in 1.. {
            let port = free_port()?;
            let mut server = self.launch(port)?;
            match self.wait(&mut server, port) {
                Ok(()) => {
                    let url = format!("postgres://soundpost:{}@127.0.0.1:{port}/postgres", self.password);
                    return Ok((url, server));
                }
                Err(fault) if attempt >= 20 => return Err(fault),
                Err(fault) => {
                    let passing = ["Address already in use", "postmaster.pid\" already exists"];
                    if !passing.iter().any(|why| fault.to_string().contains(why)) {
                        return Err(fault);
                    }
                    stop::sleep(Duration::from_millis(500));
                    stop::check()?;
                }
            }
        }
        Err(Fault::new("PostgreSQL found no free port"))
    }

    fn running(&self, url: String, server: Guarded, folder: Option<Sweep>) -> Postgres {
        Postgres {
            url,
            description: format!("PostgreSQL {}", self.binaries.version),
            programs: self.binaries.folder.clone(),
            server,
            _folder: folder,
        }
    }

    fn launch(&self, port: u16) -> Result<Guarded, Fault> {
        let log = File::create(&self.log).doing(format!("creating {}", self.log.display()))?;
        let mut arguments: Vec<OsString> = vec!["-D".into(), self.data.clone().into_os_string()];
        let addresses = [
            "listen_addresses=127.0.0.1".to_owned(),
            "unix_socket_directories=".to_owned(),
            format!("port={port}"),
        ];
        for setting in self.settings.iter().map(|setting| (*setting).to_owned()).chain(addresses) {
            arguments.extend(["-c".into(), setting.into()]);
        }
        Guarded::start(Launch {
            name: "PostgreSQL",
            program: self.binaries.folder.join("postgres"),
            arguments,
            environment: self.environment.clone(),
            folder: self.data.clone(),
            user: self.user,
            signal: "INT",
            patience_seconds: 20,
            sweep: self.sweep.clone(),
            stdout: log.try_clone().map(Stdio::from).doing("sharing the log of PostgreSQL")?,
            stderr: Stdio::from(log),
        })
    }

    fn wait(&self, server: &mut Guarded, port: u16) -> Result<(), Fault> {
        let end = Instant::now() + Duration::from_secs(60);
        while !answers(port) {
            stop::check()?;
            if server.ended().is_some() || Instant::now() > end {
                let log = fs::read_to_string(&self.log).unwrap_or_default();
                let tail: Vec<&str> = log.lines().rev().take(8).collect();
                let tail = tail.into_iter().rev().collect::<Vec<_>>().join("\n  ");
                return Err(Fault::new(format!("PostgreSQL did not start:\n  {tail}")));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// Whether a server there asks for a password, which it does only once it is ready.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let words = b"user\0soundpost\0database\0postgres\0\0";
    let length = u32::try_from(words.len() + 8).unwrap_or_default();
    let mut packet = length.to_be_bytes().to_vec();
    packet.extend(196_608_u32.to_be_bytes());
    packet.extend(words);
    let mut answer = [0];
    stream.set_read_timeout(Some(Duration::from_secs(2))).is_ok()
        && stream.write_all(&packet).is_ok()
        && stream.read_exact(&mut answer).is_ok()
        && answer == *b"R"
}

fn initialize(
    binaries: &Binaries,
    folder: &Path,
    data: &Path,
    password: &str,
    user: Option<u32>,
) -> Result<(), Fault> {
    let file = folder.join("password");
    secret::write(&file, password)?;
    if let Some(user) = user {
        std::os::unix::fs::chown(&file, Some(user), Some(user)).doing("handing the password to initdb")?;
    }
    let locale = if cfg!(target_os = "linux") { "--locale=C.UTF-8" } else { "--locale=C" };
    let mut initdb = Command::new(binaries.folder.join("initdb"));
    // The password travels in clear over loopback: what PostgreSQL stores is a hash all the same, and a
    // challenge computed by an unoptimized client would cost every test connection a quarter of a second.
    initdb.args(["-U", "soundpost", "-A", "password", "--no-sync", "-E", "UTF8", locale, "-D"]).arg(data);
    initdb.arg("--pwfile").arg(&file).current_dir(folder);
    if let Some(user) = user {
        initdb.uid(user).gid(user);
    }
    run::output(&mut initdb)?;
    fs::remove_file(&file).doing("removing the password file of initdb")
}

/// Copies the kept data folder; `None` when there is none that we may read.
fn copy_cached(cached: &Path, data: &Path) -> Option<String> {
    let password = fs::read_to_string(cached.join("password")).ok()?;
    let copied =
        Command::new("cp").arg("-a").arg(cached.join("data")).arg(data).stderr(Stdio::null()).status();
    if copied.is_ok_and(|status| status.success()) {
        return Some(password.trim().to_owned());
    }
    let _ = fs::remove_dir_all(data);
    None
}

/// Keeps a fresh data folder for the next run. Only saves time, so a failure is no fault.
fn keep_cached(cached: &Path, data: &Path, password: &str) {
    let work = cached.with_extension(format!("new-{}", std::process::id()));
    let kept = fs::create_dir_all(&work).is_ok()
        && Command::new("cp").arg("-a").arg(data).arg(&work).status().is_ok_and(|status| status.success())
        && secret::write(&work.join("password"), password).is_ok()
        && fs::rename(&work, cached).is_ok();
    if !kept {
        let _ = fs::remove_dir_all(&work);
    }
}

fn make_folder(folder: &Path, user: Option<u32>) -> Result<(), Fault> {
    let doing = || format!("creating {}", folder.display());
    fs::create_dir_all(folder).doing(doing())?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).doing(doing())?;
    if user.is_some() {
        std::os::unix::fs::chown(folder, user, user).doing(doing())?;
    }
    Ok(())
}

/// Memory when it has two gigabytes to spare, else the temporary folder of the system.
fn roomy_folder() -> PathBuf {
    let memory = Path::new("/dev/shm");
    let free = run::output(Command::new("df").args(["-Pk"]).arg(memory))
        .ok()
        .and_then(|table| table.lines().nth(1)?.split_whitespace().nth(3)?.parse::<u64>().ok());
    if free.is_some_and(|kilobytes| kilobytes > 2_000_000) {
        memory.to_path_buf()
    } else {
        std::env::temp_dir()
    }
}

/// A port that nobody listens on right now.
pub(crate) fn free_port() -> Result<u16, Fault> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).doing("looking for a free port")?;
    Ok(listener.local_addr().doing("looking for a free port")?.port())
}
