//! Ranks and curves over scores with right answers. Pure.

/// The chance that a right one has a higher score than a wrong one; ties count half. 0.5 where there is only one sort.
pub(crate) fn auc(scores: &[f32], answers: &[bool]) -> f64 {
    let mut order: Vec<(f32, bool)> = scores.iter().copied().zip(answers.iter().copied()).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut below, mut sum, mut right) = (0.0_f64, 0.0_f64, 0.0_f64);
    for same in order.chunk_by(|a, b| a.0 == b.0) {
        let yes = same.iter().filter(|(_, is)| *is).map(|_| 1.0).sum::<f64>();
        let no = same.iter().filter(|(_, is)| !is).map(|_| 1.0).sum::<f64>();
        sum += yes * (below + no / 2.0);
        below += no;
        right += yes;
    }
    if right == 0.0 || below == 0.0 { 0.5 } else { sum / (right * below) }
}

/// Right, all said yes, all that are: for answers from a score on.
pub(crate) fn at(scores: &[f32], answers: &[bool], from: f32) -> (usize, usize, usize) {
    let said = scores.iter().zip(answers).filter(|(score, _)| **score >= from);
    let (right, all) = said.fold((0, 0), |(right, all), (_, is)| (right + usize::from(*is), all + 1));
    (right, all, answers.iter().filter(|is| **is).count())
}

/// The value below which such a part of them lies.
pub(crate) fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts"
    )]
    let place = ((values.len() as f64 * part).ceil() as usize).clamp(1, values.len().max(1));
    values.get(place - 1).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_perfect_order_is_one_and_a_tie_a_half() {
        assert_eq!(auc(&[0.1, 0.9], &[false, true]), 1.0);
        assert_eq!(auc(&[0.9, 0.1], &[false, true]), 0.0);
        assert_eq!(auc(&[0.5, 0.5], &[false, true]), 0.5);
        assert_eq!(at(&[0.1, 0.6, 0.9], &[true, false, true], 0.5), (1, 2, 2));
        assert_eq!(quantile(&mut [4.0, 1.0, 3.0, 2.0], 0.5), 2.0);
    }
}
