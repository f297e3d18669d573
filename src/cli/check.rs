//! `check`: is this configuration valid, and what holds by it? Every error in one run; warnings for what is valid and
//! yet surely not meant. `--send` sends one marked test alert to each sink.

use std::path::Path;

use crate::cli::args;
use crate::cli::config::Config;
use crate::cli::deliver;
use crate::cli::exit::Exit;
use crate::cli::init::line;
use crate::cli::prepare;
use crate::cli::rules;
use crate::cli::say;
use crate::cli::settings::Environment;
use crate::cli::settings::configuration;
use crate::error::Error;
use crate::route::glob::RouteGlob;
use crate::verdict::condition::On;
use crate::verdict::promise::Objective;
use crate::verdict::promise::rows;
use crate::verdict::rule::Rule;
use crate::verdict::rule::Severity;
use crate::write::figures::clean;
use crate::write::figures::duration;
use crate::write::figures::limit;
use crate::write::figures::span;
use crate::write::webhook::send_test;

/// Runs `check`.
pub fn check(typed: &args::Check, around: &Environment<'_>) -> Result<Exit, Error> {
    let named = typed.file.as_deref().or(typed.config.as_deref()).filter(|path| !path.as_os_str().is_empty());
    let (file, config) = configuration(named, around)?;
    let sinks = rules::sinks(&config)?;
    if !typed.talk.quiet {
        for warning in warnings(file.as_deref(), &config)? {
            say(&format!("warning: {}", clean(&warning)));
        }
    }
    let mut page = String::new();
    let name = file.as_deref().map(|path| clean(path.to_string_lossy().as_bytes()).to_string());
    match &name {
        Some(name) => line(&mut page, &format!("'{name}' is valid. What holds by it:")),
        None => page.push_str("No configuration file: the rules of the house hold.\n"),
    }
    page.push('\n');
    what_holds(&config, &mut page);
    page.push_str("\nAlerts go to standard output");
    for sink in &sinks {
        page.extend([", ".to_owned(), sink.shown()]);
    }
    page.push('\n');
    let mut exit = Exit::Done;
    if typed.send {
        page.push('\n');
        if sinks.is_empty() {
            page.push_str("There is no sink to send to.\n");
        }
        for sink in &sinks {
            let said = match send_test(sink, around.now) {
                Ok(sent) => sent,
                Err(why) => {
                    exit = exit.and(Exit::Unread);
                    format!("FAILED {why}")
                }
            };
            line(&mut page, clean(&said).as_str());
        }
    }
    Ok(deliver::page(page.as_bytes(), None)?.and(exit))
}

/// Promises and rules, one a line, with their own figures.
fn what_holds(config: &Config, page: &mut String) {
    let objectives = rules::objectives(config);
    let all = rules::rules(config);
    let widest = objectives.iter().map(|o| o.name.chars().count()).chain(all.iter().map(|r| r.name.chars().count()));
    let widest = widest.max().unwrap_or(0).min(40);
    page.push_str("Promises\n");
    for objective in &objectives {
        line(page, &format!("  {:<widest$}  {}", clean(&objective.name), promised(objective)));
        for severity in [Severity::Page, Severity::Ticket] {
            let own: Vec<String> = rows(objective)
                .0
                .iter()
                .filter(|row| row.severity == severity)
                .map(|row| format!("{} over {} and {}", row.burn, span(row.long_s.into()), span(row.short_s.into())))
                .collect();
            if !own.is_empty() {
                line(page, &format!("  {:<widest$}  {} at burn {}", "", severity.word(), own.join(", or ")));
            }
        }
    }
    page.push_str("\nRules\n");
    for rule in &all {
        line(page, &format!("  {:<widest$}  {:<6}  {}", clean(&rule.name), rule.severity.word(), watched(rule)));
    }
}

