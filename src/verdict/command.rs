//! Commands at hand: templates of the configuration, filled in. Printed, never run.
//!
//! Values come from logs, so each is quoted for a POSIX shell in the way its place asks for (XCU section 2.2): bare,
//! inside single quotes, inside double quotes. A command that would have a hole, or whose value could not be quoted for
//! sure, is none.

/// What a service's configuration offers against a bad change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Remedy<'a> {
    /// The template that takes a change back.
    pub rollback: Option<&'a str>,
    /// The template that purges one route from caches.
    pub purge: Option<&'a str>,
    /// What the cache takes for any text within a path; without it a route with placeholders has no path.
    pub purge_wildcard: Option<&'a str>,
}

/// What placeholders stand for; `None` where it is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values {
    /// `{path}`: a concrete path, or the wildcard form of a route.
    pub path: Option<String>,
    /// `{route}`: the template.
    pub route: Option<String>,
    /// `{method}`.
    pub method: Option<String>,
    /// `{version}`.
    pub version: Option<String>,
    /// `{previous_version}`.
    pub previous_version: Option<String>,
}

impl Values {
    /// The value of a placeholder, empty where it is not known; `None` if the name is none.
    fn get(&self, name: &str) -> Option<&str> {
        let value = match name {
            "path" => &self.path,
            "route" => &self.route,
            "method" => &self.method,
            "version" => &self.version,
            "previous_version" => &self.previous_version,
            _ => return None,
        };
        Some(value.as_deref().unwrap_or_default())
    }
}

/// The longest value that is filled in.
const LONGEST: usize = 1024;

/// Where in a shell's text a place stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quotes {
    None,
    Single,
    Double,
}

/// The template with its placeholders filled in and quoted. `None` where a value is not known, holds what cannot be seen,
/// or could be taken for something else than a value: at a word's beginning it may not look like an option, and inside a
/// command substitution it must be harmless as it is. Braces around other names stay as they are.
pub fn fill(template: &str, values: &Values) -> Option<String> {
    let substitutes = template.contains('`') || template.contains("$(");
    let mut out = String::with_capacity(template.len() + 64);
    let mut quotes = Quotes::None;
    let mut rest = template;
    while let Some(c) = rest.chars().next() {
        let named = rest.strip_prefix('{').and_then(|inside| inside.split_once('}'));
        if let Some((value, after)) = named.and_then(|(name, after)| Some((values.get(name)?, after))) {
            if value.is_empty() || value.len() > LONGEST || !value.chars().all(visible) {
                return None;
            }
            let starts_word = quotes == Quotes::None && out.chars().next_back().is_none_or(char::is_whitespace);
            if (starts_word && value.starts_with('-')) || (substitutes && !value.chars().all(harmless)) {
                return None;
            }
            out.push_str(&quoted(value, quotes));
            rest = after;
            continue;
        }
        let escapes = c == '\\' && quotes != Quotes::Single;
        let taken = c.len_utf8() + if escapes { rest.chars().nth(1).map_or(0, char::len_utf8) } else { 0 };
        quotes = match (quotes, c) {
            (Quotes::None, '\'') => Quotes::Single,
            (Quotes::None, '"') => Quotes::Double,
            (Quotes::Single, '\'') | (Quotes::Double, '"') => Quotes::None,
            _ => quotes,
        };
        let (here, after) = rest.split_at(taken);
        out.push_str(here);
        rest = after;
    }
    Some(out)
}

/// Seen as it is by whoever reads the command before running it: nothing that controls, hides or turns text.
fn visible(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric()
}

/// Means itself anywhere in a shell's text.
fn harmless(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | '=' | ',')
}

