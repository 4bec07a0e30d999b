//! Random numbers that are the same every time, for tests that try many things.

/// A generator of numbers: SplitMix64, of which every seed is a good one.
pub(crate) struct Random(u64);

impl Random {
    /// The numbers of one turn of a test, so that a turn can be had again
    /// without those before it.
    pub(crate) fn of(seed: u64, turn: u64) -> Self {
        let mut random = Self(seed);
        let mixed = random.next() ^ turn;
        Self(mixed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number below `end`; 0 where there is none.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % (end.max(1) as u64)) as usize
    }

    pub(crate) fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    /// One of several.
    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// So many places in ascending order, none beyond `end`.
    pub(crate) fn places<const N: usize>(&mut self, end: usize) -> [usize; N] {
        let mut places = [0; N];
        places.iter_mut().for_each(|place| *place = self.below(end + 1));
        places.sort_unstable();
        places
    }
}

/// `CTC_READY_SEED`, or the seed that every run without it has.
pub(crate) fn seed() -> u64 {
    std::env::var("CTC_READY_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1)
}
