//! `soundpost migrate`.

use kernel::ExposeSecret;

use crate::{
    exit::{Doing, Exit},
    logging, settings,
};

/// Brings the database to this version; a second run changes nothing.
pub(crate) async fn run() -> Result<(), Exit> {
    logging::start()?;
    let url = settings::database_url()?;
    db::migrate(url.expose_secret(), queue::setup).await.doing("migrating the database")?;
    tracing::info!("The database is at this version.");
    Ok(())
}
