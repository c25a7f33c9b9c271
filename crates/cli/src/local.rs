//! A whole cluster as child processes of this one: certificates, coordinators, agents. The demo and
//! the end-to-end tests use it; both see of the product only its commands and its files.
mod child;
pub mod material;
mod place;

pub use child::{Child, end_all};
pub use place::{Host, Place};
