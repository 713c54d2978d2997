//! `soundpost keys`: making, rotating and counting sealing keys.

use connector::fleet;
use kernel::ExposeSecret;
use serde_json::json;
use vault::KeyRing;

use super::organizations::open;
use crate::{
    assemble,
    cli::Keys,
    exit::{Doing, Exit, print_line},
    logging, settings,
};

/// `soundpost keys ...`
pub(crate) async fn run(command: Keys) -> Result<(), Exit> {
    match command {
        Keys::Generate => print_line(KeyRing::generate_key().expose_secret()),
        Keys::Rotate => rotate().await,
        Keys::Status { json } => status(json).await,
    }
}

/// Re-seals everything with the first key. Interrupted, it goes on where it was when it is started again.
async fn rotate() -> Result<(), Exit> {
    logging::start()?;
    let settings = settings::read()?;
    let house = assemble::house(&settings)?;
    let done = connector::reseal(&house.connector).await.doing("re-sealing")?;
    print_line(&format!("{} credentials re-sealed with key {}", done.done, settings.keys.sealing_key_id()))?;
    if done.failed > 0 {
        print_line(&format!("{} credentials could not be opened with any configured key", done.failed))?;
        return Err(Exit::faults());
    }
    print_line(
        "Keys that seal nothing any more (`soundpost keys status`) can be removed from SOUNDPOST_KEYS.",
    )
}

async fn status(json: bool) -> Result<(), Exit> {
    let ring = settings::keys()?;
    let db = open().await?;
    let mut fleet = db.fleet().await.doing("opening the database")?;
    let used = fleet::credentials_per_key(&mut fleet).await.doing("counting credentials")?;
    let configured: Vec<&str> = ring.key_ids().collect();
    let count = |id: &str| used.iter().find(|(key, _)| key == id).map_or(0, |(_, count)| *count);
    let unknown: Vec<&(String, i64)> =
        used.iter().filter(|(key, _)| !configured.contains(&key.as_str())).collect();
    if json {
        let keys: Vec<_> = configured
            .iter()
            .enumerate()
            .map(|(n, id)| json!({ "key_id": id, "seals": n == 0, "credentials": count(id), "configured": true }))
            .chain(unknown.iter().map(|(id, n)| json!({ "key_id": id, "seals": false, "credentials": n, "configured": false })))
            .collect();
        print_line(&json!({ "keys": keys }).to_string())?;
    } else {
        for (n, id) in configured.iter().enumerate() {
            print_line(&format!(
                "{id}  {:>8} credentials{}",
                count(id),
                if n == 0 { "  (seals)" } else { "" }
            ))?;
        }
        for (id, credentials) in &unknown {
            print_line(&format!(
                "{id}  {credentials:>8} credentials  NOT CONFIGURED: add this key to SOUNDPOST_KEYS"
            ))?;
        }
    }
    if unknown.is_empty() { Ok(()) } else { Err(Exit::faults()) }
}
