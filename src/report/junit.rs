//! Output for whatever shows test results: JUnit XML.

use std::collections::{BTreeMap, BTreeSet};

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};

use super::Report;
use super::lines::Sources;
use super::sentences::{not_judged, summary, whole};

/// A suite per file. A finding that makes the command fail is a failure, a lesser one a test that passes and says it;
/// what was not judged is an error or is skipped.
pub fn lint(report: &Report<'_>) -> String {
    let mut sources = Sources::new(report);
    let mut by_file: BTreeMap<&str, Vec<TestCase>> = BTreeMap::new();
    for finding in &report.outcome.findings {
        let (line, column) = sources.of(&finding.path).place(finding.range.start);
        let what = whole(finding);
        let status = if finding.severity >= report.settings.fail_on {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_type(finding.rule).set_message(&*finding.message);
            status.set_description(format!("{}:{line}:{column}\n{what}", finding.path));
            status
        } else {
            TestCaseStatus::success()
        };
        let is_success = matches!(status, TestCaseStatus::Success { .. });
        let mut case = TestCase::new(format!("{} ({line}:{column})", finding.rule), status);
        case.set_classname(&*finding.path);
        if is_success {
            case.set_system_out(format!("{}: {what}", finding.severity.name()));
        }
        by_file.entry(&finding.path).or_default().push(case);
    }
    let mut suites = quick_junit::Report::new("lockkeeper");
    let mut files = BTreeSet::new();
    let judged = report.history.migrations.iter().filter(|migration| !migration.replayed && !migration.applied);
    for path in judged.map(|migration| &*migration.path).chain(report.settings.path.as_deref()) {
        let is_first = files.insert(path);
        let cases = by_file.remove(path);
        if is_first && (cases.is_some() || Some(path) != report.settings.path.as_deref()) {
            suites.add_test_suite(suite(path, cases));
        }
    }
    for (path, cases) in by_file {
        suites.add_test_suite(suite(path, Some(cases)));
    }
    suites.add_test_suite(rest(report));
    suites.to_string().expect("what is written into memory is written") + "\n"
}

/// A file without findings is a test that passes.
fn suite(path: &str, cases: Option<Vec<TestCase>>) -> TestSuite {
    let mut suite = TestSuite::new(path);
    suite.add_test_cases(cases.unwrap_or_else(|| vec![TestCase::new("no findings", TestCaseStatus::success())]));
    suite
}

/// What was not judged, and the summary.
fn rest(report: &Report<'_>) -> TestSuite {
    let mut suite = TestSuite::new("not judged");
    for (is_failure, what) in not_judged(report) {
        let mut status = match is_failure {
            true => TestCaseStatus::non_success(NonSuccessKind::Error),
            false => TestCaseStatus::skipped(),
        };
        status.set_message(&*what);
        suite.add_test_case(TestCase::new(what, status));
    }
    suite.set_system_out(summary(report));
    suite
}
