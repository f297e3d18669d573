//! Whether a frame is the application's own, and how its place is written.
//!
//! The rule looks at the path alone and so says the same on every machine: libraries lie below `site-packages` or
//! `dist-packages`, the standard library below `lib/pythonX.Y`, generated code between angle brackets, and a console
//! script has no suffix.

/// True for a frame of the application itself.
pub(super) fn is_application(path: &[u8]) -> bool {
    if path.is_empty() || path.starts_with(b"<") {
        return false;
    }
    let mut parts = path.split(|b| matches!(b, b'/' | b'\\')).peekable();
    let mut before = &b""[..];
    while let Some(part) = parts.next() {
        let library = matches!(part, b"site-packages" | b"dist-packages" | b"Lib")
            || part.ends_with(b".whl")
            || part.ends_with(b".egg")
            || matches!(before, b"lib" | b"lib64" | b"Lib") && (part.starts_with(b"python") || part.starts_with(b"pypy"))
            || part.starts_with(b"python3") && part.ends_with(b".zip");
        let script = parts.peek().is_none() && matches!(before, b"bin" | b"Scripts") && !part.contains(&b'.');
        if library || script {
            return false;
        }
        before = part;
    }
    true
}

/// True for a frame below which no HTTP answer is spoiled: a background task, or a WebSocket.
pub(super) fn is_apart(path: &[u8]) -> bool {
    path.ends_with(b"starlette/background.py") || memchr::memmem::find(path, b"/protocols/websockets/").is_some()
}

/// True for the source line in which starlette calls a WebSocket's endpoint.
pub(super) fn is_session(line: &[u8]) -> bool {
    line.trim_ascii() == b"await func(session)"
}

/// `shop/cart.py:88`: the last two parts of the path, which say the same on every machine, and the line.
pub(super) fn written(path: &[u8], line: u32) -> String {
    let mut parts = path.rsplit(|b| matches!(b, b'/' | b'\\')).filter(|p| !p.is_empty() && *p != b"." && *p != b"..");
    let file = String::from_utf8_lossy(parts.next().unwrap_or_default()).into_owned();
    let folder = parts.next().filter(|p| !p.ends_with(b":"));
    let mut place = folder.map(|f| String::from_utf8_lossy(f).into_owned() + "/").unwrap_or_default() + &file;
    super::shorten(&mut place, 200);
    place + ":" + &line.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_applications_own_frames_count() {
        for (expected, path) in [
            (true, "/srv/shop/main.py"),
            (true, "main.py"),
            (true, "C:\\app\\shop\\cart.py"),
            (true, "/app/lib/cart.py"),
            (false, "/srv/venv/lib/python3.11/site-packages/fastapi/routing.py"),
            (false, "/usr/lib/python3/dist-packages/x.py"),
            (false, "/usr/lib/python3.11/asyncio/taskgroups.py"),
            (false, "C:\\Python311\\Lib\\asyncio\\runners.py"),
            (false, "<frozen importlib._bootstrap>"),
            (false, "<string>"),
            (false, "/srv/venv/bin/uvicorn"),
        ] {
            assert_eq!(expected, is_application(path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_place_is_written_alike_on_every_machine() {
        for (expected, path) in [
            ("shop/cart.py:88", "/srv/shop/cart.py"),
            ("shop/cart.py:88", "/home/x/work/shop/cart.py"),
            ("shop/cart.py:88", "C:\\work\\shop\\cart.py"),
            ("cart.py:88", "./cart.py"),
            ("cart.py:88", "/cart.py"),
            ("cart.py:88", "C:\\cart.py"),
        ] {
            assert_eq!(expected, written(path.as_bytes(), 88), "{path}");
        }
    }
}
