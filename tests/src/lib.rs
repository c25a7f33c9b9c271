//! What the end-to-end tests share: a cluster on this machine, and questions to it.
