//! Organizations and people: who belongs where, with which role; passwords, sessions, API keys and the audit log.
//!
//! Knows nothing of HTTP, cookies, Gong or calls. What belongs to one organization takes a [`db::Tx`]; what happens
//! before an organization is known (log-in, sessions, API keys being shown) takes a [`db::FleetTx`] or the [`db::Db`].

pub mod actions;
mod api_keys;
mod audit;
mod claims;
mod cursor;
mod error;
mod export;
mod fields;
mod key_format;
mod login;
mod masking;
mod members;
mod organizations;
mod password;
mod password_change;
mod permission;
mod random_text;
mod session_moves;
mod sessions;
mod store;
mod sweep;
mod throttle;

pub use actions::Action;
pub use api_keys::{
    ApiKey, KeyHolder, MOST_KEYS, api_key, api_keys, authenticate_api_key, create_api_key, revoke_api_key,
};
pub use audit::{AuditLine, Entry, RequestInfo, activity, audit, audit_everywhere, latest};
pub use claims::{
    ANSWER_LIVES, Asked, Claimed, KeptAnswer, MOST_CLAIMS, claim_request, give_back, keep_answer,
    sweep_claims,
};
pub use cursor::{Cursor, Listing, PageSize};
pub use error::AccountsError;
pub use export::{export_page, exported, import_rows, unknown_password};
pub use fields::password_policy;
pub use key_format::looks_like_api_key;
pub use login::{LoggedIn, LoginError, LoginRequest, login};
pub use masking::{erase_organization, forget_account, mask_records};
pub use members::{
    AddedMember, MOST_MEMBERS, MemberLine, add_member, address_of, change_role, leave_organization, member,
    members, remove_member,
};
pub use organizations::{
    CreatedOrganization, Member, Membership, NewOrganization, Organization, create_organization,
    memberships_of_user, organization, rename_organization, resolve_session,
};
pub use password::PasswordHasher;
pub use password_change::{ChangePassword, change_password, reset_password};
pub use permission::{MATRIX, Permission, Row, matrix_markdown, require};
pub use session_moves::{Own, end_session, move_session};
pub use sessions::{
    ABSOLUTE_END, IDLE_END, PgSessionStore, SESSION_KEY, SessionData, Standing, id_hash, session_by_hash,
};
pub use sweep::{Swept, sweep_expired_sessions};
