//! The app host: the authorize page and the token URL.
//! Knows OAuth as Gong speaks it; nothing of calls.

use crate::asked::{Asked, Parameters, form_decode};
use crate::consent;
use crate::grants::{Approval, Granted, Owner, Refusal, scope_exists};
use crate::reply::Reply;
use crate::switches::{ApiBase, Consent};
use crate::world::World;
use crate::{CompanyId, Endpoint};
use serde_json::{Map, Value, json};
use url::Url;

/// Answers a request on the app host.
pub(crate) fn answer(world: &mut World, endpoint: Endpoint, asked: &Asked, sequence: u64) -> Reply {
    match (endpoint, asked.method.as_str(), asked.path.as_str()) {
        (Endpoint::Authorize, "GET", "/oauth2/authorize") => authorize(world, asked, sequence),
        (Endpoint::Authorize, "POST", "/oauth2/authorize/decide") => decide(world, asked, sequence),
        (Endpoint::Token, "POST", _) => token(world, asked, sequence),
        (Endpoint::Authorize | Endpoint::Token, _, _) => {
            let id = world.mint.request_id();
            Reply::trouble(405, &id, "Request method is not supported")
        }
        _ => Reply::html(404, consent::failure("Page not found", "There is nothing here.")),
    }
}

/// To whom a token request belongs, before any of it is believed.
pub(crate) fn owner(world: &World, asked: &Asked) -> Owner {
    if Endpoint::of_app(&asked.path) != Endpoint::Token {
        return Owner::default();
    }
    let parameters = asked.parameters();
    world.grants.owner(parameters.get("refresh_token"), parameters.get("code"))
}

/// A checked authorize request.
struct Wish {
    client: String,
    redirect_uri: String,
    state: Option<String>,
    scopes: Vec<String>,
}

impl Wish {
    /// Checks client and redirect URI; where these are wrong nobody may be redirected.
    fn read(world: &World, parameters: &Parameters) -> Result<Self, Box<Reply>> {
        let refuse = |words: &str| Box::new(Reply::html(400, consent::failure("Authorization error", words)));
        let id = parameters.get("client_id").unwrap_or("");
        let Some(client) = world.clients.iter().find(|client| client.id == id) else {
            return Err(refuse("The client is not known."));
        };
        let redirect_uri = parameters.get("redirect_uri").unwrap_or("");
        if !client.redirect_uris.allow(redirect_uri) {
            return Err(refuse("The redirect URI does not match a registered one."));
        }
        let scopes = parameters.get("scope").unwrap_or("").split_whitespace().map(str::to_owned).collect();
        Ok(Self {
            client: client.id.clone(),
            redirect_uri: redirect_uri.to_owned(),
            state: parameters.get("state").map(str::to_owned),
            scopes,
        })
    }

    /// Sends the browser back with parameters.
    fn back(&self, pairs: &[(&str, &str)]) -> Reply {
        let Ok(mut url) = Url::parse(&self.redirect_uri) else {
            return Reply::html(400, consent::failure("Authorization error", "The redirect URI is no URL."));
        };
        {
            let mut query = url.query_pairs_mut();
            for (name, value) in pairs {
                query.append_pair(name, value);
            }
            if let Some(state) = &self.state {
                query.append_pair("state", state);
            }
        }
        Reply::redirect(url.into())
    }

    fn refuse(&self, error: &str, words: &str) -> Reply {
        self.back(&[("error", error), ("error_description", words)])
    }

    fn approve(self, world: &mut World, company: CompanyId) -> Reply {
        let now = world.now();
        let approval = Approval {
            company,
            client: self.client.clone(),
            redirect_uri: self.redirect_uri.clone(),
            scopes: self.scopes.clone(),
        };
        let code = world.grants.approve(approval, &world.switches, now);
        self.back(&[("code", &code)])
    }
}

fn authorize(world: &mut World, asked: &Asked, sequence: u64) -> Reply {
    let parameters = asked.parameters();
    let wish = match Wish::read(world, &parameters) {
        Ok(wish) => wish,
        Err(page) => return *page,
    };
    world.memory.note(sequence, |request| request.subject = Some(format!("client:{}", wish.client)));
    if parameters.get("response_type") != Some("code") {
        return wish.refuse("unsupported_response_type", "response_type must be code");
    }
    if wish.scopes.is_empty() || !wish.scopes.iter().all(|scope| scope_exists(scope)) {
        return wish.refuse("invalid_scope", "A scope is missing or unknown");
    }
    if world.switches.refuse_pkce && parameters.get("code_challenge").is_some() {
        return wish.refuse("invalid_request", "code_challenge is not supported");
    }
    match world.consent.clone() {
        Consent::Ask => Reply::html(200, consent::page(world, &wish.client, &wish.scopes, &parameters)),
        Consent::Approve(company) if world.company(company).is_some() => wish.approve(world, company),
        Consent::Approve(_) => wish.refuse("server_error", "There is no such company"),
        Consent::Deny => wish.refuse("access_denied", "The user denied the request"),
        Consent::Error(code) => wish.refuse(&code, "The authorization failed"),
    }
}

