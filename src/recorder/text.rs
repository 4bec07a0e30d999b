//! Bodies as they are read and kept: without the compression of the transport,
//! in which no secret can be found.

use std::borrow::Cow;
use std::io::Read;

use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// Most bytes of a body that is kept. HMRC's largest message has 8 MB.
pub(super) const MAX_BODY: usize = 16 << 20;

/// Why a body is not kept.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotKept {
    /// Compressed in a way that we do not know.
    #[error("its body is in the encoding `{0}`, in which no secret can be found; it is not kept")]
    Encoding(String),
    /// Not what its header says.
    #[error("its body is not the `{0}` that its header says; it is not kept")]
    Broken(String),
    /// Too large.
    #[error("its body is larger than {MAX_BODY} bytes; it is not kept")]
    TooLarge,
}

/// A body without the compression that `Content-Encoding` names.
pub(super) fn plain<'a>(encoding: Option<&str>, body: &'a [u8]) -> Result<Cow<'a, [u8]>, NotKept> {
    let encoding = encoding.unwrap_or_default().trim().to_ascii_lowercase();
    let mut reader: Box<dyn Read + '_> = match encoding.as_str() {
        "" | "identity" => return Ok(Cow::Borrowed(body)),
        _ if body.is_empty() => return Ok(Cow::Borrowed(body)),
        "gzip" | "x-gzip" => Box::new(MultiGzDecoder::new(body)),
        "deflate" => Box::new(ZlibDecoder::new(body)),
        other => return Err(NotKept::Encoding(other.chars().take(40).collect())),
    };
    let mut plain = Vec::new();
    let read = reader.by_ref().take(MAX_BODY as u64 + 1).read_to_end(&mut plain);
    match read {
        Err(_) => Err(NotKept::Broken(encoding.clone())),
        Ok(length) if length > MAX_BODY => Err(NotKept::TooLarge),
        Ok(_) => Ok(Cow::Owned(plain)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn compression_is_taken_off_in_bounds() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(b"<a/>").unwrap();
        let gzip = encoder.finish().unwrap();
        assert_eq!(&*plain(Some("GZIP"), &gzip).unwrap(), b"<a/>");
        assert_eq!(&*plain(None, b"<a/>").unwrap(), b"<a/>");
        assert_eq!(plain(Some("gzip"), b"<a/>"), Err(NotKept::Broken("gzip".into())));
        assert_eq!(plain(Some("gzip"), &gzip[..9]), Err(NotKept::Broken("gzip".into())));
        assert_eq!(plain(Some("br"), b"x"), Err(NotKept::Encoding("br".into())));
        let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        for _ in 0..17 {
            bomb.write_all(&vec![0; 1 << 20]).unwrap();
        }
        assert_eq!(plain(Some("gzip"), &bomb.finish().unwrap()), Err(NotKept::TooLarge));
    }
}
