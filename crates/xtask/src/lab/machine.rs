//! What the machine is and what else it did while we measured. Reads /proc; knows nothing of our programs.

use std::fs;

use super::process;

/// What this machine is, in one line.
pub(crate) fn describe() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split_once(": "));
    let cores = cpus.lines().filter(|line| line.starts_with("processor")).count();
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let kilobytes: u64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0);
    let model = model.map_or("unknown processor", |(_, model)| model.trim());
    format!("{cores} cores ({model}), {} GiB of memory", (kilobytes + (1 << 19)) >> 20)
}

/// A look at how busy the machine is, so that a figure can be read with what disturbed it.
pub(crate) struct Noise {
    busy: f64,
    whole: f64,
    stolen: f64,
    ours: f64,
}

impl Noise {
    /// Looks at the beginning.
    pub(crate) fn begin() -> Self {
        let (busy, whole, stolen) = ticks();
        Self { busy, whole, stolen, ours: process::cpu_of_tree(std::process::id()) }
    }

    /// What everybody else did since then, in words.
    pub(crate) fn end(self) -> String {
        let (busy, whole, stolen) = ticks();
        let ours = process::cpu_of_tree(std::process::id()) - self.ours;
        let whole = (whole - self.whole).max(0.01);
        let others = (busy - self.busy - ours).max(0.0) / whole * 100.0;
        format!("{others:.0} %, stolen {:.0} %", (stolen - self.stolen) / whole * 100.0)
    }
}

/// Seconds of all cores since the start of the machine: busy, all, taken by the host.
fn ticks() -> (f64, f64, f64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let numbers: Vec<f64> = text
        .lines()
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse::<f64>().ok())
        .map(|ticks| ticks / process::TICKS_A_SECOND)
        .collect();
    let at = |index: usize| numbers.get(index).copied().unwrap_or(0.0);
    let idle = at(3) + at(4);
    let whole: f64 = numbers.iter().take(8).sum();
    (whole - idle - at(7), whole, at(7))
}
