//! Time stamps (RFC 3161): an authority's signature over a digest and the time.
//! Everything here works offline, on bytes of whatever origin.

mod certificate;
mod token;

use std::time::Duration;

use chrono::{DateTime, Utc};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use webpki::ring as algorithms;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use self::certificate::Certificate;
use self::token::{Attributes, SHA256, TST_INFO, Token, hash, part};
use super::der::SET;
use crate::digest::Digest;
use crate::evidence::format::MAX_TIME_STAMP;

/// What a client sends so that no older answer fits.
pub type Nonce = [u8; 8];

/// Most certificates looked at in an answer, or in a file of authorities.
const MAX_CERTIFICATES: usize = 64;

/// Most attributes of a signature, and extensions of a certificate.
const MAX_MEMBERS: usize = 64;

/// Longest name or reason repeated, in characters.
const MAX_TEXT: usize = 120;

/// id-kp-timeStamping, as DER has its contents.
const TIME_STAMPING: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 8];

/// The signatures that certificates and time stamps may have.
const SIGNATURES: [&dyn SignatureVerificationAlgorithm; 7] = [
    algorithms::RSA_PKCS1_2048_8192_SHA256,
    algorithms::RSA_PKCS1_2048_8192_SHA384,
    algorithms::RSA_PKCS1_2048_8192_SHA512,
    algorithms::ECDSA_P256_SHA256,
    algorithms::ECDSA_P256_SHA384,
    algorithms::ECDSA_P384_SHA256,
    algorithms::ECDSA_P384_SHA384,
];

