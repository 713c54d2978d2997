//! How the Gong connection stands, read from both rooms and put into words: status, facts beside it, problems, progress.

use accounts::Permission;
use connector::{Connection, reason::BY_PERSON};
use db::{Halt, Tx};
use ingest::{BudgetView, Counts, Progress, Schedule};
use kernel::{ConnectionStatus, RunState};
use time::OffsetDateTime;

use super::view::{
    figures,
    gong::{CountsView, Panel, ProgressView},
    icon::Icon,
    moment::Moment,
    shell::{Callout, Pill, Remedy, Tone},
};
use crate::{
    AppState, Problem,
    auth::Caller,
    gong_view::{self, Known},
    messages,
};

const CONNECT: &str = "/settings/integrations/gong/connect";
const RESUME: &str = "/settings/integrations/gong/resume";
const RETRY: &str = "/settings/integrations/gong/backfill/again";
/// How long a finished backfill stays on the page.
const FINISHED_SHOWN: time::Duration = time::Duration::hours(24);

/// The newest connection of an organization and all that is known about it.
#[derive(Debug)]
pub(super) struct Standing {
    pub(super) connection: Connection,
    pub(super) schedule: Option<Schedule>,
    pub(super) progress: Option<Progress>,
    pub(super) counts: Counts,
    pub(super) budget: BudgetView,
    pub(super) poll_every: u64,
    /// An operator stopped all traffic to Gong.
    pub(super) halt: Option<Halt>,
}

impl Standing {
    /// Reads it; `None` where Gong was never connected.
    pub(super) async fn read(state: &AppState, tx: &mut Tx) -> Result<Option<Self>, Problem> {
        let Some(known) = Known::read(state, tx).await? else { return Ok(None) };
        let Known { connection, schedule, backfill, counts, budget } = known;
        let poll_every = schedule.as_ref().map_or(state.defaults.poll_every, |s| s.poll_every).as_secs();
        let halt = db::halt(tx).await?;
        Ok(Some(Self { connection, schedule, progress: backfill, counts, budget, poll_every, halt }))
    }

    /// Whether calls flow.
    pub(super) fn working(&self) -> bool {
        self.connection.status == ConnectionStatus::Connected
    }

    /// Whether history is coming in.
    pub(super) fn backfilling(&self) -> bool {
        self.progress.as_ref().is_some_and(|progress| progress.state == RunState::Running)
    }

    fn held(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.budget.held_until.filter(|until| *until > now && self.working())
    }

    /// When a backfill goes on that has used up its share of the day.
    fn share_spent(&self) -> Option<OffsetDateTime> {
        self.budget.backfill_held_until.filter(|_| self.working() && self.backfilling())
    }

    /// Scopes whose absence keeps something from working.
    fn missing(&self) -> Vec<&str> {
        let needed = self.connection.missing_scopes.iter().map(String::as_str);
        needed.filter(|scope| *scope != oauth::OPTIONAL).collect()
    }

    /// The panel that is shown and kept fresh.
    pub(super) fn panel(&self, caller: &Caller, now: OffsetDateTime) -> Panel {
        let progress = self.progress.as_ref().filter(|p| {
            p.state == RunState::Running || p.finished_at.is_some_and(|at| now - at < FINISHED_SHOWN)
        });
        let problems = self.problems(caller, now);
        Panel {
            shape: self.shape(&problems, progress, now),
            pill: pill(self.connection.status),
            facts: self.facts(now),
            problems,
            may_manage: caller.may(Permission::ManageConnection),
            may_poll: caller.may(Permission::PollNow),
            company: company(&self.connection),
            no_poll: if self.backfilling() { "the history that comes in covers it" } else { "not yet" },
            last_poll: self.schedule.as_ref().and_then(|s| s.last_poll_at).map(|at| Moment::new(at, now)),
            next_poll: self.schedule.as_ref().map(|s| Moment::new(s.next_poll_at.max(now), now)),
            poll_every: figures::interval(i64::try_from(self.poll_every).unwrap_or(0)),
            progress: progress.map(|progress| progress_view(progress, self.share_spent(), now)),
            counts: counts(&self.counts),
            working: self.working(),
        }
    }

    /// What the panel is made of, without its numbers and times.
    fn shape(&self, problems: &[Callout], progress: Option<&Progress>, now: OffsetDateTime) -> String {
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        let backfill = progress.map_or("none", |progress| progress.state.as_str());
        let known = progress.is_some_and(|progress| progress.total.is_some());
        let held = self.held(now).map_or(0, OffsetDateTime::unix_timestamp);
        let share = self.share_spent().map_or(0, OffsetDateTime::unix_timestamp);
        format!("{}|{}|{backfill}|{known}|{held}|{share}", self.connection.status, codes.join(","))
    }

