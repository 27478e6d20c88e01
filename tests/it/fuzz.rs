//! What the fuzzer found once, through the fuzzer's own targets.

mod targets;

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
            println!("{}", input.display());
            targets::run(target.file_name().unwrap().to_str().unwrap(), &fs::read(&input).unwrap());
            inputs += 1;
        }
    }
    assert!(inputs > 0, "no input in {}", root.display());
}
