//! An answer of a time-stamping authority, taken apart: TimeStampResp
//! (RFC 3161, section 2.4.2) around SignedData (RFC 5652, section 5).

use chrono::{DateTime, NaiveDateTime, Utc};
use rustls::pki_types::SignatureVerificationAlgorithm;
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha384, Sha512};
use webpki::ring as algorithms;

use super::certificate::Certificate;
use super::{MAX_CERTIFICATES, MAX_MEMBERS, TimeStampError, printable};
use crate::evidence::format::MAX_TIME_STAMP;
use crate::evidence::seal::der::{
    BIT_STRING, BOOLEAN, Der, Element, GENERALIZED_TIME, INTEGER, Malformed, OCTET_STRING, OID,
    SEQUENCE, SET, context, only,
};

// Object identifiers, as DER has their contents.
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
pub(super) const TST_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 1, 4];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
const SIGNING_CERTIFICATE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 12];
const SIGNING_CERTIFICATE_V2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 16, 2, 47];
pub(super) const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];

/// Names the part that could not be read.
pub(super) fn part<T>(name: &'static str, read: Result<T, Malformed>) -> Result<T, TimeStampError> {
    read.map_err(|Malformed| TimeStampError::Malformed(name))
}

/// An answer, taken apart.
pub(super) struct Token<'a> {
    /// The DER of the TSTInfo.
    pub(super) content: &'a [u8],
    pub(super) info: Info<'a>,
    pub(super) certificates: Vec<&'a [u8]>,
    pub(super) signer: Signer<'a>,
}

/// What the authority states (TSTInfo).
pub(super) struct Info<'a> {
    pub(super) imprint_hash: &'a [u8],
    pub(super) imprint: &'a [u8],
    pub(super) at: DateTime<Utc>,
    pub(super) nonce: Option<&'a [u8]>,
}

/// The one signature (SignerInfo).
pub(super) struct Signer<'a> {
    /// IssuerAndSerialNumber, or `[0]` with the subject's key identifier.
    pub(super) id: Element<'a>,
    pub(super) hash: &'a [u8],
    pub(super) attributes: Element<'a>,
    pub(super) method: &'a [u8],
    pub(super) signature: &'a [u8],
}

impl<'a> Token<'a> {
    pub(super) fn read(answer: &'a [u8]) -> Result<Self, TimeStampError> {
        if answer.len() as u64 > MAX_TIME_STAMP {
            return Err(TimeStampError::TooLarge);
        }
        let mut response = part("the answer", only(answer, SEQUENCE))?.inside();
        let status = part("its status", response.expect(SEQUENCE))?;
        part("its status", granted(status))??;
        let token = part("its token", response.expect(SEQUENCE))?;
        part("the answer", response.end())?;

        let signed = part("its token", signed_data(token))?;
        let (content, certificates, signer) = part("its signed data", parts(signed))?;
        let info = part("its time-stamp information", Info::read(content))?;
        if signer.inside().is_empty() {
            return Err(TimeStampError::Malformed("its signature"));
        }
        let mut signers = signer.inside();
        let signer = part("its signature", signers.expect(SEQUENCE).and_then(Signer::read))?;
        if !signers.is_empty() {
            return Err(TimeStampError::Inconsistent("it has more than one signature"));
        }
        let certificates = part("its certificates", certificates_in(certificates))?;
        Ok(Self { content, info, certificates, signer })
    }
}

/// PKIStatusInfo: whether there is a time stamp.
fn granted(status: Element<'_>) -> Result<Result<(), TimeStampError>, Malformed> {
    let mut info = status.inside();
    let value = info.expect(INTEGER)?.value;
    let status = match value {
        [status] => u64::from(*status),
        _ => return Err(Malformed),
    };
    if status <= 1 {
        return Ok(Ok(()));
    }
    let mut reasons = info.optional(SEQUENCE)?.map(Element::inside);
    let text = reasons.as_mut().and_then(|texts| texts.any().ok());
    let reason = text.map(|text| printable(text.value)).unwrap_or_default();
    info.optional(BIT_STRING)?;
    Ok(Err(TimeStampError::Refused { status, reason }))
}

