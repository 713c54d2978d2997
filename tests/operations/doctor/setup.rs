//! Planted: settings that are missing, wrong or weak, and a machine that is not fit.

use std::{fs, os::unix::fs::PermissionsExt};

use super::{Patient, SECRET};
use crate::support::text;

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_settings_that_are_missing_wrong_or_weak_are_found() {
    let patient = Patient::new().await;
    let settings = "configuration settings";
    for (name, value) in [
        ("GONG_CLIENT_ID", ""),
        ("SOUNDPOST_POLL_EVERY", "soon"),
        ("SOUNDPOST_LISTN", "127.0.0.1:1"),
        ("SOUNDPOST_KEYS", "s3cret-value"),
        ("SOUNDPOST_PUBLIC_URL", "http://soundpost.example"),
        ("GONG_TOKEN_URL", "http://gong.example/token"),
        ("GONG_API_HOSTS", "*"),
        ("GONG_CLIENT_SECRET_FILE", "/nowhere/secret"),
    ] {
        let diagnosis = patient.asks(&[(name, value)]);
        diagnosis.is(settings, 10);
        let named = diagnosis
            .checks
            .iter()
            .any(|c| c["verdict"] == "fault" && c["found"].as_str().unwrap().contains(name));
        assert!(named, "{name}: {:#?}", diagnosis.checks);
    }
    patient
        .asks(&[("SOUNDPOST_TRUSTED_PROXIES", "10.0.0.1,0.0.0.0/0")])
        .is("configuration trusted proxies", 20);
    patient.asks(&[("SOUNDPOST_LISTEN", "0.0.0.0:8080")]).is("configuration public address", 20);
    let real = ("GONG_TOKEN_URL", "https://127.0.0.1:1/token");
    patient.asks(&[real]).has("configuration allowed hosts", 14);
    patient.asks(&[real, ("GONG_REQUESTS_PER_SECOND", "9")]).has("configuration pace", 14);

    let file = patient.world.escrow.with_extension("secret");
    fs::write(&file, SECRET).unwrap();
    let path = file.to_str().unwrap();
    let from_file = [("GONG_CLIENT_SECRET", ""), ("GONG_CLIENT_SECRET_FILE", path)];
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(patient.asks(&from_file).code, 0);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    patient.asks(&from_file).is("configuration secret files", 20);
    fs::remove_file(&file).unwrap();
    patient.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ops_09_a_machine_that_is_not_fit_is_found() {
    let patient = Patient::new().await;
    let folder = patient.world.escrow.with_extension("doctor");
    fs::create_dir_all(&folder).unwrap();
    let path = folder.to_str().unwrap().to_owned();
    let escrow = [("SOUNDPOST_ESCROW_DIR", path.as_str())];
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    patient.asks(&escrow).is("machine escrow rights", 21);
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(patient.asks(&escrow).code, 0);
    let file = folder.join("file");
    fs::write(&file, "").unwrap();
    patient.asks(&[("SOUNDPOST_ESCROW_DIR", file.to_str().unwrap())]).is("machine escrow folder", 11);
    fs::remove_file(&file).unwrap();

    let few = ["sh", "-c", "ulimit -n 200; exec \"$0\" doctor --json"];
    patient.read(patient.asks_within(&few, &[])).is("machine open files", 21);

    let full = "mount -t tmpfs -o size=64k none \"$SOUNDPOST_ESCROW_DIR\" && chmod 700 \"$SOUNDPOST_ESCROW_DIR\" && exec \"$0\" doctor --json";
    let within = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", full];
    let output = patient.asks_within(&within, &escrow);
    if output.stdout.is_empty() {
        eprintln!("SKIP the full disk: no file system can be mounted here: {}", text(&output.stderr));
    } else {
        patient.read(output).is("machine disk", 11);
    }
    fs::remove_dir_all(&folder).unwrap();
    patient.world.finish().await;
}
