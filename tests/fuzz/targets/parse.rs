//! A whole source through detection and the walk: every line is exactly one kind, no request has an impossible figure,
//! what is remembered changes nothing, and watching changes nothing.
#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use vitalog::drive::pipeline::Settings;
use vitalog::drive::source::SourceForm;
use vitalog::drive::pipeline::Walk;
use vitalog::line::split::Block;
use vitalog::parse::Record;
use vitalog::parse::look::Chosen;
use vitalog::parse::look::Look;
use vitalog::parse::look::Looker;
use vitalog::route::table;
use vitalog::route::table::Router;
use vitalog::route::template::Templates;
use vitalog::stats::intake::Intake;
use vitalog::stats::latency::Bounds;
use vitalog::stats::snapshot::Plan;
use vitalog::stats::snapshot::Snapshot;
use vitalog::time::Timestamp;
use vitalog::time::zone::Zone;

fn settings() -> Arc<Settings> {
    Arc::new(Settings {
        forms: Arc::new(Chosen::default()),
        zone: Zone::utc(),
        since: None,
        until: None,
        lateness_us: 30_000_000,
        services: Vec::new(),
        service: None,
    })
}

fn plan() -> Plan {
    let templates = Arc::new(Templates::build(&[], &[]).expect("no template is broken"));
    Plan {
        bounds: Arc::new(Bounds::new(&[])),
        limits_us: Arc::new([]),
        routers: Arc::new(move |_| Router::new(Arc::clone(&templates), table::Settings::default())),
        borders: Arc::default(),
        by_route: true,
    }
}

fn walked(data: &[u8], settings: &Arc<Settings>, form: &Arc<SourceForm>, watched: bool) -> Intake {
    let mut snapshot = Snapshot::empty(plan());
    let mut walk = Walk::new(settings, form, None);
    if watched {
        walk.observed(&Block::new(data, 0), &mut snapshot, &mut |_| {});
    } else {
        walk.block(&Block::new(data, 0), &mut snapshot);
    }
    walk.finish(&mut snapshot);
    walk.intake().clone()
}

fuzz_target!(|data: &[u8]| {
    let settings = settings();
    let form = Arc::new(SourceForm::find("app.log", 0, data, Timestamp(1_795_000_000_000_000), &settings));
    let intake = walked(data, &settings, &form, false);
    assert_eq!(intake, walked(data, &settings, &form, true), "watching changes nothing");
    let raw = Block::new(data, 0).lines().count() as u64;
    assert!(intake.kinds.lines() <= raw, "{:?} of {raw} lines", intake.kinds);
    if form.unwrapper.is_bare() {
        assert_eq!(raw, intake.kinds.lines(), "{:?}", intake.kinds);
    }

    let mut used = Looker::new(&form.form, &settings.forms);
    for line in Block::new(data, 0).lines().take(64) {
        let (mut first, mut again) = (Record::default(), Record::default());
        let mut fresh = Looker::new(&form.form, &settings.forms);
        let told = format!("{:?}", used.look(line.bytes, &mut first));
        let look = fresh.look(line.bytes, &mut again);
        assert_eq!(told, format!("{look:?}"), "what is remembered changes nothing");
        if let Look::Request(_) = look {
            assert_eq!(format!("{first:?}"), format!("{again:?}"));
            assert!(again.status.is_none_or(|status| status == 0 || (100..600).contains(&status)), "{again:?}");
            assert!(!again.path.contains(&b'?'), "{again:?}");
        }
    }
});
