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
        let wide = self.wide.forward(&x)?.gelu_erf()?;
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
