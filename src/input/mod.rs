//! Bytes: which sources there are, and their content in order.
//!
//! Leaves lines and their meaning to later stages. Happenings are returned, never logged from here.

pub mod archive;
mod beside;
pub mod discover;
pub mod follow;
pub mod identity;
mod unpack;
pub mod watch;
