//! Forgetting a person, and forgetting an organization. Knows no address: who is to be masked is for the caller to tell.

use db::{Db, Tx};
use kernel::{Ambient, Scope};
use serde_json::Value;

use crate::{
    AccountsError, Permission, fields, require,
    store::{masking as store, members, organizations},
};

/// Lines of the audit log that are read at once.
const AT_ONCE: i64 = 500;
/// How often erasing an organization is tried while others write into it.
const ERASE_TRIES: u32 = 3;

/// Writes whatever names a person anew: lines of the audit log and names of API keys. `mask` says what is left of a text,
/// or nothing when the person is not in it. Says how many records were changed.
///
/// # Errors
/// When the database fails.
pub async fn mask_records(
    tx: &mut Tx,
    mask: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) -> Result<i64, AccountsError> {
    let (mut changed, mut after) = (0, 0);
    loop {
        let lines = store::lines(tx, after, AT_ONCE).await?;
        let Some(last) = lines.last() else { break };
        after = last.line;
        for mut line in lines {
            let hit = [
                masked(&mut line.actor_label, mask),
                masked(&mut line.target, mask),
                inside(&mut line.detail, mask),
            ];
            if hit.contains(&true) {
                store::rewrite(tx, &line).await?;
                changed += 1;
            }
        }
    }
    for (id, name) in store::key_names(tx).await? {
        if let Some(name) = mask(&name) {
            store::rename_key(tx, id, &name).await?;
            changed += 1;
        }
    }
    Ok(changed)
}

fn masked(text: &mut Option<String>, mask: &dyn Fn(&str) -> Option<String>) -> bool {
    let after = text.as_deref().and_then(mask);
    let hit = after.is_some();
    *text = after.or_else(|| text.take());
    hit
}

fn inside(value: &mut Value, mask: &dyn Fn(&str) -> Option<String>) -> bool {
    match value {
        Value::String(text) => match mask(text) {
            Some(after) => {
                *text = after;
                true
            }
            None => false,
        },
        // Every one of them, not up to the first hit.
        Value::Array(items) => {
            items.iter_mut().filter_map(|item| inside(item, mask).then_some(())).count() > 0
        }
        Value::Object(fields) => {
            fields.values_mut().filter_map(|field| inside(field, mask).then_some(())).count() > 0
        }
        _ => false,
    }
}

/// Makes sure that a person who is to be erased has no account here, and deletes one that belongs to no organization.
///
/// # Errors
/// [`AccountsError::StillMember`] for a member of this organization; when the database fails.
pub async fn forget_account(tx: &mut Tx, email: &str) -> Result<bool, AccountsError> {
    let email = fields::email_to_look_for(email);
    if store::is_member(tx, &email).await? {
        return Err(AccountsError::StillMember);
    }
    store::forget_account(tx, &email).await
}

/// Erases the organization of the scope with everything that hangs on it. `name` is what the owner typed. People
/// who belong to no other organization go with it; what stays is its id, the time and counts. Says the counts.
///
/// # Errors
/// [`AccountsError::Forbidden`] below owner; [`AccountsError::Invalid`] naming `name` when it is not the organization's;
/// when the database fails.
pub async fn erase_organization(
    db: &Db,
    scope: &Scope,
    name: &str,
    ambient: &dyn Ambient,
) -> Result<Value, AccountsError> {
    let mut tries = 1;
    loop {
        match erase_at_once(db, scope, name, ambient).await {
            // Somebody who was writing waited for the organization, and it for what they wrote.
            Err(error) if tries < ERASE_TRIES && db::is_deadlock(&error) => tries += 1,
            result => return result,
        }
    }
}

async fn erase_at_once(
    db: &Db,
    scope: &Scope,
    name: &str,
    ambient: &dyn Ambient,
) -> Result<Value, AccountsError> {
    let mut tx = db.begin(scope).await?;
    require(scope.actor(), Permission::EraseOrganization)?;
    let known =
        organizations::find(&mut tx).await?.ok_or(AccountsError::NotFound { what: "organization" })?;
    if known.name != name.trim() {
        return Err(AccountsError::invalid("name", "must be the name of the organization, letter by letter"));
    }
    members::end_sessions(&mut tx, None).await?;
    let counts = store::erase_organization(&mut tx, ambient.now()).await?;
    let counts = counts.ok_or(AccountsError::NotFound { what: "organization" })?;
    tx.commit().await?;
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_person_is_masked_however_deep_and_the_rest_stays() {
        let mask = |text: &str| text.contains("anna").then(|| text.replace("anna", "***"));
        let mut detail = json!({ "email": "anna@x", "after": [{ "note": "for anna" }, "bob", 7, null] });
        assert!(inside(&mut detail, &mask));
        assert_eq!(detail, json!({ "email": "***@x", "after": [{ "note": "for ***" }, "bob", 7, null] }));
        assert!(!inside(&mut detail, &mask));
        let (mut hit, mut miss) = (Some("anna".to_owned()), Some("bob".to_owned()));
        assert!(masked(&mut hit, &mask) && !masked(&mut miss, &mask) && !masked(&mut None, &mask));
        assert_eq!((hit.as_deref(), miss.as_deref()), (Some("***"), Some("bob")));
    }
}
