//! CPU seconds and memory of processes, from /proc. Knows only process ids.

use std::collections::HashMap;
use std::fs;

/// The kernel's unit of CPU time in /proc, the same on every Linux of today.
pub(crate) const TICKS_A_SECOND: f64 = 100.0;

/// What one process used so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Usage {
    /// CPU seconds, user and system.
    pub(crate) cpu: f64,
    /// The most memory that it ever held, in MB.
    pub(crate) peak_mb: f64,
}

/// What the process with this id used; zero when it is gone.
pub(crate) fn usage(id: u32) -> Usage {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let peak: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0);
    let cpu = stat(id).map_or(0.0, |stat| stat.own);
    Usage { cpu, peak_mb: peak * 1024.0 / 1e6 }
}

/// Memory in MB, open files and threads of a process at this moment.
pub(crate) fn standing(id: u32) -> Option<(f64, usize, usize)> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let of = |name: &str| -> Option<f64> {
        status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    let files = fs::read_dir(format!("/proc/{id}/fd")).ok()?.count();
    Some((of("VmRSS:")? * 1024.0 / 1e6, files, of("Threads:")? as usize))
}

/// CPU seconds of a process and of all that descended from it, those included that have ended.
pub(crate) fn cpu_of_tree(root: u32) -> f64 {
    let all = every_process();
    descendants(&all, root).into_iter().filter_map(|id| all.get(&id)).map(|stat| stat.own + stat.waited).sum()
}

/// The youngest descendant that is called `name`.
pub(crate) fn find(root: u32, name: &str) -> Option<u32> {
    let all = every_process();
    descendants(&all, root).into_iter().find(|id| all.get(id).is_some_and(|stat| stat.name == name))
}

struct Stat {
    name: String,
    parent: u32,
    own: f64,
    waited: f64,
}

fn every_process() -> HashMap<u32, Stat> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    ids.filter_map(|id| Some((id, stat(id)?))).collect()
}

fn descendants(all: &HashMap<u32, Stat>, root: u32) -> Vec<u32> {
    let mut found = vec![root];
    let mut at = 0;
    while let Some(&parent) = found.get(at) {
        found.extend(all.iter().filter(|(_, stat)| stat.parent == parent).map(|(id, _)| *id));
        at += 1;
    }
    found
}

fn stat(id: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{id}/stat")).ok()?)
}

/// The name stands in brackets and may hold anything, so what follows is counted from the last bracket.
fn parse(text: &str) -> Option<Stat> {
    let (name, rest) = text.split_once('(')?.1.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let seconds = |from: usize| -> Option<f64> {
        let ticks: f64 =
            fields.get(from)?.parse::<f64>().ok()? + fields.get(from + 1)?.parse::<f64>().ok()?;
        Some(ticks / TICKS_A_SECOND)
    };
    Some(Stat {
        name: name.to_owned(),
        parent: fields.get(1)?.parse().ok()?,
        own: seconds(11)?,
        waited: seconds(13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::{cpu_of_tree, find, parse, usage};

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_numbers() {
        let stat = parse("7 (a) b (c) S 3 7 7 0 -1 0 0 0 0 0 250 50 400 100 20 0").unwrap();
        assert_eq!((stat.name.as_str(), stat.parent), ("a) b (c", 3));
        assert_eq!((stat.own, stat.waited), (3.0, 5.0));
    }

    #[test]
    fn this_process_is_found_and_uses_something() {
        let me = std::process::id();
        assert!(usage(me).peak_mb > 0.5);
        assert!(cpu_of_tree(me) >= 0.0);
        assert_eq!(find(me, "no such program"), None);
    }
}
