//! What matters of a certificate; the rest is for webpki.

use super::{MAX_MEMBERS, TIME_STAMPING, printable};
use crate::evidence::seal::der::{
    BOOLEAN, Der, Element, INTEGER, Malformed, OCTET_STRING, OID, SEQUENCE, SET, context,
    context_primitive, only,
};

// Object identifiers, as DER has their contents.
const COMMON_NAME: &[u8] = &[0x55, 4, 3];
const SUBJECT_KEY_IDENTIFIER: &[u8] = &[0x55, 0x1d, 14];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];

/// What matters of a certificate (RFC 5280, section 4.1).
pub(super) struct Certificate<'a> {
    pub(super) der: &'a [u8],
    serial: &'a [u8],
    issuer: &'a [u8],
    subject: Element<'a>,
    key_identifier: Option<&'a [u8]>,
    pub(super) only_for_time_stamps: bool,
}

impl<'a> Certificate<'a> {
    pub(super) fn read(der: &'a [u8]) -> Result<Self, Malformed> {
        let mut body = only(der, SEQUENCE)?.inside().expect(SEQUENCE)?.inside();
        body.optional(context(0))?;
        let serial = body.expect(INTEGER)?.value;
        body.expect(SEQUENCE)?;
        let issuer = body.expect(SEQUENCE)?.whole;
        body.expect(SEQUENCE)?;
        let subject = body.expect(SEQUENCE)?;
        body.expect(SEQUENCE)?;
        body.optional(context_primitive(1))?;
        body.optional(context_primitive(2))?;
        let extensions = body.optional(context(3))?;
        body.end()?;
        let mut read = Self {
            der,
            serial,
            issuer,
            subject,
            key_identifier: None,
            only_for_time_stamps: false,
        };
        if let Some(extensions) = extensions {
            read.extensions(only(extensions.value, SEQUENCE)?.inside())?;
        }
        Ok(read)
    }

    fn extensions(&mut self, mut list: Der<'a>) -> Result<(), Malformed> {
        for _ in 0..MAX_MEMBERS {
            if list.is_empty() {
                return Ok(());
            }
            let mut extension = list.expect(SEQUENCE)?.inside();
            let kind = extension.expect(OID)?.value;
            let critical = extension.optional(BOOLEAN)?.is_some_and(|flag| flag.value == [0xff]);
            let value = extension.expect(OCTET_STRING)?.value;
            extension.end()?;
            if kind == SUBJECT_KEY_IDENTIFIER {
                self.key_identifier = Some(only(value, OCTET_STRING)?.value);
            } else if kind == EXTENDED_KEY_USAGE {
                let mut purposes = only(value, SEQUENCE)?.inside();
                let purpose = purposes.expect(OID)?.value;
                self.only_for_time_stamps =
                    critical && purpose == TIME_STAMPING && purposes.is_empty();
            }
        }
        Err(Malformed)
    }

    /// Whether a SignerIdentifier means this certificate.
    pub(super) fn is(&self, id: Element<'_>) -> bool {
        if id.tag == context_primitive(0) {
            return self.key_identifier == Some(id.value);
        }
        let mut parts = id.inside();
        let issuer = parts.expect(SEQUENCE).map(|issuer| issuer.whole);
        let serial = parts.expect(INTEGER).map(|serial| serial.value);
        id.tag == SEQUENCE && issuer == Ok(self.issuer) && serial == Ok(self.serial)
    }

    /// The common name in its subject.
    pub(super) fn name(&self) -> Option<String> {
        let mut sets = self.subject.inside();
        while let Ok(set) = sets.expect(SET) {
            let mut pairs = set.inside();
            while let Ok(pair) = pairs.expect(SEQUENCE) {
                let mut pair = pair.inside();
                if pair.expect(OID).ok()?.value == COMMON_NAME {
                    return Some(printable(pair.any().ok()?.value));
                }
            }
        }
        None
    }
}
