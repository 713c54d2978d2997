//! A simulated Gong with memory: real HTTP on real ports, strict where Gong is strict, odd where Gong
//! is odd. It knows none of the other crates, so that it can contradict them.
//!
//! # Start
//!
//! ```no_run
//! # async fn start() -> Result<(), gong_sim::SimError> {
//! use gong_sim::{Config, Consent, NewCall, Sim};
//! let sim = Sim::start(Config::default()).await?;
//! let acme = sim.add_company("acme");
//! sim.set_consent(Consent::Approve(acme));
//! let call = sim.add_call(acme, NewCall::new().title("Intro").say(0, "Hello.").say(1, "We need dark mode."));
//! println!("{} {} {}", sim.authorize_url(), sim.token_url(), sim.api_base(acme));
//! # drop(call); Ok(()) }
//! ```
//!
//! One listener serves the app host (authorize page, token URL, `/sim/` control surface); each company has a
//! listener of its own on 127.0.0.2, 127.0.0.3 and so on (127.0.0.1 with another port where that cannot be
//! bound). All stop when the [`Sim`] is dropped.
//!
//! # What is imitated
//!
//! * OAuth: consent page with forms or automatic consent ([`Consent`]), exact redirect URIs, single-use codes
//!   of ten minutes, Basic authentication at the token URL, parameters in query or form,
//!   `validity_duration`, single-use rotating refresh tokens.
//! * API: `GET /v2/calls`, `GET /v2/calls/{id}`, `POST /v2/calls/extensive`, `POST /v2/calls/transcript`,
//!   `GET /v2/users`, `GET /v2/users/{id}`, `POST /v2/users/extensive`, `GET /v2/workspaces`, by bearer token or
//!   access key. Envelope, pages of 100, signed cursors that die one hour after page one, the 404 that means
//!   "empty", the 401 that means "missing scope", parties only when asked for, query ignored on POST.
//! * Limits: 3 requests in any second and 10,000 a day for each company over all clients, 429 with `Retry-After`.
//! * Data: late calls and transcripts, flipping privacy, vanishing calls, missing parties, null speakers,
//!   unknown enum values, ids of up to 20 digits, times with the company's offset.
//!
//! # Switches
//!
//! Every switch is a field of [`Switches`] with its own words there; change them with [`Sim::adjust`] or
//! `POST /sim/config`. What fails, and when, is a [`Rule`] given to [`Sim::fault`] or `POST /sim/fault`.
//! Time is [`Sim::advance`], [`Sim::set_now`], [`Sim::freeze`]; limits per second use real time unless
//! [`Limit::by_sim_clock`] is set.
//!
//! # Memory
//!
//! [`Sim::requests`] gives every request, [`Sim::summary`] exact counters, [`Sim::transcripts_asked`] the ids that
//! anybody ever asked a transcript for, [`Sim::max_in_sliding_second`], [`Sim::refresh_reuses`] and
//! [`Sim::open_token_requests_max`] what a polite client must keep low.
//!
//! # Control surface
//!
//! On the app listener, JSON: `GET /sim/state`, `/sim/expected?company=`, `/sim/requests?since=&limit=`,
//! `/sim/summary`, `/sim/transcript?company=&id=`, `/sim/asked?company=`, `/sim/families`; `POST /sim/advance`, `/sim/fault`, `/sim/release`,
//! `/sim/calls`, `/sim/private`, `/sim/title`, `/sim/delete`, `/sim/revoke`, `/sim/config`, `/sim/consent`,
//! `/sim/clear`. See the module `control` for the bodies.

mod api;
mod app;
mod asked;
mod call;
mod cast;
mod chance;
mod clock;
mod config;
mod consent;
mod control;
mod conversations;
mod cursor;
mod data;
mod endpoint;
mod faults;
mod generate;
mod grants;
mod limit;
mod memory;
mod model;
mod questions;
mod reply;
mod serve;
mod shared;
mod sim;
mod switches;
mod talk;
mod world;

pub use call::NewCall;
pub use config::{CompaniesAt, Config, OAuthClient, RedirectUris, SimError};
pub use endpoint::Endpoint;
pub use faults::{FaultId, Rule, What, When};
pub use generate::GeneratorOptions;
pub use limit::Limit;
pub use memory::{Request, Summary};
pub use model::{CompanyId, CompanyOptions, Monologue, Party, Sentence, Truth};
pub use sim::Sim;
pub use switches::{ApiBase, Consent, Order, RetryAfter, Switches};
