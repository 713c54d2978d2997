//! The way over a language model: what it finds, what it costs, and what happens when it does not help.

use std::time::Duration;

use feedback::Ended;
use kernel::{FeedbackKind, FeedbackMode, Priority, Sentiment};
use model_sim::{Endpoint, Trouble};
use models::Usage;

use crate::lab::{Lab, PRICE, Wire};

const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const PDF: &str = "them: We need an export of the report as PDF. It is for the auditors.";
pub(crate) const DARK: &str = "them: I wish it had a dark theme for night shifts.";

#[tokio::test]
async fn both_wire_formats_bring_posts_whose_quotes_were_said() {
    for wire in [Wire::Anthropic, Wire::OpenAi] {
        let lab = Lab::new(wire).await;
        let acme = lab.organization("acme").await;
        let said = [
            "us: Hello.",
            PDF,
            "us: You would like to see it blue?",
            DARK,
            "them: The price is a topic we need too.",
        ];
        let call = lab.call(&acme, &said).await;
        assert_eq!(lab.run(&lab.engine(), &acme).await, [Ended::Found(2)], "{wire:?}");
        let posts = lab.posts(&acme).await;
        assert_eq!(posts.len(), 2, "{posts:?}");
        for post in &posts {
            assert!(post.analyzer.ends_with("-lab/2"), "{}", post.analyzer);
            let is_dark = post.title.contains("dark theme");
            let kind = if is_dark { FeedbackKind::FeatureRequest } else { FeedbackKind::MissingCapability };
            assert_eq!(
                (post.kind, post.sentiment, post.priority),
                (kind, Sentiment::Neutral, Priority::Medium)
            );
            let area = if is_dark { "shift" } else { "report" };
            assert!(post.area == area && post.description.contains("in their own words"), "{post:?}");
            let evidence = lab.evidence(&acme, post.id).await;
            let quote = &evidence[0].quotes[0];
            assert!([PDF, DARK].iter().any(|said| said.contains(&quote.text)), "{quote:?}");
            assert_eq!(quote.speaker.as_deref(), Some("Ann"));
            assert_eq!(quote.start_ms, if DARK.contains(&quote.text) { 30_000 } else { 10_000 });
        }
        let trace = lab.trace(&acme, call).await;
        let names: Vec<_> = trace.stages.iter().map(|stage| stage.name.as_str()).collect();
        assert_eq!(names, ["normalize", "detect", "extract", "deduplicate", "organize"]);
        assert!(trace.stages[2].usage.input > 100 && trace.stages[2].cost > 0);
        assert_eq!((trace.state.as_str(), trace.items, lab.asked()), ("done", 2, 1));
    }
}

#[tokio::test]
async fn a_model_that_is_away_is_tried_later_and_nothing_is_lost() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    let engine = lab.engine();
    let limited = Trouble::RateLimited { retry_after: Some("3600".into()) };
    let mut tries = 0;
    let call = lab.call(&acme, &[PDF]).await;
    for (trouble, times, reason) in [
        (limited, 1, "model_rate_limited"),
        (Trouble::Overloaded, 4, "model_unavailable"),
        (Trouble::Cut, 4, "model_unavailable"),
    ] {
        lab.sim.trouble(Endpoint::Messages, times, trouble);
        assert_eq!(lab.run(&engine, &acme).await, [Ended::Later]);
        tries += 1;
        let trace = lab.trace(&acme, call).await;
        assert_eq!(
            (trace.state.as_str(), trace.reason.as_deref(), trace.tries),
            ("wanted", Some(reason), tries)
        );
        assert!(lab.explain(&acme, call).await.contains("it is tried again at 20"));
        assert_eq!(lab.run(&engine, &acme).await, [], "not before its time");
        lab.pass(MINUTE * 5);
    }
    // Far more tries than anything else is given, through a day of outage.
    for _ in 0..12 {
        lab.sim.trouble(Endpoint::Messages, 4, Trouble::Overloaded);
        assert_eq!(lab.run(&engine, &acme).await, [Ended::Later]);
        lab.pass(MINUTE * 130);
    }
    assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)]);
    assert_eq!(lab.posts(&acme).await.len(), 1);
}

