//! Large messages: where the API says to upload one, and the upload itself.
//!
//! A message of more than 5,000,000 bytes is refused where others are sent
//! (413). It is announced instead ([`super::api::Api::announce`]); the
//! answer says where its file goes, as a form with the file last. Whether the
//! message is taken is told later, by its `status` in the movement's list.
//!
//! Source: CTC Traders API service guide, large messages; published source of
//! the API (limits, fields).

use std::collections::BTreeMap;

use secrecy::SecretString;
use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use super::api::ShapeError;
use super::hosts;
use super::transport::{Call, Method};

/// Largest message that can be sent as it is, in bytes.
pub const SMALL: usize = 5_000_000;

/// Largest message that can be uploaded, in bytes (service guide; the uploader
/// itself takes more).
pub const LARGE: usize = 8_000_000;

/// Most fields, and most bytes of all of them, that an upload may ask for.
const FIELDS: usize = 60;
const FIELD_BYTES: usize = 64 << 10;

/// Where a file is to be uploaded.
#[derive(Clone, PartialEq, Eq)]
pub struct UploadRequest {
    href: Url,
    fields: BTreeMap<String, String>,
}

/// Without the fields, which are as good as a key to that place.
impl std::fmt::Debug for UploadRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&String> = self.fields.keys().collect();
        let host = self.href.host_str();
        f.debug_struct("UploadRequest").field("host", &host).field("fields", &names).finish()
    }
}

/// Fields of a form that say nothing secret, and whose values are ordinary
/// words.
const ORDINARY: [&str; 8] = [
    "acl",
    "bucket",
    "content-type",
    "error_action_redirect",
    "success_action_redirect",
    "success_action_status",
    "x-amz-algorithm",
    "x-amz-meta-original-filename",
];

/// What must not be told of an answer to an announcement, usable or not: what
/// opens the place where the file goes.
pub fn secrets(body: &[u8]) -> Vec<SecretString> {
    let Ok(json) = serde_json::from_slice::<serde_json::Value>(body) else { return Vec::new() };
    let Some(request) = json.get("uploadRequest") else { return Vec::new() };
    let href = request.get("href").and_then(serde_json::Value::as_str);
    let query = href.and_then(|href| href.split_once('?')).map(|(_, query)| query);
    let fields = request.get("fields").and_then(serde_json::Value::as_object);
    let fields = fields.into_iter().flatten();
    let values = fields
        .filter(|(name, _)| !ORDINARY.contains(&name.to_ascii_lowercase().as_str()))
        .filter_map(|(_, value)| value.as_str());
    values.chain(query).take(FIELDS).map(|secret| secret.to_owned().into()).collect()
}

