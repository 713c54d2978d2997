//! The configuration: complete, and not weaker than it looks. Shows no value that may be a secret.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use kernel::ExposeSecret;

use super::finding::{Check, Class};
use crate::{
    settings::{self, Settings},
    variables::SECRETS,
};

/// Where container engines put secrets, for everybody in the container to read; nobody else is there.
const SECRETS_OF_ENGINES: &str = "/run/secrets/";
/// What Gong allows one company, all its programs together.
const GONG_PER_SECOND: f64 = 3.0;
const GONG_PER_DAY: i64 = 10_000;

/// Reads the settings; `None` where they are not complete.
pub(super) fn check(checks: &mut Vec<Check>) -> Option<Settings> {
    let faults = settings::faults();
    if faults.is_empty() {
        checks.push(Check::ok(Class::Configuration, "settings", "complete"));
    }
    checks.extend(faults.into_iter().map(|fault| {
        let name: String = fault.chars().take_while(|c| !c.is_whitespace()).collect();
        let fix = format!("set {name} right; .env.example describes every variable");
        Check::fault(Class::Configuration, "settings", fault, fix)
    }));
    checks.extend(SECRETS.iter().filter_map(|name| secret_file(name)));
    let settings = settings::read().ok()?;
    checks.extend(weak(&settings));
    Some(settings)
}

/// A secret in a file that everybody on the machine may read is none.
fn secret_file(name: &str) -> Option<Check> {
    let path = std::env::var(format!("{name}_FILE")).ok().filter(|path| !path.trim().is_empty())?;
    if path.starts_with(SECRETS_OF_ENGINES) {
        return None;
    }
    let mode = fs::metadata(Path::new(&path)).ok()?.permissions().mode();
    (mode & 0o007 != 0).then(|| {
        Check::warning(
            Class::Configuration,
            "secret files",
            format!(
                "the file of {name}_FILE is open to every user of this machine (mode {:03o})",
                mode & 0o777
            ),
            format!("chmod 600 the file of {name}_FILE"),
        )
    })
}

fn weak(settings: &Settings) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut warn = |check, found: &str, fix: &str| {
        checks.push(Check::warning(Class::Configuration, check, found, fix));
    };
    if settings.trusted_proxies.trusts_everybody() {
        warn(
            "trusted proxies",
            "SOUNDPOST_TRUSTED_PROXIES trusts every address, so everybody can pretend to come from anywhere",
            "name only the addresses of your reverse proxies in SOUNDPOST_TRUSTED_PROXIES",
        );
    }
    if settings.public_url.scheme() == "http" && !settings.listen.ip().is_loopback() {
        warn(
            "public address",
            "browsers are sent to a plain http address of this machine, while SOUNDPOST_LISTEN is open to others: their \
             cookies would travel in the open",
            "set SOUNDPOST_PUBLIC_URL to the https address of your reverse proxy, or listen on 127.0.0.1",
        );
    }
    let real = settings.token_url.scheme() == "https";
    let plain = std::env::var("GONG_API_HOSTS").is_ok_and(|hosts| hosts.contains("http://"));
    if real && plain {
        warn(
            "allowed hosts",
            "GONG_API_HOSTS lets credentials of the real Gong go over plain http",
            "remove the http:// entries from GONG_API_HOSTS; the default is *.api.gong.io",
        );
    }
    let too_fast = settings.defaults.per_second > GONG_PER_SECOND || settings.defaults.per_day > GONG_PER_DAY;
    if real && too_fast {
        warn(
            "pace",
            "GONG_REQUESTS_PER_SECOND or GONG_REQUESTS_PER_DAY is more than Gong allows a company (3 and 10,000)",
            "lower them, unless Gong has raised the limit of every company that is connected here",
        );
    }
    if settings.client_secret.expose_secret().eq_ignore_ascii_case("change-me") {
        warn("client secret", "GONG_CLIENT_SECRET is the word of an example", "set the one that Gong shows");
    }
    checks
}