#[tokio::test]
async fn a_refused_key_makes_calls_wait_until_there_is_another() {
    let lab = Lab::new(Wire::OpenAi).await;
    let acme = lab.organization("acme").await;
    let engine = lab.engine();
    let call = lab.call(&acme, &[PDF]).await;
    lab.sim.adjust(|switches| switches.key = Some("sk-another".into()));
    for _ in 0..12 {
        assert_eq!(lab.run(&engine, &acme).await, [Ended::Waiting]);
        lab.pass(MINUTE * 61);
    }
    assert_eq!(lab.trace(&acme, call).await.reason.as_deref(), Some("model_refused"));
    assert!(lab.explain(&acme, call).await.contains("refuses the key"));
    assert_eq!(lab.asked(), 12, "asked once an hour");
    lab.sim.adjust(|switches| switches.key = None);
    assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)]);
}

#[tokio::test]
async fn an_answer_that_cannot_be_used_is_repaired_once_then_given_up_and_may_be_tried_again() {
    for wire in [Wire::Anthropic, Wire::OpenAi] {
        let lab = Lab::new(wire).await;
        let acme = lab.organization("acme").await;
        let engine = lab.engine();
        for trouble in [Trouble::Truncated, Trouble::WrongShape, Trouble::Prose, Trouble::Html] {
            lab.sim.clear();
            let before = lab.used(&acme).await;
            let words = format!("them: We need a {trouble:?} mode.");
            let call = lab.call(&acme, &[&words]).await;
            lab.sim.trouble(wire.endpoint(), 1, trouble.clone());
            assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)], "{trouble:?} once");
            let asked = lab.sim.requests();
            let questions: Vec<_> = asked.iter().filter(|one| one.endpoint == wire.endpoint()).collect();
            assert_eq!(questions.len(), 2);
            assert!(questions[1].user().contains("last answer could not be used"), "{}", questions[1].user());
            let trace = lab.trace(&acme, call).await;
            let after = lab.used(&acme).await;
            assert_eq!(
                after.1 - before.1,
                i64::try_from(trace.stages[2].usage.input).unwrap(),
                "both questions are counted"
            );

            lab.sim.clear();
            let words = format!("them: We miss the other {trouble:?} mode.");
            let call = lab.call(&acme, &[&words]).await;
            lab.sim.trouble(wire.endpoint(), 2, trouble.clone());
            assert_eq!(lab.run(&engine, &acme).await, [Ended::GivenUp], "{trouble:?} twice");
            let trace = lab.trace(&acme, call).await;
            assert_eq!(
                (trace.state.as_str(), trace.reason.as_deref()),
                ("failed", Some("model_answer_unreadable"))
            );
            assert!(lab.explain(&acme, call).await.contains("was given up"));
            assert_eq!(lab.asked(), 2);
            if trouble != Trouble::Html {
                assert!(lab.used(&acme).await.3 > after.3, "what was paid for nothing is counted");
            }
            lab.pass(MINUTE * 600);
            assert_eq!(lab.run(&engine, &acme).await, [], "given up");
            let mut tx = lab.db.begin(&acme).await.unwrap();
            assert!(feedback::retry(&mut tx, call, &*lab.clock).await.unwrap());
            tx.commit().await.unwrap();
            assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)]);
        }
    }
}

