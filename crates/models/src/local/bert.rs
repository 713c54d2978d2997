//! BERT's encoder, as all-MiniLM-L6-v2 needs it. Names of tensors are those of the published weights.

use candle_core::{D, DType, Device, Result, Tensor};
use candle_nn::{
    Embedding, LayerNorm, Linear, Module, VarBuilder, embedding, layer_norm, linear, ops::softmax_last_dim,
};
use serde::Deserialize;

/// What `config.json` says of the model's shape.
#[derive(Debug, Deserialize)]
pub(super) struct Config {
    vocab_size: usize,
    hidden_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    intermediate_size: usize,
    max_position_embeddings: usize,
    type_vocab_size: usize,
    layer_norm_eps: f64,
}

/// The encoder.
pub(super) struct Bert {
    words: Embedding,
    places: Embedding,
    types: Embedding,
    norm: LayerNorm,
    layers: Vec<Layer>,
}

struct Layer {
    query: Linear,
    key: Linear,
    value: Linear,
    attended: Linear,
    attended_norm: LayerNorm,
    wide: Linear,
    narrow: Linear,
    narrow_norm: LayerNorm,
    heads: usize,
}

impl Bert {
    pub(super) fn load(weights: &VarBuilder<'_>, c: &Config) -> Result<Self> {
        let (width, at) = (c.hidden_size, weights.pp("embeddings"));
        let layers = weights.pp("encoder.layer");
        Ok(Self {
            words: embedding(c.vocab_size, width, at.pp("word_embeddings"))?,
            places: embedding(c.max_position_embeddings, width, at.pp("position_embeddings"))?,
            types: embedding(c.type_vocab_size, width, at.pp("token_type_embeddings"))?,
            norm: layer_norm(width, c.layer_norm_eps, at.pp("LayerNorm"))?,
            layers: (0..c.num_hidden_layers).map(|n| Layer::load(&layers.pp(n), c)).collect::<Result<_>>()?,
        })
    }

    /// One vector a token; `mask` is 1 for tokens and 0 for padding.
    pub(super) fn forward(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let (_, length) = ids.dims2()?;
        let places = Tensor::arange(0, u32::try_from(length).unwrap_or(u32::MAX), &Device::Cpu)?;
        let mut x = self.words.forward(ids)?.broadcast_add(&self.places.forward(&places)?)?;
        x = x.broadcast_add(&self.types.forward(&Tensor::zeros(1, DType::U32, &Device::Cpu)?)?)?;
        x = self.norm.forward(&x)?;
        // Padding gets no attention: what is added to its score leaves nothing of it.
        let hidden = mask.to_dtype(DType::F32)?.affine(1e4, -1e4)?.unsqueeze(1)?.unsqueeze(1)?;
        for layer in &self.layers {
            x = layer.forward(&x, &hidden)?;
        }
        Ok(x)
    }
}

impl Layer {
    fn load(at: &VarBuilder<'_>, c: &Config) -> Result<Self> {
        let (width, wide) = (c.hidden_size, c.intermediate_size);
        let (own, out) = (at.pp("attention.self"), at.pp("attention.output"));
        Ok(Self {
            query: linear(width, width, own.pp("query"))?,
            key: linear(width, width, own.pp("key"))?,
            value: linear(width, width, own.pp("value"))?,
            attended: linear(width, width, out.pp("dense"))?,
            attended_norm: layer_norm(width, c.layer_norm_eps, out.pp("LayerNorm"))?,
            wide: linear(width, wide, at.pp("intermediate.dense"))?,
            narrow: linear(wide, width, at.pp("output.dense"))?,
            narrow_norm: layer_norm(width, c.layer_norm_eps, at.pp("output.LayerNorm"))?,
            heads: c.num_attention_heads,
        })
    }

    fn forward(&self, x: &Tensor, hidden: &Tensor) -> Result<Tensor> {
        let attended = self.attended.forward(&self.attend(x, hidden)?)?;
        let x = self.attended_norm.forward(&(attended + x)?)?;
        let wide = gelu(&self.wide.forward(&x)?)?;
        self.narrow_norm.forward(&(self.narrow.forward(&wide)? + x)?)
    }

    fn attend(&self, x: &Tensor, hidden: &Tensor) -> Result<Tensor> {
        let (rows, length, width) = x.dims3()?;
        let each = width / self.heads;
        let split = |of: &Linear| {
            of.forward(x)?.reshape((rows, length, self.heads, each))?.transpose(1, 2)?.contiguous()
        };
        #[expect(clippy::cast_precision_loss, reason = "32 fits")]
        let scale = 1.0 / (each as f64).sqrt();
        let scores = (split(&self.query)?.matmul(&split(&self.key)?.t()?.contiguous()?)? * scale)?;
        let weights = softmax_last_dim(&scores.broadcast_add(hidden)?)?;
        weights.matmul(&split(&self.value)?)?.transpose(1, 2)?.flatten_from(D::Minus2)
    }
}

/// The activation of the weights, exact to the last digits of an `f32`. candle's own takes half of all processor time: it computes in
/// double precision, number by number.
fn gelu(x: &Tensor) -> Result<Tensor> {
    let mut numbers = x.flatten_all()?.to_vec1::<f32>()?;
    numbers.iter_mut().for_each(|n| *n *= 0.5 * (1.0 + erf(*n * std::f32::consts::FRAC_1_SQRT_2)));
    Tensor::from_vec(numbers, x.dims(), &Device::Cpu)
}

/// The error function as a quotient of two polynomials, which processors work out for several numbers at once.
fn erf(x: f32) -> f32 {
    const ABOVE: [f32; 7] = [
        -1.609_603_4e-2,
        -2.954_6e-3,
        -7.349_906e-4,
        -5.692_506_4e-5,
        -2.101_024e-6,
        2.770_681_4e-8,
        -2.726_142_3e-10,
    ];
    const BELOW: [f32; 5] = [-1.426_473_9e-2, -7.373_329e-3, -1.682_827e-3, -2.133_740_6e-4, -1.456_607_2e-5];
    let x = x.clamp(-4.0, 4.0);
    let square = x * x;
    let sum = |numbers: &[f32]| numbers.iter().rev().fold(0.0, |sum, number| sum * square + number);
    x * sum(&ABOVE) / sum(&BELOW)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_activation_is_that_of_the_weights() {
        let numbers: Vec<f32> = (-700..700_i16).map(|n| f32::from(n) / 100.0).collect();
        let x = Tensor::from_vec(numbers, (2, 700), &Device::Cpu).unwrap();
        let (ours, exact) = (gelu(&x).unwrap(), x.gelu_erf().unwrap());
        let off = (ours - exact).unwrap().abs().unwrap().flatten_all().unwrap().max(0).unwrap();
        assert!(off.to_scalar::<f32>().unwrap() < 2e-6);
        assert_eq!(x.dims(), [2, 700]);
    }
}
