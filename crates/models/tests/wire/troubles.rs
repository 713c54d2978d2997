//! What a provider may do instead of answering.

use std::time::{Duration, Instant};

use model_sim::{Endpoint, Trouble};
use models::ModelError;

use crate::{ask, both, sim};

fn limited(seconds: &str) -> Trouble {
    Trouble::RateLimited { retry_after: Some(seconds.into()) }
}

#[tokio::test]
async fn what_passes_is_waited_out() {
    let sim = sim().await;
    for trouble in
        [limited("0"), Trouble::Overloaded, Trouble::Status(500), Trouble::Status(408), Trouble::Cut]
    {
        for (model, endpoint) in both(&sim) {
            sim.clear();
            sim.trouble(endpoint, 3, trouble.clone());
            assert!(model.ask(&ask("Hello.")).await.is_ok(), "{trouble:?} three times");
            assert_eq!(sim.asked(endpoint), 4);
        }
    }
    for (model, endpoint) in both(&sim) {
        sim.trouble(endpoint, 1, Trouble::Stall(300));
        assert!(model.ask(&ask("Hello.")).await.is_ok());
    }
}

#[tokio::test]
async fn what_does_not_pass_ends_after_four_tries() {
    let sim = sim().await;
    for (trouble, code) in [
        (limited("0"), "model_rate_limited"),
        (Trouble::Overloaded, "model_unavailable"),
        (Trouble::Cut, "model_unavailable"),
    ] {
        for (model, endpoint) in both(&sim) {
            sim.clear();
            sim.trouble(endpoint, 50, trouble.clone());
            let error = model.ask(&ask("Hello.")).await.unwrap_err();
            assert_eq!(
                (error.code(), error.is_transient(), sim.asked(endpoint)),
                (code, true, 4),
                "{trouble:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_short_retry_after_is_kept_and_a_long_one_is_handed_on() {
    let sim = sim().await;
    for (model, endpoint) in both(&sim) {
        sim.clear();
        sim.trouble(endpoint, 1, limited("1"));
        let began = Instant::now();
        assert!(model.ask(&ask("Hello.")).await.is_ok());
        assert!(began.elapsed() >= Duration::from_secs(1), "it was asked to wait a second");
        for (header, wait) in [("3600", 3_600), ("18446744073709551615", u64::MAX)] {
            sim.clear();
            sim.trouble(endpoint, 9, limited(header));
            let began = Instant::now();
            let error = model.ask(&ask("Hello.")).await.unwrap_err();
            assert!(
                matches!(error, ModelError::RateLimited { wait: Some(w) } if w == Duration::from_secs(wait)),
                "{error:?}"
            );
            assert!(
                began.elapsed() < Duration::from_secs(2) && sim.asked(endpoint) == 1,
                "nobody waits for an hour"
            );
        }
        for strange in ["soon", "-1", "Fri, 31 Dec 2999 23:59:59 GMT", "99999999999999999999999"] {
            sim.clear();
            sim.trouble(endpoint, 1, limited(strange));
            assert!(model.ask(&ask("Hello.")).await.is_ok(), "{strange} is no number of seconds");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_not_asked_again() {
    let sim = sim().await;
    for (status, code) in [
        (401, "model_refused"),
        (403, "model_refused"),
        (400, "model_bad_request"),
        (404, "model_bad_request"),
        (413, "model_bad_request"),
    ] {
        for (model, endpoint) in both(&sim) {
            sim.clear();
            sim.trouble(endpoint, 9, Trouble::Status(status));
            let error = model.ask(&ask("Hello.")).await.unwrap_err();
            assert_eq!((error.code(), error.is_transient(), sim.asked(endpoint)), (code, false, 1));
        }
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_says_why_and_what_it_cost() {
    let sim = sim().await;
    for (trouble, word, costs) in [
        (Trouble::Truncated, "cut off", true),
        (Trouble::Prose, "", true),
        (Trouble::Html, "not the JSON", false),
        (Trouble::Huge(9), "too large", false),
    ] {
        for (model, endpoint) in both(&sim) {
            sim.trouble(endpoint, 1, trouble.clone());
            let error = model.ask(&ask("We need a dark mode.")).await.unwrap_err();
            assert!(error.to_string().contains(word), "{trouble:?}: {error}");
            let ModelError::Unreadable { usage, .. } = error else { panic!("{trouble:?}: {error}") };
            assert_eq!(usage.input > 0 && usage.output > 0, costs, "{trouble:?}: {usage:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_no_answer() {
    let sim = sim().await;
    for (model, endpoint) in both(&sim) {
        sim.trouble(endpoint, 1, Trouble::CutInBody);
        let error = model.ask(&ask("We need a dark mode.")).await.unwrap_err();
        assert_eq!((error.code(), error.is_transient()), ("model_unavailable", true));
    }
    assert_eq!(sim.asked(Endpoint::Other), 0);
}
