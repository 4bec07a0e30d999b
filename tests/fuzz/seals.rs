//! What is signed, and by whom: envelopes, statements, keys, certificates and
//! time stamps.

use ctc_ready::digest::Digest;
use ctc_ready::evidence::seal::time_stamp::{check, imprint, nonce, request};
use ctc_ready::evidence::seal::{Authorities, Envelope, PublicKey, Statement, dsse};

use crate::authority::{Authority, Kind};
use crate::engine::{Target, taken};
use crate::mutate;
use crate::random::Random;
use crate::store::House;

pub struct Seals {
    house: House,
    envelope: Vec<u8>,
    payload: Vec<u8>,
    stamped: Digest,
    /// Answers of time-stamping authorities, and the certificates that they
    /// lead to; none where there is no `openssl`.
    answers: Vec<Vec<u8>>,
    authorities: Vec<(Vec<u8>, Authorities)>,
}

pub enum Input {
    Envelope(Vec<u8>),
    Payload(Vec<u8>),
    Key(String),
    Pem(Vec<u8>),
    TimeStamp(Vec<u8>, usize),
}

impl Seals {
    pub fn new() -> Self {
        let house = House::new();
        let envelope = house.good["seals/1.dsse.json"].clone();
        let payload = Envelope::parse(&envelope).unwrap().payload;
        let stamped = Digest::of(b"a seal");
        let (mut answers, mut authorities) = (Vec::new(), Vec::new());
        for kind in [Kind::Rsa("sha512"), Kind::P256, Kind::P384] {
            let Some(authority) = Authority::make(kind) else { break };
            answers.push(authority.answer(&request(stamped, nonce([7; 8]))));
            let pem = authority.ca.clone().into_bytes();
            authorities.push((pem.clone(), Authorities::from_pem(&pem).unwrap()));
        }
        Self { house, envelope, payload, stamped, answers, authorities }
    }
}

impl Target for Seals {
    type Input = Input;

    fn make(&mut self, random: &mut Random) -> Input {
        let key = self.house.keys.public();
        match random.below(8) {
            0 => Input::Envelope(mutate::bytes(random, &self.envelope, &[])),
            1 => {
                let mut value = serde_json::from_slice(&self.envelope).unwrap();
                mutate::json(random, &mut value);
                Input::Envelope((ctc_ready::digest::canonical_json(&value) + "\n").into())
            }
            2 => Input::Payload(mutate::bytes(random, &self.payload, &[])),
            3 => Input::Key(mutate::text(random, &key.to_pem(), &[])),
            4 if !self.authorities.is_empty() => {
                let pem = &random.pick(&self.authorities).0;
                Input::Pem(mutate::bytes(random, pem, &[]))
            }
            5.. if !self.answers.is_empty() => {
                let at = random.below(self.answers.len());
                let mut answer = self.answers[at].clone();
                for _ in 0..1 + random.below(3) {
                    answer = mutate::der(random, &answer, &self.answers);
                }
                Input::TimeStamp(answer, at)
            }
            _ => Input::Payload(mutate::bytes(random, &self.envelope, &[])),
        }
    }

    fn size(input: &Input) -> usize {
        match input {
            Input::Key(text) => text.len(),
            Input::Envelope(bytes) | Input::Payload(bytes) | Input::Pem(bytes) => bytes.len(),
            Input::TimeStamp(bytes, _) => bytes.len(),
        }
    }

    fn read(&self, input: &Input) -> Vec<&'static str> {
        taken(match input {
            Input::Envelope(bytes) => Envelope::parse(bytes)
                .is_ok_and(|envelope| envelope.verify(self.house.keys.public()).is_ok()),
            Input::Payload(bytes) => {
                // Signed, so that it is looked at.
                let envelope = dsse::sign(&self.house.keys, "text/plain", bytes);
                let read = Envelope::parse(envelope.as_bytes()).unwrap();
                assert_eq!(read.payload, *bytes);
                Statement::parse(bytes).is_ok_and(|statement| {
                    statement.journals().count() + statement.payload().len() > 0
                })
            }
            Input::Key(text) => {
                PublicKey::from_base64(text).is_some() || PublicKey::from_pem(text).is_ok()
            }
            Input::Pem(bytes) => Authorities::from_pem(bytes).is_ok(),
            Input::TimeStamp(bytes, of) => {
                let _ = imprint(bytes);
                let _ = check(bytes, self.stamped, Some(nonce([7; 8])), None);
                let authorities = self.authorities.get(*of).map(|(_, read)| read);
                check(bytes, self.stamped, None, authorities).is_ok()
            }
        })
    }
}
