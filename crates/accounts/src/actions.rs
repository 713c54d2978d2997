//! Every action that the audit log can name, with a sentence for people.
//!
//! Words only: the doors and rooms that do these things write the lines. A stored name never changes.

/// One kind of line in the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Action {
    /// The stable name: thing, dot, what happened.
    pub name: &'static str,
    /// What happened, as a sentence that the actor's name goes before.
    pub sentence: &'static str,
}

macro_rules! actions {
    ($($constant:ident = $name:literal, $sentence:literal;)+) => {
        $(
            #[doc = concat!("`", $name, "`: ", $sentence, ".")]
            pub const $constant: Action = Action { name: $name, sentence: $sentence };
        )+

        /// All of them.
        pub const ALL: &[Action] = &[$($constant),+];
    };
}

actions! {
    ORGANIZATION_CREATED = "organization.created", "created the organization";
    ORGANIZATION_RENAMED = "organization.renamed", "renamed the organization";
    LOGIN_SUCCEEDED = "login.succeeded", "logged in";
    LOGIN_FAILED = "login.failed", "was given as the account in a log-in with a wrong password";
    SESSION_SWITCHED = "session.switched", "came over from another organization";
    SESSION_ENDED = "session.ended", "logged out";
    PASSWORD_CHANGED = "password.changed", "changed the password";
    PASSWORD_RESET = "password.reset", "gave a person a new initial password";
    AUTHORIZATION_REFUSED = "authorization.refused", "tried something the role does not allow";
    MEMBER_ADDED = "member.added", "added a member";
    MEMBER_ROLE_CHANGED = "member.role_changed", "changed the role of a member";
    MEMBER_REMOVED = "member.removed", "removed a member";
    MEMBER_LEFT = "member.left", "left the organization";
    API_KEY_CREATED = "api_key.created", "created an API key";
    API_KEY_REVOKED = "api_key.revoked", "revoked an API key";
    GONG_CONNECT_STARTED = "gong.connect_started", "began to connect Gong";
    GONG_CONNECT_CANCELLED = "gong.connect_cancelled", "gave up a connect request that was on its way";
    GONG_CONNECT_FAILED = "gong.connect_failed", "did not get Gong connected";
    GONG_CONNECTED = "gong.connected", "connected Gong";
    GONG_SETTINGS_CHANGED = "gong.settings_changed", "changed the settings of the Gong connection";
    GONG_PAUSED = "gong.paused", "paused the Gong connection";
    GONG_QUARANTINED = "gong.quarantined", "stopped the Gong connection because what is stored of it cannot be trusted";
    GONG_MISUSE_SUSPECTED = "gong.misuse_suspected", "found that Gong is asked for far more than usual";
    GONG_TRAFFIC_STOPPED = "gong.traffic_stopped", "stopped all traffic to Gong";
    GONG_TRAFFIC_STARTED = "gong.traffic_started", "let traffic to Gong go on";
    GONG_RESUMED = "gong.resumed", "resumed the Gong connection";
    GONG_RECONNECT_REQUIRED = "gong.reconnect_required", "found that Gong has to be connected again";
    GONG_POLL_REQUESTED = "gong.poll_requested", "asked for new calls at once";
    GONG_BACKFILL_STARTED = "gong.backfill_started", "started a backfill";
    GONG_BACKFILL_CANCELLED = "gong.backfill_cancelled", "cancelled a backfill";
    GONG_DISCONNECTED = "gong.disconnected", "disconnected Gong";
    GONG_CALLS_VANISHED = "gong.calls_vanished", "found that Gong no longer lists many calls, and asks what to do";
    GONG_CALLS_PURGED = "gong.calls_purged", "removed calls that Gong no longer has";
    GONG_CALLS_REMOVE = "gong.calls_remove", "decided to remove the calls that Gong no longer lists";
    GONG_CALLS_KEPT = "gong.calls_kept", "decided to keep the calls that Gong no longer lists";
    PRIVACY_CHANGED = "privacy.changed", "changed how long the content of calls is kept";
    PRIVACY_EXPIRED = "privacy.expired", "removed the content of calls whose retention time was over";
    PERSON_ERASURE_REQUESTED = "person.erasure_requested", "asked for a person to be erased";
    PERSON_ERASED = "person.erased", "erased a person";
    ORGANIZATION_EXPORTED = "organization.exported", "exported the organization's data";
    ORGANIZATION_IMPORTED = "organization.imported", "imported the organization's data";
    BOARD_CREATED = "board.created", "made a board";
    BOARD_CHANGED = "board.changed", "changed a board";
    BOARD_ARCHIVED = "board.archived", "put a board away";
    TAGS_CHANGED = "tags.changed", "changed the tags";
    POST_CHANGED = "post.changed", "changed a post";
    POST_APPROVED = "post.approved", "published a post that waited for review";
    POST_REJECTED = "post.rejected", "rejected a post that waited for review";
    POSTS_MERGED = "posts.merged", "merged a post into another";
    POST_SPLIT = "post.split", "took a wish out of a post";
    POSTS_EXPORTED = "posts.exported", "exported posts";
    FEEDBACK_SETTINGS_CHANGED = "feedback.settings_changed", "changed how feedback is made";
    FEEDBACK_LOOKED_AGAIN = "feedback.looked_again", "had the calls of some days looked at for feedback again";
    FEEDBACK_RETRIED = "feedback.retried", "had a call looked at for feedback again";
    JOB_RETRIED = "job.retried", "put a dead job back to work";
    JOB_DISCARDED = "job.discarded", "discarded a dead job";
    JOBS_RETRIED = "jobs.retried", "put dead jobs back to work";
    JOBS_DISCARDED = "jobs.discarded", "discarded dead jobs";
    CREDENTIALS_RESEALED = "credentials.resealed", "sealed the Gong credentials with the newest key";
}

/// The sentence of a stored action; the bare name where an older or newer version wrote one we do not know.
pub fn sentence(name: &str) -> &str {
    ALL.iter().find(|action| action.name == name).map_or(name, |action| action.sentence)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_sentences_fit_after_a_name() {
        for (at, action) in ALL.iter().enumerate() {
            assert!(ALL[at + 1..].iter().all(|other| other.name != action.name), "{}", action.name);
            assert!(
                action
                    .name
                    .split_once('.')
                    .is_some_and(|(thing, what)| !thing.is_empty() && !what.is_empty())
            );
            assert!(action.sentence.starts_with(char::is_lowercase) && !action.sentence.ends_with('.'));
            assert_eq!(sentence(action.name), action.sentence);
        }
        assert_eq!(sentence("unheard.of"), "unheard.of");
    }
}
