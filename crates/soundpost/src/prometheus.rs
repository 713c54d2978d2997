//! Metrics: one recorder for the process, rendered on request.

use ingest::task;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::exit::{Doing, Exit};

const SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0];

/// Starts to collect metrics; what they are is described for whoever reads the page.
pub(crate) fn start() -> Result<PrometheusHandle, Exit> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), SECONDS)
        .doing("setting up metrics")?
        .install_recorder()
        .doing("starting metrics")?;
    describe();
    describe_edges();
    Ok(handle)
}

/// Labels that an alert counts: they are there from the beginning, because the first event of a series that is born with it
/// is no increase.
const KNOWN: [(&str, &str, &[&str]); 3] = [
    (
        "soundpost_security_events_total",
        "event",
        &[
            "cross_site_request",
            "flow_unknown",
            "flow_expired",
            "flow_used",
            "flow_other_browser",
            "base_url_refused",
            "credential_misplaced",
            "credential_flood",
            "credentials_in_bulk",
        ],
    ),
    ("soundpost_token_refreshes_total", "result", &["rotated", "replayed", "postponed", "refused"]),
    ("soundpost_worker_restarts_total", "lane", &["fresh", "bulk", "upkeep"]),
];

/// The kinds of jobs, whose verdicts are counted.
const KINDS: [&str; 11] = [
    task::POLL,
    task::SWEEP,
    task::TRANSCRIPTS,
    task::BACKFILL,
    task::BACKFILL_TRANSCRIPTS,
    task::CONFIRM,
    task::RECHECK,
    task::PURGE,
    task::ERASE,
    task::RETENTION,
    jobs::REFRESH,
];

/// Says what each metric is. Counters that an alert watches begin with zero; the others come with their first event.
fn describe() {
    metrics::describe_counter!(
        "soundpost_feedback_calls_total",
        "Calls that were looked at for feedback, by how that ended."
    );
    metrics::describe_counter!("gong_api_calls_total", "Requests to Gong's API by endpoint and status.");
    metrics::describe_counter!("api_rate_limit_hits_total", "Answers of Gong that asked us to wait.");
    metrics::describe_counter!(
        "validation_failures_total",
        "Answers of Gong, or parts of them, that could not be read."
    );
    metrics::describe_gauge!("active_background_tasks", "Jobs that run in this process now.");
    metrics::describe_counter!("soundpost_http_requests_total", "Requests answered by route and status.");
    metrics::describe_histogram!("soundpost_http_request_seconds", "How long answers took by route.");
    metrics::describe_counter!("soundpost_jobs_total", "Jobs by kind and verdict.");
    metrics::describe_histogram!("soundpost_job_seconds", "How long jobs took by kind.");
    metrics::describe_gauge!("soundpost_connections", "Connections by status.");
    metrics::describe_counter!(
        "soundpost_calls_skipped_private_total",
        "Calls left out because they are not known to be public."
    );
    metrics::describe_counter!("soundpost_transcripts_stored_total", "Transcripts stored.");
    metrics::describe_counter!("soundpost_token_refreshes_total", "Token refreshes by result.");
    metrics::describe_counter!(
        "soundpost_worker_restarts_total",
        "Workers that broke and were replaced, by lane."
    );
    metrics::describe_counter!(
        "soundpost_security_events_total",
        "Events that point at an attack or at tampering."
    );
    metrics::describe_gauge!(
        "soundpost_oldest_due_poll_seconds",
        "How long the most overdue poll has been due."
    );
    metrics::describe_gauge!(
        "soundpost_worker_heartbeat_age_seconds",
        "How long ago any worker gave a sign of life."
    );
    metrics::describe_gauge!("soundpost_last_success_age_seconds", "How long ago any job ended well.");
    metrics::describe_gauge!("soundpost_jobs_due", "Jobs that are due and wait for a worker.");
    metrics::describe_gauge!("soundpost_dead_letters", "Jobs that were given up and that nobody has closed.");
    metrics::describe_gauge!(
        "soundpost_gong_stopped",
        "1 while an operator has stopped all traffic to Gong."
    );
    metrics::describe_gauge!(
        "soundpost_circuit_state",
        "The worst circuit of a kind: 0 closed, 1 half open, 2 open."
    );
    metrics::describe_histogram!("soundpost_poll_lateness_seconds", "How late polls were sent.");
    for name in [
        "api_rate_limit_hits_total",
        "validation_failures_total",
        "soundpost_calls_skipped_private_total",
        "soundpost_transcripts_stored_total",
    ] {
        metrics::counter!(name).absolute(0);
    }
    for (name, label, values) in KNOWN {
        for &value in values {
            metrics::counter!(name, label => value).absolute(0);
        }
    }
    for kind in KINDS {
        metrics::counter!("soundpost_jobs_total", "kind" => kind, "verdict" => "dead").absolute(0);
    }
    metrics::gauge!("active_background_tasks").set(0.0);
    for target in ["gong_api", "gong_token", "database"] {
        metrics::gauge!("soundpost_circuit_state", "target" => target).set(0.0);
    }
}

/// What happens at our edges: to Gong, and to browsers.
fn describe_edges() {
    metrics::describe_histogram!(
        "soundpost_gong_request_seconds",
        "How long Gong took to begin its answer, by endpoint."
    );
    metrics::describe_counter!(
        "soundpost_gong_connect_failures_total",
        "Connects through Gong that did not work out, by code."
    );
    metrics::describe_counter!("soundpost_http_failures_total", "Requests that failed on our side, by code.");
    metrics::describe_gauge!("soundpost_event_streams", "Open live streams.");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_05_what_an_alert_counts_is_there_before_the_first_event() {
        let recorder = PrometheusBuilder::new().build_recorder();
        let page = recorder.handle();
        metrics::with_local_recorder(&recorder, describe);
        let page = page.render();
        for line in [
            r#"soundpost_security_events_total{event="flow_other_browser"} 0"#,
            r#"soundpost_jobs_total{kind="poll",verdict="dead"} 0"#,
            r#"soundpost_jobs_total{kind="refresh",verdict="dead"} 0"#,
            r#"soundpost_token_refreshes_total{result="refused"} 0"#,
            r#"soundpost_worker_restarts_total{lane="bulk"} 0"#,
        ] {
            assert!(page.lines().any(|l| l == line), "{line} is missing in\n{page}");
        }
    }
}
