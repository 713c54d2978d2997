//! Where an answer of the token endpoint waits, sealed and on disk, until it is committed.
//!
//! Gong's refresh tokens work once. Between Gong's answer and our commit the only copy of the new one is in this process;
//! a crash there would cost the customer a reconnect. So the answer goes to a file first and is replayed at the next start
//! or the next refresh, whichever comes first.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use kernel::{ConnectionId, OrganizationId};
use serde::{Deserialize, Serialize};

/// A folder of sealed answers.
#[derive(Debug, Clone)]
pub struct Escrow {
    folder: PathBuf,
}

/// One answer in escrow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) organization: OrganizationId,
    pub(crate) connection: ConnectionId,
    /// The generation that this answer replaces.
    pub(crate) replaces: i64,
    pub(crate) key_id: String,
    /// The sealed answer.
    pub(crate) text: String,
}

impl Escrow {
    /// Opens the folder, making it (for this user alone) where it is missing.
    ///
    /// # Errors
    /// When it cannot be made or written to.
    pub fn open(folder: &Path) -> io::Result<Self> {
        use std::os::unix::fs::DirBuilderExt;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let probe = folder.join(".writable");
        fs::write(&probe, b"")?;
        // Another process that starts now may have removed it.
        gone(fs::remove_file(&probe))?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes an entry so that it survives a crash and a power cut.
    pub(crate) async fn put(&self, entry: Entry) -> io::Result<()> {
        let folder = self.folder.clone();
        let target = self.path(entry.connection, entry.replaces);
        blocking(move || {
            let partial = target.with_extension("partial");
            let mut file =
                fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
            file.write_all(&serde_json::to_vec(&entry)?)?;
            file.sync_all()?;
            fs::rename(&partial, &target)?;
            fs::File::open(folder)?.sync_all()
        })
        .await
    }

    /// The entry that replaces this generation, where there is one.
    pub(crate) async fn find(&self, connection: ConnectionId, replaces: i64) -> io::Result<Option<Entry>> {
        let path = self.path(connection, replaces);
        blocking(move || match fs::read(&path) {
            Ok(bytes) => Ok(read(&path, &bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    /// Forgets an entry.
    pub(crate) async fn remove(&self, connection: ConnectionId, replaces: i64) -> io::Result<()> {
        let path = self.path(connection, replaces);
        blocking(move || gone(fs::remove_file(&path))).await
    }

    /// Every entry that waits.
    pub(crate) async fn entries(&self) -> io::Result<Vec<Entry>> {
        let folder = self.folder.clone();
        blocking(move || {
            let mut entries = Vec::new();
            for file in fs::read_dir(&folder)? {
                let path = file?.path();
                if path.extension().is_some_and(|e| e == "escrow") {
                    entries.extend(read(&path, &fs::read(&path)?));
                }
            }
            Ok(entries)
        })
        .await
    }

    fn path(&self, connection: ConnectionId, replaces: i64) -> PathBuf {
        self.folder.join(format!("{connection}.{replaces}.escrow"))
    }
}

/// What a file holds; `None` where it is damaged.
fn read(path: &Path, bytes: &[u8]) -> Option<Entry> {
    let entry = serde_json::from_slice(bytes).ok();
    if entry.is_none() {
        tracing::error!(file = %path.display(), "An escrow file cannot be read.");
    }
    entry
}

/// A file that is not there is as good as removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    fn folder(name: &str) -> PathBuf {
        std::env::temp_dir().join(format!("soundpost-escrow-{name}-{}", std::process::id()))
    }

    #[tokio::test]
    async fn an_entry_stays_until_it_is_removed() {
        let folder = folder("stays");
        let escrow = Escrow::open(&folder).unwrap();
        let entry = Entry {
            organization: OrganizationId::mint(&SystemAmbient),
            connection: ConnectionId::mint(&SystemAmbient),
            replaces: 7,
            key_id: "abcd".into(),
            text: "sealed".into(),
        };
        escrow.put(entry.clone()).await.unwrap();
        assert_eq!(escrow.find(entry.connection, 7).await.unwrap(), Some(entry.clone()));
        assert_eq!(escrow.find(entry.connection, 8).await.unwrap(), None);
        assert_eq!(Escrow::open(&folder).unwrap().entries().await.unwrap(), vec![entry.clone()]);
        escrow.remove(entry.connection, 7).await.unwrap();
        escrow.remove(entry.connection, 7).await.unwrap();
        assert!(escrow.entries().await.unwrap().is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn processes_that_start_together_do_not_stop_each_other() {
        let folder = folder("together");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..200).for_each(|_| drop(Escrow::open(&folder).unwrap())));
            }
        });
        fs::remove_dir_all(folder).unwrap();
    }

    #[tokio::test]
    async fn a_damaged_file_does_not_stop_the_others() {
        let folder = folder("damaged");
        let escrow = Escrow::open(&folder).unwrap();
        fs::write(folder.join("con_x.1.escrow"), b"{").unwrap();
        assert!(escrow.entries().await.unwrap().is_empty());
        fs::remove_dir_all(folder).unwrap();
    }
}