impl UploadRequest {
    /// Reads the 202 to an announcement that the API at `base` was sent.
    ///
    /// # Errors
    /// When it has no upload request, or one to an address that no message may
    /// go to: without TLS, unless all of it is on this machine.
    pub fn read(base: &Url, body: &[u8]) -> Result<Self, ShapeError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Announced {
            upload_request: Request,
        }
        #[derive(Deserialize)]
        struct Request {
            href: String,
            #[serde(default)]
            fields: BTreeMap<String, String>,
        }
        // The parser's words would quote the fields.
        let Ok(Announced { upload_request: Request { href, fields } }) =
            serde_json::from_slice(body)
        else {
            return Err(ShapeError("`uploadRequest` is missing or is no form".into()));
        };
        let href = Url::parse(&href).ok().filter(|href| {
            let here = hosts::is_loopback(base) && hosts::is_loopback(href);
            href.scheme() == "https" || (href.scheme() == "http" && here)
        });
        let Some(href) = href else {
            return Err(ShapeError("`uploadRequest.href` is no https address".into()));
        };
        let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
        // A name stands between quotation marks in the form.
        let plain = |name: &String| !name.contains(['"', '\r', '\n']) && name != "file";
        if fields.len() > FIELDS || bytes > FIELD_BYTES || !fields.keys().all(plain) {
            return Err(ShapeError("`uploadRequest.fields` are no fields of a form".into()));
        }
        Ok(Self { href, fields })
    }

    /// POST of the file, after every field. It carries no token: the place is
    /// not HMRC's API.
    pub fn upload(&self, xml: &str) -> Call {
        let boundary = Uuid::new_v4().simple().to_string();
        let mut body = Vec::with_capacity(xml.len() + FIELD_BYTES);
        for (name, value) in &self.fields {
            let part = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
            );
            body.extend_from_slice(part.as_bytes());
        }
        let file = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"file\"; \
             filename=\"message.xml\"\r\nContent-Type: application/xml\r\n\r\n"
        );
        body.extend_from_slice(file.as_bytes());
        body.extend_from_slice(xml.as_bytes());
        body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        let call = Call {
            method: Method::Post,
            url: self.href.as_str().to_owned(),
            headers: vec![],
            body: None,
        };
        call.body(&format!("multipart/form-data; boundary={boundary}"), body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hmrc::api::Api;
    use crate::ncts::MessageType;
    use secrecy::ExposeSecret;

    fn read(base: &str, href: &str, fields: &str) -> Result<UploadRequest, ShapeError> {
        let body = format!(r#"{{"uploadRequest":{{"href":"{href}","fields":{fields}}}}}"#);
        UploadRequest::read(&Url::parse(base).unwrap(), body.as_bytes())
    }

    const HMRC: &str = "https://test-api.service.hmrc.gov.uk";

    #[test]
    fn an_announcement_has_neither_type_nor_body() {
        let api = Api::new(Url::parse(HMRC).unwrap(), "2.1", "t0ken".to_owned().into());
        let call = api.announce(MessageType::Ie015, None);
        assert_eq!(call.url, format!("{HMRC}/customs/transits/movements/departures"));
        assert!(call.body.is_none());
        assert!(call.headers.iter().all(|(name, _)| name != "content-type"), "{call:?}");
        let call = api.announce(MessageType::Ie044, Some("0123456789abcdef"));
        assert!(call.url.ends_with("/arrivals/0123456789abcdef/messages"), "{call:?}");
    }

    #[test]
    fn the_file_comes_last_and_no_token_goes_with_it() {
        let request =
            read(HMRC, "https://upload.example/x", r#"{"key":"k","policy":"s3cr3t"}"#).unwrap();
        let call = request.upload("<a/>");
        assert_eq!((call.method, call.url.as_str()), (Method::Post, "https://upload.example/x"));
        let [(name, media)] = call.headers.as_slice() else { panic!("{call:?}") };
        let boundary = media.strip_prefix("multipart/form-data; boundary=").unwrap();
        assert_eq!(name, "content-type");
        let body = String::from_utf8(call.body.clone().unwrap()).unwrap();
        assert_eq!(
            body.replace(boundary, "B"),
            "--B\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nk\r\n\
             --B\r\nContent-Disposition: form-data; name=\"policy\"\r\n\r\ns3cr3t\r\n\
             --B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"message.xml\"\r\n\
             Content-Type: application/xml\r\n\r\n<a/>\r\n--B--\r\n"
        );
        assert!(!format!("{request:?} {call:?}").contains("s3cr3t"));
    }

    #[test]
    fn what_opens_the_place_is_secret_whatever_else_is_wrong() {
        let body = br#"{"uploadRequest":{"href":"ftp://x/y?signed=1","fields":
            {"acl":"private","x-amz-signature":"abc","key":"k","odd":7}}}"#;
        let secrets = secrets(body);
        let all: Vec<&str> = secrets.iter().map(|it| it.expose_secret()).collect();
        assert_eq!(all, ["k", "abc", "signed=1"]);
        assert!(super::secrets(b"<html>").is_empty() && super::secrets(b"{}").is_empty());
    }

    #[test]
    fn a_message_goes_nowhere_unsafe() {
        let here = "http://127.0.0.1:8989";
        assert!(read(here, "http://127.0.0.1:9/upload", "{}").is_ok());
        for (base, href, fields) in [
            (HMRC, "http://upload.example/x", "{}"),
            (HMRC, "http://127.0.0.1:9/upload", "{}"),
            (here, "http://upload.example/x", "{}"),
            (HMRC, "file:///etc/passwd", "{}"),
            (HMRC, "", "{}"),
            (HMRC, "https://upload.example/x", r#"{"a\"b":"c"}"#),
            (HMRC, "https://upload.example/x", r#"{"file":"c"}"#),
            (HMRC, "https://upload.example/x", r#"{"a":1}"#),
            (HMRC, "https://upload.example/x", "[]"),
        ] {
            assert!(read(base, href, fields).is_err(), "{href} {fields}");
        }
        let base = Url::parse(HMRC).unwrap();
        for body in ["", "{}", r#"{"uploadRequest":"s3cr3t"}"#] {
            let error = UploadRequest::read(&base, body.as_bytes()).unwrap_err();
            assert!(!error.to_string().contains("s3cr3t"), "{error}");
        }
    }
}
