//! Pages of tokens, by row number and without sorting.

use rusqlite::types::ToSql;
use rusqlite::{Connection, Row};
use tokenvault_core::port::{AttributeTag, TokenRow, VersionHead};

use super::read::limit_of;
use crate::fault::Fault;
use crate::row::{self, all};

/// More tags than a token can carry attributes; each is one more term of the statement.
const MOST_TAGS: usize = 64;

const PLAIN: &str = concat!(
    "SELECT ",
    row::token_and_head!(),
    " FROM token t CROSS JOIN version v ON v.id = (t.id << 28 | t.current) \
     WHERE t.principal = ?1 AND t.id > ?2 ORDER BY t.id LIMIT ?3"
);

/// Where a page begins and how long it is.
pub(super) struct Page {
    pub(super) after: i64,
    pub(super) limit: usize,
}

pub(super) fn tokens(
    c: &Connection,
    principal: i64,
    tags: &[AttributeTag],
    page: Page,
) -> Result<Vec<(TokenRow, VersionHead)>, Fault> {
    let limit = limit_of(page.limit);
    if tags.is_empty() {
        return all(c, PLAIN, (principal, page.after, limit), decode);
    }
    if tags.len() > MOST_TAGS {
        return Err(Fault::internal(format!("a list was filtered by {} attributes; use fewer", tags.len())));
    }
    let mut values: Vec<&dyn ToSql> = vec![&principal, &page.after, &limit];
    values.extend(tags.iter().map(|tag| tag as &dyn ToSql));
    all(c, &with_tags(tags.len()), values.as_slice(), decode)
}

/// Goes along the tokens that carry the first tag, and looks up the others.
fn with_tags(count: usize) -> String {
    let mut sql = concat!(
        "SELECT ",
        row::token_and_head!(),
        " FROM attribute a CROSS JOIN token t ON t.id = a.token \
         CROSS JOIN version v ON v.id = (t.id << 28 | t.current) \
         WHERE a.tag = ?4 AND a.token > ?2 AND t.principal = ?1"
    )
    .to_owned();
    for parameter in 5..4 + count {
        sql += &format!(" AND EXISTS (SELECT 1 FROM attribute WHERE tag = ?{parameter} AND token = a.token)");
    }
    sql + " ORDER BY a.token LIMIT ?3"
}

fn decode(found: &Row<'_>) -> rusqlite::Result<(TokenRow, VersionHead)> {
    Ok((row::token(found)?, row::version_head(found, row::HEAD_AFTER_TOKEN)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(sql: &str, tags: usize) -> Vec<String> {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::migration::build(&mut connection).unwrap();
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let zeros = vec![0; 3 + tags];
        let rows = statement.query_map(rusqlite::params_from_iter(zeros), |row| row.get(3)).unwrap();
        rows.map(Result::unwrap).collect()
    }

    #[test]
    fn no_page_is_sorted_or_scanned_for() {
        for steps in [plan(PLAIN, 0), plan(&with_tags(1), 1), plan(&with_tags(3), 3)] {
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE") || step.starts_with("SCAN")), "{steps:?}");
        }
        assert!(plan(PLAIN, 0)[0].contains("token_principal (principal=? AND rowid>?)"));
    }
}
