//! What is found in configuration files as people write them.

use super::*;
use crate::parse::custom::Meaning;

fn found(name: &str, text: &str) -> Result<Vec<Format>, String> {
    read(Path::new(name), text)
}

/// The source of each format string found.
fn sources(name: &str, text: &str) -> Vec<String> {
    let source = |f: Format| match f.written {
        Written::Text(compiled) => compiled.source().to_owned(),
        other => format!("{other:?}"),
    };
    found(name, text).unwrap().into_iter().map(source).collect()
}

const YAML: &str = r#"
version: 1
formatters:
  default:
    (): uvicorn.logging.DefaultFormatter
    fmt: '%(asctime)s - %(message)s'
  access:
    (): uvicorn.logging.AccessFormatter
    fmt: '%(asctime)s - %(client_addr)s - "%(request_line)s" %(status_code)s'
    datefmt: '%d/%m/%Y %H:%M:%S'
handlers:
  default: {formatter: default, class: logging.StreamHandler}
  access: {formatter: access, class: logging.StreamHandler}
loggers:
  uvicorn.access: {handlers: [access], level: INFO, propagate: false}
root: {level: INFO, handlers: [default]}
"#;

#[test]
fn the_access_loggers_formatter_comes_first() {
    let wanted = [r#"%(asctime)s - %(client_addr)s - "%(request_line)s" %(status_code)s"#, "%(asctime)s - %(message)s"];
    assert_eq!(&wanted[..], sources("log.yaml", YAML));
    let only_root = YAML.replace("  uvicorn.access:", "  somebody.else:");
    assert_eq!("%(asctime)s - %(message)s", sources("log.yml", &only_root)[0]);
}

#[test]
fn a_date_format_goes_with_its_formatter() {
    let formats = found("log.yaml", YAML).unwrap();
    let Written::Text(compiled) = &formats[0].written else { panic!("{formats:?}") };
    let mut record = crate::parse::Record::default();
    let line = b"22/11/2026 19:34:34 - 1.2.3.4:5 - \"GET / HTTP/1.1\" 200 OK";
    assert_eq!(crate::parse::Verdict::Request, compiled.parse(line, &mut crate::parse::access::Memo::default(), &mut record));
    assert_eq!(Some(crate::time::Stamp::Local(1_795_376_074_000_000)), record.time);
}

#[test]
fn an_ini_file_is_read_as_python_reads_it() {
    let text = "[loggers]\nkeys=root, access\n[handlers]\nkeys=console\n[formatters]\nkeys=generic\n\
        [logger_root]\nhandlers=\n[logger_access]\nlevel=INFO\nhandlers=console\npropagate=0\nqualname=uvicorn.access\n\
        [handler_console]\nclass=StreamHandler\nformatter=generic\nargs=(sys.stdout, )\n\
        [formatter_generic]\nformat=%(asctime)s [%(process)d] \"%(name)s\": %(message)s\ndatefmt=%d/%m/%Y %I:%M:%S %p\n";
    assert_eq!(vec![r#"%(asctime)s [%(process)d] "%(name)s": %(message)s"#], sources("log.ini", text));
    assert_eq!(vec![r#"%(asctime)s [%(process)d] "%(name)s": %(message)s"#], sources("logging.conf", text));
}

#[test]
fn a_json_formatter_is_a_map_of_keys() {
    let text = r#"{"formatters": {"a": {"()": "pythonjsonlogger.json.JsonFormatter", "fmt": "%(asctime)s %(levelname)s %(message)s",
        "rename_fields": {"asctime": "timestamp"}, "static_fields": {"service": "web"}}},
        "handlers": {"h": {"formatter": "a"}}, "loggers": {"uvicorn.access": {"handlers": ["h"]}}}"#;
    let keys = ["timestamp", "levelname", "message"].map(str::to_owned);
    let entries = keys.into_iter().zip([Meaning::Time, Meaning::Level, Meaning::Message]).collect();
    let formats = found("log.json", text).unwrap();
    assert_eq!(Written::Json(KeyMap { entries }), formats[0].written);
}

#[test]
fn a_python_file_is_read_as_text() {
    let d = r#"%(h)s "%(r)s" %(s)s %(D)s"#;
    for text in [
        "workers = 3\naccess_log_format = '%(h)s \"%(r)s\" %(s)s %(D)s'\n",
        "access_log_format = (\n    '%(h)s \"%(r)s\" '  # who, what\n    \"%(s)s %(D)s\"\n)\n",
        "access_log_format = \"\"\"%(h)s \"%(r)s\" %(s)s %(D)s\"\"\"",
        "access_log_format: str = '%(h)s \"%(r)s\" ' + \\\n  r'%(s)s %(D)s'",
        "TAIL = '%(s)s %(D)s'\nconfig.access_log_format = '%(h)s \"%(r)s\" ' + TAIL",
        "# access_log_format = 'old'\n'''\naccess_log_format = 'older'\n'''\naccess_log_format = '%(h)s \\\"%(r)s\\\" %(s)s %(D)s'; x = 1",
    ] {
        assert_eq!(vec![d], sources("gunicorn.conf.py", text), "{text}");
    }
    assert_eq!(vec![GUNICORN], sources("gunicorn.conf.py", "workers = 2\n"));
    assert_eq!(Written::Known("uvicorn"), found("g.py", "worker_class = 'uvicorn_worker.UvicornWorker'").unwrap()[0].written);
}

#[test]
fn what_is_computed_is_refused_with_its_line_and_the_remedy() {
    for (words, text) in [
        ("line 2: access_log_format is computed", "import os\naccess_log_format = os.environ['FMT']"),
        ("line 1: access_log_format is computed", "access_log_format = f'%(h)s {x} %(s)s'"),
        ("line 1: access_log_format is computed", "access_log_format = '%s %(s)s' % name"),
        ("line 1: logconfig_dict is not evaluated", "logconfig_dict = {'version': 1}"),
        ("--format '@log.ini'", "logconfig = 'log.ini'"),
        ("at byte 0, '%h %l'", "access_log_format = '%h %l'"),
    ] {
        let why = found("gunicorn.conf.py", text).err().unwrap();
        assert!(why.contains(words), "{text}: {why}");
    }
}

#[test]
fn hypercorns_toml_is_read() {
    assert_eq!(vec!["%(h)s %(r)s %(s)s"], sources("hypercorn.toml", "bind = 'x'\naccess_log_format = \"%(h)s %(r)s %(s)s\"\n"));
    assert!(found("hypercorn.toml", "x = ").is_err());
}

#[test]
fn the_formats_that_nginx_uses_are_found_with_their_files() {
    let text = "http {\n  log_format a '$remote_addr \"$request\" '\n    '$status';  # two parts\n  log_format unused '$x';\n\
        log_format js escape=json '{\"status\":$status}';\n  access_log /var/log/a.log a buffer=32k;\n\
        server { access_log off; location / { access_log /var/log/j.log js; access_log /var/log/c.log; } }\n}\n";
    let formats = found("nginx.conf", text).unwrap();
    let files: Vec<_> = formats.iter().map(|f| (f.name.as_str(), f.file.as_deref().unwrap())).collect();
    assert_eq!(
        vec![
            ("log_format a", "/var/log/a.log"),
            ("log_format js", "/var/log/j.log"),
            ("log_format combined", "/var/log/c.log")
        ],
        files
    );
    let wanted = [r#"$remote_addr "$request" $status"#, r#"{"status":$status}"#, directives::COMBINED];
    assert_eq!(&wanted[..], sources("nginx.conf", text));
    assert!(found("nginx.conf", "access_log /x.log main;").err().unwrap().contains("'main'"));
}

#[test]
fn hostile_files_are_refused_and_never_overflow() {
    let deep = format!("formatters: {}", "[".repeat(200_000));
    assert!(found("log.yaml", &deep).is_err());
    assert!(found("log.yaml", &"- ".repeat(100_000)).is_err());
    assert!(found("log.json", &"[".repeat(200_000)).is_err());
    for text in ["", "{", "a: &a [*a]", "'", "access_log_format = '", "log_format x '"] {
        for name in ["x.yaml", "x.json", "x.ini", "x.py", "x.toml", "x.conf"] {
            let _unpanicked = found(name, text);
        }
    }
}
