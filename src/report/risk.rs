//! The risk of each migration, for people and for machines.

use serde::Serialize;

use crate::lint::risk::Risk;

/// A line for each migration, with its reasons and its strategy below.
pub fn text(risks: &[Risk]) -> String {
    let mut text = String::new();
    for Risk { path, level, reasons, strategy } in risks {
        text += &format!("risk of `{path}`: {}\n", level.name());
        for reason in reasons {
            text += &format!("  because: {reason}\n");
        }
        text += &format!("  strategy: {strategy}\n");
    }
    text + "\n"
}

/// One object per migration, one a line.
pub fn json(risks: &[Risk]) -> String {
    let object = |risk: &Risk| {
        let Risk { path, level, reasons, strategy } = risk;
        let object = RiskObject { r#type: "risk", path, level: level.name(), reasons, strategy };
        serde_json::to_string(&object).expect("strings are always JSON") + "\n"
    };
    risks.iter().map(object).collect()
}

#[derive(Serialize)]
struct RiskObject<'a> {
    r#type: &'static str,
    path: &'a str,
    level: &'static str,
    reasons: &'a [String],
    strategy: &'static str,
}
