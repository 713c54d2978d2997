//! Questions that people ask about a Gong integration when nothing has failed, or when Gong only half works.

use super::{Message, SETTINGS, Who, message};

/// What the help on the settings page lists, most frequent first. Some are codes of Gong's that stand elsewhere.
pub(super) const SHOWN: &[&str] = &[
    "unauthorized_client",
    "missing_scope",
    "no_notification_from_gong",
    "rate_limited",
    "call_without_feedback",
    "no_new_calls",
    "feedback_not_doubled",
    "private_call_left_out",
    "authorization_revoked",
];

pub(super) const MESSAGES: &[Message] = &[
    message(
        "no_notification_from_gong",
        "Gong sends no notification about new calls",
        "Soundpost does not wait for Gong to call: it looks for new calls itself, every few hours. A notification that fails, or that collides with another one in Gong, costs time but no call.",
        Who::You,
        ("Look for new calls now", SETTINGS),
    ),
    message(
        "no_new_calls",
        "New calls do not appear",
        "Calls are looked for every few hours, not at once, and a transcript comes when Gong has finished it, which can take an hour and more. Check that the status says connected and when the next look is due.",
        Who::You,
        ("Look for new calls now", SETTINGS),
    ),
    message(
        "private_call_left_out",
        "A private call was not imported",
        "Calls that are private in Gong, or not known to be public, are never asked for and never stored; only their number is counted. Make the call public in Gong if it should come in.",
        Who::GongAdmin,
        ("See how many were left out", SETTINGS),
    ),
    message(
        "call_without_feedback",
        "A call brought no feedback",
        "Only calls in which somebody asks for something, misses something or struggles with the product hold feedback. Talk about prices, dates and people does not count. The call and its transcript are here all the same.",
        Who::You,
        ("Look at the calls", "/calls?state=stored"),
    ),
    message(
        "feedback_not_doubled",
        "The same wish does not appear twice",
        "When several customers ask for the same thing it is one wish with several voices, not several wishes. Each call stays linked as evidence.",
        Who::You,
        ("Look at the calls", "/calls"),
    ),
];