/// Why a time stamp is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum TimeStampError {
    /// Larger than any.
    #[error("it is larger than {MAX_TIME_STAMP} bytes")]
    TooLarge,
    /// Not what RFC 3161 says; names the part that could not be read.
    #[error("it is not the answer of a time-stamping authority (RFC 3161): {0} cannot be read")]
    Malformed(&'static str),
    /// The authority gives none.
    #[error("the authority gives no time stamp (status {status}{})", because(.reason))]
    Refused {
        /// RFC 3161, section 2.4.2: 2 rejection, 3 waiting, 4 and 5 revocation.
        status: u64,
        /// In its words.
        reason: String,
    },
    /// For other bytes.
    #[error("it is over `{found}`, not over `{wanted}`")]
    OtherImprint {
        /// What was to be stamped.
        wanted: Digest,
        /// What was, in hexadecimal digits.
        found: String,
    },
    /// An answer to another question.
    #[error("it does not repeat the nonce it was asked with: it may be an old answer")]
    Nonce,
    /// A method that is not supported.
    #[error("its {0} is of a kind that ctc-ready cannot check")]
    Unsupported(&'static str),
    /// What the signature covers does not fit together.
    #[error("{0}")]
    Inconsistent(&'static str),
    /// The certificate that signed is not in it.
    #[error("the certificate that signed it is neither in it nor among those given")]
    NoCertificate,
    /// The signature is not by that certificate.
    #[error("its signature is wrong")]
    BadSignature,
    /// Not signed for any of the authorities that are accepted.
    #[error("it is not from the authority given: {0}")]
    Untrusted(String),
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Certificates that time stamps may lead to.
#[derive(Clone, Debug)]
pub struct Authorities(Vec<CertificateDer<'static>>);

impl Authorities {
    /// The certificates in a PEM file. Every one of them is trusted.
    ///
    /// # Errors
    /// Why there is none, as in "the file …".
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let mut certificates = Vec::new();
        for certificate in CertificateDer::pem_slice_iter(pem).take(MAX_CERTIFICATES) {
            let certificate = certificate.map_err(|error| format!("is not PEM: {error}"))?;
            anchor_from_trusted_cert(&certificate)
                .map_err(|error| format!("holds a certificate that cannot be read: {error}"))?;
            certificates.push(certificate);
        }
        if certificates.is_empty() {
            return Err("holds no certificate (PEM)".into());
        }
        Ok(Self(certificates))
    }
}

/// A time stamp that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeStamp {
    /// The authority's time.
    pub at: DateTime<Utc>,
    /// Who the certificate says has signed: its common name.
    pub authority: Option<String>,
    /// Whether the certificate was checked against accepted authorities. If
    /// not, anybody may have made it.
    pub checked: bool,
}

/// The question to an authority: a time stamp over a digest, with the
/// certificates that it takes to check the answer.
pub fn request(stamped: Digest, nonce: Nonce) -> Vec<u8> {
    // Fixed but for digest and nonce: version 1, SHA-256 with no parameters.
    const IMPRINT: [u8; 19] =
        [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
    const CERTIFICATES_TOO: [u8; 3] = [1, 1, 0xff];
    [&[0x30, 0x43, 2, 1, 1][..], &IMPRINT, stamped.as_bytes(), &[2, 8], &nonce, &CERTIFICATES_TOO]
        .concat()
}

/// A nonce from random bytes: a positive number of eight bytes.
pub fn nonce(random: [u8; 8]) -> Nonce {
    let [first, rest @ ..] = random;
    let mut nonce = [first & 0x3f | 0x40; 8];
    for (slot, byte) in nonce.iter_mut().skip(1).zip(rest) {
        *slot = byte;
    }
    nonce
}

/// What an answer says is stamped: a SHA-256 digest. Nothing is checked.
///
/// # Errors
/// When it cannot be read, or stamps something else.
pub fn imprint(answer: &[u8]) -> Result<Digest, TimeStampError> {
    let token = Token::read(answer)?;
    let found = token.info.imprint;
    <[u8; 32]>::try_from(found)
        .ok()
        .filter(|_| token.info.imprint_hash == SHA256)
        .map(Digest::from)
        .ok_or(TimeStampError::Unsupported("imprint"))
}

/// Checks an answer: over this digest, with this nonce where there was one,
/// signed by the certificate it names, and that by one of the authorities
/// where they are given: at its time the whole chain was valid, and the
/// certificate is for time stamps alone (RFC 3161, section 2.3). Whether a
/// certificate was revoked is not looked at.
///
/// # Errors
/// Why it does not hold.
pub fn check(
    answer: &[u8],
    stamped: Digest,
    nonce: Option<Nonce>,
    authorities: Option<&Authorities>,
) -> Result<TimeStamp, TimeStampError> {
    let token = Token::read(answer)?;
    if token.info.imprint_hash != SHA256 || token.info.imprint != stamped.as_bytes() {
        let found = token.info.imprint.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
        return Err(TimeStampError::OtherImprint { wanted: stamped, found });
    }
    if nonce.is_some_and(|nonce| token.info.nonce != Some(nonce.as_slice())) {
        return Err(TimeStampError::Nonce);
    }
    let given = authorities.map_or(&[][..], |authorities| &authorities.0);
    let signer = token.signed_by(given)?;
    if let Some(authorities) = authorities {
        token.trusted(&signer, authorities)?;
    }
    Ok(TimeStamp { at: token.info.at, authority: signer.name(), checked: authorities.is_some() })
}

impl<'a> Token<'a> {
    /// Finds the certificate that signed, and checks the signature.
    fn signed_by(
        &self,
        given: &'a [CertificateDer<'_>],
    ) -> Result<Certificate<'a>, TimeStampError> {
        use TimeStampError::Inconsistent;
        let attributes = part("its attributes", Attributes::read(self.signer.attributes))?;
        if attributes.content_type != Some(TST_INFO) {
            return Err(Inconsistent("its signature is over something else than a time"));
        }
        let digest = hash(self.signer.hash, self.content)?;
        if attributes.message_digest != Some(digest.as_slice()) {
            return Err(Inconsistent("what it states is not what was signed"));
        }
        let certificate = self
            .certificates
            .iter()
            .copied()
            .chain(given.iter().map(AsRef::as_ref))
            .filter_map(|der| Certificate::read(der).ok())
            .find(|certificate| certificate.is(self.signer.id))
            .ok_or(TimeStampError::NoCertificate)?;
        if !part("its attributes", attributes.names(&certificate))? {
            return Err(Inconsistent("its signature names another certificate"));
        }
        // What is signed is the set of attributes with the tag of a set.
        let mut signed = self.signer.attributes.whole.to_vec();
        if let Some(tag) = signed.first_mut() {
            *tag = SET;
        }
        let der = CertificateDer::from(certificate.der);
        let entity = EndEntityCert::try_from(&der)
            .map_err(|_| TimeStampError::Malformed("its signer's certificate"))?;
        let methods = self.signer.methods()?;
        let holds = |method: &&dyn SignatureVerificationAlgorithm| {
            entity.verify_signature(*method, &signed, self.signer.signature).is_ok()
        };
        match methods.iter().any(holds) {
            true => Ok(certificate),
            false => Err(TimeStampError::BadSignature),
        }
    }

    /// Checks the signer's certificate against the authorities.
    fn trusted(
        &self,
        signer: &Certificate<'_>,
        authorities: &Authorities,
    ) -> Result<(), TimeStampError> {
        let untrusted = |message: &str| TimeStampError::Untrusted(message.to_owned());
        if !signer.only_for_time_stamps {
            return Err(untrusted("its certificate is not one for time stamps alone"));
        }
        let seconds = u64::try_from(self.info.at.timestamp())
            .map_err(|_| TimeStampError::Malformed("its time"))?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let anchors: Vec<_> = authorities
            .0
            .iter()
            .filter_map(|certificate| anchor_from_trusted_cert(certificate).ok())
            .collect();
        let between: Vec<_> =
            self.certificates.iter().map(|der| CertificateDer::from(*der)).collect();
        let der = CertificateDer::from(signer.der);
        EndEntityCert::try_from(&der)
            .and_then(|entity| {
                let usage = KeyUsage::required_if_present(TIME_STAMPING);
                entity
                    .verify_for_usage(&SIGNATURES, &anchors, &between, time, usage, None, None)
                    .map(|_| ())
            })
            .map_err(|error| match error {
                webpki::Error::UnknownIssuer => {
                    untrusted("its certificate leads to none of those given")
                }
                webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
                    untrusted("a certificate was not valid at its time")
                }
                other => TimeStampError::Untrusted(other.to_string()),
            })
    }
}

