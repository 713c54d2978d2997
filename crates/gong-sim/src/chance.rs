//! Repeatable chance: a small generator of numbers from a seed, and ids made from it.
//! Knows nothing of calls or HTTP. It must never ask the machine for randomness.

/// A splitmix64 generator: small, fast, the same on every machine.
#[derive(Clone, Debug)]
pub(crate) struct Chance(u64);

impl Chance {
    /// Starts from a number.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Starts from a number and some words, so that each use has its own row of numbers.
    pub(crate) fn of(seed: u64, words: &[&str]) -> Self {
        let mut hash = 0xcbf2_9ce4_8422_2325_u64 ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        for word in words {
            for byte in word.bytes().chain([0xff]) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        let mut chance = Self(hash);
        chance.next();
        chance
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`; 0 where `end` is 0.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        if end == 0 { 0 } else { self.next() % end }
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// An index into something of `length` items.
    pub(crate) fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.below(length as u64)).unwrap_or(0)
    }

    /// True with the given probability.
    pub(crate) fn hit(&mut self, share: f64) -> bool {
        let unit = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        unit < share
    }

    /// One of the words; empty where there are none.
    pub(crate) fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words.get(self.index(words.len())).copied().unwrap_or("")
    }

    /// An id of 19 or 20 digits, about half of them above the largest signed 64-bit number.
    pub(crate) fn id(&mut self) -> String {
        self.between(1_000_000_000_000_000_000, u64::MAX).to_string()
    }

    /// An id of exactly 20 digits.
    pub(crate) fn long_id(&mut self) -> String {
        self.between(10_000_000_000_000_000_000, u64::MAX).to_string()
    }

    /// A request id: 19 lower-case letters and digits.
    pub(crate) fn request_id(&mut self) -> String {
        const LETTERS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";
        (0..19).map(|_| char::from(LETTERS[self.index(36)])).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Chance;

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_ids_have_up_to_twenty_digits() {
        let mut one = Chance::of(7, &["a", "b"]);
        let mut two = Chance::of(7, &["a", "b"]);
        let mut other = Chance::of(7, &["ab"]);
        assert_eq!(one.id(), two.id());
        assert_ne!(one.next(), other.next());
        for _ in 0..1_000 {
            assert_eq!(one.long_id().len(), 20);
            assert!((19..=20).contains(&one.id().len()));
        }
    }
}
