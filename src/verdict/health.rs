//! Healthy, degraded, unhealthy or unknown; with reasons.

/// The word for a service's state, from good to bad; `Unknown` where too little was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    /// Nothing wrong that the log can show.
    Healthy,
    /// A ticket's worth.
    Degraded,
    /// A page's worth.
    Unhealthy,
    /// Fewer than 20 requests.
    #[default]
    Unknown,
}

/// A state and why.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// The state.
    pub status: Status,
    /// Each with its figure and time; the gravest first.
    pub reasons: Vec<String>,
}
