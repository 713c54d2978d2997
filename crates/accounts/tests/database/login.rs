//! Logging in: who gets in, how often one may guess, and what a guesser can learn.

use std::time::{Duration, Instant};

use accounts::{LoggedIn, LoginError};
use kernel::ExposeSecret as _;

use crate::house::{House, PASSWORD};

const WRONG: &str = "a wrong password";

fn wrong(result: &Result<LoggedIn, LoginError>) -> bool {
    matches!(result, Err(LoginError::WrongCredentials))
}

fn throttled(result: &Result<LoggedIn, LoginError>) -> bool {
    matches!(result, Err(LoginError::TooManyTries { retry_after }) if retry_after.as_secs() >= 1)
}

#[tokio::test]
async fn an_account_can_be_guessed_at_ten_times_a_minute() {
    let house = House::open().await;
    house.organization("acme").await;
    for email in ["owner@acme.test", "nobody@acme.test"] {
        for n in 0..10 {
            // From many addresses, so that only the account can be what stops it.
            assert!(wrong(&house.log_in(email, WRONG, &format!("192.0.2.{n}"), None).await));
        }
        for _ in 0..3 {
            assert!(throttled(&house.log_in(email, PASSWORD, "192.0.2.99", None).await), "{email}");
        }
    }
    house.pass(62);
    assert!(house.log_in(" OWNER@acme.test", PASSWORD, "192.0.2.99", None).await.is_ok());
    house.close().await;
}

#[tokio::test]
async fn a_crowd_in_one_moment_gets_ten_tries_and_not_one_more() {
    let house = House::open().await;
    house.organization("acme").await;
    let tries = (0..25).map(|n| {
        let house = &house;
        async move { house.log_in("owner@acme.test", WRONG, &format!("198.51.100.{n}"), None).await }
    });
    let answers = futures::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|a| wrong(a)).count(), 10);
    assert_eq!(answers.iter().filter(|a| throttled(a)).count(), 15);
    house.close().await;
}

#[tokio::test]
async fn an_address_has_thirty_tries_a_minute_for_all_accounts() {
    let house = House::open().await;
    house.organization("acme").await;
    for n in 0..30 {
        assert!(wrong(&house.log_in(&format!("u{n}@acme.test"), WRONG, "2001:db8::1", None).await));
    }
    assert!(
        throttled(&house.log_in("owner@acme.test", PASSWORD, "2001:db8::2", None).await),
        "one household"
    );
    assert!(house.log_in("owner@acme.test", PASSWORD, "2001:db8:1::1", None).await.is_ok());
    house.close().await;
}

#[tokio::test]
async fn right_passwords_do_not_use_up_tries() {
    let house = House::open().await;
    house.organization("acme").await;
    for _ in 0..12 {
        assert!(house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None).await.is_ok());
    }
    house.close().await;
}

#[tokio::test]
async fn a_guesser_cannot_lock_the_true_user_out_of_a_known_browser() {
    let house = House::open().await;
    house.organization("acme").await;
    house.organization("globex").await;
    let device = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", None).await.unwrap().device_token;
    let other = house.log_in("owner@globex.test", PASSWORD, "192.0.2.1", None).await.unwrap().device_token;
    // The guesser sits behind the same address and knows a browser of his own.
    for _ in 0..10 {
        let guess = house.log_in("owner@acme.test", WRONG, "192.0.2.1", Some(other.expose_secret())).await;
        assert!(wrong(&guess));
    }
    let guess = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", Some(other.expose_secret())).await;
    assert!(throttled(&guess), "a browser known for another account is a stranger");
    let back = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", Some(device.expose_secret())).await;
    let device = back.unwrap().device_token;

    for _ in 0..10 {
        assert!(wrong(
            &house.log_in("owner@acme.test", WRONG, "192.0.2.1", Some(device.expose_secret())).await
        ));
    }
    let eleventh = house.log_in("owner@acme.test", PASSWORD, "192.0.2.1", Some(device.expose_secret())).await;
    assert!(throttled(&eleventh), "a stolen browser token is no free way to guess");
    let stored = house.count("select count(*) from known_devices where length(device_hash) = 32").await;
    assert_eq!(stored, 2, "one for each person; the token of an earlier log-in is replaced");
    house.close().await;
}

#[tokio::test]
async fn an_unknown_address_answers_alike_and_takes_as_long() {
    let house = House::open().await;
    house.organization("acme").await;
    let (mut differences, mut total) = (Vec::new(), Duration::ZERO);
    for n in 0..30 {
        // Side by side and in changing order, so that a busy machine slows both down.
        let mut times = [Duration::ZERO; 2];
        for which in [n % 2, 1 - n % 2] {
            let email = ["owner@acme.test", "nobody@acme.test"][which];
            let begun = Instant::now();
            let answer = house.log_in(email, WRONG, "192.0.2.1", None).await.unwrap_err();
            times[which] = begun.elapsed();
            assert_eq!(answer.code(), "wrong_credentials");
            assert_eq!(answer.to_string(), "the e-mail address or the password is wrong");
        }
        total += times[0] + times[1];
        differences.push(times[0].as_secs_f64() - times[1].as_secs_f64());
        house.pass(10);
    }
    differences.sort_by(f64::total_cmp);
    let median_ms = f64::midpoint(differences[14], differences[15]) * 1000.0;
    // 20 ms, or a tenth of what a log-in takes where the machine is busy with other things.
    let most = (total.as_secs_f64() / 60.0 * 100.0).max(20.0);
    assert!(median_ms.abs() <= most, "a known address takes {median_ms} ms longer, {most} ms are allowed");
    house.close().await;
}

#[tokio::test]
async fn odd_input_is_a_wrong_password_and_nothing_else() {
    let house = House::open().await;
    house.organization("acme").await;
    let long = "x".repeat(100_000);
    for (email, password) in [
        ("", ""),
        ("owner@acme.test", ""),
        ("owner@acme.test\0", PASSWORD),
        ("' or 1=1 --", PASSWORD),
        (&long, PASSWORD),
        ("owner@acme.test", &long),
        ("öwner@acme.test", "\0"),
    ] {
        let answer = house.log_in(email, password, "192.0.2.1", Some(&long)).await;
        // A zero byte is dropped from the address, which then is the owner's.
        assert!(wrong(&answer) || (email.ends_with('\0') && answer.is_ok()), "{answer:?}");
    }
    house.close().await;
}
