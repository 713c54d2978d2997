//! What a demo remembers from one start to the next, in `.soundpost/` of this checkout: secrets, ports, choices.
//! One demo at a time: the folder is locked while one runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::{Options, say};
use crate::fault::{Doing, Fault};
use crate::{postgres, secret};

/// Who logs in.
pub(super) const OWNER: &str = "owner@acme.example";

/// The folder of one checkout's demo, locked.
pub(super) struct Keep {
    folder: PathBuf,
    values: RefCell<BTreeMap<String, String>>,
    _lock: File,
}

impl Keep {
    /// Opens and locks it; `--fresh` empties it first.
    pub(super) fn open(root: &Path, options: &Options) -> Result<Self, Fault> {
        let folder = root.join(".soundpost");
        fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
        let lock = lock(&folder)?;
        if options.fresh {
            say("forgetting the data of the earlier demo (--fresh)");
            forget(&folder)?;
        }
        let text = fs::read_to_string(folder.join("demo.env")).unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let values = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        let keep = Self { folder, values: RefCell::new(values), _lock: lock };
        keep.same_choices(options)?;
        Ok(keep)
    }

    /// The folder itself.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the environment of `soundpost serve` is written down.
    pub(super) fn environment_file(&self) -> PathBuf {
        self.folder.join("serve.env")
    }

    /// The owner's password, made up the first time.
    pub(super) fn password(&self) -> Result<String, Fault> {
        self.value("OWNER_PASSWORD", || secret::random_word(8))
    }

    /// What is remembered under `name`, or what `make` makes of it now.
    pub(super) fn value(
        &self,
        name: &str,
        make: impl FnOnce() -> Result<String, Fault>,
    ) -> Result<String, Fault> {
        if let Some(value) = self.values.borrow().get(name) {
            return Ok(value.clone());
        }
        let value = make()?;
        self.remember(name, &value)?;
        Ok(value)
    }

    /// Whether something is remembered under `name`.
    pub(super) fn knows(&self, name: &str) -> bool {
        self.values.borrow().contains_key(name)
    }

    /// Whether this demo's calls are read by the simulated language model.
    pub(super) fn has_language_model(&self) -> bool {
        self.values.borrow().get("MODEL_SIM").is_some_and(|value| !value.is_empty())
    }

    /// Remembers a value.
    pub(super) fn remember(&self, name: &str, value: &str) -> Result<(), Fault> {
        self.values.borrow_mut().insert(name.to_owned(), value.to_owned());
        let values = self.values.borrow();
        let text: String = values.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        secret::write(&self.folder.join("demo.env"), &text)
    }

    /// A port that stays the same from start to start, because addresses are stored with the connection.
    pub(super) fn port(&self, name: &str, wish: Option<u16>) -> Result<u16, Fault> {
        let kept: Option<u16> = self.values.borrow().get(name).and_then(|port| port.parse().ok());
        let port = match kept.or(wish).filter(|port| is_free(*port)) {
            Some(port) => port,
            None => {
                let port = postgres::free_port()?;
                if let Some(kept) = kept {
                    say(&format!("port {kept} of the last start is taken; using {port}"));
                }
                port
            }
        };
        self.remember(name, &port.to_string())?;
        Ok(port)
    }

    /// The simulated Gong was filled at the first start; other wishes need a fresh one, no wish keeps what there is.
    fn same_choices(&self, options: &Options) -> Result<(), Fault> {
        let conversations = options.conversations.as_ref().map(|file| file.display().to_string());
        let wishes = [
            ("CALLS", "--calls", options.calls.map(|calls| calls.to_string()), "400"),
            ("CONVERSATIONS", "--conversations", conversations, ""),
            ("MODEL_SIM", "--model-sim", options.model_sim.then(|| "yes".to_owned()), ""),
        ];
        for (name, option, wish, otherwise) in wishes {
            let kept = self.value(name, || Ok(wish.clone().unwrap_or_else(|| otherwise.to_owned())))?;
            if wish.as_ref().is_some_and(|wish| *wish != kept) {
                let kept = if kept.is_empty() {
                    format!("without {option}")
                } else {
                    format!("with {option} {kept}")
                };
                return Err(Fault::new(format!(
                    "the demo of this checkout was filled {kept}; leave {option} out to continue it, or begin anew with --fresh"
                )));
            }
        }
        Ok(())
    }
}

/// Removes what an earlier demo left, PostgreSQL's data included, but not the lock.
fn forget(folder: &Path) -> Result<(), Fault> {
    if let Some(data) = postgres::demo_data(folder).filter(|data| data.exists()) {
        fs::remove_dir_all(&data).doing(format!("removing {}", data.display()))?;
    }
    for entry in fs::read_dir(folder).doing("reading the demo's folder")?.flatten() {
        let path = entry.path();
        if path.file_name().is_some_and(|name| name == "lock") {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.doing(format!("removing {}", path.display()))?;
    }
    Ok(())
}

/// The lock ends with the process that holds it, however it ends.
fn lock(folder: &Path) -> Result<File, Fault> {
    let path = folder.join("lock");
    let mut options = fs::OpenOptions::new();
    let mut file =
        options.create(true).truncate(false).read(true).write(true).open(&path).doing("opening the lock")?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _ = file.read_to_string(&mut holder);
            return Err(Fault::new(format!(
                "a demo of this checkout runs already (process {}); end it first, or use another checkout",
                holder.trim()
            )));
        }
        Err(TryLockError::Error(error)) => return Err(error).doing("locking the demo's folder"),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).doing("writing the lock")?;
    Ok(file)
}

fn is_free(port: u16) -> bool {
    std::net::TcpListener::bind(("127.0.0.1", port)).is_ok()
}
