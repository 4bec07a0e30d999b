//! The system's keyring: with the feature `keyring` and where there is one;
//! without the feature it is never there.

#[cfg(feature = "keyring")]
mod system {
    use keyring::{Entry, Error};
    use secrecy::{ExposeSecret, SecretString};

    use super::super::kept::KeptError;

    /// What the keyring knows this program by.
    const SERVICE: &str = "ctc-ready";

    pub(in crate::hmrc::tokens) fn is_there() -> bool {
        apart(|| Entry::store_status().is_ok()).unwrap_or(false)
    }

    pub(in crate::hmrc::tokens) fn read(account: &str) -> Result<Option<SecretString>, KeptError> {
        let account = account.to_owned();
        told(apart(move || Entry::new(SERVICE, &account)?.get_password().map(SecretString::from))?)
    }

    pub(in crate::hmrc::tokens) fn write(
        account: &str,
        text: &SecretString,
    ) -> Result<(), KeptError> {
        let (account, text) = (account.to_owned(), text.clone());
        let set = move || Entry::new(SERVICE, &account)?.set_password(text.expose_secret());
        told(apart(set)?).map(|_| ())
    }

    pub(in crate::hmrc::tokens) fn remove(account: &str) -> Result<(), KeptError> {
        let account = account.to_owned();
        told(apart(move || Entry::new(SERVICE, &account)?.delete_credential())?).map(|_| ())
    }

    /// On a thread of its own: a keyring may bring its own runtime, which must
    /// not begin inside another.
    fn apart<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Result<T, KeptError> {
        let asked = std::thread::spawn(ask).join();
        asked.map_err(|_| KeptError::Ring("it broke down".into()))
    }

    fn told<T>(result: Result<T, Error>) -> Result<Option<T>, KeptError> {
        match result {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(KeptError::Ring(error.to_string())),
        }
    }
}

#[cfg(not(feature = "keyring"))]
mod system {
    use secrecy::SecretString;

    use super::super::kept::KeptError;

    pub(in crate::hmrc::tokens) fn is_there() -> bool {
        false
    }

    pub(in crate::hmrc::tokens) fn read(_: &str) -> Result<Option<SecretString>, KeptError> {
        Err(without())
    }

    pub(in crate::hmrc::tokens) fn write(_: &str, _: &SecretString) -> Result<(), KeptError> {
        Err(without())
    }

    pub(in crate::hmrc::tokens) fn remove(_: &str) -> Result<(), KeptError> {
        Err(without())
    }

    fn without() -> KeptError {
        KeptError::Ring("this ctc-ready was built without it".into())
    }
}

pub(super) use system::{is_there, read, remove, write};