/// Text of an authority's, fit to be repeated.
fn printable(bytes: &[u8]) -> String {
    let start = bytes.get(..4 * MAX_TEXT).unwrap_or(bytes);
    let text = String::from_utf8_lossy(start);
    text.chars().filter(|c| !c.is_control()).take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::der::{BOOLEAN, INTEGER, OCTET_STRING, SEQUENCE, only};
    use super::token::{algorithm, time};
    use super::*;

    #[test]
    fn the_time_is_read_with_and_without_parts_of_a_second() {
        let read = |text: &str| time(text.as_bytes()).map(|at| at.to_rfc3339());
        assert_eq!(read("20261121093000Z").unwrap(), "2026-11-21T09:30:00+00:00");
        assert_eq!(read("20261121093000.25Z").unwrap(), "2026-11-21T09:30:00.250+00:00");
        for bad in [
            "20261121093000",
            "202611210930Z",
            "20261321093000Z",
            "20261121093000.Z",
            "20261121093000.1234567890Z",
            "2026112109300aZ",
            "20261121093000+0000",
            "+0261121093000Z",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_question_is_der_of_the_right_shape() {
        let digest = Digest::of(b"x");
        let nonce = nonce([0xff, 0, 1, 2, 3, 4, 5, 6]);
        let bytes = request(digest, nonce);
        let mut question = only(&bytes, SEQUENCE).unwrap().inside();
        assert_eq!(question.expect(INTEGER).unwrap().value, [1]);
        let mut imprint = question.expect(SEQUENCE).unwrap().inside();
        assert_eq!(algorithm(imprint.expect(SEQUENCE).unwrap()), Ok(SHA256));
        assert_eq!(imprint.expect(OCTET_STRING).unwrap().value, digest.as_bytes());
        imprint.end().unwrap();
        assert_eq!(question.expect(INTEGER).unwrap().value, nonce);
        assert_eq!(question.expect(BOOLEAN).unwrap().value, [0xff]);
        question.end().unwrap();
        assert_eq!(nonce[0] & 0xc0, 0x40);
        assert_eq!(super::nonce([0; 8])[0], 0x40);
    }

    #[test]
    fn a_refusal_is_told_in_the_authoritys_words() {
        let answer = [
            &[0x30, 0x11, 0x30, 0x0f, 2, 1, 2, 0x30, 0x06, 0x0c, 4][..],
            b"no\x1b.",
            &[3, 2, 5, 0x20],
        ]
        .concat();
        let error = check(&answer, Digest::ZERO, None, None).unwrap_err().to_string();
        assert_eq!(error, "the authority gives no time stamp (status 2: no.)");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200)
        ) {
            prop_assert!(check(&bytes, Digest::ZERO, None, None).is_err());
            let _ = Certificate::read(&bytes);
        }
    }
}
