//! Our own line icons, drawn on a grid of 24. They decorate: words stand beside them always.

use std::fmt;

use askama::filters::HtmlSafe;

macro_rules! icons {
    ($($(#[$doc:meta])* $name:ident => $paths:literal),+ $(,)?) => {
        /// A picture of one thing; writes its own `<svg>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Icon { $($(#[$doc])* $name),+ }

        impl Icon {
            const fn paths(self) -> &'static str {
                match self { $(Self::$name => $paths),+ }
            }
        }
    };
}

icons!(
    Overview => r#"<path d="M4 19V11M10 19V5M16 19v-6M22 19H2"/>"#,
    Calls => r#"<path d="M3 12h2.5M8 7.5v9M12 4v16M16 8.5v7M19.5 12H21"/>"#,
    Plug => r#"<path d="M9 3v5M15 3v5M6.5 8h11v3.5a5.5 5.5 0 0 1-11 0zM12 17v4"/>"#,
    People => r#"<circle cx="9" cy="8" r="3.5"/><path d="M2.5 20c.6-3.7 3.2-5.5 6.5-5.5s5.9 1.8 6.5 5.5M16 4.800a3.5 3.5 0 0 1 0 6.400M18 14.900c2 .7 3.2 2.4 3.5 5.1"/>"#,
    Key => r#"<circle cx="8" cy="15" r="4.5"/><path d="M11.3 11.7 20 3M16 7l3 3"/>"#,
    Activity => r#"<path d="M5 4h14M5 9h9M5 14h14M5 19h7"/>"#,
    Book => r#"<path d="M12 6c-2-1.6-5-2-8.5-2v14.5c3.5 0 6.5.4 8.5 2 2-1.6 5-2 8.5-2V4C17 4 14 4.4 12 6zM12 6v14"/>"#,
    Post => r#"<path d="M5 4.5h14a1.500 1.500 0 0 1 1.500 1.500v9.500A1.500 1.500 0 0 1 19 17h-7.500L7 20.5V17H5a1.500 1.500 0 0 1-1.500-1.500V6A1.500 1.500 0 0 1 5 4.500zM8 9h8M8 12.500h5"/>"#,
    Inbox => r#"<path d="M4 13.500 6.500 5h11L20 13.500V19H4zM4 13.500h4.500l1.300 2.500h4.400l1.300-2.500H20"/>"#,
    Merge => r#"<path d="M6 4v4.500c0 4 6 3 6 7.500v4M18 4v4.500c0 4-6 3-6 7.500M9 17l3 3 3-3"/>"#,
    Split => r#"<path d="M12 20v-7M12 13C12 8 6 10 6 4M12 13c0-5 6-3 6-9M3.500 6.500 6 4l2.500 2.500M15.500 6.500 18 4l2.500 2.500"/>"#,
    Menu => r#"<path d="M4 7h16M4 12h16M4 17h16"/>"#,
    Close => r#"<path d="m6 6 12 12M18 6 6 18"/>"#,
    Check => r#"<path d="m5 12.5 4.5 4.5L19 7.5"/>"#,
    CheckCircle => r#"<circle cx="12" cy="12" r="9"/><path d="m8 12.4 2.8 2.700L16 9.7"/>"#,
    Warning => r#"<path d="M12 3.5 2.5 20h19zM12 10v4.5M12 17.200v.1"/>"#,
    Stop => r#"<path d="M8.3 3h7.400L21 8.300v7.400L15.7 21H8.300L3 15.700V8.300zM12 7.5v5.5M12 16.300v.1"/>"#,
    Info => r#"<circle cx="12" cy="12" r="9"/><path d="M12 11v5.5M12 7.600v.1"/>"#,
    Pause => r#"<circle cx="12" cy="12" r="9"/><path d="M10 8.5v7M14 8.5v7"/>"#,
    Off => r#"<path d="M12 3v8M6.5 6.5a8 8 0 1 0 11 0"/>"#,
    Sync => r#"<path d="M20 12a8 8 0 0 1-14.3 4.900L4 15M4 12a8 8 0 0 1 14.3-4.900L20 9M20 4v5h-5M4 20v-5h5"/>"#,
    Clock => r#"<circle cx="12" cy="12" r="9"/><path d="M12 7v5.200l3.3 2"/>"#,
    Lock => r#"<rect x="5" y="11" width="14" height="9.5" rx="2"/><path d="M8 11V8a4 4 0 0 1 8 0v3"/>"#,
    Eye => r#"<path d="M2.5 12C4.7 8 8 6 12 6s7.3 2 9.5 6c-2.2 4-5.5 6-9.5 6s-7.3-2-9.5-6z"/><circle cx="12" cy="12" r="2.8"/>"#,
    Shield => r#"<path d="M12 3 4.5 6v5.5c0 4.6 3 7.8 7.5 9.5 4.5-1.7 7.5-4.9 7.5-9.5V6z"/><path d="m8.8 12 2.3 2.3 4.2-4.3"/>"#,
    Out => r#"<path d="M14 4h6v6M20 4l-9 9M18 14v5a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V7a1 1 0 0 1 1-1h5"/>"#,
    Search => r#"<circle cx="10.5" cy="10.5" r="6.5"/><path d="m15.5 15.5 5 5"/>"#,
    Back => r#"<path d="M19 12H5M11 6l-6 6 6 6"/>"#,
    Next => r#"<path d="M5 12h14M13 6l6 6-6 6"/>"#,
    Copy => r#"<rect x="8.5" y="8.5" width="12" height="12" rx="2"/><path d="M15.5 8.5V5.5a2 2 0 0 0-2-2h-8a2 2 0 0 0-2 2v8a2 2 0 0 0 2 2h3"/>"#,
    History => r#"<path d="M4 5v5h5M4.6 10A8 8 0 1 1 4 12.5M12 8v4.5l3 1.8"/>"#,
    Gauge => r#"<path d="M4 18a9 9 0 1 1 16 0M12 14l4-5M12 14.5v.1"/>"#,
    Sliders => r#"<path d="M4 7h9M17 7h3M4 17h3M11 17h9"/><circle cx="15" cy="7" r="2.2"/><circle cx="9" cy="17" r="2.2"/>"#,
    Plus => r#"<path d="M12 5v14M5 12h14"/>"#,
    Text => r#"<path d="M5 5.5h14M5 10h14M5 14.5h9M5 19h6"/>"#,
);

impl Icon {
    fn write(self, f: &mut fmt::Formatter<'_>, class: &str) -> fmt::Result {
        let paths = self.paths();
        write!(
            f,
            r#"<svg class="{class}" viewBox="0 0 24 24" aria-hidden="true" focusable="false">{paths}</svg>"#
        )
    }
}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "icon")
    }
}

impl HtmlSafe for Icon {}
