use super::{Hit, Look};
use crate::sql::{Change, ColumnsFrom};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Look { change, before, .. } = *look;
    let quote = |name| before.dialect().quote_name(name);
    let (table, message, help) = match change {
        Change::CreateTable { table, columns_from, .. } => {
            let parent = columns_from.iter().find_map(|from| match from {
                ColumnsFrom::PartitionOf(parent) => Some(parent),
                _ => None,
            })?;
            let (new, of) = (quote(table), quote(parent));
            (
                parent,
                format!(
                    "`{table}` is made as a partition: that locks `{parent}` against reads and writes, and queues behind every query of it"
                ),
                format!(
                    "make it a table of its own, `CREATE TABLE {new} (LIKE {of} ...)`, and attach it: `ALTER TABLE {of} ATTACH PARTITION {new} ...` lets reads and writes go on"
                ),
            )
        }
        Change::DetachPartition { table, partition, concurrently: false } => (
            table,
            format!(
                "detaching `{partition}` locks `{table}` against reads and writes, and queues behind every query of it"
            ),
            format!(
                "outside a transaction: `ALTER TABLE {} DETACH PARTITION {} CONCURRENTLY`",
                quote(table),
                quote(partition)
            ),
        ),
        _ => return None,
    };
    if before.is_new(table) {
        return None;
    }
    Some(Hit::new(message, help))
}
