//! Environment variables: read once, secrets also from files, every fault collected.

use std::{collections::BTreeMap, ffi::OsString, fs, str::FromStr, time::Duration};

use kernel::SecretString;

/// The variables that this program knows, and what each is for.
pub(crate) const KNOWN: &[&str] = &[
    "DATABASE_URL",
    "SOUNDPOST_LISTEN",
    "SOUNDPOST_METRICS_LISTEN",
    "SOUNDPOST_PUBLIC_URL",
    "SOUNDPOST_KEYS",
    "SOUNDPOST_ESCROW_DIR",
    "SOUNDPOST_POLL_EVERY",
    "SOUNDPOST_REFRESH_BEFORE",
    "SOUNDPOST_TRANSCRIPT_BATCH",
    "SOUNDPOST_WORKER_GONE_AFTER",
    "SOUNDPOST_TRUSTED_PROXIES",
    "SOUNDPOST_DATABASE_CONNECTIONS",
    "SOUNDPOST_POOLER_URL",
    "SOUNDPOST_API_PER_MINUTE",
    "SOUNDPOST_ON_MISUSE",
    "SOUNDPOST_LOG_FORMAT",
    "SOUNDPOST_MODEL_DIR",
    "SOUNDPOST_LANGUAGE_MODEL",
    "SOUNDPOST_LANGUAGE_URL",
    "SOUNDPOST_LANGUAGE_KEY",
    "SOUNDPOST_LANGUAGE_PRICE",
    "SOUNDPOST_EMBEDDINGS",
    "SOUNDPOST_EMBEDDINGS_URL",
    "SOUNDPOST_EMBEDDINGS_KEY",
    "SOUNDPOST_QDRANT_URL",
    "SOUNDPOST_QDRANT_KEY",
    "GONG_CLIENT_ID",
    "GONG_CLIENT_SECRET",
    "GONG_AUTHORIZE_URL",
    "GONG_TOKEN_URL",
    "GONG_API_HOSTS",
    "GONG_REQUESTS_PER_SECOND",
    "GONG_REQUESTS_PER_DAY",
];

/// Those whose value may stand in a file named by `X_FILE`.
pub(crate) const SECRETS: &[&str] = &[
    "DATABASE_URL",
    "SOUNDPOST_POOLER_URL",
    "SOUNDPOST_KEYS",
    "GONG_CLIENT_SECRET",
    "SOUNDPOST_LANGUAGE_KEY",
    "SOUNDPOST_EMBEDDINGS_KEY",
    "SOUNDPOST_QDRANT_KEY",
];

/// The variables of this process, and what is wrong with them.
#[derive(Debug)]
pub(crate) struct Variables {
    values: BTreeMap<String, String>,
    /// Every fault so far, one sentence each; none shows a value that may be a secret.
    pub(crate) faults: Vec<String>,
}

impl Variables {
    /// Takes the variables that are ours. Unknown `SOUNDPOST_*` are faults: most are typing errors.
    pub(crate) fn of(all: impl Iterator<Item = (String, String)>) -> Self {
        let mut this = Self { values: BTreeMap::new(), faults: Vec::new() };
        for (name, value) in all.filter(|(_, value)| !value.trim().is_empty()) {
            if KNOWN.contains(&name.as_str()) {
                this.values.insert(name, value.trim().to_owned());
            } else if let Some(plain) = name.strip_suffix("_FILE").filter(|plain| SECRETS.contains(plain)) {
                this.read_file(plain, &value);
            } else if name.starts_with("SOUNDPOST_") {
                this.faults.push(format!("{name} is not a variable of Soundpost; see .env.example"));
            }
        }
        this
    }

    /// The variables of this process.
    pub(crate) fn here() -> Self {
        Self::of_system(std::env::vars_os())
    }

