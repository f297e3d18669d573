//! Settings turned into what the stages ask for: formats, names of fields, templates, services, limits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::cli::config::Fields;
use crate::cli::config::LatencyUnit;
use crate::cli::settings::Settings;
use crate::drive::analyze::Saved;
use crate::drive::fetch::fetch;
use crate::drive::pipeline;
use crate::drive::pipeline::ServiceRule;
use crate::drive::state::reader::Reader;
use crate::error::Error;
use crate::parse::access;
use crate::parse::custom::choice::Choice;
use crate::parse::custom::choice::from_option;
use crate::parse::fields::Names;
use crate::parse::fields::names;
use crate::parse::fields::names::Meaning;
use crate::parse::look::Chosen;
use crate::route::glob::RouteGlob;
use crate::route::openapi;
use crate::route::table;
use crate::route::table::Router;
use crate::route::template::Templates;
use crate::stats::counts::ErrorRule;
use crate::stats::latency::Bounds;
use crate::stats::snapshot::Plan;
use crate::stats::summary::Asked;
use crate::time::Timestamp;
use crate::time::zone::Zone;
use crate::verdict::promise::limits_us;
use crate::write::figures::clean;

/// What a live run has saved, where it is to be read too.
pub fn state(settings: &Settings) -> Result<Option<Saved>, Error> {
    let Some(path) = &settings.state else { return Ok(None) };
    let (since, until) = (settings.since.unwrap_or(Timestamp(0)), settings.until.unwrap_or(Timestamp(i64::MAX)));
    let range = Reader::open(path)?.range(since, until)?;
    Ok(Some(Saved { path: path.to_string_lossy().into_owned(), range }))
}

/// How lines are read.
pub fn reading(settings: &Settings) -> Result<pipeline::Settings, Error> {
    let config = &settings.config;
    let choice = settings.format.as_deref().map_or(Ok(Choice::Auto), from_option)?;
    let unit = config.fields.latency_unit.map(|unit| match unit {
        LatencyUnit::Ns => access::Unit::Nanoseconds,
        LatencyUnit::Us => access::Unit::Microseconds,
        LatencyUnit::Ms => access::Unit::Milliseconds,
        LatencyUnit::S => access::Unit::Seconds,
    });
    let chosen = Chosen::new(choice, fields(&config.fields), unit);
    let lateness = config.tail.lateness.as_secs();
    Ok(pipeline::Settings {
        forms: Arc::new(chosen),
        zone: Zone::new(settings.zone.clone(), settings.zone_name.clone()),
        since: settings.since,
        until: settings.until,
        lateness_us: i64::try_from(lateness).unwrap_or(0) * crate::time::SECOND,
        services: services(settings)?,
        service: settings.service.clone(),
    })
}

fn fields(fields: &Fields) -> Names {
    let mut all = Names::default();
    if let Some(unit) = fields.latency_unit {
        all = all.with_latency_unit(match unit {
            LatencyUnit::Ns => names::Unit::Nanoseconds,
            LatencyUnit::Us => names::Unit::Microseconds,
            LatencyUnit::Ms => names::Unit::Milliseconds,
            LatencyUnit::S => names::Unit::Seconds,
        });
    }
    for (key, meaning) in [
        (&fields.latency, Meaning::Latency),
        (&fields.user, Meaning::User),
        (&fields.cache, Meaning::Cache),
        (&fields.version, Meaning::Version),
        (&fields.route, Meaning::Route),
    ] {
        if let Some(key) = key {
            all = all.with_key(meaning, key);
        }
    }
    all
}

fn services(settings: &Settings) -> Result<Vec<ServiceRule>, Error> {
    let of = |service: &crate::cli::config::Service| {
        let glob = |text: &String| {
            glob::Pattern::new(text).map_err(|e| Error::usage(format!("service '{}': '{text}' is no glob: {e}", service.name)))
        };
        Ok(ServiceRule {
            name: service.name.clone(),
            layer: service.layer,
            paths: service.paths.iter().map(glob).collect::<Result<_, Error>>()?,
        })
    };
    settings.config.services.iter().map(of).collect()
}

/// How requests are counted: templates of each service, probes, limits that are counted exactly.
pub fn plan(settings: &Settings) -> Result<Plan, Error> {
    let config = &settings.config;
    let globs = |what: &str, texts: &[String]| {
        let glob = |text: &String| RouteGlob::new(text).map_err(|e| Error::usage(format!("[routes] {what}: {}", e.message)));
        texts.iter().map(glob).collect::<Result<Vec<_>, Error>>()
    };
    let mut rules = table::Settings {
        streaming: globs("streaming", &config.routes.streaming)?,
        authenticated: globs("authenticated", &config.routes.authenticated)?,
        ..table::Settings::default()
    };
    if let Some(probes) = &config.routes.probes {
        rules.probes = globs("probes", probes)?;
    }
    let typed = settings.openapi.as_deref();
    let general = Arc::new(templates(typed.into_iter(), &config.routes.templates)?);
    let mut own = BTreeMap::new();
    for service in &config.services {
        if let Some(document) = service.openapi.as_deref() {
            let all = Arc::new(templates(std::iter::once(document), &config.routes.templates)?);
            own.insert(service.name.clone(), all);
        }
    }
    let limits_us = limits_us(&config.promises);
    Ok(Plan {
        bounds: Arc::new(Bounds::new(&limits_us)),
        limits_us: limits_us.into(),
        routers: Arc::new(move |service: Option<&str>| {
            let of = service.and_then(|s| own.get(s)).unwrap_or(&general);
            Router::new(Arc::clone(of), rules.clone())
        }),
        borders: Arc::default(),
        by_route: true,
    })
}

pub(super) fn templates<'a>(documents: impl Iterator<Item = &'a str>, patterns: &[String]) -> Result<Templates, Error> {
    let mut read = Vec::new();
    for place in documents {
        let is_url = place.starts_with("http://") || place.starts_with("https://");
        let json = if is_url { fetch(place)? } else { file(place)? };
        let shown = if is_url { "the URL".to_owned() } else { format!("'{}'", clean(place.as_bytes())) };
        let document = openapi::read(&json).map_err(|e| Error::usage(format!("'--openapi' {shown}: {}", e.message)))?;
        read.push((document, String::new()));
    }
    Templates::build(&read, patterns)
}

fn file(place: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(Path::new(place)).map_err(|e| Error::usage(format!("reading '{}': {e}", clean(place.as_bytes()))))
}

/// What shapes the summary.
pub fn asked(settings: &Settings) -> Result<Asked, Error> {
    Ok(Asked {
        include_probes: settings.include_probes,
        route: settings.route.as_deref().map(RouteGlob::new).transpose()?,
        routes_max: settings.config.routes.max,
        errors: ErrorRule::new(settings.config.health.errors.clone()),
        zone: Some(settings.zone_name.clone()),
        ..Asked::default()
    })
}
