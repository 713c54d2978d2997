//! Refusals about how a request is sent: how often, once or again, from which version.

use super::{Message, Who, message};

const API: (&str, &str) = ("Read the API reference", "/docs/api");
const RELOAD: (&str, &str) = ("Open the settings", super::SETTINGS);

pub(super) const MESSAGES: &[Message] = &[
    message(
        "too_many_requests",
        "Too many requests within a minute",
        "One key, session or address may make a number of requests in a minute; the headers RateLimit-Policy and RateLimit of every answer say how many, and Retry-After says how long to wait.",
        Who::You,
        API,
    ),
    message(
        "idempotency_key_invalid",
        "The Idempotency-Key has the wrong form",
        "It must be one string of 1 to 255 visible characters in double quotes, without comma, semicolon, quote or backslash. A UUID is best.",
        Who::You,
        API,
    ),
    message(
        "idempotency_key_missing",
        "An Idempotency-Key is needed here",
        "The operation does much at once, and a repetition after a lost answer would do more of it. Send a new key with every new request, and the same one with its repetition.",
        Who::You,
        API,
    ),
    message(
        "idempotency_key_reused",
        "The Idempotency-Key was used for something else",
        "The same key came before with another content, or by somebody whose role has changed since. Nothing was done. A new request needs a new key.",
        Who::You,
        API,
    ),
    message(
        "idempotency_keys_spent",
        "Too many idempotency keys within a day",
        "10,000 keys of an organization are remembered at a time, each for 24 hours. Use them where a repetition would hurt, and wait until older ones are forgotten.",
        Who::You,
        API,
    ),
    message(
        "idempotent_request_running",
        "The same request is still being done",
        "A request with this Idempotency-Key arrived before and has no answer yet. Ask again in a moment with the same key. When a process died in between, it is free again after two minutes at most.",
        Who::Nobody,
        API,
    ),
    message(
        "idempotent_answer_lost",
        "It was done, but the answer is lost",
        "The request with this Idempotency-Key had its effect, and the process ended before the answer could be kept, or the answer can no longer be opened. It is not done a second time. Look at how things stand now.",
        Who::You,
        API,
    ),
    message(
        "request_taken_over",
        "A later try has taken this request over",
        "The request with an Idempotency-Key took so long that a repetition took its place. What this one changed is undone; the repetition has the answer.",
        Who::Nobody,
        API,
    ),
    message(
        "if_match_missing",
        "The change does not say what it starts from",
        "Changes here have to name the ETag of what was read, in the header If-Match, so that two people do not overwrite each other unseen.",
        Who::You,
        API,
    ),
    message(
        "if_match_invalid",
        "If-Match has the wrong form",
        "The header must be * or a list of ETags in double quotes, as the answer to the GET had them.",
        Who::You,
        API,
    ),
    message(
        "changed_meanwhile",
        "Somebody else changed it meanwhile",
        "Between reading and changing it, somebody else was faster. Nothing was overwritten. Look at it as it is now, then decide whether your change is still wanted.",
        Who::You,
        RELOAD,
    ),
];
