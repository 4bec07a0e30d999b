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

const BOUNDS: Bounds = Bounds { entries: 20, depth: 2, bytes: 100 };

#[test]
fn texts_are_read_with_their_paths_and_nothing_else_is() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("b/c")).unwrap();
    for (name, text) in
        [("z.XSD", "z"), ("b/c/x.xsd", "x"), ("b/a.xsd", "é"), ("b.txt", "\u{0}"), ("xsd", "no")]
    {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let found = read_texts(dir.path(), "xsd", BOUNDS).unwrap();
    let found: Vec<(&str, &str)> = found.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    assert_eq!(found, [("b/a.xsd", "é"), ("b/c/x.xsd", "x"), ("z.XSD", "z")]);
    assert!(read_texts(&dir.path().join("nowhere"), "xsd", BOUNDS).is_err());
}

#[test]
fn a_folder_of_texts_is_refused_beyond_its_bounds() {
    let refused = |make: &dyn Fn(&Path)| {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path());
        read_texts(dir.path(), "xsd", BOUNDS).unwrap_err().to_string()
    };
    let many = refused(&|dir| {
        (0..21).for_each(|n| fs::write(dir.join(format!("{n}.txt")), "").unwrap());
    });
    assert!(many.contains("more than 20 files"), "{many}");
    let spread = refused(&|dir| {
        (0..7).for_each(|n| fs::create_dir_all(dir.join(format!("{n}/a/"))).unwrap());
        (0..7).for_each(|n| fs::write(dir.join(format!("{n}/b")), "").unwrap());
    });
    assert!(spread.contains("more than 20 files"), "{spread}");
    let deep = refused(&|dir| fs::create_dir_all(dir.join("a/b/c")).unwrap());
    assert!(deep.contains("more than 2 deep"), "{deep}");
    let large = refused(&|dir| fs::write(dir.join("a.xsd"), [b' '; 101]).unwrap());
    assert!(large.contains("larger than the 100 bytes"), "{large}");
    let together = refused(&|dir| {
        (0..2).for_each(|n| fs::write(dir.join(format!("{n}.xsd")), [b' '; 51]).unwrap());
    });
    assert!(together.contains("texts are larger than 100 bytes"), "{together}");
    let odd = refused(&|dir| fs::write(dir.join("a.xsd"), b"\n\xff").unwrap());
    assert!(odd.contains("a.xsd") && odd.contains("line 2 is not UTF-8"), "{odd}");
}

#[cfg(unix)]
#[test]
fn a_link_among_texts_is_never_followed() {
    use std::os::unix::fs::symlink;
    let dir = tempfile::tempdir().unwrap();
    let (inside, other) = (dir.path().join("in"), dir.path().join("other"));
    fs::create_dir_all(&inside).unwrap();
    fs::create_dir_all(&other).unwrap();
    fs::write(other.join("a.xsd"), "a").unwrap();
    symlink(&other, inside.join("folder")).unwrap();
    symlink(&inside, inside.join("circle")).unwrap();
    assert_eq!(read_texts(&inside, "xsd", BOUNDS).unwrap(), []);
    symlink(other.join("a.xsd"), inside.join("a.xsd")).unwrap();
    let error = read_texts(&inside, "xsd", BOUNDS).unwrap_err().to_string();
    assert!(error.contains("it is a symbolic link"), "{error}");
    // What the user named may be a link.
    symlink(&other, dir.path().join("named")).unwrap();
    assert_eq!(read_texts(&dir.path().join("named"), "xsd", BOUNDS).unwrap().len(), 1);
}

#[test]
fn free_space_is_told_of_what_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let free = free_space(dir.path()).unwrap();
    assert_eq!(free.is_some_and(|bytes| bytes > 0), cfg!(unix));
    free_space(&dir.path().join("nowhere")).unwrap_err();
}
