//! A fresh database for a test, on each of the three.

use std::path::PathBuf;

/// A database of one test's own.
pub(crate) struct TestDatabase {
    pub(crate) url: String,
    /// Keeps an SQLite file's directory until the test ends.
    _directory: Option<tempfile::TempDir>,
}

/// An empty SQLite file.
pub(crate) fn sqlite() -> TestDatabase {
    let directory = tempfile::tempdir().unwrap();
    let file: PathBuf = directory.path().join("test.db");
    std::fs::write(&file, "").unwrap();
    TestDatabase { url: format!("sqlite:{}", file.display()), _directory: Some(directory) }
}
