//! The Merkle tree of RFC 9162, section 2.1.1, over SHA-256.

use crate::digest::Digest;

/// The hash of a leaf.
pub fn leaf(entry: &[u8]) -> Digest {
    Digest::of_parts(&[&[0], entry])
}

/// The hash of the whole tree over these leaves, in their order.
pub fn root(leaves: impl IntoIterator<Item = Digest>) -> Digest {
    let mut level: Vec<Digest> = leaves.into_iter().collect();
    // To split at the largest power of two, as the RFC does, is to join
    // neighbours level by level and to hand an odd one on as it is.
    while level.len() > 1 {
        level = level
            .chunks(2)
            .map(|pair| match pair {
                [left, right] => Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()]),
                odd => odd.first().copied().unwrap_or(Digest::ZERO),
            })
            .collect();
    }
    level.first().copied().unwrap_or_else(|| Digest::of(b""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// MTH as the RFC defines it.
    fn defined(entries: &[Vec<u8>]) -> Digest {
        match entries {
            [] => Digest::of(b""),
            [entry] => leaf(entry),
            _ => {
                let split = entries.len().next_power_of_two() / 2;
                let (left, right) = entries.split_at(split);
                let (left, right) = (defined(left), defined(right));
                Digest::of_parts(&[&[1], left.as_bytes(), right.as_bytes()])
            }
        }
    }

    #[test]
    fn the_root_is_the_one_of_the_known_tree() {
        // The test data of Certificate Transparency's reference implementation.
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        for (count, expected) in [
            (0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
            (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
            (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
        ] {
            let leaves = entries[..count].iter().map(|entry| leaf(entry));
            assert_eq!(root(leaves).to_string(), expected, "{count}");
        }
    }

    proptest! {
        #[test]
        fn the_root_is_as_the_rfc_defines_it(
            entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3), 0..70)
        ) {
            prop_assert_eq!(root(entries.iter().map(|entry| leaf(entry))), defined(&entries));
        }
    }
}
