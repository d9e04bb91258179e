//! Bodies that are larger than memory, read as they arrive.
//!
//! Whatever the format, an item is handed out as soon as it is whole, lent from the buffer that it arrived in where it lies there in
//! one piece. Memory is one item and fixed buffers; and an end of input where the format does not end is an error, never the end.

pub mod json;
