//! The configuration as judging and telling take it: rules with those of the house, promises, mutes, commands, sinks.
//!
//! Without `[[promise]]` the house's promise holds. The house's rules hold beside those of the configuration; one of
//! the same name takes a rule's place.

use std::collections::BTreeMap;

use crate::cli::config::Config;
use crate::cli::config::Service;
use crate::drive::judge::Setup;
use crate::error::Error;
use crate::stats::counts::ErrorRule;
use crate::verdict::engine;
use crate::verdict::evidence::Commands;
use crate::verdict::promise::Objective;
use crate::verdict::promise::limits_us;
use crate::verdict::rule;
use crate::verdict::rule::Rule;
use crate::write::webhook::Sink;

/// The promises in force.
pub fn objectives(config: &Config) -> Vec<Objective> {
    if config.promises.is_empty() { vec![Objective::available()] } else { config.promises.clone() }
}

/// The rules in force: the configuration's, then those of the house that it does not replace.
pub fn rules(config: &Config) -> Vec<Rule> {
    let mut all = config.rules.clone();
    let own = all.len();
    all.extend(rule::defaults());
    let names: Vec<String> = all.iter().take(own).map(|rule| rule.name.clone()).collect();
    let mut at = 0;
    all.retain(|rule| {
        at += 1;
        at <= own || !names.contains(&rule.name)
    });
    all
}

/// What a judge needs. The recording's plan must be the one of the same configuration.
pub fn setup(config: &Config, include_probes: bool) -> Setup {
    let objectives = objectives(config);
    let settings = engine::Settings {
        errors: ErrorRule::new(config.health.errors.clone()),
        include_probes,
        instance: None,
        repeat_s: u32::try_from(config.tail.repeat_every.as_secs()).unwrap_or(u32::MAX),
        limits_us: limits_us(&objectives),
    };
    let of_service: BTreeMap<String, Commands> =
        config.services.iter().map(|service| (service.name.clone(), commands(config, Some(service)))).collect();
    Setup {
        rules: rules(config),
        objectives,
        mutes: config.mutes.clone(),
        settings,
        commands: commands(config, None),
        of_service,
    }
}

/// Commands and links of a service: its own, else those of `[health]`.
fn commands(config: &Config, service: Option<&Service>) -> Commands {
    let health = &config.health;
    let own = |of: fn(&Service) -> &Option<String>| service.and_then(|service| of(service).clone());
    Commands {
        runbook: own(|s| &s.runbook).or_else(|| health.runbook.clone()),
        rollback: own(|s| &s.rollback).or_else(|| health.rollback.clone()),
        rollback_within_s: u32::try_from(health.rollback_within.as_secs()).unwrap_or(u32::MAX),
        purge: own(|s| &s.purge).or_else(|| health.purge.clone()),
        purge_wildcard: health.purge_wildcard.clone(),
    }
}

/// The sinks, ready to be sent to.
pub fn sinks(config: &Config) -> Result<Vec<Sink>, Error> {
    let sink = |(at, plan)| Sink::new(plan).map_err(|why| Error::usage(format!("sink {at}: {why}")));
    (1..).zip(&config.sinks).map(sink).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::condition::parse;
    use crate::verdict::rule::Severity;

    #[test]
    fn the_rules_of_the_house_hold_beside_those_of_the_configuration() {
        let own = |name: &str| Rule::new(name, parse("p99 > 1s").unwrap());
        let config = Config { rules: vec![own("slow"), own("outage")], ..Config::default() };
        let names: Vec<String> = rules(&config).into_iter().map(|rule| rule.name).collect();
        let house: Vec<String> = rule::defaults().into_iter().map(|rule| rule.name).collect();
        assert_eq!(["slow", "outage"], names[..2]);
        assert_eq!(house[1..], names[2..], "all but the one that is replaced");
        assert_eq!("p99 > 1s", rules(&config)[1].condition.text);
        assert_eq!(Severity::Page, rules(&Config::default())[0].severity);
    }

    #[test]
    fn a_service_has_its_own_commands_or_everybodys() {
        let mut config = Config::default();
        config.health.rollback = Some("undo all".to_owned());
        config.health.runbook = Some("https://all".to_owned());
        let shop = Service { name: "shop".to_owned(), rollback: Some("undo shop".to_owned()), ..Service::default() };
        config.services.push(shop);
        let setup = setup(&config, false);
        let shop = &setup.of_service["shop"];
        assert_eq!((Some("undo shop"), Some("https://all")), (shop.rollback.as_deref(), shop.runbook.as_deref()));
        assert_eq!(Some("undo all"), setup.commands.rollback.as_deref());
        assert_eq!(7200, shop.rollback_within_s);
    }

    #[test]
    fn promises_and_recording_count_the_same_limits() {
        let slow = |us| Objective { slower_than_us: Some(us), name: us.to_string(), ..Objective::available() };
        let config = Config { promises: vec![slow(900_000), slow(300_000), slow(900_000)], ..Config::default() };
        assert_eq!(vec![300_000, 900_000], setup(&config, false).settings.limits_us);
        assert_eq!(1, objectives(&Config::default()).len());
    }
}
