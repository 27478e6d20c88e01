use super::{Hit, Look};
use crate::schema::effect::Type;
use crate::sql::{Change, Column, ConstraintKind};

pub(super) fn check(look: &Look<'_>) -> Option<Hit> {
    let Change::CreateTable { table, columns, constraints, .. } = look.change else { return None };
    let is_key = |column: &Column| {
        column.primary_key
            || constraints.iter().any(|constraint| {
                matches!(&constraint.kind, ConstraintKind::PrimaryKey { columns }
                    if matches!(columns.as_slice(), [only] if look.before.same(only, &column.name)))
            })
    };
    let key = columns.iter().find(|column| is_key(column))?;
    let name = Type::read(&key.data_type).name;
    let small = ["int", "smallint", "mediumint", "tinyint", "serial", "smallserial", "serial4", "serial2"];
    if !small.contains(&name.as_str()) {
        return None;
    }
    let wide = if name.contains("serial") {
        "make it a bigserial, or a bigint with GENERATED ... AS IDENTITY"
    } else {
        "make it a bigint"
    };
    Some(Hit::new(format!("the key `{table}.{}` is {name}: it runs out of numbers", key.name), wide))
}