/// The form of the consent page.
fn decide(world: &mut World, asked: &Asked, sequence: u64) -> Reply {
    let parameters = asked.parameters();
    let wish = match Wish::read(world, &parameters) {
        Ok(wish) => wish,
        Err(page) => return *page,
    };
    world.memory.note(sequence, |request| request.subject = Some(format!("client:{}", wish.client)));
    if parameters.get("decision") != Some("approve") {
        return wish.refuse("access_denied", "The user denied the request");
    }
    match parameters.get("company").and_then(|word| world.find_company(word)) {
        Some(company) => wish.approve(world, company),
        None => wish.refuse("server_error", "There is no such company"),
    }
}

fn token(world: &mut World, asked: &Asked, sequence: u64) -> Reply {
    let parameters = asked.parameters();
    let grant_type = parameters.get("grant_type").map(str::to_owned);
    world.memory.note(sequence, |request| request.grant_type.clone_from(&grant_type));
    let before = (world.grants.issued, world.grants.reuses);
    let outcome = trade(world, asked, &parameters, grant_type.as_deref(), sequence);
    world.memory.tokens_issued += world.grants.issued - before.0;
    world.memory.refresh_reuses += world.grants.reuses - before.1;
    match outcome {
        Ok(granted) => {
            world.memory.note(sequence, |request| {
                request.company = Some(granted.company);
                request.family = request.family.or(granted.family);
            });
            let base = match grant_type.as_deref() {
                Some("refresh_token") => &world.switches.api_base_on_refresh,
                _ => &world.switches.api_base_on_code,
            };
            Reply::json(200, &token_body(world, &granted, base))
                .header("cache-control", "no-store".to_owned())
        }
        Err(refusal) => {
            let reply = Reply::oauth_error(refusal.status, refusal.error, refusal.words);
            match refusal.status {
                401 => reply.header("www-authenticate", "Basic realm=\"gong\"".to_owned()),
                _ => reply,
            }
        }
    }
}

fn trade(
    world: &mut World,
    asked: &Asked,
    parameters: &Parameters,
    grant_type: Option<&str>,
    sequence: u64,
) -> Result<Granted, Refusal> {
    let Some(client) = authenticated(world, asked) else {
        return Err(Refusal::new(401, "invalid_client", "Client authentication failed"));
    };
    world.memory.note(sequence, |request| request.subject = Some(format!("client:{client}")));
    let form = asked.content_type().starts_with("application/x-www-form-urlencoded");
    if asked.has_body() && !form {
        return Err(Refusal::new(400, "invalid_request", "Send the parameters as a form or in the query"));
    }
    let life = match parameters.get("validity_duration").map(str::parse::<i64>) {
        None => None,
        Some(Ok(seconds)) if seconds > 0 => Some(seconds),
        Some(_) => return Err(Refusal::new(400, "invalid_request", "validity_duration must be positive")),
    };
    let missing = |name: &'static str| Refusal::new(400, "invalid_request", name);
    let now = world.now();
    match grant_type {
        Some("authorization_code") => {
            let code = parameters.get("code").ok_or_else(|| missing("code is missing"))?;
            let uri = parameters.get("redirect_uri").ok_or_else(|| missing("redirect_uri is missing"))?;
            world.grants.exchange((&client, code, uri), life, &world.switches, now)
        }
        Some("refresh_token") => {
            let token = parameters.get("refresh_token").ok_or_else(|| missing("refresh_token is missing"))?;
            world.grants.refresh((&client, token), life, &world.switches, now)
        }
        Some(_) => Err(Refusal::new(400, "unsupported_grant_type", "Unknown grant_type")),
        None => Err(missing("grant_type is missing")),
    }
}

/// The client of a Basic header, written raw or form-encoded as RFC 6749 wants it.
fn authenticated(world: &World, asked: &Asked) -> Option<String> {
    let (id, secret) = asked.basic()?;
    let found = world.clients.iter().find(|client| {
        (client.id == id && client.secret == secret)
            || (client.id == form_decode(&id) && client.secret == form_decode(&secret))
    });
    found.map(|client| client.id.clone())
}

fn token_body(world: &World, granted: &Granted, base: &ApiBase) -> Value {
    let switches = &world.switches;
    let mut body = Map::new();
    body.insert("access_token".to_owned(), json!(granted.access));
    if let Some(refresh) = &granted.refresh {
        body.insert("refresh_token".to_owned(), json!(refresh));
    }
    body.insert("token_type".to_owned(), json!(switches.token_type));
    let life = if switches.expires_in_as_text {
        json!(granted.life_seconds.to_string())
    } else {
        json!(granted.life_seconds)
    };
    body.insert("expires_in".to_owned(), life);
    if !switches.omit_scope {
        body.insert("scope".to_owned(), json!(granted.scope));
    }
    let url = match base {
        ApiBase::Real => world.company(granted.company).map(|company| format!("http://{}", company.address)),
        ApiBase::Absent => None,
        ApiBase::Text(text) => Some(text.clone()),
    };
    if let Some(url) = url {
        body.insert("api_base_url_for_customer".to_owned(), json!(url));
    }
    if switches.extra_fields {
        body.insert("sim_extra".to_owned(), json!({ "nobody": ["documents", "this"] }));
    }
    Value::Object(body)
}
