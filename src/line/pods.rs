//! Prefixes of Kubernetes clients: `kubectl logs --prefix`, `--timestamps`, and stern.
//!
//! Forms: kubectl `[pod/NAME/CONTAINER] text` and `TIME text` (RFC 3339 with nanoseconds, as `docker logs -t` and
//! `docker compose logs -t` write it too); stern's default template `POD CONTAINER text`. Colours are off already.

use crate::line::Hint;
use crate::line::Line;
use crate::line::Off;
use crate::line::step;
use crate::time;
use crate::time::Stamp;

/// Takes `[pod/NAME/CONTAINER] ` off. The instance is `NAME/CONTAINER`, the service the container.
pub(super) fn kubectl(text: &[u8]) -> Off<'_> {
    let line = || {
        let (instance, rest) = step::split(text.strip_prefix(b"[pod/")?, b']')?;
        let (pod, container) = step::split(instance, b'/')?;
        if !is_label(pod) || !is_label(container) {
            return None;
        }
        let hint = Hint { instance, service: container, ..Hint::default() };
        Some(Line { text: step::after_blank(rest)?, hint })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// Takes the time of `--timestamps` off.
pub(super) fn timestamps(text: &[u8]) -> Off<'_> {
    let line = || {
        let (stamp, taken) = time::iso(text).filter(|(stamp, _)| matches!(stamp, Stamp::Exact(_)))?;
        let text = step::after_blank(text.get(taken..).filter(|_| text.get(10) == Some(&b'T'))?)?;
        Some(Line { text, hint: Hint { time: Some(stamp), ..Hint::default() } })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// True where `text` begins with a time that has seven to nine decimals, as Go writes nanoseconds and Python does not.
pub(super) fn has_nanoseconds(text: &[u8]) -> bool {
    let decimals = || {
        let fraction = text.get(19..)?.strip_prefix(b".")?;
        Some(fraction.iter().take_while(|b| b.is_ascii_digit()).count())
    };
    decimals().is_some_and(|count| (7..=9).contains(&count))
}

/// Takes stern's `POD CONTAINER ` off. The instance is `POD CONTAINER`, the service the container.
pub(super) fn stern(text: &[u8]) -> Off<'_> {
    let line = || {
        let (pod, rest) = step::split(text, b' ')?;
        let (container, rest) = step::word(rest);
        if !is_pod(pod) || !is_label(container) {
            return None;
        }
        let instance = text.get(..pod.len() + 1 + container.len())?;
        Some(Line { text: rest, hint: Hint { instance, service: container, ..Hint::default() } })
    };
    line().map_or(Off::Not, Off::Inner)
}

/// A DNS label, or several with dots between.
fn is_label(name: &[u8]) -> bool {
    step::is_name(name, b"-.") && !name.iter().any(u8::is_ascii_uppercase)
}

/// A pod's name as a controller makes it: a label, a dash and five letters or a number.
fn is_pod(name: &[u8]) -> bool {
    let Some(dash) = memchr::memrchr(b'-', name) else { return false };
    let suffix = name.get(dash + 1..).unwrap_or_default();
    let made = suffix.len() == 5 || (!suffix.is_empty() && suffix.iter().all(u8::is_ascii_digit));
    made && is_label(name) && name.first().is_some_and(u8::is_ascii_lowercase)
}

/// The template hash in a pod's name, as a Deployment's pods carry it: `shop-7d9c6b5f4-x2x0p` gives `7d9c6b5f4`. What
/// follows the name behind a blank or a slash is its container. Kubernetes writes hash and suffix without vowels.
pub fn template_hash(instance: &[u8]) -> Option<&[u8]> {
    let pod = instance.split(|b| matches!(b, b' ' | b'/')).next()?;
    let mut parts = pod.rsplitn(3, |b| *b == b'-');
    let (suffix, hash, name) = (parts.next()?, parts.next()?, parts.next()?);
    let coded = |part: &[u8]| part.iter().all(|b| b.is_ascii_digit() || b.is_ascii_lowercase() && !b"aeiou".contains(b));
    (suffix.len() == 5 && (6..=10).contains(&hash.len()) && coded(suffix) && coded(hash) && is_label(name)).then_some(hash)
}

/// The same of a log file that the kubelet names: `/var/log/containers/POD_NAMESPACE_CONTAINER-ID.log`, or below
/// `/var/log/pods/NAMESPACE_POD_UID/`.
pub fn template_hash_of_path(path: &str) -> Option<&[u8]> {
    let folders = path.split(['/', '\\']).filter(|folder| folder.split('_').count() == 3);
    folders.flat_map(|folder| folder.split('_').take(2)).find_map(|name| template_hash(name.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn show(off: Off<'_>) -> Option<(String, String, String)> {
        let show = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
        match off {
            Off::Inner(line) => Some((show(line.hint.instance), show(line.hint.service), show(line.text))),
            _ => None,
        }
    }

    fn named(instance: &str, service: &str, text: &str) -> (String, String, String) {
        (instance.to_owned(), service.to_owned(), text.to_owned())
    }

    #[test]
    fn pod_and_container_are_told_apart() {
        let pod = "shop-7d9c6b5f4-x2x0p";
        assert_eq!(
            Some(named(&format!("{pod}/web"), "web", "INFO:  x")),
            show(kubectl(format!("[pod/{pod}/web] INFO:  x").as_bytes()))
        );
        assert_eq!(Some(named(&format!("{pod}/web"), "web", "")), show(kubectl(format!("[pod/{pod}/web]").as_bytes())));
        assert_eq!(
            Some(named(&format!("{pod} web"), "web", "INFO:  x")),
            show(stern(format!("{pod} web INFO:  x").as_bytes()))
        );
        assert_eq!(Some(named("shop-0 web", "web", "  File")), show(stern(b"shop-0 web   File")));
        assert_eq!(Some(named("shop-0 web", "web", "")), show(stern(b"shop-0 web ")));
    }

    #[test]
    fn a_deployments_pods_carry_the_hash_of_their_template() {
        let hash = |instance: &str| template_hash(instance.as_bytes()).map(|h| String::from_utf8_lossy(h).into_owned());
        for (want, instance) in [
            (Some("7d9c6b5f4"), "shop-7d9c6b5f4-x2x0p/web"),
            (Some("7d9c6b5f4"), "my-shop-7d9c6b5f4-x2x0p web"),
            (None, "shop-0/web"),
            (None, "node-exporter-x2x0p"),
            (None, "shop-7d9c6b5f4"),
            (None, "web-1"),
            (None, ""),
        ] {
            assert_eq!(want, hash(instance).as_deref(), "{instance}");
        }
        let path = |path: &str| template_hash_of_path(path).map(|h| String::from_utf8_lossy(h).into_owned());
        let id = "0123456789abcdef";
        let container = format!("/var/log/containers/shop-7d9c6b5f4-x2x0p_prod_web-{id}.log");
        assert_eq!(Some("7d9c6b5f4".to_owned()), path(&container));
        assert_eq!(Some("7d9c6b5f4".to_owned()), path("/var/log/pods/prod_shop-7d9c6b5f4-x2x0p_aa-bb/web/0.log"));
        assert_eq!(None, path("/var/log/shop-7d9c6b5f4-x2x0p.log"));
    }

    #[test]
    fn other_lines_are_left_alone() {
        for raw in ["[pod] x", "[pod/a] x", "[pod/A/B] x", "[2026-11-23 00:00:00 +0000] [7] [INFO] x", ""] {
            assert_eq!(None, show(kubectl(raw.as_bytes())), "{raw}");
        }
        for raw in ["2026-11-23 web x", "INFO:     x", "+ shop-7d9c6b5f4-x2x0p › web", "shop web x", "shop-0 Web x", ""] {
            assert_eq!(None, show(stern(raw.as_bytes())), "{raw}");
        }
        for raw in ["2026-11-23 00:35:28 x", "2026-11-23T00:35:28 x", "2026-11-23T00:35:28Zx", ""] {
            assert_eq!(None, show(timestamps(raw.as_bytes())), "{raw}");
        }
    }

    #[test]
    fn a_time_is_taken_off_with_one_blank() {
        for (text, raw) in [("  File", "1970-01-01T00:00:01.705632688Z   File"), ("", "1970-01-01T00:00:01.705632688Z ")] {
            let Off::Inner(line) = timestamps(raw.as_bytes()) else { panic!("{raw}") };
            assert_eq!((text.as_bytes(), Some(Stamp::Exact(Timestamp(1_705_632)))), (line.text, line.hint.time));
        }
        assert!(has_nanoseconds(b"2026-11-23T00:35:28.705632688Z x"));
        assert!(!has_nanoseconds(b"2026-11-23T00:35:28.705632Z x"));
    }
}
