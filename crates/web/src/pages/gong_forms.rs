//! The forms of the Gong page: what a browser sent becomes a typed wish or words beside a field.

use connector::AccessKey;
use ingest::{Schedule, ScheduleChange};
use kernel::Lookback;

use super::{
    view::{
        figures,
        gong::{Choice, Conflict, Estimate, HistoryChoice, KeyForm, SettingsForm},
        moment::Moment,
    },
    visit::Fields,
};
use crate::{Problem, access_key, sentence::sentence};

/// The history that is offered first.
pub(super) const OFFERED: i64 = 30;
const DAYS: &str = "Choose a whole number of days from 1 to 60.";

/// The days that were typed.
pub(super) fn days(text: &str) -> Result<Lookback, &'static str> {
    text.trim().parse::<i64>().ok().and_then(|days| Lookback::days(days).ok()).ok_or(DAYS)
}

/// The choice of history on the connect form. The reconnect button sends none: no history.
pub(super) fn history(fields: &Fields) -> Result<Option<Lookback>, &'static str> {
    match fields.get("history") {
        "on" => days(fields.get("history_days")).map(Some),
        _ => Ok(None),
    }
}

/// The choice of history on the access key form: 0 or nothing means none.
pub(super) fn key_history(fields: &Fields) -> Result<Option<Lookback>, &'static str> {
    match fields.get("history_days").trim() {
        "" | "0" => Ok(None),
        text => days(text).map(Some),
    }
}

/// The choice of history as it is shown, with what was typed.
pub(super) fn history_choice(
    on: bool,
    days: String,
    error: Option<&str>,
    estimate: Estimate,
) -> HistoryChoice {
    HistoryChoice { on, days, error: error.map(Into::into), estimate }
}

/// What is known about the cost.
pub(super) fn estimate(known: &ingest::Estimate) -> Estimate {
    let per_1000 = format!(
        "Each 1,000 calls take about {}, {} at the present pace.",
        figures::of(known.per_1000_calls_requests, "request", "requests"),
        figures::about(known.per_1000_calls_seconds)
    );
    let mut lines = vec![
        "How many calls there are, Gong says with its first answer; then the page shows how long it takes."
            .into(),
        per_1000,
        format!(
            "{} for history are left in these 24 hours.",
            figures::of(known.budget_left_today, "request", "requests")
        ),
    ];
    if let Some(calls) = known.calls_known.filter(|calls| *calls > 0) {
        lines.push(format!(
            "{} here already; their transcripts are not fetched again.",
            figures::of(calls, "call is", "calls are")
        ));
    }
    Estimate { days: known.days, lines, error: None }
}

/// Instead of an estimate, when the number is not one.
pub(super) fn no_estimate() -> Estimate {
    Estimate { days: 0, lines: Vec::new(), error: Some(DAYS) }
}

/// The access key that was typed, and the form with what is plainly wrong with it.
pub(super) fn access_key(fields: &Fields) -> (Option<AccessKey>, KeyForm) {
    let text = |name| fields.get(name);
    let read = access_key::read(text("access_key"), text("access_key_secret"), text("api_base_url"));
    let mut form = KeyForm {
        open: true,
        access_key: text("access_key").trim().to_owned(),
        base_url: text("api_base_url").trim().to_owned(),
        ..KeyForm::default()
    };
    for (field, fix) in read.as_ref().err().into_iter().flatten() {
        form.tell(field, sentence(fix));
    }
    (read.ok(), form)
}

impl KeyForm {
    /// What Gong or the connector said against it, beside its field.
    pub(super) fn told(mut self, problem: &Problem) -> Self {
        for error in &problem.errors {
            self.tell(&error.field, sentence(&error.message));
        }
        self
    }

    fn tell(&mut self, field: &str, words: String) {
        let place = match field {
            "access_key_secret" => &mut self.secret_error,
            "api_base_url" => &mut self.base_url_error,
            _ => &mut self.key_error,
        };
        *place = Some(words);
    }
}

const POLLS: [i64; 9] = [300, 900, 1_800, 3_600, 7_200, 14_400, 28_800, 43_200, 86_400];
const OVERLAPS: [i64; 8] = [3_600, 21_600, 43_200, 86_400, 172_800, 259_200, 604_800, 1_209_600];

/// The settings form as things are.
pub(super) fn settings(
    schedule: Option<&Schedule>,
    defaults: &ingest::Defaults,
    workspaces: &[(String, String)],
    version: String,
) -> SettingsForm {
    let seconds = |time: std::time::Duration| i64::try_from(time.as_secs()).unwrap_or(0);
    let own_poll = schedule.filter(|s| s.poll_every_own).map(|s| seconds(s.poll_every));
    let overlap = schedule.map(|s| seconds(s.overlap)).filter(|own| *own != seconds(defaults.overlap));
    let chosen = schedule.and_then(|s| s.selected_workspaces.as_deref());
    SettingsForm {
        poll_every: choices(&POLLS, own_poll, seconds(defaults.poll_every)),
        poll_error: None,
        overlap: choices(&OVERLAPS, overlap, seconds(defaults.overlap)),
        overlap_error: None,
        all_workspaces: chosen.is_none(),
        workspaces: workspaces
            .iter()
            .map(|(id, name)| Choice {
                value: id.clone(),
                label: name.clone(),
                chosen: chosen.is_none_or(|ids| ids.contains(id)),
            })
            .collect(),
        workspaces_error: None,
        version,
        conflict: None,
    }
}

