//! Texts as vectors.

use std::fmt::{self, Debug};

use async_trait::async_trait;

use crate::{ModelError, Usage};

/// Which model made a vector: vectors of different models are never compared.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelId(String);

impl ModelId {
    /// A model of a provider: `local/all-MiniLM-L6-v2`.
    pub fn new(provider: &str, model: &str) -> Self {
        Self(format!("{provider}/{model}"))
    }

    /// The name as it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A vector of length one.
pub type Embedding = Vec<f32>;

/// Turns texts into vectors.
#[async_trait]
pub trait Embedder: Send + Sync + Debug {
    /// Which model it is.
    fn model(&self) -> &ModelId;

    /// A vector for each text, in the same order, each of length one.
    ///
    /// # Errors
    /// [`ModelError`].
    async fn embed(&self, texts: &[String]) -> Result<(Vec<Embedding>, Usage), ModelError>;
}

/// Numbers that are multiplied together at once.
const LANES: usize = 16;

/// How alike two vectors of length one are: 1 for the same direction, 0 for nothing in common. Vectors of different lengths
/// have nothing in common.
pub fn cosine(a: &[f32], b: &[f32]) -> f32 {
    if a.len() != b.len() {
        return 0.0;
    }
    // Sums side by side, which the processor adds at once; one sum would have to wait for itself.
    let mut sums = [0.0_f32; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

/// Brings a vector to length one; a zero vector stays as it is.
pub(crate) fn normalized(mut vector: Vec<f32>) -> Embedding {
    let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|x| *x /= length);
    }
    vector
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_vectors_of_one_length_are_compared() {
        let a = normalized(vec![3.0, 4.0]);
        assert!((cosine(&a, &a) - 1.0).abs() < 1e-6);
        assert_eq!(cosine(&a, &[1.0]), 0.0);
        assert_eq!(normalized(vec![0.0, 0.0]), [0.0, 0.0]);
        let long: Vec<f32> = (0..37_u8).map(f32::from).collect();
        assert_eq!(cosine(&long, &long), 16_206.0, "what is left over counts as well");
    }
}
