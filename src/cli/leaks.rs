//! The last look before anything leaves this machine: `pack` and every export
//! ask here.

use std::io::Read;
use std::path::Path;

use secrecy::ExposeSecret;

use super::context::{SECRET_VARIABLES, kept_secrets, secrets};
use super::failure::{Failure, Kind};
use crate::evidence::leak::{Leak, MAX_LEAKS, Secrets};
use crate::files;
use crate::project::traders;

/// Looks through files for the secrets of this project.
pub(super) struct Guard {
    secrets: Secrets,
    leaks: Vec<Leak>,
}

impl Guard {
    /// Knows the secrets in the environment, those of profiles, and the salt of the store in
    /// `store`.
    ///
    /// # Errors
    /// When the salt is there and cannot be read.
    pub(super) fn new(store: &Path) -> Result<Self, Failure> {
        let mut known = Secrets::new();
        for (variable, secret) in secrets() {
            let what = format!("the value of {variable}");
            known.add(&what, secret.expose_secret().as_bytes());
        }
        for (what, secret) in kept_secrets() {
            known.add(&what, secret.expose_secret().as_bytes());
        }
        known.add_salt(store)?;
        add_traders(&mut known, store);
        Ok(Self { secrets: known, leaks: Vec::new() })
    }

    /// Looks through one file that is to leave under this name.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(super) fn look(&mut self, name: &str, reader: &mut impl Read) -> Result<(), Failure> {
        let found = self
            .secrets
            .scan(name, reader)
            .map_err(|error| Failure::input(format!("cannot read `{name}`: {error}")))?;
        self.leaks.extend(found);
        Ok(())
    }

    /// Lets it leave, or says where the secrets are.
    ///
    /// # Errors
    /// When any was found.
    pub(super) fn decide(self) -> Result<(), Failure> {
        if self.leaks.is_empty() {
            return Ok(());
        }
        let mut message = String::from("there is a secret in what was to leave this machine");
        for leak in self.leaks.iter().take(MAX_LEAKS) {
            message.push_str(&format!("\n  {leak}"));
        }
        if self.leaks.len() > MAX_LEAKS {
            message.push_str(&format!("\n  and {} more", self.leaks.len() - MAX_LEAKS));
        }
        Err(Failure::new(Kind::Input, message)
            .hint("nothing was written; evidence is redacted when it is recorded, so a secret came in by settings, notes or attachments, or it was not known then")
            .hint(format!("known are {}, what profiles keep, and the salt of the store", SECRET_VARIABLES.join(", "))))
    }
}

/// Knows the traders' tax references: what a house keeps of its customers is
/// for HMRC's onboarding, and stays out of bundles and exports. A file that
/// cannot be read has none that could have got anywhere.
fn add_traders(known: &mut Secrets, store: &Path) {
    let Some(file) = store.parent().map(|project| project.join(traders::FILE_NAME)) else { return };
    let Ok(bytes) = files::read_bounded(&file, traders::MAX_BYTES) else { return };
    for reference in traders::references(&String::from_utf8_lossy(&bytes)) {
        known.add("a tax reference of `traders.toml`", reference.as_bytes());
    }
}
