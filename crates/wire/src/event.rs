//! Events as bytes, and back. Twin of `interrex_core::Event` and of `event.proto`: what has the
//! same fields there is written by the same lines here.
mod read;
mod write;

pub(crate) use read::read;
pub(crate) use write::write;

use interrex_core::{GroupId, ServerId, Subject};

use crate::{Malformed, fields, pb};

impl From<&Subject> for pb::Subject {
    fn from(subject: &Subject) -> Self {
        use pb::subject::Subject as To;
        Self {
            subject: Some(match subject {
                Subject::Everything => To::Everything(true),
                Subject::Group(group) => To::Group(group.to_string()),
                Subject::Server(server) => To::Server(server.to_string()),
            }),
        }
    }
}

impl TryFrom<pb::Subject> for Subject {
    type Error = Malformed;

    fn try_from(subject: pb::Subject) -> Result<Self, Malformed> {
        use pb::subject::Subject as From;
        match fields::present("subject", subject.subject)? {
            From::Everything(true) => Ok(Self::Everything),
            From::Everything(false) => Err(Malformed::BadValue { field: "everything", value: 0 }),
            From::Group(name) => fields::name::<GroupId>("group", &name).map(Self::Group),
            From::Server(name) => fields::name::<ServerId>("server", &name).map(Self::Server),
        }
    }
}
