//! The preview as one HTML page: no script, no network, no file beside it. It
//! looks like the page of the evidence, whose style it shares.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::Error;
use minijinja::value::Serde;
use serde::Serialize;

use super::super::error::DocumentError;
use super::super::own::sheet::Sheet;
use crate::digest::Digest;
use crate::foreign::html;

const TEMPLATE: &str = include_str!("../../../templates/document/preview.html");
const STYLE: &str = concat!(
    include_str!("../../../templates/report/page.css"),
    include_str!("../../../templates/document/preview.css")
);

#[derive(Serialize)]
struct Page<'a> {
    /// Nothing may be loaded, run or sent.
    policy: String,
    style: String,
    sheet: &'a Sheet,
}

pub(super) fn write(sheet: &Sheet) -> Result<String, DocumentError> {
    // The mark at the top of every printed page.
    let style = STYLE.replace("MARK", sheet.banner.unwrap_or_default());
    let hash = STANDARD.encode(Digest::of(style.as_bytes()).as_bytes());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'"
    );
    let mut environment = html::environment();
    let failed = |error: Error| DocumentError::Template(html::causes(&error));
    environment.add_template("preview.html", TEMPLATE).map_err(failed)?;
    let template = environment.get_template("preview.html").map_err(failed)?;
    template.render(Serde(Page { policy, style, sheet })).map_err(failed)
}
