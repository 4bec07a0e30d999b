//! Where `pack` meets what is built beside it: the user's key, the seals, the
//! page, the look for secrets. Each is one call.

use std::io::Read;
use std::path::Path;

use super::super::context::{Context, Desk};
use super::super::failure::{Failure, Kind};
use crate::evidence::seal::keys::{KeyError, KeyRing};
use crate::evidence::{Store, StoreWriter};
use crate::report::Dossier;

/// The user's key; none where there is none yet.
pub(super) fn keys(context: &Context) -> Result<Option<KeyRing>, Failure> {
    match KeyRing::load(&context.keys_folder()?) {
        Ok(keys) => Ok(Some(keys)),
        Err(KeyError::Missing(_)) => Ok(None),
        Err(error) => Err(Failure::new(Kind::Environment, error)),
    }
}

/// Seals what no seal by this key covers yet; tells whether there was any.
/// Once seals are there: `Ok(store.seal(keys)?.new)`.
pub(super) fn seal(store: &StoreWriter, keys: &KeyRing) -> Result<bool, Failure> {
    let _ = (store, keys);
    Ok(false)
}

/// `index.html`. Once the page is there: `report::html::page(dossier, store,
/// &PageOptions::new(&desk.catalogue, &desk.project.settings))`, whose error is
/// a bug.
pub(super) fn page(desk: &Desk, dossier: &Dossier, store: &Store) -> Result<String, Failure> {
    let _ = (desk, store);
    let mark = dossier.mark.map_or_else(String::new, |mark| format!("<h1>{mark}</h1>"));
    Ok(format!("<!DOCTYPE html><meta charset=\"utf-8\"><title>Evidence</title>{mark}\n"))
}

/// The last look for secrets. Once it is there, `super::super::leaks::Guard`
/// takes its place.
pub(super) struct Guard;

impl Guard {
    pub(super) fn new(_store: &Path) -> Result<Self, Failure> {
        Ok(Self)
    }

    pub(super) fn look(&mut self, _name: &str, _reader: &mut impl Read) -> Result<(), Failure> {
        Ok(())
    }

    pub(super) fn decide(self) -> Result<(), Failure> {
        Ok(())
    }
}
