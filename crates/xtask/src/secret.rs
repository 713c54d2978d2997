//! Random words and files that only we can read.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::fault::{Doing, Fault};

/// `bytes` random bytes as hex.
pub(crate) fn random_word(bytes: usize) -> Result<String, Fault> {
    let mut buffer = vec![0; bytes];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut buffer))
        .doing("reading randomness")?;
    Ok(buffer.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file anew with mode 0600.
pub(crate) fn write(path: &Path, text: &str) -> Result<(), Fault> {
    let _ = fs::remove_file(path);
    let mut options = fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).doing(format!("writing {}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_file_is_ours_alone_even_when_it_was_not() {
        let path = std::env::temp_dir().join(format!("soundpost-secret-{}", std::process::id()));
        std::fs::write(&path, "old").unwrap();
        super::write(&path, &super::random_word(4).unwrap()).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_to_string(&path).unwrap().len(), 8);
        std::fs::remove_file(path).unwrap();
    }
}
