//! Every switch that can be changed while the simulator runs, by `Sim::adjust` or `POST /sim/config`.
//! Knows only values; what they do is written where they are read.

use crate::{CompanyId, Limit};
use serde::{Deserialize, Serialize};

/// Switches of the whole simulator; the defaults are Gong as it is known.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Requests per company; `None` = no limit. `Sim::set_limit` overrides it for one company.
    pub limit: Option<Limit>,
    /// Form of `Retry-After` on a 429.
    pub retry_after: RetryAfter,
    /// Rows of a page (100).
    pub page_size: usize,
    /// In which order calls are walked.
    pub order: Order,
    /// Start each further page with the last row of the page before (needs `page_size` of 2 or more).
    pub repeat_row: bool,
    /// Life of a cursor in seconds, counted from page one (3,600).
    pub cursor_life_seconds: i64,
    /// A cursor dies after this many pages.
    pub cursor_pages: Option<u32>,
    /// Status of an expired or foreign cursor (400).
    pub cursor_error_status: u16,
    /// Refuse a cursor that comes with another filter than page one had.
    pub cursor_bound_to_filter: bool,
    /// Send fields that nobody documents.
    pub extra_fields: bool,
    /// Send the AI fields (`brief`, `outline`, `highlights`, `keyPoints`) when asked for.
    pub ai_fields: bool,
    /// Refuse more `callIds` than this with 400.
    pub max_call_ids: Option<usize>,
    /// Life of an authorization code in seconds (600).
    pub code_life_seconds: i64,
    /// Life of an access token in seconds (86,400).
    pub token_life_seconds: i64,
    /// Send `expires_in` as text.
    pub expires_in_as_text: bool,
    /// The text of `token_type`.
    pub token_type: String,
    /// Grant only these scopes (space separated) of those asked for.
    pub scope_granted: Option<String>,
    /// Leave `scope` out of the token answer.
    pub omit_scope: bool,
    /// Send a refresh token in answer to a code.
    pub refresh_token_on_code: bool,
    /// Send a new refresh token in answer to a refresh; when not, the old one stays good.
    pub refresh_token_on_refresh: bool,
    /// `api_base_url_for_customer` in answer to a code.
    pub api_base_on_code: ApiBase,
    /// `api_base_url_for_customer` in answer to a refresh.
    pub api_base_on_refresh: ApiBase,
    /// Seconds during which the refresh token before the current one still works.
    pub refresh_grace_seconds: i64,
    /// A used refresh token that comes again ends the whole family.
    pub revoke_family_on_reuse: bool,
    /// A second authorization by the same company ends the tokens of the first.
    pub new_grant_ends_old: bool,
    /// Refuse an authorize request that carries `code_challenge` (else it is ignored).
    pub refuse_pkce: bool,
}

impl Default for Switches {
    fn default() -> Self {
        Self {
            limit: Some(Limit::default()),
            retry_after: RetryAfter::Integer,
            page_size: 100,
            order: Order::Ascending,
            repeat_row: false,
            cursor_life_seconds: 3_600,
            cursor_pages: None,
            cursor_error_status: 400,
            cursor_bound_to_filter: true,
            extra_fields: true,
            ai_fields: true,
            max_call_ids: None,
            code_life_seconds: 600,
            token_life_seconds: 86_400,
            expires_in_as_text: false,
            token_type: "bearer".to_owned(),
            scope_granted: None,
            omit_scope: false,
            refresh_token_on_code: true,
            refresh_token_on_refresh: true,
            api_base_on_code: ApiBase::Real,
            api_base_on_refresh: ApiBase::Real,
            refresh_grace_seconds: 0,
            revoke_family_on_reuse: false,
            new_grant_ends_old: false,
            refuse_pkce: false,
        }
    }
}

/// Form of `Retry-After`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// Whole seconds, as Gong sends them.
    Integer,
    /// A date of the simulator's clock.
    HttpDate,
    /// No header.
    Absent,
    /// This text.
    Text(String),
}

/// Order of a walk over calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// By (time, id), oldest first.
    Ascending,
    /// By (time, id), newest first.
    Descending,
    /// By a hash of the id.
    Shuffled,
}

/// What stands in `api_base_url_for_customer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApiBase {
    /// The company's own host.
    Real,
    /// The field is missing.
    Absent,
    /// Any text, hostile ones too.
    Text(String),
}

/// What the authorize page does with a valid request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Show the page with the two buttons.
    Ask,
    /// Approve at once for this company.
    Approve(CompanyId),
    /// Send the browser back with `access_denied`.
    Deny,
    /// Send the browser back with this OAuth error code.
    Error(String),
}