/// ContentInfo: the SignedData in it.
fn signed_data(token: Element<'_>) -> Result<Element<'_>, Malformed> {
    let mut info = token.inside();
    if info.expect(OID)?.value != SIGNED_DATA {
        return Err(Malformed);
    }
    let explicit = info.expect(context(0))?;
    info.end()?;
    only(explicit.value, SEQUENCE)
}

/// SignedData: the content, the certificates, the signatures.
type Parts<'a> = (&'a [u8], Option<Element<'a>>, Element<'a>);

fn parts(signed: Element<'_>) -> Result<Parts<'_>, Malformed> {
    let mut data = signed.inside();
    data.expect(INTEGER)?;
    data.expect(SET)?;
    let mut content = data.expect(SEQUENCE)?.inside();
    if content.expect(OID)?.value != TST_INFO {
        return Err(Malformed);
    }
    let explicit = content.expect(context(0))?;
    content.end()?;
    let content = only(explicit.value, OCTET_STRING)?.value;
    let certificates = data.optional(context(0))?;
    data.optional(context(1))?;
    let signers = data.expect(SET)?;
    data.end()?;
    Ok((content, certificates, signers))
}

fn certificates_in(set: Option<Element<'_>>) -> Result<Vec<&[u8]>, Malformed> {
    let mut found = Vec::new();
    let mut list = set.map_or(Der(&[]), Element::inside);
    while !list.is_empty() {
        let element = list.any()?;
        // Other kinds of certificates have tags of their own.
        if element.tag == SEQUENCE {
            found.push(element.whole);
        }
        if found.len() > MAX_CERTIFICATES {
            return Err(Malformed);
        }
    }
    Ok(found)
}

impl<'a> Info<'a> {
    pub(super) fn read(content: &'a [u8]) -> Result<Self, Malformed> {
        let mut info = only(content, SEQUENCE)?.inside();
        if info.expect(INTEGER)?.value != [1] {
            return Err(Malformed);
        }
        info.expect(OID)?;
        let mut imprint = info.expect(SEQUENCE)?.inside();
        let imprint_hash = algorithm(imprint.expect(SEQUENCE)?)?;
        let digest = imprint.expect(OCTET_STRING)?.value;
        imprint.end()?;
        info.expect(INTEGER)?;
        let at = time(info.expect(GENERALIZED_TIME)?.value).ok_or(Malformed)?;
        info.optional(SEQUENCE)?;
        info.optional(BOOLEAN)?;
        let nonce = info.optional(INTEGER)?.map(|nonce| nonce.value);
        info.optional(context(0))?;
        info.optional(context(1))?;
        info.end()?;
        Ok(Self { imprint_hash, imprint: digest, at, nonce })
    }
}

/// AlgorithmIdentifier: the algorithm, without its parameters.
pub(super) fn algorithm(element: Element<'_>) -> Result<&[u8], Malformed> {
    Ok(element.inside().expect(OID)?.value)
}

/// GeneralizedTime as RFC 3161, section 2.4.2, has it: UTC, with seconds and
/// perhaps parts of them.
pub(super) fn time(text: &[u8]) -> Option<DateTime<Utc>> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    if whole.len() != 14 || !digits(whole, 14) || !digits(fraction, 9) {
        return None;
    }
    let nanos: i64 = format!("{fraction:0<9}").parse().ok()?;
    let whole = NaiveDateTime::parse_from_str(whole, "%Y%m%d%H%M%S").ok()?;
    whole.and_utc().checked_add_signed(chrono::TimeDelta::nanoseconds(nanos))
}

impl<'a> Signer<'a> {
    pub(super) fn read(element: Element<'a>) -> Result<Self, Malformed> {
        let mut info = element.inside();
        info.expect(INTEGER)?;
        let id = info.any()?;
        let hash = algorithm(info.expect(SEQUENCE)?)?;
        let attributes = info.expect(context(0))?;
        let method = algorithm(info.expect(SEQUENCE)?)?;
        let signature = info.expect(OCTET_STRING)?.value;
        info.optional(context(1))?;
        info.end()?;
        Ok(Self { id, hash, attributes, method, signature })
    }

