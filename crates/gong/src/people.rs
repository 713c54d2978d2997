//! Workspaces and users of a Gong company. Knows their fields; must never know what they are compared with.

use serde::Deserialize;

use crate::{
    Cursor, GongError,
    page::{Records, malformed},
    scalar::Scalar,
};

const MOST_TEXT: usize = 300;

/// A Gong workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workspace {
    /// Gong's id.
    pub id: String,
    /// Its name.
    pub name: Option<String>,
}

/// A page of users.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// The users that can be read.
    pub users: Vec<User>,
    /// The way on; `None` on the last page.
    pub next: Option<Cursor>,
}

/// A user of the Gong company.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Gong's id.
    pub id: String,
    /// The e-mail address.
    pub email: Option<String>,
    /// Other addresses of the same person.
    pub email_aliases: Vec<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// The title or role.
    pub title: Option<String>,
    /// Whether the user is active; `None` when Gong did not say.
    pub active: Option<bool>,
}

impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("User").field("id", &self.id).field("active", &self.active).finish_non_exhaustive()
    }
}

/// Reads the answer of `/v2/workspaces`. A workspace without an id is an error: this list tells which company it is.
pub(crate) fn workspaces(body: &[u8]) -> Result<Vec<Workspace>, GongError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow)]
        workspaces: Vec<Raw<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(bound(deserialize = "'de: 'a"))]
    struct Raw<'a> {
        #[serde(default)]
        id: Scalar<'a>,
        #[serde(default)]
        name: Scalar<'a>,
    }
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|_| malformed("it is not a list of workspaces"))?;
    let read = |raw: &Raw<'_>| {
        let id = raw.id.id().ok_or_else(|| malformed("a workspace has no id"))?;
        Ok(Workspace { id, name: raw.name.text(MOST_TEXT) })
    };
    answer.workspaces.iter().map(read).collect()
}

/// Reads the answer of `/v2/users`; users without an id are left out.
pub(crate) fn users(body: &[u8]) -> Result<UserPage, GongError> {
    #[derive(Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        records: Option<Records<'a>>,
        #[serde(borrow)]
        users: Option<Vec<Raw<'a>>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", bound(deserialize = "'de: 'a"))]
    struct Raw<'a> {
        #[serde(default)]
        id: Scalar<'a>,
        #[serde(default)]
        email_address: Scalar<'a>,
        #[serde(default)]
        email_aliases: Option<Vec<Scalar<'a>>>,
        #[serde(default)]
        first_name: Scalar<'a>,
        #[serde(default)]
        last_name: Scalar<'a>,
        #[serde(default)]
        title: Scalar<'a>,
        #[serde(default)]
        active: Scalar<'a>,
    }
    let answer: Answer<'_> =
        serde_json::from_slice(body).map_err(|_| malformed("it is not a page of users"))?;
    let read = |raw: Raw<'_>| {
        Some(User {
            id: raw.id.id()?,
            email: raw.email_address.text(320),
            email_aliases: raw.email_aliases.iter().flatten().filter_map(|alias| alias.text(320)).collect(),
            first_name: raw.first_name.text(MOST_TEXT),
            last_name: raw.last_name.text(MOST_TEXT),
            title: raw.title.text(MOST_TEXT),
            active: raw.active.flag(),
        })
    };
    Ok(UserPage {
        users: answer.users.unwrap_or_default().into_iter().filter_map(read).collect(),
        next: answer.records.unwrap_or_default().next()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_need_their_ids() {
        let body = br#"{"requestId":"x","workspaces":[{"id":"6000000000000000001","name":"Initial workspace"},{"id":7,"name":null}]}"#;
        let read = workspaces(body).unwrap();
        assert_eq!(read[0].name.as_deref(), Some("Initial workspace"));
        assert_eq!(read[1].id, "7");
        assert!(workspaces(br#"{"workspaces":[{"name":"a"}]}"#).is_err());
        assert!(workspaces(b"{}").is_err());
    }

    #[test]
    fn users_come_with_their_aliases() {
        let page = users(
            br#"{"records":{"cursor":"c"},"users":[{"id":"5","emailAddress":"a@example.com","emailAliases":["b@example.com",null],"active":true},
                {"id":null},{"id":"6","emailAliases":null}]}"#,
        )
        .unwrap();
        assert_eq!((page.users.len(), page.next.is_some()), (2, true));
        assert_eq!(page.users[0].email_aliases, ["b@example.com"]);
        assert!(!format!("{page:?}").contains("example.com"));
    }
}
