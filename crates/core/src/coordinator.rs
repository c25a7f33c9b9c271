//! The coordinator: follower and leader in one, sans IO.
pub mod io;
