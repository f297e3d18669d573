//! Path templates, in the order FastAPI tries them.
//!
//! Answers which of the known templates a request belongs to: the first in declared order whose path and method match,
//! else the first whose path matches (FastAPI answers 405 there), else the first of a document whose last parameter, taken
//! over slashes, makes it match (openapi.json does not tell `{p:path}` from `{p}`); then the same with the configuration's
//! templates. Reads no document itself (`openapi.rs` does). The rules are Starlette's `compile_path`, `Router.app` and
//! `get_route_path` (1.x); parameter types of the document have no say, as in Starlette.

mod pattern;
mod tree;

use crate::error::Error;
use crate::route::NamedBy;
use crate::route::method::METHODS;
use crate::route::method::WEBSOCKET;
use crate::route::method::method_number;
use crate::route::openapi::Document;
use crate::route::segment::decode;
use pattern::Piece;
use pattern::fits;
use pattern::pieces;
use tree::Tree;

/// One template as it is shown, with what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// As declared, behind the mount.
    pub(super) path: String,
    /// Bits by [`METHODS`]: answered there.
    pub(super) methods: u32,
    /// Bits by [`METHODS`]: answered there as a stream.
    pub(super) streams: u32,
    /// A document's or the configuration's.
    pub(super) by: NamedBy,
}

/// Every template a service is known to have. Empty until built; immutable afterwards.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    list: Vec<Template>,
    parts: Vec<Part>,
}

/// One document, or the configuration's templates.
#[derive(Debug, Clone)]
struct Part {
    /// Root paths under which a proxy may show the service, longest first, without a final slash.
    roots: Vec<String>,
    by: NamedBy,
    tree: Tree,
    /// Templates the tree cannot hold, and their number.
    odd: Vec<(u32, Vec<Piece>)>,
    /// Each template with its last parameter taking slashes.
    widened: Vec<(u32, Vec<Piece>)>,
}

/// The two best so far: by path and method, by path alone.
#[derive(Debug, Clone, Copy)]
struct Best {
    full: u32,
    partial: u32,
}

const NONE: u32 = u32::MAX;

impl Templates {
    /// Compiles documents (each with the prefix it is mounted under, mostly empty) and then the configuration's templates,
    /// `/items/{item_id}` or `GET /items/{item_id}`, with Starlette's converters.
    ///
    /// # Errors
    /// Usage, where a template does not begin with `/` or its braces do not pair; the message quotes it.
    pub fn build(documents: &[(Document, String)], patterns: &[String]) -> Result<Self, Error> {
        let mut all = Self::default();
        for (index, (document, prefix)) in documents.iter().enumerate() {
            all.add_document(document, prefix.trim_end_matches('/'), index > 0)?;
        }
        let mut part = Part::new(NamedBy::Pattern, Vec::new());
        for text in patterns {
            let (methods, path) = match text.trim().split_once(char::is_whitespace) {
                Some((method, path)) if method != "*" => (1 << method_number(method.as_bytes()), path.trim()),
                Some((_, path)) => (u32::MAX, path.trim()),
                None => (u32::MAX, text.trim()),
            };
            all.add(&mut part, Template { path: path.to_owned(), methods, streams: 0, by: NamedBy::Pattern })?;
        }
        all.parts.push(part);
        Ok(all)
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Each operation of the documents as (method, path), in declared order; the configuration's templates are no
    /// documentation and stand not here.
    pub fn documented(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.list.iter().filter(|t| t.by == NamedBy::Openapi).flat_map(|t| {
            METHODS.iter().enumerate().filter(|(m, _)| t.methods & (1 << m) != 0).map(|(_, name)| (*name, t.path.as_str()))
        })
    }

    pub(super) fn list(&self) -> &[Template] {
        &self.list
    }

    fn add_document(&mut self, document: &Document, prefix: &str, mounted: bool) -> Result<(), Error> {
        // A mounted application's own document names its mount as server; the first document's server is a proxy's affair.
        let mount = if mounted && prefix.is_empty() { document.roots.first().map_or("", String::as_str) } else { prefix };
        let roots = if mounted { Vec::new() } else { document.roots.clone() };
        let mut part = Part::new(NamedBy::Openapi, roots);
        for operation in &document.paths {
            let bits = |names: &[String]| names.iter().fold(0, |bits, m| bits | 1 << method_number(m.as_bytes()));
            let path = format!("{mount}{}", operation.path);
            let (methods, streams) = (bits(&operation.methods), bits(&operation.streams));
            self.add(&mut part, Template { path, methods, streams, by: NamedBy::Openapi })?;
        }
        self.parts.push(part);
        Ok(())
    }

    fn add(&mut self, part: &mut Part, template: Template) -> Result<(), Error> {
        let pieces = pieces(&template.path)?;
        let number = u32::try_from(self.list.len()).map_err(|_| Error::usage("more templates than can be counted"))?;
        part.add(number, &pieces, template.methods);
        self.list.push(template);
        Ok(())
    }

    /// The number in [`Templates::list`] of the template that the request belongs to. `path` without its query, as logged;
    /// `scratch` holds it decoded.
    pub(super) fn find(&self, method: usize, path: &[u8], scratch: &mut Vec<u8>) -> Option<usize> {
        if self.list.is_empty() || path.first() != Some(&b'/') {
            return None;
        }
        let path = if memchr::memchr(b'%', path).is_some() {
            decode(path, scratch);
            scratch.as_slice()
        } else {
            path
        };
        // A document tells nothing of WebSockets, whose handlers are other routes.
        if method != WEBSOCKET
            && let Some(found) = self.find_by(NamedBy::Openapi, method, path)
        {
            return Some(found);
        }
        self.find_by(NamedBy::Pattern, method, path)
    }

    fn find_by(&self, by: NamedBy, method: usize, path: &[u8]) -> Option<usize> {
        let mut best = Best { full: NONE, partial: NONE };
        for part in self.parts.iter().filter(|p| p.by == by) {
            part.find(1 << method, part.without_root(path), &mut best, &self.list);
        }
        if best.full == NONE && best.partial == NONE && by == NamedBy::Openapi {
            for part in self.parts.iter().filter(|p| p.by == by) {
                part.find_widened(1 << method, part.without_root(path), &mut best, &self.list);
            }
        }
        let found = if best.full == NONE { best.partial } else { best.full };
        (found != NONE).then_some(found as usize)
    }
}

impl Part {
    fn new(by: NamedBy, roots: Vec<String>) -> Self {
        Self { roots, by, tree: Tree::default(), odd: Vec::new(), widened: Vec::new() }
    }

