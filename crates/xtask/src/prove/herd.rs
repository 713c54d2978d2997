//! The processes that are killed, frozen and started again. Knows processes, not what they work on.

use std::sync::Arc;

use crate::fault::Fault;
use crate::lab::app::{App, Program};
use crate::lab::process;

/// Some processes of one installation. Dropping it kills them all.
pub(super) struct Herd {
    app: Arc<App>,
    members: Vec<Program>,
    /// How many were killed so far.
    pub(super) kills: u32,
    /// How many were frozen so far.
    pub(super) freezes: u32,
}

impl Herd {
    /// Starts so many workers.
    pub(super) fn of_workers(app: &Arc<App>, count: usize) -> Result<Self, Fault> {
        let mut herd = Self { app: Arc::clone(app), members: Vec::new(), kills: 0, freezes: 0 };
        for _ in 0..count {
            herd.members.push(app.start(&["work"])?);
        }
        Ok(herd)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }

    /// Kills one with -9 and starts another at once.
    pub(super) fn replace(&mut self, number: usize) -> Result<(), Fault> {
        self.kill(number)?;
        self.revive(number)
    }

    /// Kills one with -9.
    pub(super) fn kill(&mut self, number: usize) -> Result<(), Fault> {
        self.kills += 1;
        self.members[number].kill()
    }

    /// Starts one where one was.
    pub(super) fn revive(&mut self, number: usize) -> Result<(), Fault> {
        self.members[number] = self.app.start(&["work"])?;
        Ok(())
    }

    /// Asks one to end and starts another, as a deploy does; the old one may overlap with the new one.
    pub(super) fn deploy(&mut self, number: usize) -> Result<(), Fault> {
        let new = self.app.start(&["work"])?;
        let mut old = std::mem::replace(&mut self.members[number], new);
        old.id()?;
        drop(old);
        Ok(())
    }

    /// Stops the time of one.
    pub(super) fn freeze(&mut self, number: usize) -> Result<(), Fault> {
        self.freezes += 1;
        self.members[number].signal("STOP")
    }

    /// Lets the time of one go on.
    pub(super) fn thaw(&mut self, number: usize) -> Result<(), Fault> {
        self.members[number].signal("CONT")
    }

    /// Fails when one ended by itself.
    pub(super) fn check(&mut self) -> Result<(), Fault> {
        self.members.iter_mut().try_for_each(Program::check)
    }

    /// Memory in MB, open files and threads of each at this moment.
    pub(super) fn standing(&mut self) -> Vec<(f64, usize, usize)> {
        self.members.iter_mut().filter_map(|member| process::standing(member.id().ok()?)).collect()
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        for member in &mut self.members {
            if let Err(fault) = member.kill() {
                eprintln!("xtask: {fault}");
            }
        }
    }
}
