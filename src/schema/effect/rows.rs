//! How many rows a sentence speaks of.

/// `every row is read`, or `about 12,300,000 rows are read` where the number is known.
pub(super) fn every_row(rows: Option<u64>, does: &str) -> String {
    match rows {
        Some(rows) => format!("about {} rows {}", rounded(rows), does.replacen("is ", "are ", 1)),
        None => format!("every row {does}"),
    }
}

/// To three digits that count, with a comma at every third place.
fn rounded(rows: u64) -> String {
    let mut unit = 1;
    while rows / unit >= 1000 {
        unit *= 10;
    }
    let digits = (rows.saturating_add(unit / 2) / unit * unit).to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_told_to_three_digits() {
        for (rows, expected) in [
            (0, "about 0 rows are read"),
            (999, "about 999 rows are read"),
            (1_234, "about 1,230 rows are read"),
            (12_345_678, "about 12,300,000 rows are read"),
            (u64::MAX, "about 18,400,000,000,000,000,000 rows are read"),
        ] {
            assert_eq!(every_row(Some(rows), "is read"), expected);
        }
        assert_eq!(every_row(Some(5), "may be read"), "about 5 rows may be read");
        assert_eq!(every_row(None, "is read"), "every row is read");
    }
}
