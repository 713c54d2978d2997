//! This machine: the escrow folder, room on its disk, open files. Leaves nothing behind.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::finding::{Check, Class};
use crate::settings::Settings;

/// Room for hundreds of answers in escrow.
const ROOM: usize = 1024 * 1024;
/// Every live stream is an open socket, and so is every connection.
const FILES: u64 = 1_024;

pub(super) fn check(settings: &Settings, checks: &mut Vec<Check>) {
    checks.push(escrow(&settings.escrow_dir));
    checks.extend(open_to_others(&settings.escrow_dir));
    let (_, most) = rlimit::Resource::NOFILE.get().unwrap_or((0, u64::MAX));
    checks.push(if most >= FILES {
        Check::ok(Class::Machine, "open files", format!("{FILES} or more"))
    } else {
        Check::warning(
            Class::Machine,
            "open files",
            format!("at most {most}: only few people can look at live pages at once"),
            "raise the limit of open files to 8192 (ulimit -n, LimitNOFILE= of systemd, ulimits of Docker)",
        )
    });
}

/// Whether an answer could be kept there. A folder that is not there is made at the start, so its place is tried.
fn escrow(folder: &Path) -> Check {
    let place = folder.ancestors().find(|place| place.as_os_str().is_empty() || place.exists());
    let place = place.filter(|place| !place.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match probe(place) {
        Ok(()) => Check::ok(Class::Machine, "escrow folder", "can be written to"),
        Err(error) if error.kind() == io::ErrorKind::StorageFull => Check::fault(
            Class::Machine,
            "disk",
            "the disk of SOUNDPOST_ESCROW_DIR is full: new tokens of Gong could be lost",
            "make room there, or move SOUNDPOST_ESCROW_DIR to another disk",
        ),
        Err(error) => Check::fault(
            Class::Machine,
            "escrow folder",
            format!("SOUNDPOST_ESCROW_DIR: {error}"),
            "make SOUNDPOST_ESCROW_DIR a folder that this user can write to",
        ),
    }
}

/// Writes as much as may ever wait there, and takes it away again.
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".doctor-{}", std::process::id()));
    let written = fs::File::create(&path).and_then(|mut file| {
        file.write_all(&vec![0; ROOM])?;
        file.sync_all()
    });
    // Without a file there is nothing to remove.
    let removed = fs::remove_file(&path);
    written.and(removed)
}

fn open_to_others(folder: &Path) -> Option<Check> {
    let mode = fs::metadata(folder).ok().filter(fs::Metadata::is_dir)?.permissions().mode();
    (mode & 0o077 != 0).then(|| {
        Check::warning(
            Class::Machine,
            "escrow rights",
            format!(
                "SOUNDPOST_ESCROW_DIR is open to other users of this machine (mode {:03o})",
                mode & 0o777
            ),
            "chmod 700 the folder",
        )
    })
}
