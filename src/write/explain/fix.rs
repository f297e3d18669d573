//! What `--fix` prints: for each server the complete change that makes every figure possible, ready to paste.
//!
//! The middleware for uvicorn is `access_log.py`; the format strings speak JSON, whose keys leave no question about
//! units. Sources: the documentation of the ASGI specification, gunicorn's `access_log_format`, hypercorn's
//! `access_log_format`, granian's `--access-log-fmt`, nginx's `ngx_http_log_module`.

use super::Explained;

/// A server whose access log can be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// uvicorn, alone or as gunicorn's worker, and every other ASGI server: the change is in the application.
    Uvicorn,
    /// gunicorn with its own workers.
    Gunicorn,
    /// hypercorn.
    Hypercorn,
    /// granian.
    Granian,
    /// nginx in front of any of them.
    Nginx,
}

impl Server {
    /// All of them, in the order of the page.
    pub const ALL: [Self; 5] = [Self::Uvicorn, Self::Gunicorn, Self::Hypercorn, Self::Granian, Self::Nginx];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Uvicorn => "uvicorn",
            Self::Gunicorn => "gunicorn",
            Self::Hypercorn => "hypercorn",
            Self::Granian => "granian",
            Self::Nginx => "nginx",
        }
    }

    fn change(self) -> &'static str {
        match self {
            Self::Uvicorn => MIDDLEWARE,
            Self::Gunicorn => GUNICORN,
            Self::Hypercorn => HYPERCORN,
            Self::Granian => GRANIAN,
            Self::Nginx => NGINX,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Uvicorn => {
                "uvicorn, or gunicorn with uvicorn workers: one JSON line a request, written by the application itself.\n\
                 # Under gunicorn:  APP_VERSION=1.4.2 gunicorn access_log:app -k uvicorn_worker.UvicornWorker (without --access-logfile)"
            }
            Self::Gunicorn => {
                "gunicorn with its own workers (sync, gthread, asgi): gunicorn.conf.py.\n\
                 # uvicorn workers do not read it: for them take the change for uvicorn (vitalog explain --fix=uvicorn)."
            }
            Self::Hypercorn => {
                "hypercorn: hypercorn.toml, started with  APP_VERSION=1.4.2 hypercorn --config hypercorn.toml main:app"
            }
            Self::Granian => {
                "granian: its default line has time and duration; start it with  granian --interface asgi --access-log main:app\n\
                 # Size, login and version it cannot write: for these take the change for uvicorn, and start\n\
                 #   APP_VERSION=1.4.2 granian --interface asgi --no-access-log access_log:app"
            }
            Self::Nginx => "nginx: in the http block of nginx.conf. Then: nginx -t && nginx -s reload",
        }
    }
}

/// The middleware, as it is pasted.
pub const MIDDLEWARE: &str = include_str!("access_log.py");

const GUNICORN: &str = r#"# gunicorn.conf.py
import os
accesslog = "-"
access_log_format = (
    '{"time":"%(t)s","method":"%(m)s","path":"%(U)s","status":"%(s)s","bytes":"%(B)s","duration_us":%(D)s,'
    '"user":"%(u)s","cache":"%({x-cache}o)s","version":"' + os.environ.get("APP_VERSION", "-") + '"}'
)
"#;

const HYPERCORN: &str = r#"# hypercorn.toml
accesslog = "-"
access_log_format = '{"time":"%(t)s","method":"%(m)s","path":"%(U)s","status":"%(s)s","bytes":"%(B)s","duration_us":%(D)s,"cache":"%({x-cache}o)s","version":"%({APP_VERSION}e)s"}'
"#;

const GRANIAN: &str = r#"# granian's default, should it have been changed:
--access-log-fmt '[%(time)s] %(addr)s - "%(method)s %(path)s %(protocol)s" %(status)d %(dt_ms).3f'
"#;

const NGINX: &str = r#"map $request_uri $request_path { "~^(?<before_query>[^?]*)" $before_query; }
log_format vitalog escape=json
    '{"time":"$time_iso8601","method":"$request_method","path":"$request_path","status":"$status",'
    '"bytes":"$body_bytes_sent","request_time":"$request_time","user":"$remote_user",'
    '"cache":"$upstream_cache_status","request_id":"$request_id"}';
access_log /var/log/nginx/access.log vitalog;
"#;

/// What names the routes where `/openapi.json` is not served.
const OPENAPI: &str = r"# Routes by their names, where /openapi.json is switched off: dump it once a release, and pass it with --openapi openapi.json
python -c 'import json; from main import app; print(json.dumps(app.openapi()))' > openapi.json
";

/// The changes for `servers`, then how to dump the service's routes. Comments begin with `#` everywhere.
pub fn page(servers: &[Server]) -> String {
    let mut page = String::new();
    for server in servers {
        page.extend(["# ", server.title(), "\n\n", server.change(), "\n"]);
    }
    page + OPENAPI
}

/// The servers whose change helps with what is missing in `explained`: those that wrote its logs.
pub fn servers(explained: &Explained) -> Vec<Server> {
    let mut found = Vec::new();
    for format in explained.sources.iter().filter_map(|s| s.format.as_deref()).flat_map(|f| f.split('+')) {
        found.extend_from_slice(match format {
            "gunicorn" => &[Server::Gunicorn],
            "hypercorn" => &[Server::Hypercorn],
            "granian" => &[Server::Granian],
            "nginx" => &[Server::Nginx],
            "common" | "combined" => &[Server::Gunicorn, Server::Nginx][..],
            _ => &[Server::Uvicorn],
        });
    }
    found.sort_unstable();
    found.dedup();
    if found.is_empty() { Server::ALL.to_vec() } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::write::explain::Source;

    #[test]
    fn the_change_is_that_of_the_servers_that_wrote_the_logs() {
        for (expected, format) in [
            (&[Server::Uvicorn][..], "uvicorn"),
            (&[Server::Uvicorn], "json+uvicorn"),
            (&[Server::Nginx], "nginx"),
            (&[Server::Gunicorn, Server::Nginx], "combined"),
            (&[Server::Uvicorn, Server::Granian], "granian+uvicorn"),
        ] {
            let source = Source { format: Some(format.to_owned()), ..Source::default() };
            assert_eq!(expected, servers(&Explained { sources: vec![source] }), "{format}");
        }
        assert_eq!(Server::ALL.to_vec(), servers(&Explained::default()));
    }

    #[test]
    fn every_server_has_a_page_and_the_routes_come_with_it() {
        for server in Server::ALL {
            let page = page(&[server]);
            assert!(page.contains(server.name()) && page.contains("app.openapi()"), "{page}");
        }
        assert!((20..=30).contains(&MIDDLEWARE.lines().count()), "{}", MIDDLEWARE.lines().count());
    }
}
