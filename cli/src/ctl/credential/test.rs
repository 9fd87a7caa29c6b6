//! `credential test`: what a unit would be given now, and why not. The value stays in the vault.

use tokenvault_proto::{CredentialTest, Plain};

use crate::common::Context;
use crate::failure::Failure;
use crate::output::{Fields, bytes, minute};

/// Say what a unit would be given for a credential now, and why not
///
/// The value is not shown, and no use of a share is counted. The exit status is 0 when the unit would be given it, 1 when it
/// would fail to start.
#[derive(clap::Args)]
pub struct Args {
    /// Name of the unit, such as app.service
    unit: String,

    /// Id of the credential, the part of LoadCredential= before the colon
    id: String,
}

/// Prints the outcome.
pub fn run(context: &Context, args: Args) -> Result<(), Failure> {
    let test = context.client()?.test_credential(&args.unit, &args.id)?;
    if context.output.wants_json() {
        context.output.json(&Plain(&test))?;
    } else {
        context.output.fields(&fields(&test))?;
    }
    if test.granted { Ok(()) } else { Err(Failure::Silent(1)) }
}

fn fields(test: &CredentialTest) -> Fields {
    let mut fields = Fields::default();
    fields.add("Unit", &test.unit);
    fields.add("Credential", &test.id);
    fields.add("Outcome", if test.granted { "granted" } else { "refused: the unit fails to start" });
    fields.add("Cause", &test.cause);
    fields.add("Next step", &test.next_step);
    if let Some(version) = test.version {
        fields.add("Version", version.to_string());
    }
    fields.add("Size", test.size.map(bytes).unwrap_or_default());
    fields.add("Share expires", test.expires.map(minute).unwrap_or_default());
    fields.add("Uses left", test.uses_left.map(|uses| uses.to_string()).unwrap_or_default());
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_becomes_of_the_unit_and_what_to_do() {
        let (unit, id) = ("app.service".into(), "api-key".into());
        let (cause, next_step) = ("not shared".into(), "share it".into());
        let refused = CredentialTest { unit, id, cause, next_step, ..CredentialTest::default() };
        let text = fields(&refused).render(None);
        assert!(text.contains("Outcome: refused: the unit fails to start\n"), "{text}");
        assert!(text.contains("Cause: not shared\n") && text.contains("Next step: share it\n"), "{text}");
        assert!(!text.contains("Version"), "{text}");
    }
}
