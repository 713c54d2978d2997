//! One type an id, so that swapped ids do not compile. Text form: prefix, underscore, 32 hex digits.
//!
//! Gong's own ids are text and stay text; they have no type here.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::Ambient;

/// Why a text is not the id that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ followed by 32 hex digits")]
pub struct IdError {
    prefix: &'static str,
}

fn parse(prefix: &'static str, text: &str) -> Result<Uuid, IdError> {
    let error = IdError { prefix };
    let digits = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).ok_or(error)?;
    let plain =
        digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if !plain {
        return Err(error);
    }
    Uuid::try_parse(digits).map_err(|_| error)
}

macro_rules! typed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id; ids made later sort later (UUIDv7, millisecond steps).
            pub fn mint(ambient: &dyn Ambient) -> Self {
                Self(ambient.uuid())
            }

            /// The bare UUID, for keys and columns that hold any kind of id.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// The id with this UUID.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                parse($prefix, text).map(Self)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

typed_id!(
    /// A tenant: one customer of the product.
    OrganizationId, "org"
);
typed_id!(
    /// A person who can log in.
    UserId, "usr"
);
typed_id!(
    /// The link between one organization and one Gong company.
    ConnectionId, "con"
);
typed_id!(
    /// A call that we hold. Gong's id of the same call is text.
    CallId, "call"
);
typed_id!(
    /// A key for our JSON API.
    ApiKeyId, "key"
);
typed_id!(
    /// One poll, backfill or sweep.
    RunId, "run"
);
typed_id!(
    /// One line of the audit log.
    AuditId, "aud"
);
typed_id!(
    /// The erasure of a person.
    ErasureId, "ers"
);
typed_id!(
    /// A job that was given up.
    DeadLetterId, "dead"
);
typed_id!(
    /// Where posts hang.
    BoardId, "board"
);
typed_id!(
    /// Something that customers ask for.
    PostId, "post"
);
typed_id!(
    /// One ask in one call, with its quotes.
    EvidenceId, "evid"
);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemAmbient;

    #[test]
    fn an_id_survives_its_text_form() {
        let id = OrganizationId::mint(&SystemAmbient);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_id_survives_json_as_its_text_form() {
        let id = OrganizationId::mint(&SystemAmbient);
        let json = serde_json::to_string(&id).unwrap();
        assert_eq!(json, format!("\"{id}\""));
        assert_eq!(serde_json::from_str::<OrganizationId>(&json).unwrap(), id);
        let user = format!("\"{}\"", UserId::mint(&SystemAmbient));
        assert!(serde_json::from_str::<OrganizationId>(&user).is_err(), "another kind of id");
    }

    #[test]
    fn another_kind_of_id_is_refused() {
        let user = UserId::mint(&SystemAmbient).to_string();
        assert!(user.parse::<OrganizationId>().is_err());
        for text in ["", "org_", "org_zz", "org_0", "ORG_00000000000000000000000000000000"] {
            assert!(text.parse::<OrganizationId>().is_err(), "{text}");
        }
        let dashed = format!("org_{}", uuid::Uuid::nil());
        assert!(dashed.parse::<OrganizationId>().is_err(), "only the plain form is accepted");
        let upper = "org_0190AAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        assert!(upper.parse::<OrganizationId>().is_err(), "one id has one text form");
    }

    #[test]
    fn later_ids_sort_later() {
        let clock = crate::ManualAmbient::at(time::macros::datetime!(2026-01-01 0:00 UTC));
        let first = CallId::mint(&clock);
        clock.advance(std::time::Duration::from_millis(5));
        assert!(first < CallId::mint(&clock));
    }
}
