//! `soundpost organizations` and `soundpost users`.

use std::io::{IsTerminal, Read};

use accounts::{NewOrganization, PasswordHasher, RequestInfo};
use db::Db;
use kernel::{ExposeSecret, Scope, SecretString, SystemAmbient};
use serde_json::json;

use super::belongings;
use crate::{
    cli::{Organizations, Users},
    exit::{Doing, Exit, print_line},
    settings,
};

/// `soundpost organizations ...`
pub(crate) async fn organizations(command: Organizations) -> Result<(), Exit> {
    let (name, owner_email, password, json) = match command {
        Organizations::Create { name, owner_email, password, json } => (name, owner_email, password, json),
        Organizations::Export { organization } => return belongings::export(organization).await,
        Organizations::Import { json } => return belongings::import(json).await,
        Organizations::Erase { organization, confirm } => {
            return belongings::erase(organization, &confirm).await;
        }
    };
    let password = if password.password_stdin { Some(read_password()?) } else { None };
    let db = open().await?;
    let new = NewOrganization { name, owner_email, password };
    let created = accounts::create_organization(&db, &PasswordHasher::new(1), new, &SystemAmbient)
        .await
        .doing("creating the organization")?;
    let initial = created.initial_password.as_ref().map(|p| p.expose_secret().to_owned());
    if json {
        let line = json!({
            "id": created.organization, "owner": created.owner, "initial_password": initial,
        });
        return print_line(&line.to_string());
    }
    print_line(&format!("organization {}", created.organization))?;
    print_line(&format!("owner        {}", created.owner))?;
    match initial {
        Some(password) => print_line(&format!("password     {password}  (to be changed at the first login)")),
        None => Ok(()),
    }
}

/// `soundpost users ...`
pub(crate) async fn users(command: Users) -> Result<(), Exit> {
    let (organization, email, role, json) = match command {
        Users::Add { organization, email, role, json } => (organization, email, role, json),
        Users::ResetPassword { email, json } => return reset_password(&email, json).await,
    };
    let db = open().await?;
    let scope = Scope::operator(organization);
    let added = accounts::add_member(
        &db,
        &PasswordHasher::new(1),
        &scope,
        (&email, role),
        &RequestInfo::default(),
        &SystemAmbient,
    )
    .await
    .doing("adding the member")?;
    let initial = added.initial_password.as_ref().map(|p| p.expose_secret().to_owned());
    if json {
        return print_line(&json!({ "user": added.user, "initial_password": initial }).to_string());
    }
    print_line(&format!("user     {}", added.user))?;
    match initial {
        Some(password) => print_line(&format!("password {password}  (to be changed at the first login)")),
        None => print_line("The person keeps the password that she or he has."),
    }
}

async fn reset_password(email: &str, json: bool) -> Result<(), Exit> {
    let db = open().await?;
    let password = accounts::reset_password(&db, &PasswordHasher::new(1), email, &SystemAmbient)
        .await
        .doing("giving the person a new password")?;
    let password = password.expose_secret();
    if json {
        return print_line(&json!({ "initial_password": password }).to_string());
    }
    print_line(&format!("password {password}  (to be changed at the next login; all sessions have ended)"))
}

/// The database, for a command: two connections are enough.
pub(crate) async fn open() -> Result<Db, Exit> {
    let url = settings::database_url()?;
    Db::connect(url.expose_secret(), 2).await.doing("opening the database")
}

fn read_password() -> Result<SecretString, Exit> {
    if std::io::stdin().is_terminal() {
        return Err(Exit::misuse(vec![
            "--password-stdin reads a pipe or a file, for instance: < password.txt".into(),
        ]));
    }
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text).doing("reading the password")?;
    let first = text.lines().next().unwrap_or_default().to_owned();
    Ok(first.into())
}
