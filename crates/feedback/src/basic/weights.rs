//! What training left: linear weights and limits. They come as one file that is compiled in; `cargo xtask train` makes it.

use std::sync::LazyLock;

use super::features::{DECISION, SCREEN, SORT};

/// The file that training wrote.
const FILE: &[u8] = include_bytes!("weights.bin");
/// Kinds, sentiments, priorities, in the order of the enums.
pub const SORTS: [usize; 3] = [5, 3, 4];

/// A weighted sum; the last number stands alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Linear(pub Vec<f32>);

impl Linear {
    /// The sum for features that are not zero.
    pub fn of(&self, features: &[(u32, f32)]) -> f32 {
        let sum: f32 = features
            .iter()
            .filter_map(|(place, value)| Some(self.0.get(usize::try_from(*place).ok()?)? * value))
            .sum();
        sum + self.0.last().copied().unwrap_or_default()
    }

    /// The sum for all features.
    pub fn of_all(&self, features: &[f32]) -> f32 {
        let sum: f32 = self.0.iter().zip(features).map(|(weight, value)| weight * value).sum();
        sum + self.0.last().copied().unwrap_or_default()
    }
}

/// Everything that training found out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// Chooses the sentences that are worth a vector.
    pub screen: Linear,
    /// Decides about those.
    pub decision: Linear,
    /// One sum for each kind, sentiment and priority.
    pub sorts: [Vec<Linear>; 3],
    /// Scores from which on a sentence is worth a vector, a language model's look, an item; and an item where nobody of ours is on the call.
    pub limits: [f32; 4],
}

impl Weights {
    /// Those that are compiled in.
    pub fn built_in() -> &'static Self {
        static BUILT_IN: LazyLock<Weights> = LazyLock::new(|| Weights::from_bytes(FILE).unwrap_or_default());
        &BUILT_IN
    }

    /// As a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let sorts = self.sorts.iter().flatten();
        let all = [&self.screen, &self.decision].into_iter().chain(sorts).flat_map(|linear| &linear.0);
        all.chain(&self.limits).flat_map(|number| number.to_le_bytes()).collect()
    }

    /// From a file; `None` when it is not of this version's shape.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut numbers =
            bytes.chunks_exact(4).map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        let mut take = |count: usize| -> Option<Vec<f32>> {
            let some: Vec<f32> = numbers.by_ref().take(count).collect();
            (some.len() == count).then_some(some)
        };
        let width = |features: u32| usize::try_from(features).map(|width| width + 1).ok();
        let screen = Linear(take(width(SCREEN)?)?);
        let decision = Linear(take(width(DECISION)?)?);
        let mut sorts: [Vec<Linear>; 3] = Default::default();
        for (sort, count) in sorts.iter_mut().zip(SORTS) {
            for _ in 0..count {
                sort.push(Linear(take(SORT + 1)?));
            }
        }
        let limits = take(4)?.try_into().ok()?;
        numbers.next().is_none().then_some(Self { screen, decision, sorts, limits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_compiled_in_has_this_versions_shape() {
        let weights = Weights::from_bytes(FILE).expect("run `cargo xtask train`");
        assert_eq!(weights.to_bytes(), FILE);
        assert!(FILE.len() <= 300_000, "{} bytes", FILE.len());
        assert!(weights.limits.iter().all(|limit| limit.is_finite()));
    }

    #[test]
    fn a_sum_is_the_same_whichever_way_features_are_given() {
        let linear = Linear(vec![2.0, 3.0, 0.5]);
        assert_eq!(linear.of(&[(1, 2.0)]), 6.5);
        assert_eq!(linear.of_all(&[0.0, 2.0]), 6.5);
    }
}
