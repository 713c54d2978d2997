//! A company's own host: who may ask, which endpoint, and the error body.
//! Knows tokens and keys; what an endpoint answers is in the modules below.

mod calls;
mod filter;
mod people;
mod transcripts;
mod walk;

use crate::CompanyId;
use crate::asked::Asked;
use crate::endpoint::Endpoint;
use crate::reply::{Piece, Reply};
use crate::world::World;
use serde_json::{Map, Value, json};

/// An error of the API: status and text.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) status: u16,
    pub(crate) text: String,
}

impl Trouble {
    pub(crate) fn new(status: u16, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// The 404 that means "nothing in that window".
    pub(crate) fn empty() -> Self {
        Self::new(404, "No calls found corresponding to the provided filters")
    }
}

/// What an endpoint answers.
pub(crate) enum Found {
    Json(Map<String, Value>),
    /// A body in parts; the request id is written into the first one.
    Pieces(Vec<Piece>),
}

/// One API request on its way.
pub(crate) struct Query<'a> {
    pub(crate) company: CompanyId,
    pub(crate) asked: &'a Asked,
    pub(crate) sequence: u64,
    pub(crate) request_id: &'a str,
    pub(crate) caller: Caller,
}

/// Who asks.
#[derive(Debug)]
pub(crate) enum Caller {
    Family(u64),
    Key,
}

/// Answers a request on a company's host.
pub(crate) fn answer(
    world: &mut World,
    company: CompanyId,
    endpoint: Endpoint,
    asked: &Asked,
    sequence: u64,
) -> Reply {
    let id = world.mint.request_id();
    match find(world, company, endpoint, asked, (sequence, &id)) {
        Ok(Found::Json(mut fields)) => {
            fields.insert("requestId".to_owned(), json!(id));
            Reply::json(200, &Value::Object(fields)).traced(&id)
        }
        Ok(Found::Pieces(pieces)) => Reply::pieces(pieces).traced(&id),
        Err(trouble) => Reply::trouble(trouble.status, &id, &trouble.text),
    }
}

fn find(
    world: &mut World,
    company: CompanyId,
    endpoint: Endpoint,
    asked: &Asked,
    (sequence, request_id): (u64, &str),
) -> Result<Found, Trouble> {
    let caller = admit(world, company, asked, sequence)?;
    if endpoint == Endpoint::Other {
        return Err(Trouble::new(404, format!("The requested path {} does not exist", asked.path)));
    }
    if endpoint.method().is_some_and(|method| method != asked.method) {
        return Err(Trouble::new(405, format!("Request method '{}' is not supported", asked.method)));
    }
    if let Some(scope) = endpoint.scope() {
        allow(world, &caller, scope)?;
    }
    if asked.method == "POST" && !asked.content_type().starts_with("application/json") {
        return Err(Trouble::new(415, "Content-Type must be application/json"));
    }
    let query = Query { company, asked, sequence, request_id, caller };
    match endpoint {
        Endpoint::Calls => calls::list(world, &query),
        Endpoint::Call => calls::one(world, &query),
        Endpoint::CallsExtensive => calls::extensive(world, &query),
        Endpoint::Transcript => transcripts::list(world, &query),
        Endpoint::Users => people::users(world, &query),
        Endpoint::User => people::user(world, &query),
        Endpoint::UsersExtensive => people::users_extensive(world, &query),
        _ => people::workspaces(world, &query),
    }
}

/// Checks the token or key; the host decides for which company it must be.
fn admit(world: &mut World, company: CompanyId, asked: &Asked, sequence: u64) -> Result<Caller, Trouble> {
    let now = world.now();
    let (subject, caller) = if let Some(token) = asked.bearer() {
        let found = world.grants.bearer(token, now);
        match found.filter(|(_, family)| family.company == company) {
            Some((id, _)) => (Some(format!("family:{id}")), Some(Caller::Family(id))),
            None => (found.map(|(id, _)| format!("family:{id}")), None),
        }
    } else if let Some((key, secret)) = asked.basic() {
        let keys = world.company(company).map(|company| company.access_keys.as_slice()).unwrap_or_default();
        let good = keys.iter().any(|(known, hidden)| *known == key && *hidden == secret);
        (Some(format!("key:{key}")), good.then_some(Caller::Key))
    } else {
        (None, None)
    };
    world.memory.note(sequence, |request| {
        if let Some(Caller::Family(id)) = &caller {
            request.family = Some(*id);
        }
        request.subject = subject;
    });
    let caller = caller.ok_or_else(|| Trouble::new(401, "The provided credentials are not valid"))?;
    if world.company(company).is_some_and(|company| company.ip_blocked) {
        return Err(Trouble::new(403, "Access from this IP address is not allowed"));
    }
    Ok(caller)
}

/// Checks a scope; an access key may do everything.
pub(crate) fn allow(world: &World, caller: &Caller, scope: &str) -> Result<(), Trouble> {
    let held = match caller {
        Caller::Key => true,
        Caller::Family(id) => world.grants.families.get(id).is_some_and(|family| family.may(scope)),
    };
    if held {
        return Ok(());
    }
    Err(Trouble::new(401, format!("You don't have permission to use '{scope}' in your app.")))
}
