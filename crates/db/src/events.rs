//! News between processes: what one process commits, every `serve` process hears (LISTEN/NOTIFY).
//!
//! News are hints that something changed, never the change itself; whoever misses one sees it at the next look.

use std::{sync::Arc, time::Duration};

use kernel::OrganizationId;
use sqlx::{PgPool, postgres::PgListener};
use tokio::sync::broadcast;
use uuid::Uuid;

/// Something of an organization changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// Whose.
    pub organization: OrganizationId,
    /// What kind of thing, one word.
    pub topic: Arc<str>,
}

/// The news of all processes, fanned out to any number of listeners in this one.
#[derive(Debug, Clone)]
pub struct Events {
    sender: broadcast::Sender<News>,
}

impl Events {
    /// Starts to listen; reconnects for as long as any clone of the result lives.
    pub fn listen(pool: PgPool) -> Self {
        let (sender, _) = broadcast::channel(1024);
        let weak = sender.downgrade();
        tokio::spawn(async move {
            while weak.strong_count() > 0 {
                if let Err(error) = forward(&pool, &weak).await {
                    tracing::warn!(error = %error, "Listening for news was interrupted; trying again.");
                }
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
        });
        Self { sender }
    }

    /// A new listener. One that falls more than 1,024 news behind is told so and goes on.
    pub fn subscribe(&self) -> broadcast::Receiver<News> {
        self.sender.subscribe()
    }
}

async fn forward(pool: &PgPool, sender: &broadcast::WeakSender<News>) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("soundpost_news").await?;
    loop {
        let wait = tokio::time::timeout(Duration::from_secs(30), listener.recv()).await;
        let Some(sender) = sender.upgrade() else { return Ok(()) };
        let Ok(notification) = wait else { continue };
        if let Some(news) = parse(notification?.payload()) {
            // No listener is not an error: nobody is looking.
            sender.send(news).ok();
        }
    }
}

fn parse(payload: &str) -> Option<News> {
    let (organization, topic) = payload.split_once(':')?;
    let organization = OrganizationId::from_uuid(Uuid::try_parse(organization).ok()?);
    Some(News { organization, topic: topic.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strange_payload_is_no_news() {
        assert_eq!(parse("nonsense"), None);
        assert_eq!(parse("zz:connection"), None);
        let news = parse("00000000000000000000000000000001:connection").unwrap();
        assert_eq!(&*news.topic, "connection");
    }
}
