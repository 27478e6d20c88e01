//! What the fuzzer found once, through the fuzzer's own targets.

pub(crate) mod targets;

use std::fs;
use std::path::Path;

#[test]
fn what_was_found_is_no_longer_wrong() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/fuzz");
    let mut inputs = 0;
    for target in fs::read_dir(&root).unwrap() {
        let target = target.unwrap().path();
        for input in fs::read_dir(&target).unwrap() {
            let input = input.unwrap().path();
            let run = || targets::run(target.file_name().unwrap().to_str().unwrap(), &fs::read(&input).unwrap());
            assert!(std::panic::catch_unwind(run).is_ok(), "{}", input.display());
            inputs += 1;
        }
    }
    assert!(inputs > 0, "no input in {}", root.display());
}
