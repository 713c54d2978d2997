//! Dead letters: seen by whom they belong to, retried once however often it is asked.

use std::sync::Arc;

use kernel::{DeadLetterId, OrganizationId, Scope, SystemAmbient};
use queue::{Letters, Verdict};

use crate::support::{Actor, Desk, desk, seconds};

const fn of(kind: &str) -> Letters<'_> {
    Letters { kind: Some(kind), code: None }
}

/// Lets so many jobs die.
async fn bury(desk: &Desk, jobs: u128) -> Vec<DeadLetterId> {
    bury_for(desk, jobs, "gong_refused").await
}

async fn bury_for(desk: &Desk, jobs: u128, code: &'static str) -> Vec<DeadLetterId> {
    let actor = Actor::new(move |_, _| async move { Verdict::Dead { code } });
    for subject in 1..=jobs {
        desk.send(&desk.job("poll", subject).trace(Some("00-trace".to_owned()))).await;
    }
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    work.stop().await;
    let mut tx = desk.begin().await;
    let letters = queue::list(&mut tx, None, 100).await.unwrap();
    assert_eq!(letters.len(), usize::try_from(jobs).unwrap());
    letters.iter().map(|letter| letter.id).collect()
}

#[tokio::test]
async fn job_11_many_clicks_at_once_on_retry_send_one_job() {
    let desk = Arc::new(desk().await);
    let letter = bury(&desk, 1).await[0];
    let clicks = (0..8).map(|_| {
        let desk = desk.clone();
        tokio::spawn(async move {
            let mut tx = desk.begin().await;
            let sent = queue::retry(&mut tx, letter).await.unwrap();
            tx.commit().await.unwrap();
            sent
        })
    });
    let mut sent = 0;
    for click in clicks.collect::<Vec<_>>() {
        sent += i32::from(click.await.unwrap());
    }
    assert_eq!(sent, 1);
    let actor = Actor::willing();
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    assert_eq!(actor.starts().len(), 1);
    assert!(desk.dead().await.is_empty());
    work.stop().await;
}

#[tokio::test]
async fn job_11_all_letters_of_a_kind_are_retried_each_once() {
    let desk = desk().await;
    bury(&desk, 12).await;
    let mut tx = desk.begin().await;
    assert_eq!(queue::retry_all(&mut tx, of("backfill")).await.unwrap(), 0);
    assert_eq!(queue::retry_all(&mut tx, of("poll")).await.unwrap(), 12);
    assert_eq!(queue::retry_all(&mut tx, Letters::default()).await.unwrap(), 0, "nothing is left to retry");
    tx.commit().await.unwrap();
    let actor = Actor::willing();
    let work = desk.work(&actor);
    desk.idle(seconds(10)).await;
    assert_eq!(actor.starts().len(), 12);
    work.stop().await;
}

#[tokio::test]
async fn job_07_a_letter_whose_work_a_later_job_did_is_closed_only_where_the_workers_had_died() {
    for (code, closed) in [("worker_died", 1), ("gong_refused", 0)] {
        let desk = desk().await;
        let letters = bury_for(&desk, 2, code).await;
        let actor = Actor::willing();
        desk.send(&desk.job("poll", 1)).await;
        let work = desk.work(&actor);
        desk.idle(seconds(10)).await;
        work.stop().await;
        let mut fleet = desk.db.fleet().await.unwrap();
        assert_eq!(queue::close_overtaken(&mut fleet).await.unwrap(), closed, "{code}");
        fleet.commit().await.unwrap();
        let mut tx = desk.begin().await;
        let open = queue::list_of(&mut tx, Letters::default(), Some("dead"), None, 100).await.unwrap();
        assert_eq!(u64::try_from(letters.len() - open.len()).unwrap(), closed, "{code}");
    }
}

#[tokio::test]
async fn another_organization_sees_and_retries_no_letter() {
    let desk = desk().await;
    let letter = bury(&desk, 2).await[0];
    let other = Scope::operator(OrganizationId::mint(&SystemAmbient));
    let mut tx = desk.db.begin(&other).await.unwrap();
    assert!(queue::list(&mut tx, None, 100).await.unwrap().is_empty());
    assert!(queue::show(&mut tx, letter).await.unwrap().is_none());
    assert!(!queue::retry(&mut tx, letter).await.unwrap());
    assert!(!queue::discard(&mut tx, letter, "mine now").await.unwrap());
    assert_eq!(queue::retry_all(&mut tx, Letters::default()).await.unwrap(), 0);
    tx.commit().await.unwrap();
    let mut fleet = desk.db.fleet().await.unwrap();
    assert_eq!(queue::list(&mut fleet, None, 100).await.unwrap().len(), 2, "the fleet sees all");
    assert_eq!(queue::counts(&mut fleet).await.unwrap().dead_letters, 2);
}

#[tokio::test]
async fn letters_are_listed_page_by_page_and_closed_with_a_reason() {
    let desk = desk().await;
    let letters = bury(&desk, 7).await;
    let mut tx = desk.begin().await;
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = queue::list(&mut tx, after, 3).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.iter().map(|letter| letter.id));
    }
    assert_eq!(seen, letters);
    assert!(queue::discard(&mut tx, letters[0], "the company is gone").await.unwrap());
    assert!(!queue::discard(&mut tx, letters[0], "again").await.unwrap());
    assert!(!queue::retry(&mut tx, letters[0]).await.unwrap(), "closed is closed");
    let letter = queue::show(&mut tx, letters[0]).await.unwrap().unwrap();
    assert_eq!(letter.state, "discarded");
    assert_eq!(letter.closed_reason.as_deref(), Some("the company is gone"));
    assert!(queue::discard(&mut tx, letters[1], &"long".repeat(200)).await.is_err());
}
