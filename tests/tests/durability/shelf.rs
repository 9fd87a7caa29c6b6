//! What a user has put, as far as it was acknowledged; and a stream of changes to it.

use std::collections::BTreeMap;

use tokenvault_client::{Client, Error};
use tokenvault_proto::{AnnotateOptions, GetOptions, ListOptions, PutOptions};

/// Names that are used again and again, so that tokens have histories.
const NAMES: u64 = 12;
/// Versions kept of a token.
const KEPT: usize = 3;

/// One token: values of its versions, oldest first, and a mark among its attributes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Token {
    values: Vec<String>,
    mark: String,
}

/// All tokens by their names.
pub type Shelf = BTreeMap<String, Token>;

/// A change to a shelf.
#[derive(Debug, Clone)]
pub enum Change {
    Put(String, String),
    Mark(String, String),
    Rename(String, String),
    Rollback(String),
    Delete(String),
}

impl Change {
    /// The `number`-th change, one that the vault does not refuse.
    pub fn of(number: u64, shelf: &Shelf) -> Self {
        let name = |number: u64| format!("name/{}", number % NAMES);
        let (this, other) = (name(number * 7), name(number * 5 + 1));
        let text = format!("value {number} {}", "x".repeat(usize::try_from(number * 977 % 9_000).unwrap()));
        let has = |name: &String| shelf.contains_key(name);
        match number % 9 {
            3 if has(&this) => Self::Mark(this, number.to_string()),
            4 if has(&this) && !has(&other) => Self::Rename(this, other),
            5 if has(&this) => Self::Rollback(this),
            7 if has(&this) => Self::Delete(this),
            _ => Self::Put(this, text),
        }
    }

    /// What the shelf looks like afterwards.
    pub fn applied(&self, shelf: &Shelf) -> Shelf {
        let mut shelf = shelf.clone();
        match self {
            Self::Put(name, value) => {
                let token = shelf.entry(name.clone()).or_default();
                token.values.push(value.clone());
                token.forget_the_oldest();
            }
            Self::Mark(name, mark) => shelf.get_mut(name).unwrap().mark.clone_from(mark),
            Self::Rename(from, to) => {
                let token = shelf.remove(from).unwrap();
                shelf.insert(to.clone(), token);
            }
            Self::Rollback(name) => {
                let token = shelf.get_mut(name).unwrap();
                token.values.push(token.values[0].clone());
                token.forget_the_oldest();
            }
            Self::Delete(name) => drop(shelf.remove(name)),
        }
        shelf
    }

    /// Asks the vault for it.
    pub fn make(&self, client: &Client) -> Result<(), Error> {
        match self {
            Self::Put(name, value) => {
                let options = PutOptions { keep_versions: Some(u32::try_from(KEPT).unwrap()), ..PutOptions::default() };
                client.put(name, value.as_bytes(), &options).map(drop)
            }
            Self::Mark(name, mark) => {
                let attributes = Some([("mark".to_owned(), mark.clone())].into());
                client.annotate(name, &AnnotateOptions { attributes, ..AnnotateOptions::default() })
            }
            Self::Rename(from, to) => client.rename(from, to, &Default::default()),
            Self::Rollback(name) => {
                let oldest = client.versions(name, &Default::default())?.last().expect("a version").version;
                client.rollback(name, oldest, &Default::default()).map(drop)
            }
            Self::Delete(name) => client.delete(name, &Default::default()),
        }
    }
}

impl Token {
    fn forget_the_oldest(&mut self) {
        let over = self.values.len().saturating_sub(KEPT);
        self.values.drain(..over);
    }
}

/// What the vault holds of this user.
pub fn look(client: &Client) -> Result<Shelf, Error> {
    let (tokens, _) = client.list(&ListOptions { limit: Some(1000), ..ListOptions::default() })?;
    let token = |name: &str, mark: Option<&String>| -> Result<Token, Error> {
        let mut values = Vec::new();
        for version in client.versions(name, &Default::default())?.iter().rev() {
            let asked = GetOptions { version: Some(version.version), ..GetOptions::default() };
            values.push(String::from_utf8_lossy(client.get(name, &asked)?.data()).into_owned());
        }
        Ok(Token { values, mark: mark.cloned().unwrap_or_default() })
    };
    tokens.iter().map(|info| Ok((info.name.clone(), token(&info.name, info.attributes.get("mark"))?))).collect()
}