    fn add(&mut self, number: u32, pieces: &[Piece], methods: u32) {
        if !self.tree.add(number, pieces, methods) {
            self.odd.push((number, pieces.to_vec()));
        }
        let last = pieces.iter().rposition(|p| !matches!(p, Piece::Text(_)));
        if self.by == NamedBy::Openapi
            && let Some(last) = last
        {
            let mut wide = pieces.to_vec();
            wide[last] = Piece::Rest;
            self.widened.push((number, wide));
        }
    }

    fn without_root<'p>(&self, path: &'p [u8]) -> &'p [u8] {
        for root in &self.roots {
            match path.strip_prefix(root.as_bytes()) {
                Some([]) => return b"/",
                Some(rest @ [b'/', ..]) => return rest,
                _ => {}
            }
        }
        path
    }

    fn find(&self, method: u32, path: &[u8], best: &mut Best, list: &[Template]) {
        self.tree.find(0, &path[1..], method, best);
        for (number, pieces) in &self.odd {
            if *number < best.full && fits(pieces, path) {
                best.take(*number, list[*number as usize].methods & method != 0);
            }
        }
    }

    /// A path that ends in a slash is a redirect's where it fits without, and so is nobody's here.
    fn find_widened(&self, method: u32, path: &[u8], best: &mut Best, list: &[Template]) {
        if let [short @ .., b'/'] = path {
            let mut redirected = Best { full: NONE, partial: NONE };
            if short.first() == Some(&b'/') {
                self.find(method, short, &mut redirected, list);
            }
            if redirected.full != NONE || redirected.partial != NONE {
                return;
            }
        }
        for (number, pieces) in &self.widened {
            if *number < best.full && fits(pieces, path) {
                best.take(*number, list[*number as usize].methods & method != 0);
            }
        }
    }
}

impl Best {
    fn take(&mut self, number: u32, method_too: bool) {
        if method_too {
            self.full = self.full.min(number);
        }
        self.partial = self.partial.min(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::openapi::PathItem;
    use proptest::prelude::*;
    use regex::bytes::Regex;

    fn document(paths: &[(&str, &str)], roots: &[&str]) -> Document {
        let item = |(path, methods): &(&str, &str)| PathItem {
            path: (*path).to_owned(),
            methods: methods.split_whitespace().map(str::to_owned).collect(),
            streams: Vec::new(),
        };
        Document { paths: paths.iter().map(item).collect(), roots: roots.iter().map(|r| (*r).to_owned()).collect() }
    }

    fn found<'t>(templates: &'t Templates, method: &str, path: &str) -> &'t str {
        let number = templates.find(method_number(method.as_bytes()), path.as_bytes(), &mut Vec::new());
        number.map_or("-", |n| &templates.list()[n].path)
    }

