//! Which right a refused statement lacks: the GRANT that helps, with the object that the server named.

use super::DatabaseError;

/// Where the message does not tell the object.
const UNNAMED: &str = "this user lacks a right: the README lists what it needs";

impl DatabaseError {
    /// What to grant, where the server refused for want of a right.
    pub fn missing_right(&self) -> Option<String> {
        let message = self.message.as_str();
        match self.code.as_deref()? {
            "42501" => Some(of_postgres(message)),
            // A command denied on a table, a column, a routine.
            "1142" | "1143" | "1370" => Some(of_mysql_command(message)),
            "1044" => Some(of_mysql_database(message)),
            "1227" => {
                let rights = between(message, "(at least one of) the ", " privilege").unwrap_or("named");
                Some(format!("one of these rights is lacking: GRANT {rights} ON *.* TO this user"))
            }
            "1419" => Some(
                "with a binary log, triggers need SET GLOBAL log_bin_trust_function_creators = ON, or GRANT SUPER ON \
                 *.* TO this user"
                    .to_string(),
            ),
            _ => None,
        }
    }
}

/// `permission denied for KIND NAME`, `must be owner of KIND NAME`; another language, or more to say, names no object.
fn of_postgres(message: &str) -> String {
    if let Some(object) = after(message, "must be owner of ") {
        return format!("only its owner may do that: GRANT the role that owns {object} TO this user");
    }
    let object = after(message, "permission denied for ").unwrap_or_default();
    for (kind, rights) in [
        ("schema", "USAGE, CREATE"),
        ("database", "CREATE"),
        ("table", "SELECT, INSERT, UPDATE, DELETE, REFERENCES, TRIGGER"),
        ("sequence", "USAGE, SELECT"),
        ("function", "EXECUTE"),
        ("procedure", "EXECUTE"),
        ("type", "USAGE"),
    ] {
        if let Some(name) = object.strip_prefix(kind).and_then(|rest| rest.strip_prefix(' ')) {
            return format!("GRANT {rights} ON {} {name} TO this user", kind.to_ascii_uppercase());
        }
    }
    UNNAMED.to_string()
}

/// ``DROP command denied to user 'u'@'h' for table `db`.`t` ``.
fn of_mysql_command(message: &str) -> String {
    let named = message.split_once(" command denied to user ").and_then(|(rights, rest)| {
        let (user, object) = rest.split_once(" for ")?;
        let name = object.rsplit_once(' ')?.1;
        Some(format!("GRANT {} ON {} TO {user}", rights.to_ascii_uppercase(), name.replace('\'', "`")))
    });
    named.unwrap_or_else(|| UNNAMED.to_string())
}

/// `Access denied for user 'u'@'h' to database 'db'`.
fn of_mysql_database(message: &str) -> String {
    match (between(message, "for user ", " to database "), after(message, " to database ")) {
        (Some(user), Some(database)) => {
            format!("GRANT the rights that the README lists ON {}.* TO {user}", database.replace('\'', "`"))
        }
        _ => UNNAMED.to_string(),
    }
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.split_once(words).map(|(_, rest)| rest)
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    after(text, from)?.split_once(to).map(|(middle, _)| middle)
}
