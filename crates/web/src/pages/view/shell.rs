//! The frame around every page: head, navigation, theme, flash message. Knows no page's content.

use askama::Template;

use super::icon::Icon;

/// Which colours a browser asked for; `Auto` follows the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    #[default]
    Auto,
    Light,
    Dark,
}

impl Theme {
    /// All of them, in the order of the switch.
    pub(crate) const ALL: [Self; 3] = [Self::Auto, Self::Light, Self::Dark];

    /// The word in the cookie, the form and the markup.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The word on the switch.
    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Auto => "Auto",
            Self::Light => "Light",
            Self::Dark => "Dark",
        }
    }

    /// The theme of this word; unknown words follow the system.
    pub(crate) fn of(word: &str) -> Self {
        Self::ALL.into_iter().find(|theme| theme.as_str() == word).unwrap_or_default()
    }
}

/// A place in the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Here {
    Overview,
    Posts,
    Review,
    Calls,
    Integrations,
    Feedback,
    Members,
    ApiKeys,
    DeadLetters,
    Privacy,
    Activity,
    Docs,
    /// Not in the navigation.
    Elsewhere,
}

/// One link of the navigation.
pub(crate) struct Place {
    pub(crate) here: Here,
    pub(crate) href: &'static str,
    pub(crate) label: &'static str,
    pub(crate) icon: Icon,
}

const fn place(here: Here, href: &'static str, label: &'static str, icon: Icon) -> Place {
    Place { here, href, label, icon }
}

const WORK: &[Place] = &[
    place(Here::Overview, "/", "Overview", Icon::Overview),
    place(Here::Posts, "/posts", "Posts", Icon::Post),
    place(Here::Review, "/review", "Review", Icon::Inbox),
    place(Here::Calls, "/calls", "Calls", Icon::Calls),
];
const SETTINGS: &[Place] = &[place(Here::Integrations, "/settings/integrations", "Integrations", Icon::Plug)];
const ADMIN: &[Place] = &[
    place(Here::Integrations, "/settings/integrations", "Integrations", Icon::Plug),
    place(Here::Feedback, "/settings/feedback", "Feedback", Icon::Sliders),
    place(Here::Members, "/settings/members", "Members", Icon::People),
    place(Here::ApiKeys, "/settings/api-keys", "API keys", Icon::Key),
    place(Here::DeadLetters, "/settings/dead-letters", "Given-up work", Icon::Warning),
    place(Here::Privacy, "/settings/privacy", "Privacy", Icon::Shield),
    place(Here::Activity, "/activity", "Activity", Icon::Activity),
];
const HELP: &[Place] = &[place(Here::Docs, "/docs", "Docs", Icon::Book)];

/// The person whom the page is for.
#[derive(Debug, Clone)]
pub(crate) struct Who {
    pub(crate) email: String,
    pub(crate) organization: String,
    pub(crate) role: &'static str,
    /// Whether the pages about access are theirs to see.
    pub(crate) admin: bool,
}

/// What just happened, in one sentence.
#[derive(Debug, Clone)]
pub(crate) struct Flash {
    pub(crate) good: bool,
    pub(crate) text: &'static str,
}

/// Everything around the content.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) theme: Theme,
    pub(crate) here: Here,
    /// Path and query of this page, where the theme switch leads back to.
    pub(crate) path: String,
    pub(crate) who: Option<Who>,
    pub(crate) flash: Option<Flash>,
    pub(crate) assets: Assets,
}

/// Addresses of the static files; they change with the content.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Assets {
    pub(crate) css: &'static str,
    pub(crate) htmx: &'static str,
    pub(crate) live: &'static str,
    pub(crate) favicon: &'static str,
    pub(crate) review: &'static str,
}

impl Frame {
    /// The themes of the switch, and whether each is the chosen one.
    pub(crate) fn themes(&self) -> [(Theme, bool); 3] {
        Theme::ALL.map(|theme| (theme, theme == self.theme))
    }

    /// The groups of the navigation with their headings.
    pub(crate) fn groups(&self) -> [(&'static str, &'static [Place]); 3] {
        let admin = self.who.as_ref().is_some_and(|who| who.admin);
        [("Customer calls", WORK), ("Settings", if admin { ADMIN } else { SETTINGS }), ("Help", HELP)]
    }
}

/// How a fact is coloured; a word and an icon say the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Calm,
    Good,
    Busy,
    Warn,
    Bad,
}

impl Tone {
    /// The CSS class.
    pub(crate) const fn class(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Good => "good",
            Self::Busy => "busy",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

/// A status word with its icon.
#[derive(Template, Debug, Clone)]
#[template(path = "parts/pill.html")]
pub(crate) struct Pill {
    pub(crate) tone: Tone,
    pub(crate) icon: Icon,
    /// As the API writes it.
    pub(crate) word: &'static str,
    /// As people read it.
    pub(crate) label: String,
}

/// The one thing to do about a problem.
#[derive(Debug, Clone)]
pub(crate) struct Remedy {
    pub(crate) label: &'static str,
    pub(crate) href: &'static str,
    /// Whether it changes something: a form instead of a link.
    pub(crate) post: bool,
}

/// A problem or a notice: what, why, who must act, one button.
#[derive(Template, Debug, Clone)]
#[template(path = "parts/callout.html")]
pub(crate) struct Callout {
    pub(crate) tone: Tone,
    pub(crate) code: &'static str,
    pub(crate) title: String,
    pub(crate) cause: String,
    pub(crate) who: Option<String>,
    pub(crate) remedy: Option<Remedy>,
}

impl Callout {
    /// The icon of its tone.
    pub(crate) const fn icon(&self) -> Icon {
        match self.tone {
            Tone::Good => Icon::CheckCircle,
            Tone::Warn => Icon::Warning,
            Tone::Bad => Icon::Stop,
            Tone::Calm | Tone::Busy => Icon::Info,
        }
    }
}
