//! How good everything is that finds, compares and joins feedback: measured, held against what was promised, written down.

mod clusters;
mod none;
mod own;
mod pairs;
mod report;
mod reviews;
mod speed;
mod tokens;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use feedback::{BasicAnalyzer, basic::Weights};

use crate::{
    cache::Cached,
    fault::{Doing, Fault},
};
use report::Report;

/// What a part of the evaluation works with.
struct Bench {
    model: Arc<Cached>,
    /// What training left last.
    weights: Weights,
    /// The labelled calls of this repository.
    labelled: PathBuf,
    /// Other people's data, where they are.
    data: Option<PathBuf>,
}

impl Bench {
    /// The basic analyzer.
    fn basic(&self) -> BasicAnalyzer {
        BasicAnalyzer::with_weights(self.model.clone(), self.weights.clone())
    }

    /// A file of other people's data, where it is there.
    fn file(&self, name: &str) -> Option<PathBuf> {
        self.data.as_ref().map(|folder| folder.join(name)).filter(|file| file.is_file())
    }
}

/// Measures everything and writes the page.
pub(crate) async fn run(
    model: Arc<Cached>,
    root: &Path,
    data: Option<&Path>,
    only: &[String],
) -> Result<(), Fault> {
    let file = root.join("crates/feedback/src/basic/weights.bin");
    let bytes = std::fs::read(&file).doing(format!("reading {}", file.display()))?;
    let fix = || Fault::new("the weights are of another shape; `cargo xtask train` makes new ones");
    let bench = Bench {
        model,
        weights: Weights::from_bytes(&bytes).ok_or_else(fix)?,
        labelled: root.join("crates/feedback/labelled"),
        data: data.map(Path::to_owned),
    };
    let mut report = Report::new();
    let wanted = |name: &str| only.is_empty() || only.iter().any(|one| one == name);
    if wanted("own") {
        own::measure(&bench, &mut report).await?;
    }
    if wanted("none") {
        none::measure(&bench, &mut report).await?;
    }
    if wanted("reviews") {
        reviews::measure(&bench, &mut report)?;
    }
    if wanted("pairs") {
        pairs::measure(&bench, &mut report)?;
    }
    if wanted("clusters") {
        clusters::measure(&bench, &mut report)?;
    }
    bench.model.keep().doing("keeping vectors")?;
    if wanted("speed") {
        speed::measure(&bench, &mut report).await?;
    }
    if wanted("tokens") {
        tokens::measure(&bench, &mut report).await?;
    }
    if only.is_empty() {
        let file = root.join("docs/QUALITY.md");
        std::fs::write(&file, report.page()).doing("writing docs/QUALITY.md")?;
        println!("wrote {}", file.display());
    }
    Ok(())
}
