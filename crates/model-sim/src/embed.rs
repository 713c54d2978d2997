//! Embeddings in OpenAI's form and in Voyage's: vectors of hashed words, the same every time. Knows nothing of sockets.

use serde_json::{Value, json};

use crate::{
    reader,
    reply::Reply,
    serve::failure,
    world::{Request, Switches},
};

/// What each of the two takes in a request.
const OPENAI: [&str; 5] = ["model", "input", "encoding_format", "dimensions", "user"];
const VOYAGE: [&str; 6] = ["model", "input", "input_type", "truncation", "output_dimension", "output_dtype"];

pub(crate) fn answer(switches: &Switches, request: &Request) -> Reply {
    let bad = |text: &str| failure(request, 400, text);
    let Some(body) = request.body.as_object().filter(|_| request.method == "POST") else {
        return bad("a JSON object is wanted");
    };
    let Some(model) = body.get("model").and_then(Value::as_str) else {
        return bad("you must provide a model parameter");
    };
    let is_voyage = model.starts_with("voyage");
    let (known, most): (&[&str], usize) = if is_voyage { (&VOYAGE, 1_000) } else { (&OPENAI, 2_048) };
    if let Some(strange) = body.keys().find(|name| !known.contains(&name.as_str())) {
        return bad(&format!("Argument '{strange}' is not supported by our API."));
    }
    let texts: Option<Vec<&str>> = match &body["input"] {
        Value::String(text) => Some(vec![text]),
        Value::Array(all) => all.iter().map(Value::as_str).collect(),
        _ => None,
    };
    let Some(texts) = texts.filter(|texts| {
        !texts.is_empty() && texts.len() <= most && texts.iter().all(|text| !text.is_empty())
    }) else {
        return bad("'$.input' is invalid.");
    };
    let tokens: usize = texts.iter().map(|text| text.len().div_ceil(4)).sum();
    let data: Vec<Value> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| json!({"object": "embedding", "index": index, "embedding": vector(text, switches.width)}))
        .collect();
    let usage = if is_voyage {
        json!({"total_tokens": tokens})
    } else {
        json!({"prompt_tokens": tokens, "total_tokens": tokens})
    };
    Reply::json(200, &json!({"object": "list", "data": data, "model": model, "usage": usage}))
}

/// Each word adds to two places; texts with the same words have the same vector.
fn vector(text: &str, width: usize) -> Vec<f32> {
    let width = width.max(2);
    let mut numbers = vec![0.0_f32; width];
    for word in reader::words(text) {
        let hash = hash(&word);
        let place = |part: u64| usize::try_from(part % width as u64).unwrap_or(0);
        numbers[place(hash)] += 1.0;
        numbers[place(hash >> 24)] += if hash & 1 == 0 { 0.5 } else { -0.5 };
    }
    if numbers.iter().all(|x| *x == 0.0) {
        numbers[0] = 1.0;
    }
    let length = numbers.iter().map(|x| x * x).sum::<f32>().sqrt();
    numbers.iter().map(|x| x / length).collect()
}

/// FNV-1a.
fn hash(word: &str) -> u64 {
    word.bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(a: &str, b: &str) -> f32 {
        vector(a, 256).iter().zip(vector(b, 256)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn texts_with_the_same_words_are_alike() {
        assert!(like("Export the report as PDF", "export reports as a PDF!") > 0.99);
        assert!(like("Export the report as PDF", "Dark mode for the mobile app") < 0.3);
        assert!((like("", "") - 1.0).abs() < 1e-6);
    }
}
