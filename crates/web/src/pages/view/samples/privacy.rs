//! Privacy.

use time::Duration;

use super::{
    super::{privacy::*, shell::Here},
    HOSTILE, Page, ago, frame, out,
};

pub(super) fn pages() -> Vec<Page> {
    let row = |done: bool| ErasureRow {
        id: format!("ers_{}", if done { 1 } else { 2 }),
        kind: "E-mail address",
        fingerprint: "0af3b1c29d44".into(),
        asked: ago(Duration::hours(2)),
        by: HOSTILE.into(),
        done: done.then(|| ago(Duration::hours(1))),
        percent: if done { 100 } else { 40 },
        removed: "7 calls changed, 120 sentences removed, 31 mentions masked, 2 records masked".into(),
    };
    let page = |vanished: bool, refused: bool| PrivacyPage {
        frame: frame(Here::Privacy),
        vanished: vanished.then(|| Vanished {
            missing: "214 calls".into(),
            expected: "640 calls".into(),
            since: ago(Duration::minutes(40)),
        }),
        retention_days: if refused { HOSTILE.into() } else { "365".into() },
        by_phone: refused,
        refused: Refused {
            address: refused.then(|| "Must be a phone number.".into()),
            retention: refused.then(|| "Must be 1 to 3650.".into()),
        },
        erasures: if refused { vec![] } else { vec![row(false), row(true)] },
        newer: None,
        older: vanished.then(|| "/settings/privacy?cursor=x".into()),
        may_export: true,
        may_erase: !refused,
    };
    let erase = |error: Option<&str>| EraseOrganizationPage {
        frame: frame(Here::Privacy),
        name: HOSTILE.into(),
        error: error.map(str::to_owned),
    };
    vec![
        ("privacy", out(&page(true, false))),
        ("privacy-refused", out(&page(false, true))),
        ("erase-organization", out(&erase(Some("Must be the name of the organization.")))),
        ("erase-organization-first", out(&erase(None))),
    ]
}
