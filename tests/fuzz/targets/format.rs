//! Format strings and regular expressions of the user's own: the first line is compiled, the rest are read with it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use vitalog::parse::Record;
use vitalog::parse::Verdict;
use vitalog::parse::access::Memo;
use vitalog::parse::access::Reading;
use vitalog::parse::custom::Compiled;
use vitalog::parse::custom::Settings;
use vitalog::parse::pattern::Pattern;

fuzz_target!(|data: &[u8]| {
    let end = data.iter().position(|b| *b == b'\n').unwrap_or(data.len());
    let Ok(format) = std::str::from_utf8(&data[..end]) else { return };
    let lines = || data.get(end + 1..).unwrap_or_default().split(|b| *b == b'\n');
    let sound = |verdict: Verdict, record: &Record<'_>| {
        if verdict == Verdict::Request {
            assert!(record.status.is_none_or(|status| status == 0 || (100..600).contains(&status)), "{record:?}");
        }
    };
    if let Some(pattern) = format.strip_prefix('/') {
        match Pattern::new(pattern) {
            Ok(pattern) => {
                let mut memo = Memo::new(Reading::default());
                for line in lines() {
                    let mut record = Record::default();
                    sound(pattern.parse(line, &mut memo, &mut record), &record);
                }
            }
            Err(error) => drop(error.in_setting("'--format'", pattern)),
        }
        return;
    }
    match Compiled::new(format, Settings::default()) {
        Ok(compiled) => {
            let mut used = Memo::new(Reading::default());
            for line in lines() {
                let (mut first, mut again) = (Record::default(), Record::default());
                let verdict = compiled.parse(line, &mut used, &mut first);
                sound(verdict, &first);
                assert_eq!(verdict, compiled.parse(line, &mut Memo::new(Reading::default()), &mut again));
                assert_eq!(format!("{first:?}"), format!("{again:?}"), "what is remembered changes nothing");
                let _ = compiled.message(line, &mut used);
            }
        }
        Err(error) => drop(error.in_setting("'--format'", format)),
    }
});
