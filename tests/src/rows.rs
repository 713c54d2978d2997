//! Looks at everything that the database holds.

use std::collections::BTreeSet;

use sqlx::Row;

use crate::World;

/// Every row of every table as text, with the table's name.
pub async fn everything(world: &World) -> Vec<(String, String)> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('public', 'apalis')",
    )
    .fetch_all(world.db.pool())
    .await
    .expect("the names of the tables");
    let mut all = Vec::new();
    for table in tables {
        let query = format!("select t::text as line from {table} t");
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(query)).fetch_all(world.db.pool()).await;
        let rows = rows.expect("the rows of a table");
        all.extend(rows.iter().map(|row| (table.clone(), row.get::<String, _>("line"))));
    }
    all
}

/// The tables in which a word stands, whatever its case, in letters or in bytes.
pub async fn tables_with(world: &World, word: &str) -> BTreeSet<String> {
    let word = word.to_lowercase();
    let hex: String = word.bytes().map(|byte| format!("{byte:02x}")).collect();
    let rows = everything(world).await.into_iter().map(|(table, line)| (table, line.to_lowercase()));
    rows.filter(|(_, line)| line.contains(&word) || line.contains(&hex)).map(|(table, _)| table).collect()
}