    /// As [`Variables::of`]. Text that is not UTF-8 is a fault in a variable of ours, and nothing to us in others.
    fn of_system(all: impl Iterator<Item = (OsString, OsString)>) -> Self {
        let mut unreadable = Vec::new();
        let mut this = Self::of(all.filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            match value.into_string() {
                Ok(value) => Some((name, value)),
                Err(_) => {
                    unreadable.push(name);
                    None
                }
            }
        }));
        for name in unreadable {
            let plain = name.strip_suffix("_FILE").unwrap_or(&name);
            if KNOWN.contains(&plain) || name.starts_with("SOUNDPOST_") {
                this.faults.push(format!("{name} must be text in UTF-8"));
            }
        }
        this
    }

    fn read_file(&mut self, name: &str, path: &str) {
        match fs::read_to_string(path) {
            Ok(_) if self.values.contains_key(name) => {
                self.faults.push(format!("{name} and {name}_FILE are both set; keep one"));
            }
            Ok(text) => {
                self.values.insert(name.to_owned(), text.trim().to_owned());
            }
            Err(error) => self.faults.push(format!("{name}_FILE cannot be read: {error}")),
        }
    }

    /// The text, if there is one.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A secret that must be there.
    pub(crate) fn secret(&mut self, name: &str, fix: &str) -> Option<SecretString> {
        let value = self.text(name).map(|text| SecretString::from(text.to_owned()));
        if value.is_none() {
            self.faults.push(format!("{name} is not set: {fix}"));
        }
        value
    }

    /// A value that can be read by `read`; the default where it is not set.
    pub(crate) fn read<T>(
        &mut self,
        name: &str,
        default: T,
        read: impl FnOnce(&str) -> Option<T>,
        fix: &str,
    ) -> T {
        match self.text(name).map(read) {
            None => default,
            Some(Some(value)) => value,
            Some(None) => {
                self.faults.push(format!("{name} {fix}"));
                default
            }
        }
    }

    /// A number within a range.
    pub(crate) fn number<N: FromStr + PartialOrd + Copy + std::fmt::Display>(
        &mut self,
        name: &str,
        default: N,
        least: N,
        most: N,
    ) -> N {
        let fix = format!("must be a number from {least} to {most}");
        self.read(name, default, |text| text.parse().ok().filter(|n| *n >= least && *n <= most), &fix)
    }

    /// A length of time such as `30s`, `5m`, `4h`, `1d`, within a range.
    pub(crate) fn duration(
        &mut self,
        name: &str,
        default: Duration,
        least: Duration,
        most: Duration,
    ) -> Duration {
        let fix = format!(
            "must be a length of time from {}s to {}s, for instance 30s, 5m or 4h",
            least.as_secs(),
            most.as_secs()
        );
        self.read(name, default, |text| duration(text).filter(|d| *d >= least && *d <= most), &fix)
    }
}

fn duration(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let (number, seconds) = match unit {
        's' => (&text[..text.len() - 1], 1),
        'm' => (&text[..text.len() - 1], 60),
        'h' => (&text[..text.len() - 1], 3600),
        'd' => (&text[..text.len() - 1], 86_400),
        '0'..='9' => (text, 1),
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Variables {
        Variables::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_misspelt_variable_is_a_fault_and_foreign_ones_are_not() {
        let variables = of(&[("SOUNDPOST_LISTN", "x"), ("PATH", "/bin"), ("GONG_CLIENT_ID", "a")]);
        assert_eq!(variables.faults.len(), 1);
        assert!(variables.faults[0].contains("SOUNDPOST_LISTN"));
    }

    #[test]
    fn what_is_not_utf_8_is_a_fault_in_ours_and_nothing_in_others() {
        use std::os::unix::ffi::OsStringExt;
        let odd = || OsString::from_vec(vec![b'a', 0xff]);
        let all = [
            ("PATH".into(), odd()),
            (odd(), "x".into()),
            ("GONG_CLIENT_ID".into(), odd()),
            ("GONG_CLIENT_SECRET_FILE".into(), odd()),
            ("SOUNDPOST_LISTEN".into(), "127.0.0.1:1".into()),
        ];
        let variables = Variables::of_system(all.into_iter());
        assert_eq!(variables.faults.len(), 2, "{:?}", variables.faults);
        assert_eq!(variables.text("SOUNDPOST_LISTEN"), Some("127.0.0.1:1"));
    }

    #[test]
    fn every_fault_is_listed_and_no_secret_is_shown() {
        let mut variables = of(&[("SOUNDPOST_POLL_EVERY", "soon"), ("GONG_REQUESTS_PER_SECOND", "-3")]);
        variables.duration(
            "SOUNDPOST_POLL_EVERY",
            Duration::from_secs(60),
            Duration::from_secs(1),
            Duration::from_secs(9),
        );
        variables.number("GONG_REQUESTS_PER_SECOND", 2.5, 0.1, 100.0);
        variables.secret("SOUNDPOST_KEYS", "run `soundpost keys generate`");
        assert_eq!(variables.faults.len(), 3, "{:?}", variables.faults);
        assert!(variables.faults.iter().all(|fault| !fault.contains("soon") && !fault.contains("-3")));
    }

    #[test]
    fn lengths_of_time_are_read() {
        let seconds = |text| duration(text).map(|d| d.as_secs());
        assert_eq!(
            [seconds("30s"), seconds("5m"), seconds("4h"), seconds("1d"), seconds("7")],
            [30, 300, 14_400, 86_400, 7].map(Some)
        );
        assert_eq!([seconds(""), seconds("h"), seconds("-1s"), seconds("1w"), seconds("1.5h")], [None; 5]);
    }
}
