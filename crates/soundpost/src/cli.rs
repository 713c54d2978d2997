//! The command line. Secrets never come as arguments: they are read from the environment, files or standard input.

use clap::{Args, Parser, Subcommand};

/// Connects Gong workspaces of many organizations and keeps their calls flowing.
#[derive(Debug, Parser)]
#[command(name = "soundpost", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve HTTP and work on jobs.
    Serve {
        /// Serve HTTP only; `soundpost work` runs elsewhere.
        #[arg(long)]
        no_workers: bool,
    },
    /// Work on jobs only.
    Work,
    /// Bring the database to this version.
    Migrate,
    /// Check configuration and surroundings, and say what to do.
    Doctor {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Ask the process beside us whether it lives, for health checks of containers: exit code 0 or 1.
    Probe {
        /// Ask at SOUNDPOST_METRICS_LISTEN, where `soundpost work` answers, instead of SOUNDPOST_LISTEN.
        #[arg(long)]
        metrics: bool,
        /// Ask whether it is ready for requests, not only whether it lives.
        #[arg(long, conflicts_with = "metrics")]
        ready: bool,
    },
    /// Organizations.
    #[command(subcommand)]
    Organizations(Organizations),
    /// People.
    #[command(subcommand)]
    Users(Users),
    /// Sealing keys.
    #[command(subcommand)]
    Keys(Keys),
    /// Background jobs.
    #[command(subcommand)]
    Jobs(Jobs),
    /// All traffic to Gong, of every process.
    #[command(subcommand)]
    Gong(Traffic),
    /// Explain what happened to something.
    #[command(subcommand)]
    Explain(Explain),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Traffic {
    /// Let no request to Gong through any more, in any process, until `start`.
    Stop {
        /// Why; people see it on their pages.
        #[arg(long)]
        reason: String,
    },
    /// Let requests to Gong go on.
    Start {
        /// Why, for the log.
        #[arg(long)]
        reason: String,
    },
    /// Say whether traffic is stopped; exit code 4 when it is.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Organizations {
    /// Create an organization and its owner.
    Create {
        /// The organization's name.
        #[arg(long)]
        name: String,
        /// The owner's e-mail address; a person with this address becomes owner here too.
        #[arg(long)]
        owner_email: String,
        #[command(flatten)]
        password: Password,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Write everything that is stored of an organization to standard output, as lines of JSON without secrets.
    Export {
        /// The organization's id (org_...).
        organization: kernel::OrganizationId,
    },
    /// Read an export from standard input into an installation that does not have the organization.
    Import {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Erase an organization with everything that belongs to it. It cannot be undone.
    Erase {
        /// The organization's id (org_...).
        organization: kernel::OrganizationId,
        /// Its name, letter by letter, as a confirmation.
        #[arg(long)]
        confirm: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Give a person a new first password; all their sessions end.
    ResetPassword {
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a person a member of an organization.
    Add {
        /// The organization's id (org_...).
        #[arg(long)]
        organization: kernel::OrganizationId,
        /// The person's e-mail address.
        #[arg(long)]
        email: String,
        /// owner, admin, member or viewer.
        #[arg(long)]
        role: kernel::Role,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct Password {
    /// Read the password from the first line of standard input; without this one is made up and printed.
    #[arg(long)]
    pub(crate) password_stdin: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Print a new sealing key.
    Generate,
    /// Re-seal every credential with the first key of SOUNDPOST_KEYS, while everything goes on.
    Rotate,
    /// Say which keys are configured and how many credentials each has sealed.
    Status {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// Jobs that were given up.
    #[command(subcommand)]
    Dead(Dead),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// List them, newest first.
    List {
        /// At most this many.
        #[arg(long, default_value_t = 50)]
        limit: i64,
        /// Only of this kind, for instance `poll`.
        #[arg(long)]
        kind: Option<String>,
        /// Those that were retried or discarded, too.
        #[arg(long)]
        all: bool,
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Show one.
    Show {
        /// Its id (dead_...).
        id: kernel::DeadLetterId,
    },
    /// Count the open ones by kind and reason.
    Count {
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Run one again, all of a kind or reason, or all.
    Retry {
        #[command(flatten)]
        which: Which,
    },
    /// Close one, all of a kind or reason, or all, without running them again.
    Discard {
        #[command(flatten)]
        which: Which,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
}

/// Which dead letters are meant: one, or at most 1,000 of the oldest open ones.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Which {
    /// Its id (dead_...).
    #[arg(conflicts_with_all = ["kind", "code", "all"])]
    pub(crate) id: Option<kernel::DeadLetterId>,
    /// All of this kind, for instance `poll`.
    #[arg(long, conflicts_with = "all")]
    pub(crate) kind: Option<String>,
    /// All that were given up for this reason, for instance `gong_refused`.
    #[arg(long, conflicts_with = "all")]
    pub(crate) code: Option<String>,
    /// All, of every organization.
    #[arg(long)]
    pub(crate) all: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Explain {
    /// Why is this call here, or why is it not?
    Call {
        /// Gong's id of the call.
        gong_call_id: String,
        /// The organization's id (org_...).
        #[arg(long)]
        organization: kernel::OrganizationId,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}
