//! What is known of a request before anybody looked at it: its ids, where it comes from. Knows no route and no session.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{Arc, OnceLock},
};

use accounts::RequestInfo;
use axum::extract::FromRequestParts;
use http::{Extensions, HeaderMap, request::Parts};
use kernel::{Ambient, OrganizationId};
use uuid::Uuid;

use crate::{client_address::TrustedProxies, traceparent::TraceParent};

/// The other end of the connection, put into every request by the server loop.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

/// The ids of a request and where it comes from; the same in logs, audit lines, jobs and problem documents.
#[derive(Debug, Clone)]
pub struct RequestContext(Arc<Facts>);

#[derive(Debug)]
struct Facts {
    request_id: String,
    trace: TraceParent,
    address: IpAddr,
    organization: OnceLock<OrganizationId>,
    claim: OnceLock<Uuid>,
    caller: OnceLock<[u8; 32]>,
}

impl RequestContext {
    pub(crate) fn of(
        headers: &HeaderMap,
        extensions: &Extensions,
        proxies: &TrustedProxies,
        ambient: &dyn Ambient,
    ) -> Self {
        let peer = extensions.get::<Peer>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip());
        Self(Arc::new(Facts {
            request_id: given_id(headers).unwrap_or_else(|| format!("req_{}", ambient.uuid().simple())),
            trace: TraceParent::of(headers, ambient),
            address: proxies.client(peer, headers),
            organization: OnceLock::new(),
            claim: OnceLock::new(),
            caller: OnceLock::new(),
        }))
    }

    /// The id of the request: the client's own, where it sent a sane `X-Request-Id`.
    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// The trace the request belongs to: 32 hex digits.
    pub fn trace_id(&self) -> &str {
        self.0.trace.trace_id()
    }

    /// The `traceparent` to hand on, with our own span as the parent.
    pub fn traceparent(&self) -> String {
        self.0.trace.onward()
    }

    /// Where the request comes from; behind a trusted proxy, what the proxy says.
    pub fn address(&self) -> IpAddr {
        self.0.address
    }

    /// The organization, once somebody was recognised.
    pub fn organization(&self) -> Option<OrganizationId> {
        self.0.organization.get().copied()
    }

    /// The request as the audit log notes it.
    pub fn info(&self) -> RequestInfo {
        RequestInfo { request_id: Some(self.0.request_id.clone()), ip: Some(self.0.address) }
    }

    /// The claim under which the request is done, where it is to be done once.
    pub(crate) fn claim(&self) -> Option<Uuid> {
        self.0.claim.get().copied()
    }

    pub(crate) fn claimed(&self, claim: Uuid) {
        // A request is claimed once.
        self.0.claim.set(claim).ok();
    }

    /// By what whoever asks was recognised, hashed; `None` for strangers.
    pub(crate) fn caller(&self) -> Option<[u8; 32]> {
        self.0.caller.get().copied()
    }

    pub(crate) fn known_as(&self, caller: [u8; 32]) {
        // As with the organization.
        self.0.caller.set(caller).ok();
    }

    pub(crate) fn recognised(&self, organization: OrganizationId) {
        // A request is recognised once; a second look finds the same organization.
        self.0.organization.set(organization).ok();
        tracing::Span::current().record("organization.id", tracing::field::display(organization));
    }
}

fn given_id(headers: &HeaderMap) -> Option<String> {
    let text = headers.get("x-request-id")?.to_str().ok()?;
    let sane = (8..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    sane.then(|| text.to_owned())
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(parts.extensions.get::<Self>().cloned().unwrap_or_else(|| {
            let proxies = TrustedProxies::default();
            Self::of(&parts.headers, &parts.extensions, &proxies, &kernel::SystemAmbient)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::SystemAmbient;

    fn id_for(header: Option<&str>) -> String {
        let mut headers = HeaderMap::new();
        if let Some(value) = header {
            headers.insert("x-request-id", value.parse().unwrap());
        }
        let context =
            RequestContext::of(&headers, &Extensions::new(), &TrustedProxies::default(), &SystemAmbient);
        context.request_id().to_owned()
    }

    #[test]
    fn a_sane_request_id_is_kept_and_any_other_is_replaced() {
        assert_eq!(id_for(Some("client-7f3a_01.b")), "client-7f3a_01.b");
        for bad in [
            None,
            Some(""),
            Some("short"),
            Some("with space1"),
            Some("<script>alert"),
            Some(&*"a".repeat(65)),
        ] {
            assert!(id_for(bad).starts_with("req_"), "{bad:?}");
        }
    }
}
