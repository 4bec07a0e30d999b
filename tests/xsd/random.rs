//! Seeded chance: the same seed gives the same documents everywhere.

/// SplitMix64.
#[derive(Clone)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Capitals and digits.
    pub fn text(&mut self, length: usize) -> String {
        (0..length)
            .map(|_| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"[self.below(36)]))
            .collect()
    }

    /// A character that some pattern or another may not like.
    pub fn odd(&mut self) -> char {
        const ODD: &[char] = &[
            ' ',
            '\t',
            '\n',
            '\r',
            '\u{85}',
            '\u{a0}',
            '\u{180e}',
            '\u{2003}',
            '\u{2028}',
            '\u{200b}',
            '\u{3000}',
            '\u{feff}',
            '\u{7f}',
            'é',
            'ß',
            '𝄞',
            '٣',
            '９',
            '~',
            '!',
            '"',
            '\'',
            '&',
            '<',
            '>',
            '-',
            '.',
            ',',
            '@',
            '/',
            '\\',
            '^',
            '$',
            'a',
            'z',
            'A',
            'Z',
            '0',
            '9',
            '+',
            '_',
            '|',
            '\u{fffd}',
            '\u{10ffff}',
        ];
        ODD[self.below(ODD.len())]
    }

    /// A text that matches a pattern of the kind HMRC uses.
    pub fn matching(&mut self, pattern: &str) -> String {
        let mut rest = pattern;
        self.either(&mut rest)
    }

    fn either(&mut self, rest: &mut &str) -> String {
        let mut branches = vec![String::new()];
        while let Some(c) = rest.chars().next() {
            match c {
                ')' => break,
                '|' => {
                    *rest = &rest[1..];
                    branches.push(String::new());
                }
                _ => {
                    let piece = self.piece(rest);
                    branches.last_mut().unwrap().push_str(&piece);
                }
            }
        }
        branches.swap_remove(self.below(branches.len()))
    }

    fn piece(&mut self, rest: &mut &str) -> String {
        let start = *rest;
        let mut once = self.atom(rest);
        let atom = &start[..start.len() - rest.len()];
        let (low, high, length) = match rest.chars().next() {
            Some('?') => (0, 1, 1),
            Some('*') => (0, 6, 1),
            Some('+') => (1, 6, 1),
            Some('{') => {
                let (inside, _) = rest[1..].split_once('}').unwrap();
                let (low, high) = inside.split_once(',').unwrap_or((inside, inside));
                (low.parse().unwrap(), high.parse().unwrap(), inside.len() + 2)
            }
            _ => (1, 1, 0),
        };
        *rest = &rest[length..];
        // Both ends now and then.
        let times = match self.below(4) {
            0 => low,
            1 => high,
            _ => low + self.below(high - low + 1),
        };
        let mut out = String::new();
        for _ in 0..times {
            out.push_str(&once);
            once = self.atom(&mut { atom });
        }
        out
    }

    fn atom(&mut self, rest: &mut &str) -> String {
        let c = rest.chars().next().unwrap();
        *rest = &rest[c.len_utf8()..];
        match c {
            '(' => {
                let inside = self.either(rest);
                *rest = &rest[1..];
                inside
            }
            '.' => self.any(&['\n', '\r']),
            '\\' => {
                let c = rest.chars().next().unwrap();
                *rest = &rest[1..];
                match c {
                    'd' => self.below(10).to_string(),
                    'p' | 'P' => {
                        let (_, after) = rest.split_once('}').unwrap();
                        *rest = after;
                        self.text(1)
                    }
                    'n' => "\n".to_owned(),
                    'r' => "\r".to_owned(),
                    c => c.to_string(),
                }
            }
            '[' => {
                let (inside, after) = rest.split_once(']').unwrap();
                *rest = after;
                self.class(inside)
            }
            c => c.to_string(),
        }
    }

    /// Anything but these; mostly plain.
    fn any(&mut self, not: &[char]) -> String {
        loop {
            let c = match self.below(8) {
                0 => self.odd(),
                _ => self.text(1).chars().next().unwrap(),
            };
            if !not.contains(&c) {
                return c.to_string();
            }
        }
    }

    fn class(&mut self, inside: &str) -> String {
        if let Some(not) = inside.strip_prefix('^') {
            let not: Vec<char> = not.replace("\\n", "\n").replace("\\r", "\r").chars().collect();
            return self.any(&not);
        }
        let chars: Vec<char> = inside.chars().collect();
        let mut ranges = Vec::new();
        let mut at = 0;
        while at < chars.len() {
            match (chars.get(at + 1), chars.get(at + 2)) {
                (Some('-'), Some(last)) => {
                    ranges.push((chars[at], *last));
                    at += 3;
                }
                _ => {
                    ranges.push((chars[at], chars[at]));
                    at += 1;
                }
            }
        }
        let (first, last) = ranges[self.below(ranges.len())];
        let span = u32::from(last) - u32::from(first) + 1;
        char::from_u32(u32::from(first) + self.below(span as usize) as u32).unwrap().to_string()
    }
}
