//! One circuit breaker for each host, shared by all connections of a process. Knows hosts; must never know whose they are.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use kernel::{Broken, Circuit, SharedAmbient};
use time::OffsetDateTime;

/// What a circuit protects; a word for metrics. Hosts are no labels: each company has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Target {
    /// Gong's API.
    Api,
    /// Gong's token address.
    Token,
}

impl Target {
    const fn word(self) -> &'static str {
        match self {
            Self::Api => "gong_api",
            Self::Token => "gong_token",
        }
    }
}

type Circuits = HashMap<(Target, String), Circuit>;

/// The circuits of this process; clones share them.
#[derive(Clone, Default)]
pub struct Breakers {
    circuits: Arc<Mutex<Circuits>>,
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Breakers")
    }
}

/// One request that was let through. Dropped without a report, it was never made.
#[derive(Debug)]
pub struct Ticket {
    breakers: Breakers,
    key: (Target, String),
    ambient: SharedAmbient,
    reported: bool,
}

impl Breakers {
    /// Lets one request to a host through.
    ///
    /// # Errors
    /// [`Broken`] while the host does not answer.
    pub fn admit(&self, target: Target, host: &str, ambient: &SharedAmbient) -> Result<Ticket, Broken> {
        let (key, now) = ((target, host.to_owned()), ambient.now());
        self.change(&key, now, |circuit| circuit.admit(now))?;
        Ok(Ticket { breakers: self.clone(), key, ambient: ambient.clone(), reported: false })
    }

    /// Changes one circuit; those at rest are not kept. Tells the metrics of the worst one.
    fn change<T>(
        &self,
        key: &(Target, String),
        now: OffsetDateTime,
        act: impl FnOnce(&mut Circuit) -> T,
    ) -> T {
        let mut circuits = self.circuits.lock().unwrap_or_else(PoisonError::into_inner);
        let mut circuit = circuits.remove(key).unwrap_or_default();
        let done = act(&mut circuit);
        if !circuit.is_at_rest() {
            circuits.insert(key.clone(), circuit);
        }
        let of_target = circuits.iter().filter(|((target, _), _)| *target == key.0);
        let worst = of_target.map(|(_, circuit)| circuit.level(now)).max().unwrap_or(0);
        metrics::gauge!("soundpost_circuit_state", "target" => key.0.word()).set(f64::from(worst));
        done
    }
}

impl Ticket {
    /// Says what came of it: whether somebody answered, be it with a refusal.
    pub fn report(mut self, answered: bool) {
        self.reported = true;
        let now = self.ambient.now();
        if answered {
            return self.breakers.change(&self.key, now, Circuit::succeeded);
        }
        let share = self.ambient.jitter(std::time::Duration::from_secs(1)).as_secs_f64();
        let opened = self.breakers.change(&self.key, now, |circuit| {
            let before = circuit.level(now);
            circuit.failed(now, share);
            before == 0 && circuit.level(now) == 2
        });
        if opened {
            tracing::warn!(
                target.kind = self.key.0.word(),
                host = self.key.1,
                "Gong's host does not answer; requests to it stop, and it is probed."
            );
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.reported {
            self.breakers.change(&self.key, self.ambient.now(), Circuit::released);
        }
    }
}