    fn facts(&self, now: OffsetDateTime) -> Vec<Pill> {
        let mut facts = Vec::new();
        if self.backfilling() {
            facts.push(fact(Tone::Busy, Icon::History, "backfilling", "Backfilling".into()));
        }
        if let Some(until) = self.held(now) {
            facts.push(fact(
                Tone::Warn,
                Icon::Gauge,
                "rate_limited",
                format!("Rate limited until {}", clock(until)),
            ));
        }
        if let Some(until) = self.share_spent().filter(|_| self.held(now).is_none()) {
            let label = format!("History continues at {}", clock(until));
            facts.push(fact(Tone::Warn, Icon::Gauge, "backfill_share_spent", label));
        }
        if !self.missing().is_empty() {
            facts.push(fact(Tone::Warn, Icon::Warning, "missing_scope", "Missing scope".into()));
        }
        facts
    }

    fn problems(&self, caller: &Caller, now: OffsetDateTime) -> Vec<Callout> {
        let manage = caller.may(Permission::ManageConnection);
        let mut problems: Vec<Callout> = self.status_problem(manage, now).into_iter().collect();
        if self.connection.status == ConnectionStatus::Disconnected {
            return problems;
        }
        let missing = self.missing();
        if !missing.is_empty() && self.connection.status != ConnectionStatus::ReconnectRequired {
            let mut callout = explained("missing_scope", Tone::Warn, reconnect(manage));
            let word = if missing.len() == 1 { "Gong did not grant" } else { "Gong did not grant these:" };
            callout.title = format!("{word} {}", missing.join(", "));
            problems.push(callout);
        }
        if self.held(now).is_some() {
            let code = self.budget.held_reason.as_deref().unwrap_or("rate_limited");
            problems.push(explained(code, Tone::Calm, None));
        }
        let shown: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        let last = self.connection.last_error.as_ref().map(|error| error.code.as_str());
        if let Some(code) =
            last.filter(|code| self.working() && !shown.contains(code) && !is_about_scope(code))
        {
            let mut callout = explained(code, Tone::Warn, None);
            callout.cause.push_str(&self.outage(now));
            problems.push(callout);
        }
        if self.working() && self.schedule.as_ref().is_some_and(|s| s.doubted_since.is_some()) {
            problems.push(explained("calls_not_visible", Tone::Warn, None));
        }
        if let Some(halt) = &self.halt {
            let mut callout = explained("gong_held_halted", Tone::Warn, None);
            let since = Moment::new(halt.stopped_at, now);
            callout.cause = format!("{} Since {}, because: {}", callout.cause, since.short(), halt.reason);
            problems.push(callout);
        }
        problems.extend(self.backfill_problem(manage));
        problems
    }

    /// Since when a Gong that does not answer has not, and when it is asked again.
    fn outage(&self, now: OffsetDateTime) -> String {
        let error = self.connection.last_error.as_ref().filter(|error| error.code == "gong_unavailable");
        let Some((error, next)) = error.and_then(|error| Some((error, error.next_try_at?))) else {
            return String::new();
        };
        format!(" Not answering since {}; the next try is at {}.", clock(error.at), clock(next.max(now)))
    }

    fn status_problem(&self, manage: bool, now: OffsetDateTime) -> Option<Callout> {
        let reason = self.connection.reason.as_deref();
        match self.connection.status {
            ConnectionStatus::ReconnectRequired => {
                Some(explained(reason.unwrap_or("reconnect_required"), Tone::Bad, reconnect(manage)))
            }
            ConnectionStatus::Paused => {
                let tone = if reason == Some(BY_PERSON) { Tone::Calm } else { Tone::Warn };
                let resume = manage.then_some(Remedy { label: "Resume", href: RESUME, post: true });
                let mut callout = explained(reason.unwrap_or(BY_PERSON), tone, resume);
                if let Some(until) = self.connection.paused_until {
                    let moment = Moment::new(until, now);
                    callout.cause = format!("{} It goes on by itself at {}.", callout.cause, moment.short());
                }
                Some(callout)
            }
            ConnectionStatus::Connecting | ConnectionStatus::Connected | ConnectionStatus::Disconnected => {
                None
            }
        }
    }

    fn backfill_problem(&self, manage: bool) -> Option<Callout> {
        let progress = self.progress.as_ref().filter(|progress| progress.state == RunState::Failed)?;
        let again = manage.then_some(Remedy { label: "Try again", href: RETRY, post: true });
        let mut callout = explained(progress.error_code.as_deref().unwrap_or("other"), Tone::Warn, again);
        callout.title = format!("Bringing in history ended early: {}", lower(&callout.title));
        Some(callout)
    }
}

fn lower(text: &str) -> String {
    // "Gong" stays a name.
    if text.starts_with("Gong") {
        return text.to_owned();
    }
    let mut chars = text.chars();
    chars.next().map(|c| c.to_lowercase().to_string()).unwrap_or_default() + chars.as_str()
}

fn is_about_scope(code: &str) -> bool {
    matches!(code, "missing_scope" | "gong_missing_scope" | "rate_limited" | "gong_rate_limited")
}

fn reconnect(manage: bool) -> Option<Remedy> {
    manage.then_some(Remedy { label: "Reconnect Gong", href: CONNECT, post: true })
}

