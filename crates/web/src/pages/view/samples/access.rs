//! Members, keys, activity.

use time::Duration;

use super::{
    super::{access::*, shell::Here},
    HOSTILE, Page, ago, frame,
    gong::choice,
    out,
};

pub(super) fn pages() -> Vec<Page> {
    let mut all = people();
    all.extend(programs());
    all.extend(log());
    all
}

fn people() -> Vec<Page> {
    let role = |value: &'static str, chosen| choice(value, value, chosen);
    let matrix = || {
        vec![
            RoleLine { words: "See calls, parties and transcripts", allowed: [true; 4] },
            RoleLine {
                words: "Connect Gong, change its settings, pause, resume, backfill, disconnect",
                allowed: [false, false, true, true],
            },
        ]
    };
    vec![
        (
            "members",
            out(&MembersPage {
                frame: frame(Here::Members),
                members: vec![
                    MemberRow {
                        id: "usr_1".into(),
                        email: "mara.lindqvist@northwind.example".into(),
                        role: "owner",
                        joined: ago(Duration::days(90)),
                        you: true,
                        roles: vec![],
                    },
                    MemberRow {
                        id: "usr_2".into(),
                        email: "tom.berger@northwind.example".into(),
                        role: "member",
                        joined: ago(Duration::days(9)),
                        you: false,
                        roles: vec![role("viewer", false), role("member", true), role("admin", false)],
                    },
                ],
                before: Some("/settings/members".into()),
                after: Some("/settings/members?cursor=b".into()),
                may_manage: true,
                email: "x".into(),
                email_error: Some("This is not an e-mail address.".into()),
                role_error: None,
                roles: vec![role("viewer", false), role("member", true)],
                matrix: matrix(),
            }),
        ),
        (
            "shown-once",
            out(&ShownOncePage {
                frame: frame(Here::Members),
                title: "A member was added",
                lead: "ana@northwind.example can log in now.".into(),
                label: "First password",
                secret: "maple-orbit-violin-7-harbor".into(),
                after: "It has to be changed at the first log-in.",
                back: "/settings/members",
                back_label: "I have written it down",
            }),
        ),
    ]
}

fn programs() -> Vec<Page> {
    let role = |value: &'static str, chosen| choice(value, value, chosen);
    vec![
        (
            "confirm",
            out(&ConfirmPage {
                frame: frame(Here::ApiKeys),
                title: format!("Revoke the key {HOSTILE}?"),
                lines: vec!["Programs that use it are refused from the next request.".into()],
                action: "/settings/api-keys/key_1/revoke".into(),
                button: "Revoke key",
                back: "/settings/api-keys",
            }),
        ),
        (
            "api-keys",
            out(&ApiKeysPage {
                frame: frame(Here::ApiKeys),
                newer: Some("/settings/api-keys".into()),
                older: Some("/settings/api-keys?cursor=b".into()),
                keys: vec![
                    KeyRow {
                        id: "key_1".into(),
                        name: "Warehouse loader".into(),
                        prefix: "spk_live_8FqT".into(),
                        role: "viewer",
                        made_by: "mara.lindqvist@northwind.example".into(),
                        created: ago(Duration::days(12)),
                        used: Some(ago(Duration::minutes(3))),
                        revoked: None,
                    },
                    KeyRow {
                        id: "key_2".into(),
                        name: HOSTILE.into(),
                        prefix: "spk_live_Kd01".into(),
                        role: "admin",
                        made_by: "tom".into(),
                        created: ago(Duration::days(80)),
                        used: None,
                        revoked: Some(ago(Duration::days(2))),
                    },
                ],
                may_manage: true,
                name: String::new(),
                name_error: None,
                roles: vec![role("viewer", true)],
            }),
        ),
    ]
}

fn log() -> Vec<Page> {
    vec![(
        "activity",
        out(&ActivityPage {
            frame: frame(Here::Activity),
            rows: vec![
                ActivityRow {
                    at: ago(Duration::minutes(3)),
                    actor: "mara.lindqvist@northwind.example".into(),
                    sentence: "Connected Gong".into(),
                    details: vec![("history".into(), "60 days".into())],
                    ip: Some("203.0.113.7".into()),
                    request_id: Some("0190f3a1c2".into()),
                },
                ActivityRow {
                    at: ago(Duration::hours(5)),
                    actor: "system".into(),
                    sentence: "Renewed Gong's access".into(),
                    details: vec![],
                    ip: None,
                    request_id: None,
                },
            ],
            newer: None,
            older: Some("/activity?cursor=a".into()),
        }),
    )]
}
