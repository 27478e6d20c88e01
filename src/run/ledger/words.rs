//! The ledger's SQL in three dialects: one text each, with words to fill in.

use crate::sql::Dialect;

/// What differs between the dialects in the ledger's own statements.
#[derive(Debug, Clone)]
pub(super) struct Words {
    pub(super) dialect: Dialect,
    /// PostgreSQL keeps the ledger in a schema of its own; elsewhere its tables carry a prefix.
    pub(super) schema: Option<String>,
}

impl Words {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, schema: (dialect == Dialect::Postgres).then(|| "lockkeeper".to_string()) }
    }

    fn prefix(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "lockkeeper.",
            Dialect::Mysql | Dialect::Sqlite => "lockkeeper_",
        }
    }

    /// A table's name as statements write it.
    pub(super) fn table(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// A table's name without its schema.
    pub(super) fn bare(&self, name: &str) -> String {
        match self.dialect {
            Dialect::Postgres => name.to_string(),
            Dialect::Mysql | Dialect::Sqlite => self.table(name),
        }
    }

    /// The server's clock; the runner's own is never written down.
    fn now(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "clock_timestamp()",
            Dialect::Mysql => "UTC_TIMESTAMP(6)",
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now')",
        }
    }

    /// The server's clock, half a minute on: how long a lease lives without a sign of its holder.
    fn lease_end(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "clock_timestamp() + interval '30 seconds'",
            Dialect::Mysql => "UTC_TIMESTAMP(6) + INTERVAL 30 SECOND",
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now', '+30 seconds')",
        }
    }

    /// The server's clock, half a minute back.
    fn half_a_minute_ago(&self) -> &'static str {
        match self.dialect {
            Dialect::Postgres => "clock_timestamp() - interval '30 seconds'",
            Dialect::Mysql => "UTC_TIMESTAMP(6) - INTERVAL 30 SECOND",
            Dialect::Sqlite => "strftime('%Y-%m-%d %H:%M:%f', 'now', '-30 seconds')",
        }
    }

    /// A time column as text in UTC, to the second.
    pub(super) fn time_text(&self, column: &str) -> String {
        match self.dialect {
            Dialect::Postgres => format!("to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')"),
            Dialect::Mysql => format!("DATE_FORMAT({column}, '%Y-%m-%d %H:%i:%s')"),
            Dialect::Sqlite => format!("substr({column}, 1, 19)"),
        }
    }

    /// Fills in the words of a statement: `{prefix}`, `{now}` and the times around it, the types, `{options}` of a
    /// table, `{view}` to create one, and `?` parameters.
    pub(super) fn fill(&self, sql: &str) -> String {
        let (key, time, text, serial) = match self.dialect {
            Dialect::Postgres => ("text", "timestamptz", "text", "bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY"),
            // 191 characters of utf8mb4 fit an index of every row format.
            Dialect::Mysql => ("varchar(191)", "datetime(6)", "mediumtext", "bigint AUTO_INCREMENT PRIMARY KEY"),
            Dialect::Sqlite => ("text", "text", "text", "integer PRIMARY KEY"),
        };
        let options = match self.dialect {
            // Whatever the database's own: keys of every letter, and rows that commit with the batch.
            Dialect::Mysql => " ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_bin",
            Dialect::Postgres | Dialect::Sqlite => "",
        };
        let view = match self.dialect {
            Dialect::Postgres => "CREATE OR REPLACE VIEW",
            // Not by the rights of whoever ran first: that account may be gone.
            Dialect::Mysql => "CREATE OR REPLACE SQL SECURITY INVOKER VIEW",
            Dialect::Sqlite => "CREATE VIEW IF NOT EXISTS",
        };
        // As CAST writes it.
        let integer = if self.dialect == Dialect::Mysql { "signed" } else { "bigint" };
        let sql = sql
            .replace("{options}", options)
            .replace("{integer}", integer)
            .replace("{view}", view)
            .replace("{prefix}", self.prefix())
            .replace("{now}", self.now())
            .replace("{lease_end}", self.lease_end())
            .replace("{half_a_minute_ago}", self.half_a_minute_ago())
            .replace("{key}", key)
            .replace("{time}", time)
            .replace("{text}", text)
            .replace("{serial}", serial);
        parameters(self.dialect, &sql)
    }
}

/// Writes `?` as the dialect numbers its parameters. For our own SQL, which has no `?` in a literal.
pub(crate) fn parameters(dialect: Dialect, sql: &str) -> String {
    if dialect != Dialect::Postgres {
        return sql.to_string();
    }
    let mut numbered = String::with_capacity(sql.len() + 8);
    for (count, piece) in sql.split('?').enumerate() {
        if count > 0 {
            numbered.push('$');
            numbered.push_str(&count.to_string());
        }
        numbered.push_str(piece);
    }
    numbered
}
