//! Logistic regression with L2, fitted by L-BFGS in double precision. No chance in it: the same rows give the same weights.

use feedback::basic::{Linear, Sparse};

/// Steps that are remembered.
const MEMORY: usize = 10;
/// Steps at most.
const STEPS: usize = 200;

/// Rows with an answer each.
pub(crate) struct Rows<'a> {
    pub(crate) rows: Vec<&'a Sparse>,
    pub(crate) answers: Vec<bool>,
    /// Features there are.
    pub(crate) width: usize,
}

/// The weights that fit best; `c` is how much the rows count against small weights.
pub(crate) fn logistic(data: &Rows<'_>, c: f64) -> Linear {
    let mut at = vec![0.0_f64; data.width + 1];
    let (mut loss, mut slope) = evaluate(data, c, &at);
    let mut past: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..STEPS {
        let direction = direction(&slope, &past);
        let steep = dot(&direction, &slope);
        if steep > -1e-9 {
            break;
        }
        let mut step = if past.is_empty() { 1.0 / dot(&slope, &slope).sqrt().max(1.0) } else { 1.0 };
        let (next, next_loss, next_slope) = loop {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| step.mul_add(*d, *x)).collect();
            let (next_loss, next_slope) = evaluate(data, c, &next);
            if next_loss <= 1e-4_f64.mul_add(step * steep, loss) || step < 1e-8 {
                break (next, next_loss, next_slope);
            }
            step /= 2.0;
        };
        let moved: Vec<f64> = next.iter().zip(&at).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = next_slope.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let done = (loss - next_loss).abs() < 1e-7 * loss.abs().max(1.0);
        (at, loss, slope) = (next, next_loss, next_slope);
        if dot(&moved, &turned) > 1e-12 {
            past.push((moved, turned));
            if past.len() > MEMORY {
                past.remove(0);
            }
        }
        if done {
            break;
        }
    }
    // Coarser than the last bits, in which processors may differ.
    #[expect(clippy::cast_possible_truncation, reason = "weights are small")]
    let coarse = |weight: f64| ((weight * 8_192.0).round() / 8_192.0) as f32;
    Linear(at.into_iter().map(coarse).collect())
}

fn direction(slope: &[f64], past: &[(Vec<f64>, Vec<f64>)]) -> Vec<f64> {
    let mut q: Vec<f64> = slope.iter().map(|x| -x).collect();
    let mut alphas = Vec::new();
    for (moved, turned) in past.iter().rev() {
        let alpha = dot(moved, &q) / dot(moved, turned);
        q.iter_mut().zip(turned).for_each(|(q, t)| *q -= alpha * t);
        alphas.push(alpha);
    }
    if let Some((moved, turned)) = past.last() {
        let scale = dot(moved, turned) / dot(turned, turned);
        q.iter_mut().for_each(|q| *q *= scale);
    }
    for ((moved, turned), alpha) in past.iter().zip(alphas.into_iter().rev()) {
        let beta = dot(turned, &q) / dot(moved, turned);
        q.iter_mut().zip(moved).for_each(|(q, m)| *q += (alpha - beta) * m);
    }
    q
}

/// The loss and its slope. The last weight stands alone and is free.
fn evaluate(data: &Rows<'_>, c: f64, weights: &[f64]) -> (f64, Vec<f64>) {
    let free = data.width;
    let mut slope: Vec<f64> = weights.iter().map(|w| w / c).collect();
    slope[free] = 0.0;
    let mut loss = weights[..free].iter().map(|w| w * w).sum::<f64>() / (2.0 * c);
    for (row, answer) in data.rows.iter().zip(&data.answers) {
        let places = row.iter().filter_map(|(n, x)| Some((usize::try_from(*n).ok()?, f64::from(*x))));
        let sum = weights[free] + places.clone().map(|(n, x)| weights[n] * x).sum::<f64>();
        let signed = if *answer { sum } else { -sum };
        // ln(1 + e^-signed) without overflow.
        loss += (-signed).max(0.0) + (-signed.abs()).exp().ln_1p();
        let off = 1.0 / (1.0 + (-sum).exp()) - f64::from(u8::from(*answer));
        places.for_each(|(n, x)| slope[n] += off * x);
        slope[free] += off;
    }
    (loss, slope)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_told_apart_is_told_apart_and_always_alike() {
        let rows: Vec<Sparse> =
            (0..40_u8).map(|n| vec![(0, f32::from(n % 2)), (1, f32::from(n) / 40.0)]).collect();
        let data =
            || Rows { rows: rows.iter().collect(), answers: (0..40).map(|n| n % 2 == 1).collect(), width: 2 };
        let fitted = logistic(&data(), 10.0);
        assert_eq!(fitted, logistic(&data(), 10.0));
        for (n, row) in rows.iter().enumerate() {
            assert_eq!(fitted.of(row) > 0.0, n % 2 == 1, "row {n} of {fitted:?}");
        }
        assert!(fitted.0[0] > fitted.0[1].abs(), "the telling feature weighs most");
    }
}