/// A code as a callout; with a remedy of the page's own where there is one.
fn explained(code: &str, tone: Tone, remedy: Option<Remedy>) -> Callout {
    let Some(message) = messages::explain(code).or_else(|| messages::explain("other")) else {
        return Callout {
            tone,
            code: "other",
            title: "Something is not right".into(),
            cause: "Soundpost tries again by itself.".into(),
            who: None,
            remedy,
        };
    };
    let own = Remedy { label: message.action_label, href: message.action_href, post: false };
    // A button that leads to the page it stands on would do nothing.
    let useful = message.action_href != "/settings/integrations/gong";
    let log = Remedy { label: "See what happened", href: "#runs-title", post: false };
    Callout {
        tone,
        code: message.code,
        title: message.title.into(),
        cause: message.cause.into(),
        who: Some(message.who.words().into()),
        remedy: remedy.or(Some(if useful { own } else { log })),
    }
}

fn fact(tone: Tone, icon: Icon, word: &'static str, label: String) -> Pill {
    Pill { tone, icon, word, label }
}

/// The status, in the same word as everywhere.
pub(super) fn pill(status: ConnectionStatus) -> Pill {
    let (tone, icon, label) = match status {
        ConnectionStatus::Connecting => (Tone::Busy, Icon::Sync, "Connecting"),
        ConnectionStatus::Connected => (Tone::Good, Icon::CheckCircle, "Connected"),
        ConnectionStatus::ReconnectRequired => (Tone::Bad, Icon::Warning, "Reconnect required"),
        ConnectionStatus::Paused => (Tone::Warn, Icon::Pause, "Paused"),
        ConnectionStatus::Disconnected => (Tone::Calm, Icon::Off, "Disconnected"),
    };
    fact(tone, icon, status.as_str(), label.into())
}

/// The names of the company's workspaces, or its host while they are not known.
pub(super) fn company(connection: &Connection) -> String {
    let names = gong_view::workspace_names(connection);
    match names.len() {
        0 => gong_view::host(connection).to_owned(),
        1..=3 => names.join(", "),
        more => format!("{}, {} and {} more", names[0], names[1], more - 2),
    }
}

fn clock(at: OffsetDateTime) -> String {
    let at = at.to_offset(time::UtcOffset::UTC);
    format!("{:02}:{:02} UTC", at.hour(), at.minute())
}

fn counts(counts: &Counts) -> CountsView {
    CountsView {
        calls: figures::count(counts.calls()),
        stored: figures::count(counts.stored),
        waiting: figures::count(counts.wanted + counts.waiting),
        gave_up: figures::count(counts.gave_up),
        private: figures::count(counts.private),
    }
}

fn progress_view(
    progress: &Progress,
    share_spent: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> ProgressView {
    let days = figures::of(progress.days, "day", "days");
    let running = progress.state == RunState::Running;
    let title = match progress.state {
        RunState::Running => format!("Bringing in {days} of history"),
        RunState::Done => format!("{days} of history are here"),
        RunState::Cancelled => format!("Bringing in {days} of history was stopped"),
        RunState::Failed => format!("Bringing in {days} of history ended early"),
    };
    let remaining = match (progress.state, progress.eta_seconds, progress.total) {
        (RunState::Done, ..) => "done".into(),
        (RunState::Cancelled | RunState::Failed, ..) => "what came in stays".into(),
        _ if let Some(until) = share_spent => {
            format!("its share of today's requests is spent; it continues at {}", clock(until))
        }
        (_, Some(eta), _) => format!("{} left", figures::about(eta)),
        (_, None, None) => "asking Gong how many calls there are".into(),
        (_, None, Some(_)) => "under way".into(),
    };
    ProgressView {
        state: progress.state.as_str(),
        title,
        running,
        value: format!("{:.1}", progress.percent.clamp(0.0, 100.0)),
        percent: figures::percent(progress.percent),
        from: Moment::new(progress.from, now),
        to: Moment::new(progress.to, now),
        listed: figures::count(progress.listed),
        total: progress.total.map(figures::count),
        transcripts: figures::count(progress.transcripts_stored),
        transcripts_open: figures::count(progress.transcripts_open),
        private: figures::count(progress.skipped_private),
        rate: progress.rate_per_second.map_or_else(|| "–".into(), figures::per_second),
        remaining,
        requests: figures::count(progress.requests_used),
        started: Moment::new(progress.started_at, now),
        finished: progress.finished_at.map(|at| Moment::new(at, now)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_status_has_its_own_word_and_icon() {
        let mut icons = Vec::new();
        for status in ConnectionStatus::ALL {
            let pill = pill(*status);
            assert_eq!(pill.word, status.as_str());
            assert_eq!(pill.label.to_lowercase().replace(' ', "_"), status.as_str());
            assert!(!icons.contains(&pill.icon));
            icons.push(pill.icon);
        }
    }

    #[test]
    fn a_code_always_becomes_a_callout_with_one_button_that_leads_somewhere_else() {
        for message in messages::all() {
            let callout = explained(message.code, Tone::Warn, None);
            let remedy = callout.remedy.unwrap();
            assert_ne!(remedy.href, "/settings/integrations/gong", "{}", message.code);
        }
        assert_eq!(explained("never_heard_of", Tone::Bad, None).code, "other");
    }
}
