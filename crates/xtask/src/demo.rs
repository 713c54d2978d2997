//! `cargo xtask demo`: a stranger's first look. Builds the programs, gives them a private PostgreSQL and a simulated
//! Gong, connects the two through the real OAuth pages, and shows the history coming in and becoming posts.
//! Speaks to our programs only as the outside does: commands, environment, HTTP.

pub(crate) mod feedback;
mod keep;
mod language;
mod programs;
mod progress;
mod summary;
pub(crate) mod visitor;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::args::Arguments;
use crate::fault::{Doing, Fault};
use crate::postgres::Postgres;
use crate::workspace::Workspace;
use crate::{model, run, stop};
use keep::Keep;
use language::LanguageServer;
use programs::{App, Minds, Simulator};
pub(crate) use programs::{generate_key, tail};
use visitor::Visitor;

/// What the person asked for.
pub(crate) struct Options {
    exit: bool,
    /// `None` takes what the demo of this checkout has, or 400.
    calls: Option<u32>,
    conversations: Option<PathBuf>,
    no_limit: bool,
    model_sim: bool,
    release: bool,
    port: Option<u16>,
    fresh: bool,
}

impl Options {
    fn read(mut arguments: Arguments) -> Result<Self, Fault> {
        let conversations: Option<PathBuf> = arguments.value("--conversations")?;
        let conversations = conversations
            .map(|file| file.canonicalize().doing(format!("looking for {}", file.display())))
            .transpose()?;
        let options = Self {
            exit: arguments.flag("--exit"),
            calls: arguments.value("--calls")?,
            conversations,
            no_limit: arguments.flag("--no-limit"),
            model_sim: arguments.flag("--model-sim"),
            release: arguments.flag("--release"),
            port: arguments.value("--port")?,
            fresh: arguments.flag("--fresh"),
        };
        arguments.end()?;
        Ok(options)
    }
}

/// Runs the demo until Ctrl-C, or with `--exit` until the history is in.
pub(crate) fn command(arguments: Arguments) -> Result<bool, Fault> {
    let options = Options::read(arguments)?;
    let workspace = Workspace::read()?;
    let keep = Keep::open(&workspace.root, &options)?;

    say("building soundpost and the simulators (the first time takes some minutes)");
    let mut build = run::cargo(&workspace.root);
    build.args(["build", "--workspace", "--bins"]);
    if options.release {
        build.arg("--release");
    }
    run::must(&mut build)?;
    let folder = workspace.programs(options.release);

    let database = Database::start(&workspace, &keep)?;
    let simulator = Simulator::start(&folder, &keep, &options)?;
    let model = model::ensure(&workspace)
        .inspect_err(|fault| say(&format!("no posts are made of the calls this time: {fault}")))
        .ok();
    // The local model chooses what a language model reads: without it, there is nothing to be asked.
    let language = (keep.has_language_model() && model.is_some())
        .then(|| LanguageServer::start(&folder, &keep))
        .transpose()?;
    let minds = Minds { local: model.as_deref(), language: language.as_ref() };
    let mut app = App::new(&folder, &keep, &simulator, (&database.url, &minds), &options)?;
    app.prepare(&keep)?;
    app.serve(&keep)?;
    say(&format!("soundpost is up: {}", app.url));

    let mut visitor = Visitor::log_in(&app.url, keep::OWNER, &keep.password()?)?;
    let start = Instant::now();
    feedback::board(&mut visitor)?;
    if language.is_some() {
        language::choose(&mut visitor)?;
    }
    let news = visitor.connect()?;
    let outcome = progress::watch(&mut visitor, &mut app)?;
    let complete = summary::print(&mut visitor, &simulator, &outcome, news.then(|| start.elapsed()))?;
    let made = model.is_none() || feedback::watch(&mut visitor, &mut app, language.as_ref())?;
    println!("\n  open      {0}/posts and {0}/settings/integrations/gong", app.url);
    println!("  e-mail    {}\n  password  {}", keep::OWNER, keep.password()?);
    println!(
        "  settings  {} (to run soundpost's other commands: `set -a; . FILE`)",
        keep.environment_file().display()
    );
    println!("  logs      {}", keep.folder().display());
    if options.exit {
        return Ok(complete && made);
    }
    println!("\nUp until Ctrl-C.");
    wait(&mut app, simulator, language)?;
    say("stopping");
    Ok(true)
}

fn wait(app: &mut App, mut simulator: Simulator, mut language: Option<LanguageServer>) -> Result<(), Fault> {
    while !stop::asked() {
        stop::sleep(Duration::from_secs(1));
        app.check()?;
        simulator.check()?;
        language.as_mut().map_or(Ok(()), LanguageServer::check)?;
    }
    Ok(())
}

/// One line about what happens now.
fn say(sentence: &str) {
    println!("· {sentence}");
}

/// The database of `DATABASE_URL`, or a private server.
struct Database {
    url: String,
    _private: Option<Postgres>,
}

impl Database {
    fn start(workspace: &Workspace, keep: &Keep) -> Result<Self, Fault> {
        if let Some(url) = std::env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) {
            say("using the PostgreSQL of DATABASE_URL");
            return Ok(Self { url, _private: None });
        }
        say("starting a private PostgreSQL (DATABASE_URL is not set)");
        let postgres = Postgres::for_demo(&workspace.root, keep.folder())?;
        say(&format!("{} is up", postgres.description));
        Ok(Self { url: postgres.url.clone(), _private: Some(postgres) })
    }
}
