//! Stops what is on its way: while the brake is on, no request to Gong's API begins or goes on. Knows no reason.

use std::sync::Arc;

use tokio::sync::watch;

use crate::{GongError, Held};

/// The brake of a process; clones share it.
#[derive(Debug, Clone)]
pub struct Brake(Arc<watch::Sender<Option<Held>>>);

impl Default for Brake {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(None)))
    }
}

impl Brake {
    /// Puts it on (with what those hear who are stopped) or off.
    pub fn set(&self, held: Option<Held>) {
        self.0.send_if_modified(|now| std::mem::replace(now, held) != held);
    }

    /// Does this unless the brake is on, and no further once it is.
    pub(crate) async fn watch<T>(
        &self,
        work: impl Future<Output = Result<T, GongError>>,
    ) -> Result<T, GongError> {
        let mut pulled = self.0.subscribe();
        let held = async {
            match pulled.wait_for(Option::is_some).await {
                Ok(held) => *held,
                Err(_) => None,
            }
        };
        tokio::select! {
            biased;
            Some(held) = held => Err(GongError::Held(held)),
            done = work => done,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::HeldReason;

    #[tokio::test]
    async fn ops_17_what_is_on_its_way_ends_when_the_brake_is_put_on_and_nothing_begins() {
        let brake = Brake::default();
        assert_eq!(brake.watch(async { Ok(1) }).await, Ok(1));
        let ours = brake.clone();
        let waiting = tokio::spawn(async move { ours.watch(std::future::pending::<Result<(), _>>()).await });
        tokio::time::sleep(Duration::from_millis(20)).await;
        let held = Held { until: time::OffsetDateTime::UNIX_EPOCH, why: HeldReason::Halted };
        brake.set(Some(held));
        assert_eq!(waiting.await.unwrap(), Err(GongError::Held(held)));
        assert_eq!(brake.watch(async { Ok(1) }).await, Err(GongError::Held(held)));
        brake.set(None);
        assert_eq!(brake.watch(async { Ok(1) }).await, Ok(1));
    }
}
