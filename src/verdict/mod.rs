//! Judged against promises.
pub mod alert;
pub mod compare;
pub mod condition;
pub mod finding;
pub mod health;
pub mod notice;
pub mod outage;
pub mod promise;
pub mod wording;
