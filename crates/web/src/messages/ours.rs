//! Refusals of our own: of requests, and about accounts.

use super::{Message, SETTINGS, Who, message};

const API: (&str, &str) = ("Read the API reference", "/docs/api");
const LOG_IN: (&str, &str) = ("Log in", "/login");
const HOME: (&str, &str) = ("Go to the overview", "/");
const MEMBERS: (&str, &str) = ("Open the members", "/settings/members");
const GONG: (&str, &str) = ("Open the Gong settings", SETTINGS);

pub(super) const MESSAGES: &[Message] = &[
    // Requests.
    message(
        "invalid_field",
        "A value cannot be accepted",
        "A field has the wrong type, is out of its range, is missing or is not known. The list of errors names it and says what would be right.",
        Who::You,
        API,
    ),
    message(
        "setting_out_of_range",
        "A setting is out of its range",
        "The value is below or above what is possible. The list of errors names the field and its range.",
        Who::You,
        GONG,
    ),
    message(
        "json_invalid",
        "The body is not valid JSON",
        "The body could not be read as JSON; the detail says at which line and column reading stopped.",
        Who::You,
        API,
    ),
    message(
        "json_too_deep",
        "The body is nested too deeply",
        "Bodies may be nested 16 levels deep; nothing in this API needs more than three.",
        Who::You,
        API,
    ),
    message(
        "media_type_not_supported",
        "The body is not declared as JSON",
        "Bodies have to be sent with the header Content-Type: application/json.",
        Who::You,
        API,
    ),
    message(
        "body_too_large",
        "The body is too large",
        "A request body may have 65,536 bytes at most; nothing in this API needs more.",
        Who::You,
        API,
    ),
    message(
        "body_too_slow",
        "The body did not arrive in time",
        "A request has to arrive within 15 seconds. Send it again over a better connection.",
        Who::You,
        API,
    ),
    message(
        "body_incomplete",
        "The body could not be read",
        "The connection broke, or the encoding of the body is wrong. Send the request again.",
        Who::You,
        API,
    ),
    message(
        "request_refused",
        "The request is not understood",
        "The request breaks a rule of HTTP or of this address. The reference says what is possible here.",
        Who::You,
        API,
    ),
    message(
        "not_found",
        "There is no such thing here",
        "It does not exist, was deleted, or belongs to another organization; the answer is the same for all three.",
        Who::You,
        HOME,
    ),
    message(
        "method_not_allowed",
        "This address does not know this method",
        "The header Allow of the answer says which methods this address knows.",
        Who::You,
        API,
    ),
    message(
        "cross_site_request",
        "The request did not come from Soundpost",
        "Requests that change something must come from a page of Soundpost itself, so that no other site can act in your name. Open the page anew and try again.",
        Who::You,
        HOME,
    ),
    message(
        "timed_out",
        "The request took too long",
        "The work was not done within the time that a request may take. Look whether it happened all the same, then try again.",
        Who::You,
        HOME,
    ),
    message(
        "too_many_streams",
        "Too many live streams are open",
        "The number of live streams is bounded for each organization. Close pages that you do not need, or ask again from time to time instead.",
        Who::You,
        HOME,
    ),
    // Accounts.
    message(
        "unauthenticated",
        "Nobody is logged in",
        "There is no session, it ended after 30 minutes without use or 12 hours, or the API key is unknown or revoked.",
        Who::You,
        LOG_IN,
    ),
    message(
        "wrong_credentials",
        "The address or the password is wrong",
        "Which of the two is wrong is not told, so that nobody can find out who has an account. Whoever forgot the password gets a new first one from the operator of Soundpost (soundpost users reset-password).",
        Who::You,
        LOG_IN,
    ),
    message(
        "too_many_tries",
        "Too many tries",
        "Passwords are checked at most ten times a minute for an account. Wait a minute and try again.",
        Who::You,
        LOG_IN,
    ),
    message(
        "password_check_busy",
        "Too many people are logging in",
        "Checking passwords takes effort on purpose, and too many wait at the moment. Try again in a few seconds.",
        Who::You,
        LOG_IN,
    ),
    message(
        "no_organization",
        "This account belongs to no organization",
        "The last membership of this account was removed. An owner of the organization can add it again.",
        Who::Admin,
        LOG_IN,
    ),
    message(
        "password_change_required",
        "The password has to be changed first",
        "The password was made by somebody else. Nothing else is possible before you choose your own.",
        Who::You,
        ("Choose a password", "/password"),
    ),
    message(
        "role_not_sufficient",
        "Your role does not allow this",
        "What each role may do is published. An admin can give you another role.",
        Who::Admin,
        HOME,
    ),
    message(
        "last_owner",
        "The last owner cannot go",
        "An organization needs at least one owner. Make somebody else owner first.",
        Who::You,
        MEMBERS,
    ),
    message(
        "already_member",
        "This person is a member already",
        "The address belongs to somebody who is in the organization. Change the role instead.",
        Who::You,
        MEMBERS,
    ),
    message(
        "limit_reached",
        "There are as many as there may be",
        "An organization can have a bounded number of these. Remove some that are not needed first.",
        Who::Admin,
        MEMBERS,
    ),
    message(
        "password_hash_failure",
        "The password could not be processed",
        "Hashing the password failed on our side. Try again; if it stays, the operator has to look at the logs.",
        Who::Operator,
        LOG_IN,
    ),
    message(
        "session_store_failure",
        "Sessions cannot be read at the moment",
        "The place where sessions are kept does not answer. Try again in a few seconds.",
        Who::Operator,
        LOG_IN,
    ),
];