fn quoted(value: &str, quotes: Quotes) -> String {
    match quotes {
        _ if value.chars().all(harmless) => value.to_owned(),
        Quotes::None => format!("'{}'", value.replace('\'', r"'\''")),
        Quotes::Single => value.replace('\'', r"'\''"),
        Quotes::Double => {
            let mut out = String::with_capacity(value.len() + 8);
            for c in value.chars() {
                // An interactive shell takes `!` for its history even here, and no backslash keeps it from that: leave the quotes.
                match c {
                    '!' => out.push_str(r#""'!'""#),
                    '\\' | '"' | '$' | '`' => out.extend(['\\', c]),
                    c => out.push(c),
                }
            }
            out
        }
    }
}

/// The path to purge for a route: itself, or with `wildcard` for each placeholder; `None` where it has placeholders and
/// there is no wildcard, or where it is no path.
pub fn purge_path(route: &str, wildcard: Option<&str>) -> Option<String> {
    if !route.starts_with('/') {
        return None;
    }
    let mut out = String::with_capacity(route.len());
    let mut rest = route;
    while let Some((before, inside)) = rest.split_once('{') {
        let (_, after) = inside.split_once('}')?;
        out.push_str(before);
        out.push_str(wildcard?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(path: &str) -> Values {
        Values {
            path: Some(path.to_owned()),
            route: Some("/items/{id}".to_owned()),
            method: Some("GET".to_owned()),
            version: Some("-x".to_owned()),
            previous_version: None,
        }
    }

    #[test]
    fn a_value_is_quoted_as_its_place_asks() {
        for (want, template, path) in [
            ("curl -X PURGE https://cdn/items", "curl -X PURGE https://cdn{path}", "/items"),
            ("purge '/items/*'", "purge {path}", "/items/*"),
            ("purge '/items/*'", "purge '{path}'", "/items/*"),
            ("purge \"/items/*\"", "purge \"{path}\"", "/items/*"),
            (r"purge '/it'\''s'", "purge {path}", "/it's"),
            (r"purge '/it'\''s'", "purge '{path}'", "/it's"),
            (r#"purge "/\$(id)\`id\`\"""#, "purge \"{path}\"", "/$(id)`id`\""),
            (r#"purge "/a"'!'"b""#, "purge \"{path}\"", "/a!b"),
            ("purge '/a;rm -rf ~'", "purge {path}", "/a;rm -rf ~"),
            (r#"say \" '/a b'"#, r#"say \" {path}"#, "/a b"),
            ("awk '{print $1}' {x} GET '/items/{id}'", "awk '{print $1}' {x} {method} {route}", "/"),
            ("roll --to=-x", "roll --to={version}", "/"),
        ] {
            assert_eq!(Some(want.to_owned()), fill(template, &values(path)), "{template}");
        }
    }

    #[test]
    fn a_command_with_a_hole_or_a_doubt_is_none() {
        for (template, path) in [
            ("deploy {previous_version}", "/"),
            ("deploy {version}", "/"),
            ("purge {path}", ""),
            ("purge {path}", "/a\nrm"),
            ("purge {path}", "/a\x1b[2J"),
            ("purge {path}", "/a\u{202e}moc"),
            ("purge \"$(echo {path})\"", "/a;id"),
            ("purge `echo {path}`", "/$x"),
        ] {
            assert_eq!(None, fill(template, &values(path)), "{template}");
        }
        assert_eq!(None, fill("purge {path}", &values(&"/".repeat(5_000))));
    }

    /// What a shell makes of the filled command is the value itself.
    #[test]
    fn a_shell_gives_the_value_back() {
        let path = "/it's \"$HOME\" `id` $(id) \\ * ? ~ # & | ; < > ( ) {a,b} é !x";
        for template in ["printf %s {path}", "printf %s '{path}'", "printf %s \"{path}\"", "printf %s ''{path}\"\""] {
            let command = fill(template, &values(path)).unwrap();
            let out = std::process::Command::new("sh").args(["-c", &command]).output().unwrap();
            assert_eq!(path, String::from_utf8(out.stdout).unwrap(), "{command}");
        }
    }

    #[test]
    fn a_route_with_placeholders_needs_the_caches_wildcard() {
        for (want, route, wildcard) in [
            (Some("/items"), "/items", None),
            (Some("/items/*/x/*"), "/items/{id}/x/{slug}", Some("*")),
            (None, "/items/{id}", None),
            (None, "(not found)", Some("*")),
            (None, "/items/{id", Some("*")),
        ] {
            assert_eq!(want.map(str::to_owned), purge_path(route, wildcard));
        }
    }
}
