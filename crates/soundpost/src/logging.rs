//! Where log lines go: JSON to standard error, one line an event, with the fields of all spans around it.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::{damper::Damper, exit::Exit, variables::Variables};

/// Starts logging. `RUST_LOG` chooses what, `SOUNDPOST_LOG_FORMAT` (`json` or `text`) how.
pub(crate) fn start() -> Result<(), Exit> {
    let mut variables = Variables::here();
    let json = variables.read(
        "SOUNDPOST_LOG_FORMAT",
        true,
        |text| match text {
            "json" => Some(true),
            "text" => Some(false),
            _ => None,
        },
        "must be json or text",
    );
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,sqlx=warn"));
    let registry = tracing_subscriber::registry().with(filter).with(Damper::new());
    let writer = std::io::stderr;
    let started = if json {
        let lines = fmt::layer().json().flatten_event(true).with_span_list(false).with_writer(writer);
        registry.with(lines).try_init()
    } else {
        let lines = fmt::layer().with_ansi(std::env::var_os("NO_COLOR").is_none()).with_writer(writer);
        registry.with(lines).try_init()
    };
    started.map_err(|error| Exit::failed("starting the log", &error))
}
