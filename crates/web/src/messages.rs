//! Every code that people can meet, in plain words: what it is called, why it happens, who can do something, and the one
//! thing to do. Knows no request and no page; `/docs/errors` and docs/ERRORS.md show the same table.

mod connecting;
mod doing;
mod feedback;
mod gong;
mod inside;
mod ours;
mod privacy;
mod troubleshooting;

/// Who can do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// The person or program that asked.
    You,
    /// An admin or owner of the organization in Soundpost.
    Admin,
    /// The technical admin of the company in Gong.
    GongAdmin,
    /// Whoever runs this installation of Soundpost.
    Operator,
    /// Nobody has to: it mends itself.
    Nobody,
}

impl Who {
    /// The same in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::You => "You",
            Self::Admin => "An admin of your organization",
            Self::GongAdmin => "Your Gong technical admin",
            Self::Operator => "The operator of Soundpost",
            Self::Nobody => "Nobody; it mends itself",
        }
    }
}

/// One code in plain words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// The stable code.
    pub code: &'static str,
    /// What happened, in a few words.
    pub title: &'static str,
    /// Why it happens and what it means.
    pub cause: &'static str,
    /// Who can do something.
    pub who: Who,
    /// What the one button says.
    pub action_label: &'static str,
    /// Where it leads.
    pub action_href: &'static str,
}

/// Where most of it is mended.
const SETTINGS: &str = "/settings/integrations/gong";

const fn message(
    code: &'static str,
    title: &'static str,
    cause: &'static str,
    who: Who,
    (action_label, action_href): (&'static str, &'static str),
) -> Message {
    Message { code, title, cause, who, action_label, action_href }
}

/// The message of a code.
pub fn explain(code: &str) -> Option<&'static Message> {
    all().find(|message| message.code == code)
}

/// What a code is called.
pub fn title(code: &str) -> Option<&'static str> {
    explain(code).map(|message| message.title)
}

/// All messages: those about Gong first, then our own, then the questions people ask.
pub fn all() -> impl Iterator<Item = &'static Message> {
    let tables = [
        gong::MESSAGES,
        connecting::MESSAGES,
        ours::MESSAGES,
        doing::MESSAGES,
        privacy::MESSAGES,
        feedback::MESSAGES,
        inside::MESSAGES,
        troubleshooting::MESSAGES,
    ];
    tables.into_iter().flatten()
}

/// Questions that come up when nothing has failed: why is this not here, why is it like that.
pub fn troubleshooting() -> impl Iterator<Item = &'static Message> {
    troubleshooting::SHOWN.iter().filter_map(|code| explain(code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained_once_and_wholly() {
        let codes: Vec<&str> = all().map(|m| m.code).collect();
        for (at, message) in all().enumerate() {
            assert!(!codes[at + 1..].contains(&message.code), "{} is explained twice", message.code);
            assert!(message.code.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'));
            assert!(!message.title.ends_with('.') && message.title.len() <= 80, "{}", message.code);
            assert!(message.cause.ends_with('.') && message.cause.len() >= 40, "{}", message.code);
            assert!(!message.action_label.is_empty(), "{}", message.code);
            assert!(
                message.action_href.starts_with('/') || message.action_href.starts_with("https://"),
                "{}",
                message.code
            );
        }
    }

    #[test]
    fn every_code_that_a_connection_can_show_has_words() {
        let codes = "authorization_revoked access_refused credential_misplaced sealing_key_unknown refresh_exhausted by_person \
            company_linked_elsewhere base_url_refused missing_scope ip_not_allowed gong_unavailable gong_malformed rate_limited \
            daily_budget_spent database_failure flow_unknown flow_expired flow_used flow_other_browser access_denied \
            unauthorized_client invalid_scope server_error temporarily_unavailable invalid_request unsupported_response_type \
            callback_malformed exchange_refused base_url_missing company_taken other_company key_refused other";
        for code in codes.split_whitespace() {
            assert!(explain(code).is_some(), "{code}");
        }
    }

    #[test]
    fn the_nine_questions_have_a_cause_and_an_action() {
        assert_eq!(troubleshooting().count(), 9);
    }

    /// `cargo xtask tidy` sees to it that every code in our programs has a row there.
    #[test]
    fn every_published_code_has_words() {
        let published = include_str!("../../../docs/ERRORS.md");
        let codes = published.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
        let silent: Vec<&str> = codes.clone().filter(|code| explain(code).is_none()).collect();
        assert!(silent.is_empty(), "no words for {silent:?}");
        assert!(codes.count() >= 166);
    }

    #[test]
    fn the_published_list_holds_every_code() {
        let published = include_str!("../../../docs/ERRORS.md");
        for message in all() {
            assert!(
                published.contains(&format!("| `{}` |", message.code)),
                "docs/ERRORS.md lacks {}",
                message.code
            );
        }
    }
}
