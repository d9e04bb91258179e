#![no_main]

#[path = "../src/proto.rs"]
mod proto;

libfuzzer_sys::fuzz_target!(|data: &[u8]| proto::proto(data));
