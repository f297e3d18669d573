//! How one source is read: found out once, from its first lines, before anything of it is counted.
//!
//! Wrappers, written forms, how lines belong together, whose log it is. The walk itself is `pipeline`; what the forms
//! look like is known to `parse::detect`.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Peeled;
use crate::line::Unwrapper;
use crate::line::pods;
use crate::line::split::Block;
use crate::parse::Record;
use crate::parse::Role;
use crate::parse::detect;
use crate::parse::detect::Form;
use crate::parse::look::Look;
use crate::parse::look::Looker;
use crate::parse::own::is_ours;
use crate::parse::pair::Aside;
use crate::parse::pair::Pairing;
use crate::parse::pair::Scout;
use crate::stats::group::Layer;
use crate::time::Stamp;
use crate::time::Timestamp;
use crate::time::zone::Dating;

use super::pipeline::Settings;

/// How one source is read: found out once, from its first lines, and never changed.
#[derive(Debug, Clone)]
pub struct SourceForm {
    /// The source's path, as shown.
    pub path: String,
    /// Its number in the run: orders samples.
    pub number: u64,
    /// The wrappers, as found.
    pub unwrapper: Unwrapper,
    /// The written forms.
    pub form: Form,
    /// How its lines belong together.
    pub pairing: Pairing,
    /// The service the configuration gives it.
    pub service: Option<String>,
    /// Its side of a proxy.
    pub layer: Layer,
    /// A router's lines stand between those of the processes that it asks: lines of different instances may be about
    /// one request.
    pub with_router: bool,
    /// The first time written in it.
    pub first_time: Option<Timestamp>,
    /// The template hash of the pod that its path names.
    pub pod: Option<String>,
    /// What a missing year or day is nearest to.
    pub near: Timestamp,
}

impl SourceForm {
    /// Looks at the first bytes of a source.
    pub fn find(path: &str, number: u64, head: &[u8], near: Timestamp, settings: &Settings) -> Self {
        let block = Block::new(head, 0);
        let raw: Vec<&[u8]> = block.lines().map(|l| l.bytes).filter(|l| !l.is_empty()).take(4 * detect::SAMPLE).collect();
        let unwrapper = Unwrapper::detect(&raw);
        let mut peeled: Vec<Vec<u8>> = Vec::new();
        let mut hints: Vec<(Option<Stamp>, u64)> = Vec::new();
        let mut own = unwrapper.clone();
        for line in &raw {
            if let Peeled::Line(Line { text, hint }) = own.peel(line)
                && !is_ours(text)
            {
                peeled.push(text.to_vec());
                hints.push((hint.time, instance_of(&hint)));
            }
        }
        let with_router = unwrapper.name().is_some_and(|name| name.contains("heroku"));
        let sample: Vec<&[u8]> = peeled.iter().map(Vec::as_slice).collect();
        let form = detect::detect(&sample, &settings.forms.settings);
        let mut looker = Looker::new(&form, &settings.forms);
        let mut dating = Dating::new(settings.zone.clone(), near);
        let (mut scout, mut first_time, mut routers) = (Scout::default(), None, 0);
        for ((text, (wrapped, instance)), offset) in sample.iter().zip(&hints).zip(0..) {
            let mut record = Record::default();
            let look = looker.look(text, &mut record);
            let own = match &look {
                Look::Request(_) => {
                    routers += usize::from(record.role == Role::Router);
                    let instance = if with_router { 0 } else { *instance };
                    scout.see(&record, Aside { time: *wrapped, offset, instance });
                    record.time
                }
                Look::Other(envelope) => envelope.time,
                Look::Malformed(_) => None,
            };
            if first_time.is_none() {
                first_time = own.or(*wrapped).map(|stamp| dating.settle(stamp, None).time);
            }
        }
        let rule = settings.services.iter().find(|s| s.paths.iter().any(|p| p.matches(path)));
        let proxied = form.kinds.first() == Some(&detect::Kind::Nginx)
            || routers == 0 && sample.iter().any(|line| memchr::memmem::find(line, b"\"upstream_").is_some());
        let by_form = if proxied || path_is_proxy(path) { Layer::Edge } else { Layer::App };
        Self {
            path: path.to_owned(),
            number,
            pairing: scout.decide(),
            service: rule.map(|r| r.name.clone()),
            layer: rule.and_then(|r| r.layer).unwrap_or(by_form),
            with_router,
            first_time,
            pod: pods::template_hash_of_path(path).map(|hash| String::from_utf8_lossy(hash).into_owned()),
            near,
            unwrapper,
            form,
        }
    }

    /// The names of its written forms, most frequent first.
    pub fn names(&self) -> Vec<&'static str> {
        self.form.names()
    }
}

fn path_is_proxy(path: &str) -> bool {
    ["nginx", "haproxy", "caddy", "traefik", "envoy", "apache"].iter().any(|proxy| path.contains(proxy))
}

/// A number for what wrote a line: pod, container, replica, process.
pub(super) fn instance_of(hint: &Hint<'_>) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in hint.instance.iter().chain(b"\0").chain(hint.service) {
        hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash
}
