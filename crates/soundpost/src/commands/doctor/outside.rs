//! The ways out: do Gong's hosts answer, is the public address ours, does our clock agree with others'.

use gong::{Http, NoAnswer};
use kernel::{Ambient, SystemAmbient};
use time::OffsetDateTime;
use url::Url;

use super::finding::{Check, Class};
use crate::settings::Settings;

/// By how much clocks may differ: an answer tells whole seconds and takes its time.
const CLOCKS: f64 = 30.0;

pub(super) async fn check(settings: &Settings, http: &Http) -> Vec<Check> {
    let (authorize, token, own) = tokio::join!(
        gong::knock(http, &settings.authorize_url),
        gong::knock(http, &settings.token_url),
        gong::knock(http, &settings.public_url),
    );
    let now = SystemAmbient.now();
    let mut checks = vec![
        way("Gong authorize page", "GONG_AUTHORIZE_URL", &settings.authorize_url, authorize),
        way("Gong token address", "GONG_TOKEN_URL", &settings.token_url, token),
        public(&settings.public_url, own),
    ];
    checks.extend(
        [token, authorize].into_iter().find_map(Result::ok).flatten().map(|gong| clock("Gong's", gong, now)),
    );
    checks
}

fn way(
    check: &'static str,
    name: &str,
    url: &Url,
    answer: Result<Option<OffsetDateTime>, NoAnswer>,
) -> Check {
    match answer {
        Ok(_) => Check::ok(Class::Network, check, format!("{} answers", host(url))),
        Err(why) => {
            let (found, fix) = words(why);
            Check::fault(
                Class::Network,
                check,
                format!("{} {found}", host(url)),
                format!("{fix}; {name} names it"),
            )
        }
    }
}

/// It may be that only browsers reach it, so this does not stop anything.
fn public(url: &Url, answer: Result<Option<OffsetDateTime>, NoAnswer>) -> Check {
    const CHECK: &str = "public address";
    match answer {
        Ok(_) => Check::ok(Class::Network, CHECK, format!("{} answers", host(url))),
        Err(why) => {
            let (found, fix) = words(why);
            Check::warning(
                Class::Network,
                CHECK,
                format!("{} (SOUNDPOST_PUBLIC_URL) {found}, seen from here", host(url)),
                format!("start `soundpost serve`, or {fix}; Gong sends browsers back to this address"),
            )
        }
    }
}

fn words(why: NoAnswer) -> (&'static str, &'static str) {
    match why {
        NoAnswer::Name => ("has no address in DNS", "check the name, and the DNS of this machine"),
        NoAnswer::Tls => (
            "does not show a TLS certificate that can be trusted",
            "check that it is https, that its certificate is valid and that no proxy stands between",
        ),
        NoAnswer::Connect => ("refuses the connection", "check address, port, firewall and proxy rules"),
        NoAnswer::Silent => ("does not answer within five seconds", "check firewall and proxy rules"),
    }
}

/// Compares a clock with ours; leases go by the database's, the life of tokens by ours.
pub(super) fn clock(whose: &str, theirs: OffsetDateTime, ours: OffsetDateTime) -> Check {
    let apart = (ours - theirs).as_seconds_f64();
    if apart.abs() <= CLOCKS {
        return Check::ok(Class::Machine, "clock", format!("agrees with {whose}"));
    }
    let way = if apart > 0.0 { "ahead of" } else { "behind" };
    Check::fault(
        Class::Machine,
        "clock",
        format!("the clock of this machine is {:.0} s {way} {whose}", apart.abs()),
        "keep the clock by NTP (timedatectl set-ntp true), on this machine and on the database's",
    )
}

/// Host and port, never a path or a user.
fn host(url: &Url) -> String {
    let port = url.port_or_known_default().unwrap_or(443);
    format!("{}:{port}", url.host_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_may_be_half_a_minute_off() {
        let now = OffsetDateTime::UNIX_EPOCH;
        let says = |seconds: i64| clock("Gong's", now, now + time::Duration::seconds(seconds)).text();
        assert!(says(0).starts_with("ok") && says(29).starts_with("ok") && says(-29).starts_with("ok"));
        assert!(says(90).contains("90 s ahead of Gong's") && says(-3600).contains("3600 s behind Gong's"));
    }
}
