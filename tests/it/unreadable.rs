//! What cannot be read: a sentence with a hint for each, and the other files are judged.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::cli::command;

/// Lints a directory with a good file beside what `make` puts there; shows the errors and the summary.
fn lint(make: impl Fn(&Path)) -> String {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("db")).unwrap();
    fs::write(directory.path().join("db/1_good.sql"), "DROP TABLE a;").unwrap();
    make(&directory.path().join("db"));
    show(command(directory.path(), &["lint", "--dialect", "postgres", "db"]))
}

fn show(mut command: Command) -> String {
    let output = command.output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    format!("{stderr}{}\nexit code: {}", stdout.lines().last().unwrap_or_default(), output.status.code().unwrap())
}

#[test]
fn a_file_that_nobody_may_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    for (name, mode) in [("1_good.sql", 0o644), ("2_secret.sql", 0o000)] {
        fs::write(directory.path().join(name), "DROP TABLE a;").unwrap();
        fs::set_permissions(directory.path().join(name), Permissions::from_mode(mode)).unwrap();
    }
    let mut lint = command(directory.path(), &["lint", "--dialect", "postgres", "."]);
    if fs::read(directory.path().join("2_secret.sql")).is_ok() {
        // To us, who may read everything: the same as nobody, with a copy that nobody can reach.
        let program = directory.path().join("lockkeeper");
        fs::copy(env!("CARGO_BIN_EXE_lockkeeper"), &program).unwrap();
        lint = Command::new(program);
        lint.args(["lint", "--dialect", "postgres", "."]).current_dir(directory.path()).uid(65534).gid(65534);
    }
    insta::assert_snapshot!(show(lint), @r#"
    error: could not read `./2_secret.sql`
      cause: Permission denied (os error 13)
    hint: run lockkeeper as a user who may read it
    1 finding (1 deny) in 1 file, 1 statement; 1 file could not be read
    exit code: 2
    "#);
}

#[test]
fn links_that_lead_nowhere_or_in_a_circle() {
    insta::assert_snapshot!(lint(|db| {
        symlink("nowhere.sql", db.join("2_dangling.sql")).unwrap();
        symlink("3_self.sql", db.join("3_self.sql")).unwrap();
        symlink(".", db.join("circle")).unwrap();
        symlink("1_good.sql", db.join("4_again.sql")).unwrap();
    }), @r#"
    error: could not read `db/2_dangling.sql`
      cause: No such file or directory (os error 2)
    hint: it is a link that leads nowhere
    error: could not read `db/3_self.sql`
      cause: Too many levels of symbolic links (os error 40)
    hint: it is a link: look where it leads
    2 findings (2 deny) in 2 files, 2 statements; 2 files could not be read
    exit code: 2
    "#);
}

#[test]
fn a_file_that_is_too_long() {
    insta::assert_snapshot!(lint(|db| File::create(db.join("2_huge.sql")).unwrap().set_len(2 << 30).unwrap()), @r#"
    error: `db/2_huge.sql` has 2048 MiB: no more than 64 MiB of one file are read
    hint: keep data out of migrations: load it by COPY or a program of its own
    1 finding (1 deny) in 1 file, 1 statement; 1 file could not be read
    exit code: 2
    "#);
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    insta::assert_snapshot!(lint(|db| {
        let made = Command::new("mkfifo").arg(db.join("2_pipe.sql")).status().unwrap();
        assert!(made.success());
        let _socket = std::os::unix::net::UnixListener::bind(db.join("3_socket.sql")).unwrap();
        symlink("/dev/zero", db.join("4_zero.sql")).unwrap();
    }), @r#"
    error: `db/2_pipe.sql` is a pipe: only files are read
    hint: what another program writes is read from standard input: `... | lockkeeper lint -`
    error: `db/3_socket.sql` is a socket: only files are read
    hint: what another program writes is read from standard input: `... | lockkeeper lint -`
    error: `db/4_zero.sql` is a device: only files are read
    hint: what another program writes is read from standard input: `... | lockkeeper lint -`
    1 finding (1 deny) in 1 file, 1 statement; 3 files could not be read
    exit code: 2
    "#);
    let directory = tempfile::tempdir().unwrap();
    insta::assert_snapshot!(show(command(directory.path(), &["lint", "--dialect", "postgres", "/dev/zero"])), @r#"
    error: `/dev/zero` is a device: only files are read
    hint: what another program writes is read from standard input: `... | lockkeeper lint -`
    nothing was judged: 1 file could not be read
    exit code: 2
    "#);
}

#[test]
fn what_is_no_text_is_told_by_its_kind() {
    let utf_16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    insta::assert_snapshot!(lint(|db| {
        fs::write(db.join("2_latin.sql"), b"-- caf\xe9\nDROP TABLE a;").unwrap();
        fs::write(db.join("3_utf16.sql"), utf_16("\u{feff}DROP TABLE a;")).unwrap();
        fs::write(db.join("4_utf16_unmarked.sql"), utf_16("DROP TABLE a;")).unwrap();
        fs::write(db.join("5_archive.sql"), b"PGDMP\x01\x0e\x00").unwrap();
        fs::write(db.join("6_bom.sql"), "\u{feff}DROP TABLE b;").unwrap();
        fs::write(db.join("7_empty.sql"), "").unwrap();
    }), @r#"
    error: `db/2_latin.sql` is not UTF-8: the first wrong byte is at offset 6
    hint: save the file as UTF-8; if it is Latin-1: `iconv -f ISO-8859-1 -t UTF-8`
    error: `db/3_utf16.sql` is in UTF-16
    hint: save the file as UTF-8: `iconv -f UTF-16 -t UTF-8`
    error: `db/4_utf16_unmarked.sql` is in UTF-16
    hint: save the file as UTF-8: `iconv -f UTF-16 -t UTF-8`
    error: `db/5_archive.sql` is an archive of pg_dump, not SQL
    hint: make SQL of it: `pg_restore --file=dump.sql FILE`
    2 findings (2 deny) in 3 files, 2 statements; 4 files could not be read
    exit code: 2
    "#);
}

#[test]
fn a_file_with_nothing_in_it_is_told() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in [("1_mark.sql", "\u{feff}DROP TABLE a;"), ("2_empty.sql", ""), ("3_blank.sql", "\u{feff} \r\n")]
    {
        fs::write(directory.path().join(name), text).unwrap();
    }
    let output = command(directory.path(), &["lint", "--dialect", "postgres", "."]).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("[./1_mark.sql:1:1]"), "{stdout}");
    assert!(stdout.contains("nothing stands in 2 files (`./2_empty.sql`, ...)"), "{stdout}");
}
