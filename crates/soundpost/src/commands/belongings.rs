//! `soundpost organizations {export,import,erase}`: everything that belongs to an organization, taken along or ended.

use std::io::{BufRead, IsTerminal, Read, Write};

use accounts::{Entry, PasswordHasher, RequestInfo, actions};
use kernel::{OrganizationId, Scope, SystemAmbient};
use serde_json::json;

use super::organizations::open;
use crate::exit::{Doing, Exit, print_line};

/// The longest line that is read: a transcript and its surroundings.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// Writes an organization to standard output.
pub(crate) async fn export(organization: OrganizationId) -> Result<(), Exit> {
    let db = open().await?;
    let scope = Scope::operator(organization);
    let mut tx = db.begin(&scope).await.doing("opening the database")?;
    accounts::organization(&mut tx).await.doing("finding the organization")?;
    let entry = Entry::new(actions::ORGANIZATION_EXPORTED, &RequestInfo::default());
    accounts::audit(&mut tx, entry, &SystemAmbient).await.doing("writing the activity")?;
    tx.commit().await.doing("writing the activity")?;
    let mut export = web::Export::new(db, scope, &SystemAmbient);
    let mut out = std::io::stdout().lock();
    loop {
        let Some(lines) = export.next().await.doing("exporting")? else { break };
        out.write_all(lines.as_bytes()).doing("writing the export")?;
    }
    out.flush().doing("writing the export")
}

/// Reads an organization from standard input.
pub(crate) async fn import(json: bool) -> Result<(), Exit> {
    if std::io::stdin().is_terminal() {
        return Err(Exit::misuse(vec!["give the export on standard input: < export.jsonl".into()]));
    }
    let db = open().await?;
    let mut import = web::Import::new(db.clone(), &PasswordHasher::new(1), &SystemAmbient)
        .await
        .doing("beginning the import")?;
    let mut input = std::io::stdin().lock();
    let mut line = String::new();
    loop {
        line.clear();
        if input.by_ref().take(LONGEST_LINE).read_line(&mut line).doing("reading the export")? == 0 {
            break;
        }
        import.line(&line).await.doing("importing")?;
    }
    let done = import.finish().doing("importing")?;
    let mut tx = db.begin(&Scope::operator(done.organization)).await.doing("opening the database")?;
    let detail = json!({ "rows": done.rows });
    let entry = Entry::new(actions::ORGANIZATION_IMPORTED, &RequestInfo::default()).detail(detail);
    accounts::audit(&mut tx, entry, &SystemAmbient).await.doing("writing the activity")?;
    tx.commit().await.doing("writing the activity")?;
    if json {
        return print_line(&json!({ "organization": done.organization, "rows": done.rows }).to_string());
    }
    print_line(&format!("organization {}", done.organization))?;
    print_line(&format!("rows         {}", done.rows))?;
    print_line(
        "Gong has to be connected again, API keys have to be made anew, and members need new passwords",
    )?;
    print_line(
        "(`soundpost users reset-password`). People that were erased there have to be erased here once more.",
    )
}

/// Erases an organization.
pub(crate) async fn erase(organization: OrganizationId, confirm: &str) -> Result<(), Exit> {
    let db = open().await?;
    let scope = Scope::operator(organization);
    let erased = accounts::erase_organization(&db, &scope, confirm, &SystemAmbient).await;
    let counts = erased.doing("erasing the organization")?;
    print_line(&json!({ "erased": organization, "counts": counts }).to_string())
}
