//! Authorization codes, access tokens and families of rotating refresh tokens.
//! Knows nothing of HTTP; `app` speaks for it. It must never answer more than a real server would.

use crate::chance::Chance;
use crate::switches::Switches;
use crate::{CompanyId, Endpoint};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use time::{Duration, OffsetDateTime};

/// An OAuth error: status, code and words.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) error: &'static str,
    pub(crate) words: &'static str,
}

impl Refusal {
    pub(crate) fn new(status: u16, error: &'static str, words: &'static str) -> Self {
        Self { status, error, words }
    }

    fn grant(words: &'static str) -> Self {
        Self::new(400, "invalid_grant", words)
    }
}

/// What a token answer carries.
#[derive(Debug)]
pub(crate) struct Granted {
    pub(crate) company: CompanyId,
    pub(crate) family: Option<u64>,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
    pub(crate) scope: String,
    pub(crate) life_seconds: i64,
}

#[derive(Clone, Debug)]
struct Code {
    company: CompanyId,
    client: String,
    redirect_uri: String,
    scopes: Vec<String>,
    expires: OffsetDateTime,
}

/// A family: all tokens that come from one authorization.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Family {
    pub(crate) company: CompanyId,
    client: String,
    scopes: Vec<String>,
    current: u32,
    #[serde(with = "time::serde::rfc3339")]
    rotated: OffsetDateTime,
    pub(crate) dead: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Access {
    pub(crate) family: u64,
    #[serde(with = "time::serde::rfc3339")]
    expires: OffsetDateTime,
}

/// All grants. Tokens are kept as text: this is a simulator, its state file is no secret store.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Grants {
    salt: String,
    made: u64,
    #[serde(skip)]
    codes: HashMap<String, Code>,
    pub(crate) families: HashMap<u64, Family>,
    refresh: HashMap<String, (u64, u32)>,
    access: HashMap<String, Access>,
    #[serde(skip)]
    pub(crate) reuses: u64,
    #[serde(skip)]
    pub(crate) issued: u64,
}

/// What the authorize page hands over.
pub(crate) struct Approval {
    pub(crate) company: CompanyId,
    pub(crate) client: String,
    pub(crate) redirect_uri: String,
    pub(crate) scopes: Vec<String>,
}

impl Grants {
    pub(crate) fn new(salt: &str) -> Self {
        Self { salt: salt.to_owned(), ..Self::default() }
    }

    /// Makes a single-use code.
    pub(crate) fn approve(&mut self, approval: Approval, switches: &Switches, now: OffsetDateTime) -> String {
        let code = self.make("gscode");
        let Approval { company, client, redirect_uri, scopes } = approval;
        let expires = now + Duration::seconds(switches.code_life_seconds);
        self.codes.insert(code.clone(), Code { company, client, redirect_uri, scopes, expires });
        code
    }

    /// Trades a code for a first pair of tokens.
    pub(crate) fn exchange(
        &mut self,
        (client, code, redirect_uri): (&str, &str, &str),
        life: Option<i64>,
        switches: &Switches,
        now: OffsetDateTime,
    ) -> Result<Granted, Refusal> {
        let Some(known) = self.codes.remove(code) else {
            return Err(Refusal::grant("Invalid or already used authorization code"));
        };
        if known.client != client {
            return Err(Refusal::grant("The authorization code was issued to another client"));
        }
        if known.redirect_uri != redirect_uri {
            return Err(Refusal::grant("redirect_uri does not match the authorization request"));
        }
        if known.expires <= now {
            return Err(Refusal::grant("The authorization code has expired"));
        }
        if switches.new_grant_ends_old {
            self.end_company(known.company);
        }
        let family = self.families.keys().max().map_or(1, |last| last + 1);
        let scopes = narrow(known.scopes, switches);
        let kept = Family {
            company: known.company,
            client: known.client,
            scopes,
            current: 1,
            rotated: now,
            dead: false,
        };
        self.families.insert(family, kept);
        let refresh = self.refresh_token(family, 1);
        Ok(self.grant(family, switches.refresh_token_on_code.then_some(refresh), life, switches, now))
    }

    /// Trades a refresh token for the next pair.
    pub(crate) fn refresh(
        &mut self,
        (client, token): (&str, &str),
        life: Option<i64>,
        switches: &Switches,
        now: OffsetDateTime,
    ) -> Result<Granted, Refusal> {
        let Some((id, ordinal)) = self.refresh.get(token).copied() else {
            return Err(Refusal::grant("Invalid refresh token code"));
        };
        let Some(family) = self.families.get_mut(&id) else {
            return Err(Refusal::grant("Invalid refresh token code"));
        };
        if family.dead || family.client != client {
            return Err(Refusal::grant("Token has been expired or revoked"));
        }
        let current = family.current;
        if ordinal == current {
            if !switches.refresh_token_on_refresh {
                return Ok(self.grant(id, None, life, switches, now));
            }
            family.current += 1;
            family.rotated = now;
            let next = self.refresh_token(id, current + 1);
            return Ok(self.grant(id, Some(next), life, switches, now));
        }
        let grace = Duration::seconds(switches.refresh_grace_seconds);
        if ordinal + 1 == current && grace > Duration::ZERO && now - family.rotated <= grace {
            let again = self.refresh_token(id, current);
            return Ok(self.grant(id, Some(again), life, switches, now));
        }
        self.reuses += 1;
        if switches.revoke_family_on_reuse {
            self.end_families(|family, _| family == id);
        }
        Err(Refusal::grant("Invalid refresh token code"))
    }