#[tokio::test]
async fn what_a_model_invents_is_dropped() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    let call = lab.call(&acme, &[PDF, "us: We would pay double for this: Add an export."]).await;
    lab.sim.trouble(Endpoint::Messages, 1, Trouble::InventedQuote);
    assert_eq!(lab.run(&lab.engine(), &acme).await, [Ended::Nothing]);
    assert_eq!(lab.all_posts(&acme).await, []);
    let trace = lab.trace(&acme, call).await;
    assert_eq!((trace.state.as_str(), trace.reason.as_deref()), ("discarded", Some("no_feedback")));
    assert_eq!(trace.stages[2].output, serde_json::json!([]));
}

#[tokio::test]
async fn the_monthly_cap_pauses_says_so_and_next_month_goes_on() {
    let lab = Lab::new(Wire::Anthropic).await;
    let acme = lab.organization("acme").await;
    lab.settings(&acme, |settings| settings.monthly_cap = Some(1_000)).await;
    let engine = lab.engine();
    lab.call(&acme, &[PDF]).await;
    assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)]);
    let spent = lab.used(&acme).await.3;
    assert!(spent >= 1_000, "one call is over the cap: {spent}");
    let call = lab.call(&acme, &[DARK]).await;
    for _ in 0..3 {
        assert_eq!(lab.run(&engine, &acme).await, [Ended::Waiting]);
        lab.pass(MINUTE * 61);
    }
    assert_eq!((lab.asked(), lab.used(&acme).await.3), (1, spent), "not a token more");
    assert_eq!(lab.trace(&acme, call).await.reason.as_deref(), Some("monthly_cap"));
    assert!(lab.explain(&acme, call).await.contains("money for models is spent"));
    let mut tx = lab.db.begin(&acme).await.unwrap();
    assert_eq!(feedback::ledger(&mut tx).await.unwrap().waiting, [("monthly_cap".to_owned(), 1)]);
    drop(tx);
    lab.pass(MINUTE * 60 * 24 * 31);
    assert_eq!(lab.run(&engine, &acme).await, [Ended::Found(1)], "another month");
    assert_eq!(lab.posts(&acme).await.len(), 2);
}

#[tokio::test]
async fn tokens_and_money_are_counted_for_whoever_used_them() {
    let lab = Lab::new(Wire::OpenAi).await;
    let (acme, umbrella) = (lab.organization("acme").await, lab.organization("umbrella").await);
    let engine = lab.engine();
    for n in 0..5 {
        lab.call(&acme, &[&format!("them: We need thing{n} for place{n}.")]).await;
    }
    lab.call(&umbrella, &[DARK]).await;
    for scope in [&acme, &umbrella] {
        lab.run(&engine, scope).await;
    }
    let (acme, umbrella) = (lab.used(&acme).await, lab.used(&umbrella).await);
    assert_eq!((acme.0, umbrella.0), (5, 1));
    for used in [acme, umbrella] {
        let usage = Usage { input: used.1.unsigned_abs(), output: used.2.unsigned_abs() };
        assert!(usage.input > 0 && usage.output > 0);
        let rounded = used.0; // each ask is rounded by itself
        assert!((PRICE.of(usage) - used.3).abs() <= rounded, "{used:?}");
    }
}

#[tokio::test]
async fn the_same_wish_of_two_organizations_is_two_posts() {
    let lab = Lab::new(Wire::Anthropic).await;
    let (acme, umbrella) = (lab.organization("acme").await, lab.organization("umbrella").await);
    lab.settings(&umbrella, |settings| settings.mode = FeedbackMode::Approval).await;
    let engine = lab.engine();
    for scope in [&acme, &umbrella] {
        lab.call(scope, &[PDF]).await;
        assert_eq!(lab.run(&engine, scope).await, [Ended::Found(1)]);
    }
    assert_eq!((lab.posts(&acme).await.len(), lab.posts(&umbrella).await.len()), (1, 0));
    let (ours, theirs) = (lab.all_posts(&acme).await, lab.all_posts(&umbrella).await);
    assert_eq!((ours.len(), theirs.len()), (1, 1));
    assert_ne!(ours[0].id, theirs[0].id);
    assert_eq!(theirs[0].evidence, 1);
}
