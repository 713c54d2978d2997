//! Builds the rooms and doors out of the settings.

use std::sync::Arc;

use connector::{Connector, Escrow, Parts};
use db::Db;
use kernel::{ExposeSecret, SharedAmbient, SystemAmbient};

use crate::{
    exit::{Doing, Exit},
    settings::{CALLBACK_PATH, Settings},
};

/// Direct connections of a process whose transactions go through a pooler: to settle jobs and to ask for health.
const BESIDE_POOLER: u32 = 4;

/// What both `serve` and `work` are made of.
#[derive(Debug)]
pub(crate) struct House {
    pub(crate) db: Db,
    pub(crate) ambient: SharedAmbient,
    pub(crate) connector: Connector,
    pub(crate) gates: ingest::Gates,
}

/// Builds the rooms; does not need the database to be there yet.
pub(crate) fn house(settings: &Settings) -> Result<House, Exit> {
    let ambient: SharedAmbient = Arc::new(SystemAmbient);
    let direct = settings.pooler_url.as_ref().map_or(settings.database_connections, |_| BESIDE_POOLER);
    let db = Db::connect_lazy(settings.database_url.expose_secret(), direct).doing("reading DATABASE_URL")?;
    let db = match &settings.pooler_url {
        Some(url) => db
            .through(url.expose_secret(), settings.database_connections)
            .doing("reading SOUNDPOST_POOLER_URL")?,
        None => db,
    };
    let redirect_uri = settings.public_url.join(CALLBACK_PATH).doing("making the callback address")?;
    let oauth = oauth::Client::new(oauth::Config {
        client_id: settings.client_id.clone(),
        client_secret: settings.client_secret.clone(),
        authorize_url: settings.authorize_url.clone(),
        token_url: settings.token_url.clone(),
        redirect_uri,
        timeout: oauth::TIMEOUT,
    })
    .doing("setting up the authorization client")?;
    let http =
        gong::http(concat!("Soundpost/", env!("CARGO_PKG_VERSION"))).doing("setting up the HTTP client")?;
    let escrow = Escrow::open(&settings.escrow_dir).doing("opening SOUNDPOST_ESCROW_DIR")?;
    let connector = Connector::new(Parts {
        db: db.clone(),
        keys: settings.keys.clone(),
        oauth,
        http,
        hosts: settings.hosts.clone(),
        escrow,
        ambient: ambient.clone(),
        witness: Arc::new(jobs::Chronicle::new(ambient.clone())),
        refresh_before: settings.refresh_before,
    });
    let gates = ingest::Gates::new(db.clone(), ambient.clone(), settings.defaults.clone());
    Ok(House { db, ambient, connector, gates })
}
