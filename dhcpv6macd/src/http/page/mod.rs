//! The live rack page: one document that fetches nothing but the events, put together when the daemon is compiled.

/// The whole document, `text/html; charset=utf-8`. It reads `events` beside itself, and links to `machines/<mac>` and `metrics`.
pub const PAGE: &str = concat!(
    include_str!("head.html"),
    "<style>\n",
    include_str!("page.css"),
    "</style>\n</head>\n",
    include_str!("body.html"),
    "<script>\n",
    include_str!("model.js"),
    include_str!("stream.js"),
    include_str!("rack.js"),
    include_str!("head.js"),
    include_str!("keys.js"),
    include_str!("panel.js"),
    include_str!("page.js"),
    "</script>\n</body>\n</html>\n"
);