    #[test]
    fn the_first_declared_template_wins() {
        let paths = [
            ("/users/{id}", "GET"),
            ("/users/me", "GET DELETE"),
            ("/items/new", "GET"),
            ("/items/{id}", "GET PUT"),
            ("/items/{id}/{part}.json", "GET"),
            ("/files/{file_path}", "GET"),
            ("/", "GET"),
        ];
        let templates = Templates::build(&[(document(&paths, &[]), String::new())], &["/static/{p:path}".to_owned()]).unwrap();
        for (want, method, path) in [
            ("/users/{id}", "GET", "/users/me"),
            ("/users/me", "DELETE", "/users/me"),
            ("/users/{id}", "POST", "/users/me"),
            ("/users/{id}", "HEAD", "/users/7"),
            ("/items/new", "GET", "/items/new"),
            ("/items/{id}", "PUT", "/items/new"),
            ("/items/new", "OPTIONS", "/items/new"),
            ("/items/{id}", "GET", "/items/a%20b"),
            ("/items/{id}/{part}.json", "GET", "/items/7/x.json"),
            ("-", "GET", "/items/"),
            ("-", "GET", "/items/7/"),
            ("/files/{file_path}", "GET", "/files/a/b/c.txt"),
            ("/files/{file_path}", "GET", "/files/a%2Fb"),
            ("/static/{p:path}", "GET", "/static/"),
            ("/static/{p:path}", "WEBSOCKET", "/static/x"),
            ("-", "WEBSOCKET", "/users/me"),
            ("/", "GET", "/"),
            ("-", "GET", ""),
            ("-", "GET", "*"),
            ("-", "GET", "/nope"),
        ] {
            assert_eq!(want, found(&templates, method, path), "{method} {path}");
        }
    }

    #[test]
    fn root_paths_and_mounts_are_respected() {
        let main = document(&[("/items/{id}", "GET"), ("/stats", "GET")], &["/api/v1"]);
        let mounted = document(&[("/stats", "GET")], &["/admin"]);
        let prefixed = document(&[("/x", "GET")], &[]);
        let templates =
            Templates::build(&[(main, String::new()), (mounted, String::new()), (prefixed, "/m/".to_owned())], &[]).unwrap();
        for (want, path) in [
            ("/items/{id}", "/items/7"),
            ("/items/{id}", "/api/v1/items/7"),
            ("-", "/api/v1x/items/7"),
            ("/stats", "/stats"),
            ("/admin/stats", "/admin/stats"),
            ("/m/x", "/m/x"),
        ] {
            assert_eq!(want, found(&templates, "GET", path), "{path}");
        }
        let listed: Vec<_> = templates.documented().collect();
        assert_eq!(vec![("GET", "/items/{id}"), ("GET", "/stats"), ("GET", "/admin/stats"), ("GET", "/m/x")], listed);
    }

    /// Starlette's own way: every template a regular expression, tried in order.
    fn twin(paths: &[String], methods: &[u32], method: usize, path: &str) -> Option<usize> {
        let regexes: Vec<Regex> = paths
            .iter()
            .map(|p| {
                let text =
                    regex::escape(p).replace(r"\{x:path\}", ".*").replace(r"\{x:int\}", "[0-9]+").replace(r"\{x\}", "[^/]+");
                Regex::new(&format!("^{text}$")).unwrap()
            })
            .collect();
        let fitting: Vec<usize> = (0..paths.len()).filter(|i| regexes[*i].is_match(path.as_bytes())).collect();
        fitting.iter().find(|i| methods[**i] & (1 << method) != 0).or(fitting.first()).copied()
    }

    proptest! {
        #[test]
        fn matching_is_that_of_the_plain_loop(
            declared in prop::collection::vec(("(/(a|b|a\\{x\\}|\\{x\\}|\\{x\\}\\.b|\\{x:int\\}|\\{x:path\\}|\\{x\\}-\\{x\\}|)){1,4}", 1_usize..4), 1..9),
            path in "(/(a|b|ab|7|7\\.b|a-b|)){1,4}",
            method in 1_usize..4,
        ) {
            let lines: Vec<String> = declared.iter().map(|(p, m)| format!("{} {p}", METHODS[*m])).collect();
            let templates = Templates::build(&[], &lines).unwrap();
            let paths: Vec<String> = declared.iter().map(|(p, _)| p.clone()).collect();
            let methods: Vec<u32> = declared.iter().map(|(_, m)| 1 << m).collect();
            prop_assert_eq!(twin(&paths, &methods, method, &path), templates.find(method, path.as_bytes(), &mut Vec::new()));
        }
    }
}
