//! The bugs of the kit that this one replaces, one test each: named for its number in the list of what is not to be copied, and for
//! what is true here instead.

mod support;
