//! Why connecting Gong did not work: what the way through Gong and the check of an access key can end with.

use super::{Message, SETTINGS, Who, message};

const CONNECT: (&str, &str) = ("Connect again", SETTINGS);
const OPEN: (&str, &str) = ("Open the Gong settings", SETTINGS);

pub(super) const MESSAGES: &[Message] = &[
    // Why connecting did not work.
    message(
        "flow_unknown",
        "This connect request is not known",
        "The way through Gong began somewhere else, or this address was not made by Soundpost. Nothing was connected. Begin again from the settings.",
        Who::You,
        CONNECT,
    ),
    message(
        "flow_expired",
        "This connect request is too old",
        "More than ten minutes passed between the beginning and Gong's answer. Nothing was connected. Begin again and approve within ten minutes.",
        Who::You,
        CONNECT,
    ),
    message(
        "flow_used",
        "This connect request was already used",
        "Gong's answer came a second time, for instance by reloading the page. Look at the settings: Gong is probably connected.",
        Who::You,
        OPEN,
    ),
    message(
        "flow_other_browser",
        "This connect request began in another browser",
        "Gong's answer has to come back to the browser and the session in which an admin pressed Connect. If somebody sent you this link, do not use it. Nothing was connected.",
        Who::You,
        CONNECT,
    ),
    message(
        "flow_session_ended",
        "The session ended on the way",
        "You were logged out, or your session ended, while you were at Gong. Nothing was connected. Log in and begin again.",
        Who::You,
        CONNECT,
    ),
    message(
        "access_denied",
        "Gong was not approved",
        "The approval was declined in Gong, or the person who tried is not a technical admin there. Only a Gong technical admin can approve.",
        Who::GongAdmin,
        CONNECT,
    ),
    message(
        "unauthorized_client",
        "Gong has not activated the app for you",
        "Gong does not allow this app to ask for approval yet. New apps have to be activated by Gong: have your Gong technical admin ask Gong's support or your customer success manager.",
        Who::GongAdmin,
        CONNECT,
    ),
    message(
        "invalid_scope",
        "Gong does not grant a permission that is needed",
        "The app in Gong lacks one of the five read-only scopes. Have your Gong technical admin add them to the app, then connect again.",
        Who::GongAdmin,
        CONNECT,
    ),
    message(
        "invalid_request",
        "Gong did not understand the connect request",
        "Gong found the connect request malformed; mostly the redirect address in the app's settings is another than this installation's.",
        Who::Operator,
        OPEN,
    ),
    message(
        "unsupported_response_type",
        "Gong does not do this kind of approval",
        "Gong refused the kind of answer that was asked for. The authorize address of this installation is probably wrong.",
        Who::Operator,
        OPEN,
    ),
    message(
        "server_error",
        "Gong failed while approving",
        "Something went wrong on Gong's side while you were there. Nothing was connected. Try again in a few minutes.",
        Who::You,
        CONNECT,
    ),
    message(
        "temporarily_unavailable",
        "Gong is busy",
        "Gong cannot handle approvals at the moment. Nothing was connected. Try again in a few minutes.",
        Who::You,
        CONNECT,
    ),
    message(
        "other",
        "Gong said no without a known reason",
        "Gong sent you back with an error that it does not document. Nothing was connected. Try again; if it stays, ask Gong's support.",
        Who::You,
        CONNECT,
    ),
    message(
        "callback_malformed",
        "Gong's answer is not complete",
        "What came back from Gong holds neither an approval nor a reason. Nothing was connected. Begin again from the settings.",
        Who::You,
        CONNECT,
    ),
    message(
        "exchange_refused",
        "Gong refused to complete the approval",
        "Gong did not accept the approval that it gave out, mostly because too much time passed or the app's id or secret is wrong. Begin again; if it stays, the operator has to check the app's credentials.",
        Who::You,
        CONNECT,
    ),
    message(
        "base_url_missing",
        "Gong did not say where your company's API is",
        "Gong's answer names no API address for your company, so nothing could be connected. Try again; if it stays, ask Gong's support.",
        Who::You,
        CONNECT,
    ),
    message(
        "base_url_refused",
        "The API address is not one of Gong's",
        "The address is not one that Gong uses for its API, so no credential was sent there. With an access key, copy the address exactly as Gong shows it beside the key.",
        Who::You,
        CONNECT,
    ),
    message(
        "company_taken",
        "This Gong company is already connected elsewhere",
        "A Gong company can be connected to one organization only, and this one is connected to another. Disconnect it there first.",
        Who::GongAdmin,
        OPEN,
    ),
    message(
        "other_company",
        "Another Gong company is connected here",
        "An organization has one Gong company. What is connected stays as it is; disconnect it first if you want to change to the other one.",
        Who::Admin,
        OPEN,
    ),
    message(
        "key_refused",
        "Gong refused the credential",
        "Gong does not accept this access key and secret, or they belong to another API address. Copy all three again from Gong's API settings.",
        Who::You,
        CONNECT,
    ),
];
