//! `windows`: the hours in which there may be work, by the database server's clock, so that all runners agree.

use jiff::Timestamp;

use super::{Look, Reading, refused};
use crate::database::{DatabaseError, Session, Value};
use crate::plan::settings::throttle::Window;
use crate::sql::Dialect;

pub(super) async fn read(look: &mut Look) -> Option<Reading> {
    match closed(&mut look.session, &look.settings.windows).await {
        Ok(closed) => closed.map(|because| Reading::switch("windows", true, because)),
        Err(error) => Some(Reading::unreadable("windows", refused(&error))),
    }
}

/// Why there may be no work at this moment; `None` in a window, or where there is none.
pub(in crate::run) async fn closed<S: Session>(
    session: &mut S,
    windows: &[Window],
) -> Result<Option<String>, DatabaseError> {
    if windows.is_empty() {
        return Ok(None);
    }
    let now = now(session).await?;
    if windows.iter().any(|window| window.is_open(now)) {
        return Ok(None);
    }
    let next = windows.iter().filter_map(|window| Some((window.opens_after(now)?, &window.text))).min();
    Ok(Some(match next {
        Some((opens, text)) => format!("outside its time windows; \"{text}\" opens at {opens}"),
        None => "outside its time windows, none of which opens within eight days".to_string(),
    }))
}

async fn now<S: Session>(session: &mut S) -> Result<Timestamp, DatabaseError> {
    let sql = match session.dialect() {
        Dialect::Postgres => "SELECT floor(extract(epoch FROM clock_timestamp()))::bigint",
        Dialect::Mysql => "SELECT unix_timestamp()",
        Dialect::Sqlite => "SELECT CAST(strftime('%s', 'now') AS integer)",
    };
    let rows = session.query(sql, &[]).await?;
    let unknown = || DatabaseError::refused("the server's clock gives no time");
    let Some([Value::Int(seconds), ..]) = rows.first().map(Vec::as_slice) else { return Err(unknown()) };
    Timestamp::from_second(*seconds).map_err(|_| unknown())
}
