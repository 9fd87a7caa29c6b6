//! What the command gets: variables, and where each comes from.

use std::collections::BTreeMap;
use std::str::FromStr;

use crate::failure::Failure;
use crate::parse::Malformed;

/// `VAR=NAME` as it stands on the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    variable: String,
    name: String,
}

impl FromStr for Reference {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once('=') {
            Some((variable, name)) if is_variable(variable) && !name.is_empty() => {
                Ok(Self { variable: variable.to_owned(), name: name.to_owned() })
            }
            _ => Err(Malformed::new(
                "names no variable and token",
                "write VAR=NAME, a variable of letters, digits and '_', and the name of a token",
            )),
        }
    }
}

/// Whether `text` can name an environment variable (POSIX.1-2024, 3.216).
pub fn is_variable(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// How a value reaches the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// As the variable's text.
    Environment,
    /// As a file; the variable is its path.
    File,
}

/// What a variable is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Text from an environment file.
    Text(String),
    /// The value of the token with this name.
    Token(String, Use),
}

/// All variables of the command.
#[derive(Debug, Default)]
pub struct Plan {
    variables: BTreeMap<String, What>,
    from_options: Vec<String>,
}

impl Plan {
    /// Sets a variable; what was said before is replaced.
    pub fn set(&mut self, variable: String, what: What) {
        self.variables.insert(variable, what);
    }

    /// Sets the variables of an option, over those of files.
    ///
    /// # Errors
    /// A variable that stands in two options: one of the two would be lost.
    pub fn add(&mut self, references: Vec<Reference>, how: Use) -> Result<(), Failure> {
        for Reference { variable, name } in references {
            if self.from_options.contains(&variable) {
                return Err(Failure::usage(
                    format_args!("variable '{variable}' is given twice"),
                    "give each variable once",
                ));
            }
            self.from_options.push(variable.clone());
            self.set(variable, What::Token(name, how));
        }
        Ok(())
    }

    /// The variables in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&String, &What)> {
        self.variables.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_a_variable_and_a_name() {
        let reference: Reference = "API_KEY=ci/key=1".parse().unwrap();
        assert_eq!(reference, Reference { variable: "API_KEY".into(), name: "ci/key=1".into() });
        for text in ["", "X", "X=", "=n", "1X=n", "X-Y=n", "X Y=n", "É=n"] {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_option_wins_over_a_file_and_never_over_another_option() {
        let mut plan = Plan::default();
        plan.set("X".into(), What::Text("plain".into()));
        plan.add(vec!["X=a".parse().unwrap()], Use::Environment).unwrap();
        assert_eq!(plan.iter().next().unwrap().1, &What::Token("a".into(), Use::Environment));
        let failure = plan.add(vec!["X=b".parse().unwrap()], Use::File).unwrap_err();
        assert!(failure.line().unwrap().contains("'X' is given twice"));
    }
}