fn promised(objective: &Objective) -> String {
    let good = match objective.slower_than_us {
        Some(us) => format!("answered within {}", duration(us)),
        None => "without an error".to_owned(),
    };
    let route = objective.route.as_ref().map(|(text, _)| format!(" of {}", clean(text))).unwrap_or_default();
    format!("{} of requests{route} {good}, over {}", limit(objective.target), span(objective.period_s.into()))
}

fn watched(rule: &Rule) -> String {
    let mut text = clean(&rule.condition.text).to_string();
    if rule.probes {
        text.push_str(", of health probes");
    }
    if rule.for_s > 0 {
        text = format!("{text}, for {}", span(rule.for_s.into()));
    }
    if rule.least() > 1 {
        text = format!("{text}, {} requests at least", rule.least());
    }
    if rule.min_errors > 0 {
        text = format!("{text}, {} errors at least", rule.min_errors);
    }
    if rule.learned {
        text.push_str("; a ticket after 7 days, where longer than four times the longest gap");
    }
    text
}

/// What is valid and yet surely not meant.
fn warnings(file: Option<&Path>, config: &Config) -> Result<Vec<String>, Error> {
    let mut all = Vec::new();
    for rule in config.rules.iter().filter(|rule| rule.condition.looks_like_a_goal()) {
        let (name, text) = (&rule.name, &rule.condition.text);
        all.push(format!("rule '{name}': '{text}' reads like a goal: it fires where that holds"));
    }
    for objective in &config.promises {
        all.extend(rows(objective).1);
    }
    let on = config.rules.iter().filter_map(|rule| match &rule.condition.on {
        On::Route(glob) => Some((format!("rule '{}'", rule.name), rule.condition.route.clone().unwrap_or_default(), glob)),
        _ => None,
    });
    let promised = config.promises.iter().filter_map(|p| {
        let (text, glob) = p.route.as_ref()?;
        Some((format!("promise '{}'", p.name), text.clone(), glob))
    });
    if let Some(known) = known(config)? {
        let of_known = |glob: &RouteGlob| known.iter().any(|(method, path)| glob.matches(method, path));
        for (who, text, _) in on.chain(promised).filter(|(_, _, glob)| !of_known(glob)) {
            all.push(format!("{who} is on '{text}', which is none of the {} known routes", known.len()));
        }
    }
    let names: Vec<String> =
        rules::rules(config).into_iter().map(|r| r.name).chain(rules::objectives(config).into_iter().map(|o| o.name)).collect();
    for rule in config.mutes.iter().filter_map(|mute| mute.rule.as_ref()).filter(|rule| !names.contains(rule)) {
        all.push(format!("a mute is for rule '{rule}', which does not exist"));
    }
    let secret = config.tail.token.is_some() || config.sinks.iter().any(|s| !s.secrets.is_empty() || !s.headers.is_empty());
    if let Some(file) = file.filter(|_| secret || !config.sinks.is_empty())
        && world_readable(file)
    {
        let name = file.to_string_lossy();
        all.push(format!("'{name}' may hold secrets and everybody can read it (chmod 600 '{name}', or write ${{NAME}})"));
    }
    Ok(all)
}

/// Documented routes; `None` where nothing documents any that can be read here.
fn known(config: &Config) -> Result<Option<Vec<(String, String)>>, Error> {
    let own = config.services.iter().filter_map(|service| service.openapi.as_deref());
    let documents: Vec<&str> = config.input.openapi.as_deref().into_iter().chain(own).collect();
    if documents.is_empty() || documents.iter().any(|place| place.contains("://")) {
        return Ok(None);
    }
    let templates = prepare::templates(documents.into_iter(), &[])?;
    let mut all: Vec<(String, String)> = templates.documented().map(|(m, p)| (m.to_owned(), p.to_owned())).collect();
    all.extend(config.routes.templates.iter().map(|path| (String::new(), path.clone())));
    Ok(Some(all))
}

#[cfg(unix)]
fn world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn world_readable(_: &Path) -> bool {
    false
}
