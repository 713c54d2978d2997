//! Refusals and reasons about privacy: calls that vanish, people and organizations that are erased.

use super::{Message, Who, message};

const PRIVACY: (&str, &str) = ("Open the privacy settings", "/settings/privacy");

pub(super) const MESSAGES: &[Message] = &[
    message(
        "nothing_vanished",
        "There is nothing to decide",
        "Calls that vanished from Gong were decided about already, or they came back.",
        Who::You,
        PRIVACY,
    ),
    message(
        "still_member",
        "This person is a member",
        "Somebody who belongs to the organization cannot be erased. Remove the member first, then erase the person.",
        Who::You,
        ("Open the members", "/settings/members"),
    ),
    message(
        "too_many_erasures",
        "As many erasures wait as may",
        "At most 100 people wait to be erased at a time. Wait until some of them are done.",
        Who::You,
        PRIVACY,
    ),
    message(
        "erasures_changed",
        "Somebody was erased meanwhile",
        "A job was about to store calls when somebody was erased. It begins anew and stores nothing of that person.",
        Who::Nobody,
        PRIVACY,
    ),
    message(
        "retention_over",
        "The content was removed because its time was over",
        "The organization sets after how many days transcripts, titles and people of calls are removed. The call stays as a line with its date.",
        Who::Nobody,
        PRIVACY,
    ),
    message(
        "too_many_exports",
        "Other exports are being written",
        "One process writes two exports at once, and one of an organization. Try again in a minute.",
        Who::You,
        PRIVACY,
    ),
];
