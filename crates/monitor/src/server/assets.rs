//! The page's files, part of the program. `bin/build-web` makes them from `crates/monitor/web`.

use axum::http::header;
use axum::response::{IntoResponse, Response};

const FILES: [(&str, &str, &[u8]); 4] = [
    ("index.html", "text/html; charset=utf-8", include_bytes!("../../assets/index.html")),
    ("app.js", "text/javascript; charset=utf-8", include_bytes!("../../assets/app.js")),
    ("app.css", "text/css; charset=utf-8", include_bytes!("../../assets/app.css")),
    ("icon.svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
];

/// Names of the files.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    FILES.iter().map(|(name, _, _)| *name)
}

/// The file of that name; one of [`names`].
pub(super) fn serve(name: &str) -> Response {
    match FILES.iter().find(|(known, _, _)| *known == name) {
        Some((_, kind, bytes)) => ([(header::CONTENT_TYPE, *kind)], *bytes).into_response(),
        None => axum::http::StatusCode::NOT_FOUND.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_refers_to_nothing_outside_and_only_to_files_beside_it() {
        let html = std::str::from_utf8(FILES[0].2).unwrap();
        for reference in html
            .split(['"', '\''])
            .filter(|part| part.ends_with(".js") || part.ends_with(".css") || part.ends_with(".svg"))
        {
            assert!(names().any(|name| name == reference), "{reference}");
        }
        assert!(!html.contains("://"), "an address of another place");
        assert!(!html.contains("<script>") && !html.contains("style="), "the policy forbids what is inline");
    }
}
