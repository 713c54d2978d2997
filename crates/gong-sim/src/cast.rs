//! Who takes part: users of a company, invented customers, phone callers.
//! Knows nothing of what they say.

use crate::chance::Chance;
use crate::clock::trim;
use crate::model::{Company, Party, User};
use crate::talk::{ACCOUNT_ENDS, ACCOUNT_STARTS, FIRST_NAMES, LAST_NAMES, TITLES};
use time::{Duration, OffsetDateTime};

/// A Gong user of a company.
pub(crate) fn user(chance: &mut Chance, domain: &str, epoch: OffsetDateTime) -> User {
    let (first, last) = name(chance);
    let days = i64::try_from(chance.between(60, 1_500)).unwrap_or(60);
    User {
        id: chance.id(),
        email: format!("{}.{}@{domain}", slug(&first), slug(&last)),
        title: chance.hit(0.8).then(|| chance.pick(&TITLES).to_owned()),
        created: trim(epoch - Duration::days(days) - Duration::milliseconds(417)),
        active: chance.hit(0.95),
        first,
        last,
    }
}

/// An invented customer company.
pub(crate) fn account(chance: &mut Chance) -> String {
    format!("{} {}", chance.pick(&ACCOUNT_STARTS), chance.pick(&ACCOUNT_ENDS))
}

/// Two to six parties: reps with user ids, customers with addresses, now and then a phone caller.
pub(crate) fn cast(company: &Company, oddities: bool, chance: &mut Chance, account: &str) -> Vec<Party> {
    let reps = chance.between(1, 2);
    let customers = chance.between(1, 3);
    let mut parties = Vec::new();
    let first = chance.index(company.users.len());
    for index in 0..reps {
        let place = (first + usize::try_from(index).unwrap_or(0)) % company.users.len().max(1);
        if let Some(user) = company.users.get(place) {
            parties.push(internal(chance, user));
        }
    }
    for _ in 0..customers {
        parties.push(external(chance, account));
    }
    if oddities && chance.hit(0.2) {
        let number = chance.between(1, 9);
        parties.push(Party {
            name: Some(format!("Phone Caller #{number}")),
            email: None,
            title: None,
            affiliation: if chance.hit(0.1) { "Partner" } else { "Unknown" }.to_owned(),
            ..external(chance, account)
        });
    }
    if oddities && chance.hit(0.25) {
        parties.push(Party {
            speaker_id: None,
            methods: vec!["Invitee".to_owned()],
            ..external(chance, account)
        });
    }
    parties.truncate(6);
    parties
}

fn internal(chance: &mut Chance, user: &User) -> Party {
    Party {
        id: chance.id(),
        name: Some(format!("{} {}", user.first, user.last)),
        email: Some(user.email.clone()),
        title: user.title.clone(),
        phone: None,
        user_id: Some(user.id.clone()),
        speaker_id: Some(chance.id()),
        affiliation: "Internal".to_owned(),
        methods: vec!["Invitee".to_owned(), "Attendee".to_owned()],
    }
}

fn external(chance: &mut Chance, account: &str) -> Party {
    let (first, last) = name(chance);
    Party {
        id: chance.id(),
        email: Some(format!("{}.{}@{}.example", slug(&first), slug(&last), slug(account))),
        name: Some(format!("{first} {last}")),
        title: chance.hit(0.7).then(|| chance.pick(&TITLES).to_owned()),
        phone: chance.hit(0.2).then(|| format!("+1555{:07}", chance.below(10_000_000))),
        user_id: None,
        speaker_id: Some(chance.id()),
        affiliation: "External".to_owned(),
        methods: vec!["Attendee".to_owned()],
    }
}

/// One rep and so many customers, for a call that names no parties.
pub(crate) fn plain_parties(company: &Company, chance: &mut Chance, count: usize) -> Vec<Party> {
    let account = account(chance);
    let mut parties = Vec::with_capacity(count);
    let place = chance.index(company.users.len());
    if let Some(user) = company.users.get(place) {
        parties.push(internal(chance, user));
    }
    while parties.len() < count {
        parties.push(external(chance, &account));
    }
    parties
}

fn name(chance: &mut Chance) -> (String, String) {
    (chance.pick(&FIRST_NAMES).to_owned(), chance.pick(&LAST_NAMES).to_owned())
}

/// Lower-case letters and digits with dashes.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for letter in text.chars() {
        let plain = match letter {
            'ü' => 'u',
            'ö' => 'o',
            'ë' => 'e',
            other => other.to_ascii_lowercase(),
        };
        if plain.is_ascii_alphanumeric() {
            out.push(plain);
        } else if plain == ' ' && !out.ends_with('-') {
            out.push('-');
        }
    }
    if out.is_empty() { "company".to_owned() } else { out }
}
