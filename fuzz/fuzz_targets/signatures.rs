#![no_main]

#[path = "../src/posted.rs"]
mod posted;

libfuzzer_sys::fuzz_target!(|data: &[u8]| posted::signatures(data));
