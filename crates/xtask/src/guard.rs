//! Programs that stay while we run and end with us, even when we are killed with -9.
//! Each one runs under a small shell that holds the reading end of a pipe: when we are gone the pipe ends,
//! and the shell stops its one child by process id. Nothing is ever ended by name.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use crate::fault::{Doing, Fault};

/// Arguments: signal, tenths of a second of patience, folder to remove afterwards (or nothing), program, its arguments.
const WATCH: &str = r#"
signal=$1; patience=$2; sweep=$3; shift 3
exec 3<&0 </dev/null
"$@" 3<&- &
child=$!
{
  exec >/dev/null 2>&1
  while read -r _ <&3; do :; done
  [ -z "$sweep" ] || : >"$sweep/stopped"
  kill -s "$signal" "$child"
  tick=0
  while kill -0 "$child" && [ "$tick" -lt "$patience" ]; do sleep 0.1; tick=$((tick + 1)); done
  kill -s KILL "$child"
} &
watch=$!
exec 3<&-
wait "$child"
status=$?
kill "$watch" 2>/dev/null
if [ -n "$sweep" ] && [ -e "$sweep/stopped" ]; then
  rm -rf -- "$sweep" 2>/dev/null || { sleep 1; rm -rf -- "$sweep"; }
fi
exit "$status"
"#;

/// What to start.
pub(crate) struct Launch {
    /// How we call it when we speak to a person.
    pub(crate) name: &'static str,
    /// The program.
    pub(crate) program: PathBuf,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Added to our environment, from which our own settings were taken away.
    pub(crate) environment: Vec<(String, String)>,
    /// The folder it starts in.
    pub(crate) folder: PathBuf,
    /// Another user and group to run as.
    pub(crate) user: Option<u32>,
    /// The signal that stops it, `INT` or `TERM`.
    pub(crate) signal: &'static str,
    /// Seconds until it is killed.
    pub(crate) patience_seconds: u32,
    /// A folder to remove once it was stopped; one that ended by itself leaves it to be looked at.
    pub(crate) sweep: Option<PathBuf>,
    /// Where stdout goes.
    pub(crate) stdout: Stdio,
    /// Where stderr goes.
    pub(crate) stderr: Stdio,
}

/// A running program. Dropping it stops the program and waits for its end.
pub(crate) struct Guarded {
    name: &'static str,
    shell: Child,
    lifeline: Option<ChildStdin>,
    patience: Duration,
}

impl Guarded {
    /// Starts it in a process group of its own, so that Ctrl-C reaches only us.
    pub(crate) fn start(launch: Launch) -> Result<Self, Fault> {
        let mut command = Command::new("sh");
        command.args(["-c", WATCH, "guard", launch.signal]);
        command.arg((launch.patience_seconds * 10).to_string());
        command.arg(launch.sweep.unwrap_or_default()).arg(&launch.program).args(&launch.arguments);
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(is_a_setting_of_ours) {
                command.env_remove(name);
            }
        }
        command.envs(launch.environment).current_dir(launch.folder).process_group(0);
        if let Some(user) = launch.user {
            command.uid(user).gid(user);
        }
        command.stdin(Stdio::piped()).stdout(launch.stdout).stderr(launch.stderr);
        let mut shell = command.spawn().doing(format!("starting {}", launch.name))?;
        let lifeline = shell.stdin.take();
        let patience = Duration::from_secs(u64::from(launch.patience_seconds) + 5);
        Ok(Self { name: launch.name, shell, lifeline, patience })
    }

    /// Its stdout, when it was piped and not taken before.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.shell.stdout.take()
    }

    /// The process id of the shell that holds it; the program is its child.
    pub(crate) fn shell_id(&self) -> u32 {
        self.shell.id()
    }

    /// The first line that it prints within `patience`; what follows is thrown away, so that the pipe stays empty.
    pub(crate) fn first_line(&mut self, patience: Duration) -> Option<String> {
        let stdout = self.stdout()?;
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        receiver.recv_timeout(patience).ok()
    }

    /// How it ended, if it did.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.shell.try_wait().ok().flatten()
    }

    /// Asks it to stop and waits; kills the guard itself when even that takes too long.
    pub(crate) fn stop(&mut self) {
        drop(self.lifeline.take());
        let end = Instant::now() + self.patience;
        while self.ended().is_none() {
            if Instant::now() > end {
                eprintln!("xtask: {} does not end; its guard is process {}", self.name, self.shell.id());
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Settings in the shell of whoever runs us must not leak into what we start.
fn is_a_setting_of_ours(name: &str) -> bool {
    name.starts_with("SOUNDPOST_")
        || name.starts_with("GONG_")
        || name.starts_with("PG")
        || name == "DATABASE_URL"
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::process::Stdio;
    use std::time::{Duration, Instant};

    use super::{Guarded, Launch};

    fn launch(script: &str) -> Launch {
        Launch {
            name: "a test program",
            program: "sh".into(),
            arguments: vec!["-c".into(), script.into()],
            environment: vec![("GREETING".into(), "hello".into())],
            folder: std::env::temp_dir(),
            user: None,
            signal: "TERM",
            patience_seconds: 2,
            sweep: None,
            stdout: Stdio::piped(),
            stderr: Stdio::null(),
        }
    }

    #[test]
    fn it_stops_when_it_is_dropped() {
        let mut guarded = Guarded::start(launch("echo $GREETING $$; exec sleep 60")).unwrap();
        let mut line = [0; 64];
        let read = guarded.stdout().unwrap().read(&mut line).unwrap();
        let text = String::from_utf8_lossy(&line[..read]).into_owned();
        let (greeting, pid) = text.trim().split_once(' ').unwrap();
        assert_eq!(greeting, "hello");

        let before = Instant::now();
        drop(guarded);

        assert!(before.elapsed() < Duration::from_secs(5));
        assert!(!std::path::Path::new("/proc").join(pid).exists());
    }

    #[test]
    fn a_program_that_ignores_the_signal_is_killed() {
        let mut guarded =
            Guarded::start(launch("trap '' TERM; echo up; while :; do sleep 0.1; done")).unwrap();
        let mut byte = [0];
        guarded.stdout().unwrap().read_exact(&mut byte).unwrap();
        let before = Instant::now();
        guarded.stop();
        assert!(guarded.ended().is_some());
        assert!(before.elapsed() >= Duration::from_millis(1500));
    }

    #[test]
    fn its_folder_is_swept_when_it_is_stopped_and_only_then() {
        let folder = std::env::temp_dir().join(format!("soundpost-sweep-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("inner")).unwrap();
        let sweep = || Some(folder.clone());
        let mut guarded = Guarded::start(Launch { sweep: sweep(), ..launch("exit 7") }).unwrap();
        let end = Instant::now() + Duration::from_secs(10);
        while guarded.ended().is_none() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert_eq!(guarded.ended().and_then(|status| status.code()), Some(7));
        assert!(folder.exists());

        drop(Guarded::start(Launch { sweep: sweep(), ..launch("exec sleep 60") }).unwrap());
        assert!(!folder.exists());
    }
}
