//! A clock that runs faster for some programs: a small library that the loader puts before the C library, made by `cc`.
//! Nothing of our programs is changed for it. Knows no scenario.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::fault::{Doing, Fault};
use crate::{run, secret};

const SOURCE: &str = include_str!("clock.c");

/// The clock of some programs. Until [`FastClock::hasten`] it is everybody's.
pub(crate) struct FastClock {
    folder: PathBuf,
}

impl FastClock {
    /// Makes the library; needs a C compiler.
    pub(crate) fn make() -> Result<Self, Fault> {
        let folder = std::env::temp_dir().join(format!("soundpost-clock-{}", secret::random_word(4)?));
        fs::create_dir_all(&folder).doing("creating the folder of the fast clock")?;
        let clock = Self { folder };
        let source = clock.path("clock.c");
        fs::write(&source, SOURCE).doing("writing the fast clock")?;
        let mut compile = Command::new("cc");
        compile.args(["-O2", "-shared", "-fPIC", "-o"]).arg(clock.path("clock.so")).arg(source).arg("-ldl");
        run::output(&mut compile)?;
        fs::write(clock.path("law"), [0; 16]).doing("writing the law of the fast clock")?;
        Ok(clock)
    }

    /// What a program must find in its environment; with `timers` its waiting gets shorter, too.
    pub(crate) fn environment(&self, timers: bool) -> Vec<(String, String)> {
        let text = |path: &Path| path.display().to_string();
        let mut all = vec![
            ("LD_PRELOAD".to_owned(), text(&self.path("clock.so"))),
            ("LAB_CLOCK".to_owned(), text(&self.path("law"))),
        ];
        if timers {
            all.push(("LAB_CLOCK_TIMERS".to_owned(), "yes".to_owned()));
        }
        all
    }

    /// From now on the clock runs so many times as fast. Programs that wait have to be started after this.
    #[expect(
        clippy::disallowed_methods,
        reason = "the moment from which other programs' clocks differ from ours"
    )]
    pub(crate) fn hasten(&self, factor: u32) -> Result<(), Fault> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let file = OpenOptions::new().write(true).open(self.path("law")).doing("opening the law")?;
        let from = i64::try_from(now).unwrap_or(i64::MAX);
        file.write_all_at(&from.to_ne_bytes(), 0).doing("writing the law")?;
        file.write_all_at(&i64::from(factor).to_ne_bytes(), 8).doing("writing the law")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

impl Drop for FastClock {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}