fn choices(offered: &[i64], own: Option<i64>, default: i64) -> Vec<Choice> {
    let mut all: Vec<i64> = offered.to_vec();
    if let Some(own) = own.filter(|own| !all.contains(own)) {
        all.push(own);
        all.sort_unstable();
    }
    let mut list = vec![Choice {
        value: String::new(),
        label: format!("Default ({})", figures::interval(default)),
        chosen: own.is_none(),
    }];
    list.extend(all.into_iter().map(|seconds| Choice {
        value: seconds.to_string(),
        label: figures::interval(seconds),
        chosen: own == Some(seconds),
    }));
    list
}

/// The settings that were sent.
pub(super) fn change(fields: &Fields) -> Result<ScheduleChange, Problem> {
    let number = |name: &'static str| match fields.get(name).trim() {
        "" => Ok(Some(None)),
        text => text
            .parse::<i64>()
            .map(|number| Some(Some(number)))
            .map_err(|_| Problem::field(name, "must be a whole number of seconds")),
    };
    let selected_workspaces = match fields.get("workspaces") {
        "some" => Some(Some(fields.all("workspace").map(str::to_owned).collect())),
        "all" => Some(None),
        _ => None,
    };
    Ok(ScheduleChange {
        poll_every_seconds: number("poll_every_seconds")?,
        overlap_seconds: number("overlap_seconds")?,
        selected_workspaces,
    })
}

fn names(choices: &[Choice]) -> String {
    let chosen: Vec<&str> = choices.iter().filter(|c| c.chosen).map(|c| c.label.as_str()).collect();
    chosen.join(", ")
}

/// Chooses again what was sent, and notes where that is not what holds now.
fn keep(choices: &mut [Choice], sent: Option<&Option<i64>>, label: &str, differs: &mut Vec<String>) {
    let Some(sent) = sent else { return };
    let value = sent.map(|seconds| seconds.to_string()).unwrap_or_default();
    let Some(yours) = choices.iter().find(|c| c.value == value).map(|c| c.label.clone()) else { return };
    let now = choices.iter().find(|c| c.chosen).map_or_else(String::new, |c| c.label.clone());
    if now != yours {
        differs.push(format!("{label}: now {now}, in your form {yours}"));
    }
    for choice in choices {
        choice.chosen = choice.value == value;
    }
}

impl SettingsForm {
    /// The form with what was sent, beside what somebody else made of the settings meanwhile.
    pub(super) fn kept(mut self, sent: &ScheduleChange, who: String, at: Option<Moment>) -> Self {
        let mut differs = Vec::new();
        keep(
            &mut self.poll_every,
            sent.poll_every_seconds.as_ref(),
            "Look for new calls every",
            &mut differs,
        );
        keep(&mut self.overlap, sent.overlap_seconds.as_ref(), "Look back each time over", &mut differs);
        if let Some(sent) = &sent.selected_workspaces {
            let before = (self.all_workspaces, names(&self.workspaces));
            self.all_workspaces = sent.is_none();
            for choice in &mut self.workspaces {
                choice.chosen = sent.as_ref().is_none_or(|ids| ids.contains(&choice.value));
            }
            let after = (self.all_workspaces, names(&self.workspaces));
            if before != after {
                let words = |(all, names): (bool, String)| if all { "all".to_owned() } else { names };
                differs.push(format!(
                    "Gong workspaces: now {}, in your form {}",
                    words(before),
                    words(after)
                ));
            }
        }
        self.conflict = Some(Conflict { who, at, differs });
        self
    }

    /// What was refused, beside its field.
    pub(super) fn told(mut self, problem: &Problem) -> Self {
        for error in &problem.errors {
            let words = Some(sentence(&error.message));
            match error.field.as_str() {
                "overlap_seconds" => self.overlap_error = words,
                "selected_workspaces" => {
                    self.workspaces_error = Some("Choose at least one workspace, or all of them.".into());
                }
                _ => self.poll_error = words,
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_1_to_60_days_pass_and_no_choice_means_no_history() {
        for bad in ["0", "61", "x", "-1", "", "1.5"] {
            let fields = Fields::of(&[("history", "on"), ("history_days", bad)]);
            assert_eq!(history(&fields), Err(DAYS), "{bad}");
        }
        let on = Fields::of(&[("history", "on"), ("history_days", " 60 ")]);
        assert_eq!(history(&on).unwrap().map(Lookback::get), Some(60));
        assert_eq!(history(&Fields::of(&[])), Ok(None));
        assert_eq!(key_history(&Fields::of(&[("history_days", "0")])), Ok(None));
    }

    #[test]
    fn an_interval_that_is_not_offered_is_shown_all_the_same() {
        let list = choices(&POLLS, Some(1_200), 14_400);
        assert_eq!(list[0].label, "Default (4 hours)");
        let chosen: Vec<&str> = list.iter().filter(|c| c.chosen).map(|c| &*c.label).collect();
        assert_eq!(chosen, ["20 minutes"]);
    }

    #[test]
    fn settings_are_read_as_they_were_chosen() {
        let sent = Fields::of(&[
            ("poll_every_seconds", "900"),
            ("overlap_seconds", ""),
            ("workspaces", "some"),
            ("workspace", "1"),
            ("workspace", "2"),
        ]);
        let change = change(&sent).unwrap();
        assert_eq!(change.poll_every_seconds, Some(Some(900)));
        assert_eq!(change.overlap_seconds, Some(None));
        assert_eq!(change.selected_workspaces, Some(Some(vec!["1".to_owned(), "2".to_owned()])));
        assert!(super::change(&Fields::of(&[("poll_every_seconds", "often")])).is_err());
    }

    #[test]
    fn a_key_with_spaces_or_without_an_address_is_refused_before_gong_is_asked() {
        let (key, form) = access_key(&Fields::of(&[("access_key", "A B"), ("access_key_secret", "x")]));
        assert!(form.key_error.is_some() && form.secret_error.is_none() && form.base_url_error.is_some());
        assert!(key.is_none() && form.open);
    }
}
