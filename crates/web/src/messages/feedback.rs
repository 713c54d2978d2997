//! Refusals and reasons about feedback: posts, reviews, calls that wait or were given up.

use super::{Message, Who, message};

const SETTINGS: (&str, &str) = ("Open the feedback settings", "/settings/feedback");
const POSTS: (&str, &str) = ("Open the posts", "/posts");
const CALLS: (&str, &str) = ("Look at the calls", "/calls?state=stored");

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
    message(
        "no_feedback",
        "No feedback in the call",
        "Nobody on the call asked for something, missed something or struggled with the product, so there is no post. The call and its transcript are here all the same.",
        Who::You,
        CALLS,
    ),
    message(
        "transcript_gone",
        "The transcript is gone",
        "The call turned private, was deleted in Gong or was erased here, and everything that was made of it went along.",
        Who::You,
        CALLS,
    ),
    message(
        "model_unavailable",
        "The model does not answer",
        "A language model or embedding service could not be reached or failed on its side. The call is tried again with growing gaps.",
        Who::Nobody,
        SETTINGS,
    ),
    message(
        "model_rate_limited",
        "The model asks us to wait",
        "The service limits how much may be asked. The call is tried again later.",
        Who::Nobody,
        SETTINGS,
    ),
    message(
        "model_refused",
        "The model refuses the key",
        "The key is wrong, was withdrawn, or may not use this model. Calls wait and are tried again every hour; the operator sets another key.",
        Who::Operator,
        SETTINGS,
    ),
    message(
        "model_bad_request",
        "The model calls the question wrong",
        "The model's name is wrong, or it does not know what we ask of it. The operator chooses another model; then a call that was given up can be looked at again.",
        Who::Operator,
        SETTINGS,
    ),
    message(
        "model_answer_unreadable",
        "The model's answer cannot be used",
        "It was cut off or not of the form that was asked for, twice, so the call was given up. Have it looked at again on its page, or choose another model.",
        Who::Admin,
        SETTINGS,
    ),
    message(
        "index_unavailable",
        "The vector index does not answer",
        "Qdrant could not be reached, refused, or lost a collection. The call is tried again with growing gaps; nothing is lost, the vectors are in the database.",
        Who::Operator,
        SETTINGS,
    ),
    message(
        "model_missing",
        "The local model's files are missing",
        "The files are missing or damaged. A command of the checkout fetches them and checks their hashes; until then calls wait and are tried again every hour.",
        Who::Operator,
        SETTINGS,
    ),
];
