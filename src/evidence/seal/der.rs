//! Reading DER (ITU-T X.690, section 10) in place: definite lengths in their
//! shortest form, tags of one byte. Never recurses and never copies, so that
//! hostile input costs no more than its length.

/// Tags in use.
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// `[n]`, of constructed form.
pub(super) const fn context(number: u8) -> u8 {
    0xa0 | number
}

/// `[n]`, of primitive form.
pub(super) const fn context_primitive(number: u8) -> u8 {
    0x80 | number
}

/// Bytes that are not the DER that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    /// Its tag.
    pub(super) tag: u8,
    /// Its contents.
    pub(super) value: &'a [u8],
    /// All of it.
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements in it.
    pub(super) fn inside(self) -> Der<'a> {
        Der(self.value)
    }
}

/// Elements one after the other.
#[derive(Clone, Copy, Debug)]
pub(super) struct Der<'a>(pub(super) &'a [u8]);

impl<'a> Der<'a> {
    /// Whether there is no more.
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    /// The next element, of whatever tag.
    pub(super) fn any(&mut self) -> Result<Element<'a>, Malformed> {
        let input = self.0;
        let (&tag, rest) = input.split_first().ok_or(Malformed)?;
        let (&first, rest) = rest.split_first().ok_or(Malformed)?;
        // A tag of several bytes, and a length of none or too many.
        if tag & 0x1f == 0x1f || first == 0x80 || first > 0x84 {
            return Err(Malformed);
        }
        let (length, rest) = if first < 0x80 {
            (usize::from(first), rest)
        } else {
            let (digits, rest) =
                rest.split_at_checked(usize::from(first & 0x7f)).ok_or(Malformed)?;
            let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
            if digits.first() == Some(&0) || length < 0x80 {
                return Err(Malformed);
            }
            (length, rest)
        };
        let (value, rest) = rest.split_at_checked(length).ok_or(Malformed)?;
        let whole = input.get(..input.len() - rest.len()).ok_or(Malformed)?;
        self.0 = rest;
        Ok(Element { tag, value, whole })
    }

    /// The next element, which must have this tag.
    pub(super) fn expect(&mut self, tag: u8) -> Result<Element<'a>, Malformed> {
        self.any().and_then(|element| if element.tag == tag { Ok(element) } else { Err(Malformed) })
    }

    /// The next element, if it has this tag.
    pub(super) fn optional(&mut self, tag: u8) -> Result<Option<Element<'a>>, Malformed> {
        match self.0.first() {
            Some(next) if *next == tag => self.any().map(Some),
            _ => Ok(None),
        }
    }

    /// Refuses anything that follows.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed) }
    }
}

/// The one element that `bytes` are.
pub(super) fn only(bytes: &[u8], tag: u8) -> Result<Element<'_>, Malformed> {
    let mut der = Der(bytes);
    let element = der.expect(tag)?;
    der.end()?;
    Ok(element)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_shortest_form_is_read() {
        let read = |bytes: &[u8]| only(bytes, OCTET_STRING).map(|element| element.value.len());
        assert_eq!(read(&[4, 0]), Ok(0));
        assert_eq!(read(&[4, 2, 7, 7]), Ok(2));
        assert_eq!(read(&[&[4, 0x81, 0x80][..], &[0; 128]].concat()), Ok(128));
        assert_eq!(read(&[&[4, 0x82, 1, 0][..], &[0; 256]].concat()), Ok(256));
        for bad in [
            &[][..],
            &[4],
            &[4, 1],
            &[5, 0],
            &[4, 0, 0],
            &[4, 0x80, 0, 0],
            &[4, 0x81, 1, 7],
            &[4, 0x82, 0, 1, 7],
            &[4, 0x84, 0xff, 0xff, 0xff, 0xff],
            &[4, 0x85, 0, 0, 0, 0, 1, 7],
            &[0x1f, 0x24, 0],
        ] {
            assert_eq!(read(bad), Err(Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let mut der = Der(&bytes);
            let mut taken = Vec::new();
            while let Ok(element) = der.any() {
                taken.extend_from_slice(element.whole);
            }
            taken.extend_from_slice(der.0);
            prop_assert_eq!(taken, bytes);
        }
    }
}
