//! What people may type: e-mail addresses, names, passwords. Knows no database.

use kernel::{ExposeSecret, SecretString};

use crate::AccountsError;

/// The fewest characters of a password.
const PASSWORD_LEAST: usize = 12;
/// The most characters of a password.
pub(crate) const PASSWORD_MOST: usize = 200;

/// Long enough for the policy and still the first that a guesser tries.
const WORST: [&str; 30] = [
    "password1234",
    "password12345",
    "password123456",
    "passwordpassword",
    "password123!",
    "passw0rd1234",
    "p@ssword1234",
    "p@ssw0rd1234",
    "123456789012",
    "1234567890123",
    "12345678901234",
    "123456123456",
    "012345678901",
    "121212121212",
    "abcdefghijkl",
    "abc123abc123",
    "abcd1234abcd",
    "qwertyuiop12",
    "qwertyuiop123",
    "qwertyqwerty",
    "qwerty123456",
    "1q2w3e4r5t6y",
    "1qaz2wsx3edc",
    "administrator",
    "administrator1",
    "letmeinletmein",
    "iloveyouiloveyou",
    "welcome12345",
    "changemechangeme",
    "soundpost1234",
];

/// Words of this place, which a guesser tries first; those of the address come to them. docs/SECURITY.md lists them.
const OF_THIS_PLACE: [&str; 6] = ["soundpost", "gong", "password", "welcome", "admin", "feedback"];
/// So many characters have to be left without such words.
const BESIDE_WORDS: usize = 8;

/// Brings an address to the form it is stored in: trimmed, lower case.
pub(crate) fn email(field: &'static str, text: &str) -> Result<String, AccountsError> {
    let email = text.trim().to_ascii_lowercase();
    let refuse = |problem| Err(AccountsError::invalid(field, problem));
    if email.len() > 320 {
        return refuse("is longer than 320 characters");
    }
    if !email.bytes().all(|b| b.is_ascii_graphic()) {
        return refuse("must be plain ASCII without spaces");
    }
    match email.split_once('@') {
        Some((name, host)) if !name.is_empty() && !host.is_empty() && !host.contains('@') => Ok(email),
        _ => refuse("must look like name@example.com"),
    }
}

/// The address that a log-in looks for; never fails, so that odd input takes the same path as an unknown address.
pub(crate) fn email_to_look_for(text: &str) -> String {
    text.trim().chars().take(320).map(|c| c.to_ascii_lowercase()).filter(|c| *c != '\0').collect()
}

/// A name for people to read: trimmed, from 1 to `most` characters, no control characters.
pub(crate) fn name(field: &'static str, text: &str, most: usize) -> Result<String, AccountsError> {
    let name = text.trim();
    if name.is_empty() {
        return Err(AccountsError::invalid(field, "must not be empty"));
    }
    if name.chars().count() > most {
        return Err(AccountsError::invalid(field, format!("is longer than {most} characters")));
    }
    if name.chars().any(char::is_control) {
        return Err(AccountsError::invalid(field, "must not contain line breaks or control characters"));
    }
    Ok(name.to_owned())
}

/// Checks a new password of the person with this address.
///
/// # Errors
/// [`AccountsError::Invalid`] naming `field`, when it is shorter than 12 or longer than 200 characters, is the address,
/// one character over and over, one of the passwords that are guessed first, or little but words of this place and the address.
pub fn password_policy(
    field: &'static str,
    password: &SecretString,
    email: &str,
) -> Result<(), AccountsError> {
    let text = password.expose_secret();
    let refuse = |problem| Err(AccountsError::invalid(field, problem));
    let length = text.chars().count();
    if length < PASSWORD_LEAST {
        return refuse("is too short: use at least 12 characters, a sentence is fine");
    }
    if length > PASSWORD_MOST {
        return refuse("is too long: use at most 200 characters");
    }
    let lower = text.to_lowercase();
    if lower == email.trim().to_lowercase() {
        return refuse("must not be the e-mail address");
    }
    let mut characters = lower.chars();
    let first = characters.next();
    if WORST.contains(&lower.as_str()) || characters.all(|c| Some(c) == first) {
        return refuse("is among the first that are guessed: choose another one");
    }
    if beside_words(&lower, email) < BESIDE_WORDS {
        return refuse("consists of little but your address or words of this place: choose another one");
    }
    Ok(())
}

/// How many characters of a password are left without the words of this place and of the address.
fn beside_words(lower: &str, email: &str) -> usize {
    let email = email.trim().to_lowercase();
    let own = email.split(['@', '.', '+', '-', '_']).filter(|word| word.chars().count() >= 4);
    let rest =
        OF_THIS_PLACE.into_iter().chain(own).fold(lower.to_owned(), |rest, word| rest.replace(word, ""));
    rest.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(password: &str) -> Option<String> {
        password_policy("password", &password.into(), "ann.smith@example.com").err().map(|e| e.to_string())
    }

    #[test]
    fn a_password_has_12_to_200_characters_and_is_not_easily_guessed() {
        assert_eq!(policy("a horse, a boat"), None);
        assert_eq!(policy("äöüäöüäöüäöü"), None, "characters count, not bytes");
        assert_eq!(policy(&"ab".repeat(100)), None);
        for bad in ["", "elevenchars", "Ann.Smith@example.com", "PassWord1234", "zzzzzzzzzzzzzzz"] {
            let problem = policy(bad).unwrap();
            assert!(problem.starts_with("password "), "{problem}");
        }
        assert!(policy(&"ab".repeat(101)).unwrap().contains("at most 200"));
    }

    #[test]
    fn a_password_of_words_of_this_place_or_of_the_address_is_refused() {
        for bad in
            ["Soundpost-2026!", "SmithSmith1234", "example-gong-99", "smith.smith-26", "FeedbackAdmin1"]
        {
            assert!(
                policy(bad).is_some_and(|said| said.contains("words of this place")),
                "{bad}: {:?}",
                policy(bad)
            );
        }
        for good in ["soundpost plays a sad song", "correct horse battery staple", "smith and wesson at dawn"]
        {
            assert_eq!(policy(good), None, "{good}");
        }
    }

    #[test]
    fn every_worst_password_is_long_enough_to_need_the_list() {
        for worst in WORST {
            assert!(worst.chars().count() >= PASSWORD_LEAST, "{worst} is refused by its length already");
            assert_eq!(worst, worst.to_lowercase());
        }
    }

    #[test]
    fn an_address_is_stored_in_one_form() {
        assert_eq!(email("email", "  Ann@Example.COM ").unwrap(), "ann@example.com");
        for bad in ["", "ann", "@example.com", "ann@", "a@b@c", "a b@c.d", "ä@example.com", "a@b\nc"] {
            assert_eq!(email("email", bad).unwrap_err().field(), Some("email"), "{bad}");
        }
        assert!(email("email", &format!("{}@x.y", "a".repeat(320))).is_err());
    }

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(name("name", " Acme ", 200).unwrap(), "Acme");
        assert!(name("name", "  ", 200).is_err());
        assert!(name("name", "a\nb", 200).is_err());
        assert!(name("name", &"é".repeat(200), 200).is_ok());
        assert!(name("name", &"é".repeat(201), 200).is_err());
    }
}
