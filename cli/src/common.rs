//! What every subcommand of both programs understands, and what it works with.

use clap::Args;
use tokenvault_client::Client;
use tokenvault_proto::{ADDRESS_VARIABLE, Address};

use crate::failure::Failure;
use crate::output::{JsonMode, Output};

/// Options that stand before or after any subcommand.
#[derive(Debug, Args)]
#[command(next_help_heading = "Common options")]
pub struct CommonArgs {
    /// The vault to talk to: unix:path=PATH (a private socket) or bus:ADDRESS [default: $TOKENVAULT_ADDRESS, the
    /// private socket, the system bus]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub address: Option<Address>,

    /// Print one JSON document; without MODE pretty on a terminal and short otherwise
    ///
    /// "schema" names the version of its keys: within one, keys are added and never renamed or taken away. Times (created,
    /// updated, expires) are microseconds since 1970-01-01 UTC, sizes (size, bytes, quota-bytes) bytes. A quota of 0 is none.
    /// Every key is there, an empty text as "", but where there is nothing: expires, user of a notice, uses-left, attempts-left,
    /// note, last-seen, salt, params, fix, renamed-to and grantee. A command that fails prints no document, but its one line on
    /// standard error; doctor, selftest, validate, credential test, audit verify and config check print theirs and fail.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "MODE",
        num_args = 0..=1,
        require_equals = true,
        default_value = "off",
        default_missing_value = "auto",
        hide_default_value = true
    )]
    pub json: JsonMode,

    /// Print long tables without a pager
    #[arg(long, global = true)]
    pub no_pager: bool,

    /// Print tables without header and footer
    #[arg(long, global = true)]
    pub no_legend: bool,

    /// Leave out remarks and confirmations, such as the number of a new version
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

/// What a subcommand works with.
pub struct Context {
    /// Where its results go.
    pub output: Output,
    address: Option<Address>,
}

impl Context {
    /// From the arguments of the program.
    pub fn new(program: &'static str, args: CommonArgs) -> Self {
        Self { output: Output::new(program, &args), address: args.address }
    }

    /// A connection to the vault.
    ///
    /// # Errors
    /// What the client says when no vault can be reached.
    pub fn client(&self) -> Result<Client, Failure> {
        Ok(Client::open(self.address.as_ref())?)
    }

    /// The door that is meant by the command line, else by the environment; `None`: those of an installed vault.
    pub fn named_door(&self) -> Option<Address> {
        let from_environment = || std::env::var(ADDRESS_VARIABLE).ok().and_then(|text| text.parse().ok());
        self.address.clone().or_else(from_environment)
    }

    /// The address from the command line.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }
}
