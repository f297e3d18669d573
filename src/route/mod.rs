//! Which endpoint a path belongs to.
//!
//! Gives a [`RouteId`] for counting and a [`RouteKey`] for naming. A key depends on its own method and path alone;
//! learned names are made from all keys when a report is made. Memory is bounded whatever is requested.

mod fold;
pub mod glob;
pub mod learn;
mod method;
pub mod openapi;
mod segment;
pub mod table;
pub mod template;

/// Where a route's name comes from, in the order they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NamedBy {
    /// The log's own route field.
    Log,
    /// An operation of the service's openapi.json.
    Openapi,
    /// A template of the configuration.
    Pattern,
    /// A learned template.
    Learned,
    /// `(not found)` or `(other)`.
    Fallback,
}

impl NamedBy {
    /// The word in the report.
    pub fn word(self) -> &'static str {
        match self {
            Self::Log => "log",
            Self::Openapi => "openapi",
            Self::Pattern => "pattern",
            Self::Learned => "learned",
            Self::Fallback => "fallback",
        }
    }
}

/// A key's number within one table; meaningless outside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteId(pub u32);

/// What stands for a path in counting: the template where one is known, else the path with the segments that are
/// values by their look (`{id}`, `{uuid}`, …) replaced.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RouteKey {
    /// `GET`, `-` where the log names none.
    pub method: String,
    /// `/items/{id}`; printable, at most 256 bytes.
    pub path: String,
    /// How it was found.
    pub by: NamedBy,
    /// For keys that are no known template: these are the answers 404 and 405, which are kept apart until a report is
    /// made (a path only ever refused is no route).
    pub refused: bool,
    /// A health probe.
    pub probe: bool,
    /// A declared or evident stream: no latency in totals, promises and rules.
    pub streaming: bool,
}
