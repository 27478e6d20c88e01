//! Every target is this file under another name: what it does stands in `tests/it/fuzz/targets.rs`, where an
//! ordinary test runs it over what was found.

#![no_main]

#[path = "../../tests/it/fuzz/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|data: &[u8]| targets::run(env!("CARGO_BIN_NAME"), data));
