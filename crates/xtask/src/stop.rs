//! Ctrl-C, a polite kill and a closed terminal, as one flag that loops look at.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::fault::{Doing, Fault};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Starts to listen. A second signal ends the process at once; what it started then ends by itself (see `guard`).
pub(crate) fn listen() -> Result<(), Fault> {
    let flag = ASKED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        signal_hook::flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(flag)))
            .doing("listening for Ctrl-C")?;
    }
    Ok(())
}

/// Whether somebody asked us to stop.
pub(crate) fn asked() -> bool {
    ASKED.get().is_some_and(|flag| flag.load(Ordering::SeqCst))
}

/// Fails once somebody asked us to stop; for loops that wait.
pub(crate) fn check() -> Result<(), Fault> {
    if asked() { Err(Fault::new("stopped by a signal")) } else { Ok(()) }
}

/// Sleeps for `time`, or less when somebody asks us to stop.
pub(crate) fn sleep(time: Duration) {
    let end = Instant::now() + time;
    while !asked() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(Duration::from_millis(50)));
    }
}
