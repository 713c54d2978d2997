//! Refusals and reasons about feedback: posts, reviews, calls that wait or were given up.

use super::{Message, Who, message};

const SETTINGS: (&str, &str) = ("Open the feedback settings", "/settings/feedback");
const POSTS: (&str, &str) = ("Open the posts", "/posts");

pub(super) const MESSAGES: &[Message] = &[
    message(
        "post_withdrawn",
        "The post is withdrawn",
        "Its last evidence is gone: it was merged into another post, or the calls behind it were removed. Nothing is left that could be changed.",
        Who::You,
        POSTS,
    ),
    message(
        "post_not_waiting",
        "The post does not wait for review",
        "Somebody said yes or no to it already. Look at it as it is now.",
        Who::You,
        ("Open the review", "/review"),
    ),
    message(
        "feedback_not_given_up",
        "This call was not given up",
        "Only a call that a model could not read is looked at again by hand. What waits or was done needs nothing.",
        Who::You,
        POSTS,
    ),
    message(
        "no_board",
        "There is no board yet",
        "Posts hang on boards, and there is none. Calls wait, and are looked at as soon as somebody makes the first board.",
        Who::Admin,
        SETTINGS,
    ),
    message(
        "monthly_cap",
        "This month's money for models is spent",
        "The organization set how much models may cost in a month, and that is used up. Calls wait for the next month or a higher limit.",
        Who::Admin,
        SETTINGS,
    ),
    message(
        "no_model",
        "This installation has no language model",
        "The settings ask for a language model, and none is configured. Choose the basic analyzer, or ask the operator for SOUNDPOST_LANGUAGE_MODEL.",
        Who::Admin,
        SETTINGS,
    ),
    message(
        "switched_off",
        "Feedback is switched off",
        "The organization does not want calls to be looked at for feedback. Calls and transcripts come in all the same.",
        Who::Admin,
        SETTINGS,
    ),
];
