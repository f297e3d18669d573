//! `openapi.json` from a typed URL: the only connection that a batch command opens.

use std::time::Duration;

use crate::error::Error;

/// The largest document that is taken.
const LARGEST: u64 = 16 << 20;

/// The body at `url`, within ten seconds.
///
/// # Errors
/// Where it cannot be had. The message names the host, never the whole URL: it may hold a token.
pub fn fetch(url: &str) -> Result<Vec<u8>, Error> {
    let host = url.split("://").nth(1).unwrap_or(url).split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).build().into();
    let failed =
        |why: String| Error::usage(format!("reading the openapi document from '{host}': {why} (save it and name the file)"));
    let mut answer = agent.get(url).call().map_err(|e| failed(why(&e)))?;
    answer.body_mut().with_config().limit(LARGEST).read_to_vec().map_err(|e| failed(why(&e)))
}

fn why(error: &ureq::Error) -> String {
    match error {
        ureq::Error::StatusCode(code) => format!("the server answered {code}"),
        ureq::Error::Timeout(_) => "no answer within 10 s".to_owned(),
        ureq::Error::HostNotFound => "the host is not known".to_owned(),
        ureq::Error::ConnectionFailed => "no connection".to_owned(),
        ureq::Error::Io(error) => error.kind().to_string(),
        ureq::Error::BodyExceedsLimit(_) => "it is larger than 16 MiB".to_owned(),
        _ => "it could not be had".to_owned(),
    }
}
