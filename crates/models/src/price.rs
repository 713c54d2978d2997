//! List prices, to tell organizations what their calls cost. Prices change: an installation may set its own.

use crate::Usage;

/// Dollars for a million tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Price {
    /// For tokens that are read.
    pub input: f64,
    /// For tokens that are written.
    pub output: f64,
}

impl Price {
    /// What something costs, in millionths of a dollar.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        reason = "token counts are small"
    )]
    pub fn of(&self, usage: Usage) -> i64 {
        (usage.input as f64).mul_add(self.input, usage.output as f64 * self.output).round() as i64
    }
}

/// Providers' list prices in dollars for a million tokens, by the beginning of the model's name. From the providers' price
/// pages as known in 2025; the longest beginning wins.
const LIST: [(&str, Price); 12] = [
    ("claude-opus", Price { input: 15.0, output: 75.0 }),
    ("claude-sonnet", Price { input: 3.0, output: 15.0 }),
    ("claude-haiku-4", Price { input: 1.0, output: 5.0 }),
    ("claude-3-5-haiku", Price { input: 0.8, output: 4.0 }),
    ("gpt-4o", Price { input: 2.5, output: 10.0 }),
    ("gpt-4o-mini", Price { input: 0.15, output: 0.6 }),
    ("gpt-4.1", Price { input: 2.0, output: 8.0 }),
    ("gpt-4.1-mini", Price { input: 0.4, output: 1.6 }),
    ("text-embedding-3-small", Price { input: 0.02, output: 0.0 }),
    ("text-embedding-3-large", Price { input: 0.13, output: 0.0 }),
    ("voyage-3.5-lite", Price { input: 0.02, output: 0.0 }),
    ("voyage-3.5", Price { input: 0.06, output: 0.0 }),
];

/// The list price of a model, where we know one.
pub fn list_price(model: &str) -> Option<Price> {
    let known = LIST.iter().filter(|(beginning, _)| model.starts_with(beginning));
    known.max_by_key(|(beginning, _)| beginning.len()).map(|(_, price)| *price)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_beginning_of_a_name_tells_the_price() {
        assert_eq!(list_price("gpt-4o-mini-2024-07-18"), Some(Price { input: 0.15, output: 0.6 }));
        assert_eq!(list_price("gpt-4o-2024-08-06"), Some(Price { input: 2.5, output: 10.0 }));
        assert_eq!(list_price("llama-3"), None);
        let price = Price { input: 3.0, output: 15.0 };
        assert_eq!(price.of(Usage { input: 1_000, output: 200 }), 6_000);
    }
}