    /// The methods of signature that it may be; which one, the key decides.
    pub(super) fn methods(
        &self,
    ) -> Result<Vec<&'static dyn SignatureVerificationAlgorithm>, TimeStampError> {
        use algorithms::{
            ECDSA_P256_SHA256 as P256_256, ECDSA_P256_SHA384 as P256_384,
            ECDSA_P384_SHA256 as P384_256, ECDSA_P384_SHA384 as P384_384,
            RSA_PKCS1_2048_8192_SHA256 as RSA_256, RSA_PKCS1_2048_8192_SHA384 as RSA_384,
            RSA_PKCS1_2048_8192_SHA512 as RSA_512,
        };
        Ok(match (self.method, self.hash) {
            (RSA | RSA_SHA256, SHA256) => vec![RSA_256],
            (RSA | RSA_SHA384, SHA384) => vec![RSA_384],
            (RSA | RSA_SHA512, SHA512) => vec![RSA_512],
            (ECDSA_SHA256, SHA256) => vec![P256_256, P384_256],
            (ECDSA_SHA384, SHA384) => vec![P384_384, P256_384],
            _ => return Err(TimeStampError::Unsupported("signature")),
        })
    }
}

pub(super) fn hash(algorithm: &[u8], bytes: &[u8]) -> Result<Vec<u8>, TimeStampError> {
    Ok(match algorithm {
        SHA256 => Sha256::digest(bytes).to_vec(),
        SHA384 => Sha384::digest(bytes).to_vec(),
        SHA512 => Sha512::digest(bytes).to_vec(),
        _ => return Err(TimeStampError::Unsupported("digest")),
    })
}

/// The signed attributes that matter.
#[derive(Default)]
pub(super) struct Attributes<'a> {
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) message_digest: Option<&'a [u8]>,
    /// The digest of the certificate, and its algorithm; none for SHA-1.
    certificate: Option<(Option<&'a [u8]>, &'a [u8])>,
}

impl<'a> Attributes<'a> {
    pub(super) fn read(set: Element<'a>) -> Result<Self, Malformed> {
        let mut found = Self::default();
        let mut list = set.inside();
        for _ in 0..MAX_MEMBERS {
            if list.is_empty() {
                return Ok(found);
            }
            let mut attribute = list.expect(SEQUENCE)?.inside();
            let kind = attribute.expect(OID)?.value;
            let mut values = attribute.expect(SET)?.inside();
            attribute.end()?;
            match kind {
                CONTENT_TYPE => found.content_type = Some(values.expect(OID)?.value),
                MESSAGE_DIGEST => found.message_digest = Some(values.expect(OCTET_STRING)?.value),
                SIGNING_CERTIFICATE | SIGNING_CERTIFICATE_V2 => {
                    let mut certificates = values.expect(SEQUENCE)?.inside();
                    let mut first =
                        certificates.expect(SEQUENCE)?.inside().expect(SEQUENCE)?.inside();
                    let named = first.optional(SEQUENCE)?;
                    let hash = match (kind == SIGNING_CERTIFICATE_V2, named) {
                        (true, Some(named)) => Some(algorithm(named)?),
                        (true, None) => Some(SHA256),
                        (false, _) => None,
                    };
                    let digest = first.expect(OCTET_STRING)?.value;
                    // The newer one says more.
                    if hash.is_some() || found.certificate.is_none() {
                        found.certificate = Some((hash, digest));
                    }
                }
                _ => {}
            }
        }
        Err(Malformed)
    }

    /// Whether they name this certificate (RFC 5035, RFC 2634).
    pub(super) fn names(&self, certificate: &Certificate<'_>) -> Result<bool, Malformed> {
        let (algorithm, digest) = self.certificate.ok_or(Malformed)?;
        let found = match algorithm {
            Some(algorithm) => hash(algorithm, certificate.der).map_err(|_| Malformed)?,
            None => Sha1::digest(certificate.der).to_vec(),
        };
        Ok(found == digest)
    }
}
