//! What people do with their organization as a whole. API and pages both come here. Its end is a matter of `privacy`.

use accounts::Permission;

use crate::{AppState, Problem, auth::Caller};

/// Gives the organization another name.
///
/// # Errors
/// 403 below owner; 422 naming the field.
pub(crate) async fn rename(state: &AppState, caller: &Caller, name: &str) -> Result<(), Problem> {
    caller.require(state, Permission::ManageOrganization).await?;
    let mut tx = caller.begin(state).await?;
    accounts::rename_organization(&mut tx, name, &caller.request, &*state.ambient).await?;
    tx.commit().await?;
    Ok(())
}