    fn grant(
        &mut self,
        id: u64,
        refresh: Option<String>,
        life: Option<i64>,
        switches: &Switches,
        now: OffsetDateTime,
    ) -> Granted {
        let life_seconds = life.unwrap_or(switches.token_life_seconds);
        let access = self.make("gsaccess");
        let expires = now + Duration::seconds(life_seconds);
        self.access.retain(|_, access| access.expires > now);
        self.access.insert(access.clone(), Access { family: id, expires });
        self.issued += 1;
        let family = self.families.get(&id);
        let company = family.map_or(CompanyId(0), |family| family.company);
        let scope = family.map(|family| family.scopes.join(" ")).unwrap_or_default();
        Granted { company, family: Some(id), access, refresh, scope, life_seconds }
    }

    /// Whose access token this is, when it is alive.
    pub(crate) fn bearer(&self, token: &str, now: OffsetDateTime) -> Option<(u64, &Family)> {
        let access = self.access.get(token).filter(|access| access.expires > now)?;
        let family = self.families.get(&access.family).filter(|family| !family.dead)?;
        Some((access.family, family))
    }

    /// To whom a refresh token or code belongs, dead or alive.
    pub(crate) fn owner(&self, refresh: Option<&str>, code: Option<&str>) -> Owner {
        if let Some((id, ordinal)) = refresh.and_then(|token| self.refresh.get(token)) {
            let company = self.families.get(id).map(|family| family.company);
            return Owner { company, family: Some(*id), ordinal: Some(*ordinal) };
        }
        let company = code.and_then(|code| self.codes.get(code)).map(|code| code.company);
        Owner { company, family: None, ordinal: None }
    }

    /// Ends all tokens of a company, as an uninstalled app does.
    pub(crate) fn end_company(&mut self, company: CompanyId) {
        self.end_families(|_, family| family.company == company);
    }

    /// Ends only the access tokens of a company; refresh tokens stay good.
    pub(crate) fn end_access(&mut self, company: CompanyId) {
        let families = &self.families;
        self.access
            .retain(|_, access| families.get(&access.family).is_none_or(|family| family.company != company));
    }

    fn end_families(&mut self, which: impl Fn(u64, &Family) -> bool) {
        for (id, family) in &mut self.families {
            family.dead |= which(*id, family);
        }
        let families = &self.families;
        self.access.retain(|_, access| families.get(&access.family).is_some_and(|family| !family.dead));
    }

    fn refresh_token(&mut self, family: u64, ordinal: u32) -> String {
        let found = self.refresh.iter().find(|(_, place)| **place == (family, ordinal));
        if let Some((token, _)) = found {
            return token.clone();
        }
        let token = self.make("gsrefresh");
        self.refresh.insert(token.clone(), (family, ordinal));
        token
    }

    fn make(&mut self, kind: &str) -> String {
        self.made += 1;
        let seed = format!("{}/{kind}/{}", self.salt, self.made);
        let one = hex::encode(Sha256::digest(seed.as_bytes()));
        let mut chance = Chance::of(self.made, &[&seed]);
        format!("{kind}-{one}.{}-{}", chance.request_id(), chance.request_id())
    }
}

impl Family {
    /// How often its refresh token was replaced.
    pub(crate) fn rotations(&self) -> u32 {
        self.current - 1
    }

    /// Whether the grant holds a scope.
    pub(crate) fn may(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }
}

/// To whom a token request belongs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Owner {
    pub(crate) company: Option<CompanyId>,
    pub(crate) family: Option<u64>,
    pub(crate) ordinal: Option<u32>,
}

fn narrow(asked: Vec<String>, switches: &Switches) -> Vec<String> {
    match &switches.scope_granted {
        Some(granted) => {
            asked.into_iter().filter(|scope| granted.split_whitespace().any(|held| held == scope)).collect()
        }
        None => asked,
    }
}

/// The scopes that exist; the authorize page refuses others.
pub(crate) fn scope_exists(scope: &str) -> bool {
    let known = [Endpoint::Calls, Endpoint::CallsExtensive, Endpoint::Transcript, Endpoint::Users]
        .into_iter()
        .chain([Endpoint::Workspaces])
        .filter_map(Endpoint::scope)
        .any(|known| known == scope);
    known || OTHER_SCOPES.contains(&scope)
}

const OTHER_SCOPES: [&str; 39] = [
    "api:ai-briefer:read",
    "api:call-outcomes:read",
    "api:call-user-access:read",
    "api:call-user-access:write",
    "api:calls:create",
    "api:calls:read:media-url",
    "api:coaching:read",
    "api:crm-calls:manual-association:read",
    "api:crm:get-objects",
    "api:crm:integration:delete",
    "api:crm:integration:register",
    "api:crm:integrations:read",
    "api:crm:schema",
    "api:crm:upload",
    "api:data-privacy:delete",
    "api:data-privacy:read",
    "api:digital-interactions:write",
    "api:engagement-data:write",
    "api:flows:read",
    "api:flows:write",
    "api:integration-settings:write",
    "api:library:read",
    "api:logs:read",
    "api:meetings:integration:status",
    "api:meetings:user:create",
    "api:meetings:user:delete",
    "api:meetings:user:update",
    "api:permission-profile:read",
    "api:permission-profile:write",
    "api:provisioning:read",
    "api:provisioning:read-write",
    "api:settings:scorecards:read",
    "api:settings:trackers:read",
    "api:stats:interaction",
    "api:stats:scorecards",
    "api:stats:user-actions",
    "api:stats:user-actions:detailed",
    "api:tasks:read",
    "api:tasks:write",
];
