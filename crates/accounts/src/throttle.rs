//! How often somebody may guess: buckets of tries within the last minute. Knows no tables; the store keeps the counts.

use std::{net::IpAddr, time::Duration};

use kernel::UserId;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

/// Tries a minute for one account from browsers that never logged in to it.
const PER_ACCOUNT: i64 = 10;
/// Tries a minute from one address, for all accounts.
const PER_ADDRESS: i64 = 30;
/// Tries a minute for one account from one browser that logged in to it before.
const PER_DEVICE: i64 = 10;

/// Tries are kept by the second; a second is over when the next one starts, so 61 of them cover a minute.
pub(crate) const WINDOW: time::Duration = time::Duration::seconds(61);

/// What tries are counted against. Holds a hash: the table shows neither addresses nor e-mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Bucket {
    pub(crate) key: [u8; 32],
    pub(crate) most: i64,
}

impl Bucket {
    fn of(kind: &str, what: &[u8], most: i64) -> Self {
        let mut digest = Sha256::new();
        digest.update(kind.as_bytes());
        digest.update([0]);
        digest.update(what);
        Self { key: digest.finalize().into(), most }
    }

    /// A number for the lock that orders those who count against this bucket.
    pub(crate) fn lock(&self) -> i64 {
        let mut first = [0; 8];
        first.copy_from_slice(&self.key[..8]);
        i64::from_be_bytes(first)
    }

    /// The buckets of a stranger's log-in, ordered so that no two log-ins wait for each other in a ring.
    pub(crate) fn for_stranger(email: &str, ip: IpAddr) -> Vec<Self> {
        let mut both = vec![
            Self::of("account", email.as_bytes(), PER_ACCOUNT),
            Self::of("address", &network(ip), PER_ADDRESS),
        ];
        both.sort_by_key(Self::lock);
        both
    }

    /// The bucket of a browser that logged in to this account before: strangers cannot fill it.
    pub(crate) fn for_known_device(device: &[u8; 32]) -> Vec<Self> {
        vec![Self::of("device", device, PER_DEVICE)]
    }

    /// The bucket of somebody who is logged in and gives the password once more.
    pub(crate) fn for_password_change(user: UserId) -> Vec<Self> {
        vec![Self::of("password", user.uuid().as_bytes(), PER_DEVICE)]
    }
}

/// The address, or for IPv6 the /64 that one household has.
fn network(ip: IpAddr) -> Vec<u8> {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets()[..8].to_vec(),
    }
}

/// Whether one more try fits, given the tries of each second (oldest first); else how long to wait.
pub(crate) fn verdict(
    tries: &[(OffsetDateTime, i64)],
    most: i64,
    now: OffsetDateTime,
) -> Result<(), Duration> {
    let mut left: i64 = tries.iter().map(|(_, count)| count).sum();
    if left < most {
        return Ok(());
    }
    let mut free_at = now + WINDOW;
    for (second, count) in tries {
        left -= count;
        if left < most {
            free_at = *second + WINDOW;
            break;
        }
    }
    let wait = (free_at - now).whole_seconds().clamp(0, 61) + 1;
    Err(Duration::from_secs(wait.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const START: OffsetDateTime = datetime!(2026-01-01 12:00 UTC);

    fn second(n: i64) -> OffsetDateTime {
        START + time::Duration::seconds(n)
    }

    #[test]
    fn the_tenth_try_fits_and_the_eleventh_waits_for_the_oldest() {
        let now = second(30);
        assert_eq!(verdict(&[], 10, now), Ok(()));
        assert_eq!(verdict(&[(second(0), 4), (second(5), 5)], 10, now), Ok(()));
        let full = [(second(0), 4), (second(5), 6)];
        assert_eq!(verdict(&full, 10, now), Err(Duration::from_secs(32)));
        let first_alone_does_not_help = [(second(0), 1), (second(5), 12)];
        assert_eq!(verdict(&first_alone_does_not_help, 10, now), Err(Duration::from_secs(37)));
    }

    #[test]
    fn no_minute_ever_holds_more_than_ten() {
        // A guesser who tries ten times a second for five minutes; what was let through is counted over every minute.
        let mut let_through: Vec<(OffsetDateTime, i64)> = Vec::new();
        let mut moments = Vec::new();
        for tick in 0..3000 {
            let now = START + time::Duration::milliseconds(tick * 100);
            let seconds: Vec<_> =
                let_through.iter().copied().filter(|(second, _)| *second > now - WINDOW).collect();
            if verdict(&seconds, 10, now).is_ok() {
                moments.push(now);
                let whole = now.replace_nanosecond(0).unwrap();
                match let_through.last_mut().filter(|(second, _)| *second == whole) {
                    Some((_, count)) => *count += 1,
                    None => let_through.push((whole, 1)),
                }
            }
        }
        for start in &moments {
            let within =
                moments.iter().filter(|m| *m >= start && **m < *start + time::Duration::minutes(1)).count();
            assert!(within <= 10, "{within} tries in the minute from {start}");
        }
        assert!(moments.len() >= 40, "only {} tries in five minutes", moments.len());
    }

    #[test]
    fn buckets_tell_accounts_addresses_and_devices_apart() {
        let keys = |email: &str, ip: &str| Bucket::for_stranger(email, ip.parse().unwrap());
        let base = keys("a@x.y", "192.0.2.1");
        assert_eq!(base, keys("a@x.y", "::ffff:192.0.2.1"), "a mapped address is the same address");
        assert_eq!(base.iter().filter(|b| keys("b@x.y", "192.0.2.1").contains(b)).count(), 1);
        assert_eq!(base.iter().filter(|b| keys("a@x.y", "192.0.2.2").contains(b)).count(), 1);
        assert_eq!(keys("a@x.y", "2001:db8::1"), keys("a@x.y", "2001:db8::ffff:1"), "one /64, one bucket");
        assert_ne!(keys("a@x.y", "2001:db8::1"), keys("a@x.y", "2001:db8:0:1::1"));
        assert!(!base.contains(&Bucket::for_known_device(&[1; 32])[0]));
    }
}
