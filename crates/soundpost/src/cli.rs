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
    /// Explain what happened to something.
    #[command(subcommand)]
    Explain(Explain),
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
        /// Print JSON lines.
        #[arg(long)]
        json: bool,
    },
    /// Show one.
    Show {
        /// Its id (dead_...).
        id: kernel::DeadLetterId,
    },
    /// Run one again, or all of a kind.
    Retry {
        /// Its id (dead_...).
        #[arg(required_unless_present = "kind")]
        id: Option<kernel::DeadLetterId>,
        /// All of this kind, for instance `poll`.
        #[arg(long, conflicts_with = "id")]
        kind: Option<String>,
    },
    /// Close one without running it again.
    Discard {
        /// Its id (dead_...).
        id: kernel::DeadLetterId,
        /// Why, for the record.
        #[arg(long)]
        reason: String,
    },
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
