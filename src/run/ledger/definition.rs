//! How the tables of a plan were defined before its first step: what an undo has to bring back.

use super::{Ledger, integer, string, text};
use crate::database::{DatabaseError, Fact, Session, Value};

/// The version of the ledger that knows them.
const SINCE: i64 = 10;

/// So many facts are written at a time: no server takes any number of parameters.
const AT_ONCE: usize = 500;

impl Ledger {
    /// What was so of each object before the plan began; nothing for a plan that began before the ledger kept it.
    pub(in crate::run) async fn definitions<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
    ) -> Result<Vec<(String, Fact)>, DatabaseError> {
        if self.version < SINCE {
            return Ok(Vec::new());
        }
        let sql = "SELECT object_name, kind, name, definition FROM {prefix}plan_definition \
                   WHERE plan = ? ORDER BY position";
        let rows = self.query(session, sql, &[text(plan)]).await?;
        let fact = |row| Fact { kind: string(row, 1), name: string(row, 2), definition: string(row, 3) };
        Ok(rows.iter().map(|row| (string(row, 0), fact(row))).collect())
    }

    /// Writes it down in place of what was there; in a transaction of the caller.
    pub(in crate::run) async fn set_definitions<S: Session>(
        &self,
        session: &mut S,
        plan: &str,
        definitions: &[(String, Fact)],
    ) -> Result<(), DatabaseError> {
        self.execute(session, "DELETE FROM {prefix}plan_definition WHERE plan = ?", &[text(plan)]).await?;
        for (chunk, facts) in definitions.chunks(AT_ONCE).enumerate() {
            let rows = vec!["(?, ?, ?, ?, ?, ?)"; facts.len()].join(", ");
            let sql = format!(
                "INSERT INTO {{prefix}}plan_definition (plan, position, object_name, kind, name, definition) VALUES {rows}"
            );
            let mut values: Vec<Value> = Vec::new();
            for (at, (object, Fact { kind, name, definition })) in facts.iter().enumerate() {
                values.extend([text(plan), integer((chunk * AT_ONCE + at) as u64), text(object)]);
                values.extend([text(kind), text(name), text(definition)]);
            }
            self.execute(session, &sql, &values).await?;
        }
        Ok(())
    }
}
