//! How the state's texts and maps are written to a file.
//!
//! A message body is shared by the store and by NCTS. Within [`numbering`] and
//! [`numbered`] each is written as the number of a text that the file holds
//! once, and is one text in memory again after reading; elsewhere it is
//! written as it is.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

#[derive(Debug, Default)]
struct Texts {
    all: Vec<Arc<str>>,
    /// Where each text is in memory, and its number.
    numbers: HashMap<*const u8, usize>,
}

thread_local! {
    static TEXTS: RefCell<Option<Texts>> = const { RefCell::new(None) };
}

/// Runs `write`; texts written in it get numbers. Returns them in that order.
pub(super) fn numbering<T>(write: impl FnOnce() -> T) -> (T, Vec<Arc<str>>) {
    TEXTS.set(Some(Texts::default()));
    let written = write();
    (written, TEXTS.take().map(|texts| texts.all).unwrap_or_default())
}

/// Runs `read`; numbers read in it stand for these texts.
pub(super) fn numbered<T>(all: Vec<Arc<str>>, read: impl FnOnce() -> T) -> T {
    TEXTS.set(Some(Texts { all, numbers: HashMap::new() }));
    let result = read();
    TEXTS.set(None);
    result
}

/// `#[serde(with = "text")]` for an `Arc<str>`.
pub(super) mod text {
    use std::fmt;

    use serde::de::{Error, Visitor};
    use serde::{Deserializer, Serializer};

    use super::{Arc, TEXTS};

    pub(in crate::simulator) fn serialize<S: Serializer>(
        text: &Arc<str>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let number = TEXTS.with_borrow_mut(|texts| {
            let texts = texts.as_mut()?;
            let next = texts.all.len();
            let number = *texts.numbers.entry(text.as_ptr()).or_insert(next);
            if number == next {
                texts.all.push(Arc::clone(text));
            }
            Some(number as u64)
        });
        match number {
            Some(number) => to.serialize_u64(number),
            None => to.serialize_str(text),
        }
    }

    struct Text;

    impl Visitor<'_> for Text {
        type Value = Arc<str>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text, or the number of one")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Arc<str>, E> {
            Ok(text.into())
        }

        fn visit_u64<E: Error>(self, number: u64) -> Result<Arc<str>, E> {
            TEXTS
                .with_borrow(|texts| {
                    texts.as_ref()?.all.get(usize::try_from(number).ok()?).map(Arc::clone)
                })
                .ok_or_else(|| E::custom(format!("there is no text {number}")))
        }
    }

    pub(in crate::simulator) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Arc<str>, D::Error> {
        from.deserialize_any(Text)
    }
}

/// `#[serde(with = "text_option")]` for an `Option<Arc<str>>`.
pub(super) mod text_option {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Arc;

    #[derive(Serialize, Deserialize)]
    #[serde(transparent)]
    struct Text(#[serde(with = "super::text")] Arc<str>);

    pub(in crate::simulator) fn serialize<S: Serializer>(
        text: &Option<Arc<str>>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        text.as_ref().map(|text| Text(Arc::clone(text))).serialize(to)
    }

    pub(in crate::simulator) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Arc<str>>, D::Error> {
        Ok(Option::<Text>::deserialize(from)?.map(|text| text.0))
    }
}

/// `#[serde(with = "pairs")]` for maps whose keys are no strings.
pub(super) mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(in crate::simulator) fn serialize<'a, S, M, K, V>(
        map: &'a M,
        to: S,
    ) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        &'a M: IntoIterator<Item = (&'a K, &'a V)>,
        K: Serialize + 'a,
        V: Serialize + 'a,
    {
        to.collect_seq(map)
    }

    pub(in crate::simulator) fn deserialize<'de, D, M, K, V>(from: D) -> Result<M, D::Error>
    where
        D: Deserializer<'de>,
        M: FromIterator<(K, V)>,
        K: Deserialize<'de>,
        V: Deserialize<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(from)?.into_iter().collect())
    }
}
