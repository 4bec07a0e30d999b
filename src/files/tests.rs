use super::*;

#[test]
fn an_atomic_write_replaces_whole_files_and_leaves_nothing_beside_them() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    write_atomic(&path, b"one").unwrap();
    write_atomic(&path, b"three").unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"three");
    assert_eq!(list(dir.path()).unwrap().len(), 1);
}

#[test]
fn a_crash_during_an_atomic_write_keeps_the_old_file_or_brings_the_new_one() {
    for percent in [0, 50, 100] {
        for operations in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("a");
            fs::write(&path, b"old").unwrap();
            fault::arm(operations, percent);
            let result = write_atomic(&path, b"newer");
            let hit = fault::disarm();
            let found = fs::read(&path).unwrap();
            assert!(found == b"old" || found == b"newer");
            if !hit {
                result.unwrap();
                break;
            }
            result.unwrap_err();
        }
    }
}

#[test]
fn errors_name_the_path() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such");
    for error in [
        write_atomic(&missing, b"").unwrap_err(),
        create_new(&missing, b"", Access::Shared).unwrap_err(),
        AppendFile::open(&missing).unwrap_err(),
        read_bounded(&missing, 1).unwrap_err(),
        truncate(&missing, 0).unwrap_err(),
    ] {
        assert!(error.to_string().contains("no"), "{error}");
        assert!(error.is_not_found());
    }
}

#[test]
fn reading_is_bounded_and_follows_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    create_new(&path, b"12345", Access::Private).unwrap();
    assert!(create_new(&path, b"", Access::Private).is_err());
    assert_eq!(read_bounded(&path, 5).unwrap(), b"12345");
    let error = read_bounded(&path, 4).unwrap_err();
    assert!(error.to_string().ends_with("larger than the 4 bytes allowed"), "{error}");
    assert!(read_bounded(dir.path(), 9).is_err());
    #[cfg(unix)]
    {
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(read_bounded(&link, 9).is_err());
        assert!(AppendFile::open(&link).is_err());
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_and_the_handle_refuses_further_use() {
    // `/dev/full` is no regular file, so it is opened beside the check.
    let file = OpenOptions::new().append(true).open("/dev/full").unwrap();
    let mut full = AppendFile { file, path: "/dev/full".into(), len: 0, broken: false };
    let error = full.append(b"x").unwrap_err();
    assert!(error.to_string().starts_with("cannot append to `/dev/full`"), "{error}");
    assert!(full.append(b"x").unwrap_err().to_string().contains("earlier write failed"));
    assert!(full.sync().is_err());
}

#[cfg(unix)]
#[test]
fn private_means_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = dir.path().join("x/y");
    create_dir_all_durable(&folder, Access::Private).unwrap();
    assert_eq!((mode(&folder), mode(parent(&folder))), (0o700, 0o700));
    let path = folder.join("a");
    write_atomic_private(&path, b"1").unwrap();
    assert_eq!(mode(&path), 0o600);
    write_atomic(&path, b"2").unwrap();
    assert_eq!(mode(&path), 0o600);
}
