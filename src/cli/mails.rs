//! E-mails that a person must send: shown, and written as files.

use std::path::{Path, PathBuf};

use super::failure::Failure;
use super::printer::{BOLD, paint};
use crate::engine::RunView;
use crate::engine::mail::Mail;
use crate::files::{self, Access};

/// The folder inside the project.
const FOLDER: &str = "mail";

/// Largest earlier file looked at, in bytes.
const MAX: u64 = 1 << 20;

/// Whose e-mail it is.
pub(super) struct Whose<'a> {
    pub(super) programme: &'a str,
    pub(super) scenario: &'a str,
    pub(super) attempt: u32,
}

impl<'a> Whose<'a> {
    pub(super) fn of(view: &'a RunView) -> Self {
        Self { programme: &view.programme, scenario: &view.scenario, attempt: view.attempt }
    }
}

/// Writes an e-mail to `<project>/mail/<scenario>-<attempt>-step<N>.eml`, for a
/// mail program to open; tells where. One that stands there already is the
/// same; another programme's of that name is left as it is.
///
/// # Errors
/// When it cannot be written.
pub(super) fn write(root: &Path, whose: &Whose<'_>, mail: &Mail) -> Result<PathBuf, Failure> {
    let folder = root.join(FOLDER);
    files::create_dir_all_durable(&folder, Access::Shared)?;
    let plain = |text: &str| -> String {
        text.chars()
            .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
            .take(80)
            .collect()
    };
    let follow_up = if mail.follow_up { "-follow-up" } else { "" };
    let name = format!("{}-{}-step{}{follow_up}", plain(whose.scenario), whose.attempt, mail.step);
    let names = [format!("{name}.eml"), format!("{name}-{}.eml", plain(whose.programme))];
    let id = mail.eml.lines().find(|line| line.starts_with("Message-ID: ")).unwrap_or_default();
    let path = names.map(|name| folder.join(name));
    let ours = |path: &Path| match files::read_bounded(path, MAX) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).contains(id),
        Err(error) => error.is_not_found(),
    };
    let path = if ours(&path[0]) { &path[0] } else { &path[1] };
    files::write_atomic(path, mail.eml.as_bytes())?;
    Ok(path.clone())
}

/// An e-mail that a person must send, as shown to that person.
pub(super) fn lines(scenario: &str, mail: &Mail, file: &str) -> Vec<String> {
    let what =
        if mail.follow_up { "please remind the officers" } else { "please send this e-mail" };
    let mut lines = vec![
        String::new(),
        paint(BOLD, format!("{scenario} step {}: {what}", mail.step)),
        format!("  File:    {file}"),
        format!("  To:      {}", mail.to),
        format!("  Subject: {}", mail.subject),
        String::new(),
    ];
    lines.extend(mail.body.lines().map(|line| format!("  {line}")));
    lines.push(String::new());
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(id: &str, follow_up: bool) -> Mail {
        Mail {
            step: 2,
            follow_up,
            to: "o@h.example".into(),
            subject: "s".into(),
            body: "b\n".into(),
            eml: format!("To: o@h.example\r\nMessage-ID: <{id}>\r\n\r\nb\r\n"),
        }
    }

    #[test]
    fn one_mail_never_replaces_another() {
        let root = tempfile::tempdir().unwrap();
        let write = |programme, scenario, mail: &Mail| {
            let path = super::write(root.path(), &Whose { programme, scenario, attempt: 3 }, mail);
            let path = path.unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), mail.eml);
            path.strip_prefix(root.path()).unwrap().display().to_string()
        };
        let first = write("ncts5-final", "DNGB1", &mail("a", false));
        assert_eq!(first, "mail/DNGB1-3-step2.eml");
        // The same again; its follow-up; another programme's of that name.
        assert_eq!(write("ncts5-final", "DNGB1", &mail("a", false)), first);
        let follow_up = write("ncts5-final", "DNGB1", &mail("b", true));
        assert_eq!(follow_up, "mail/DNGB1-3-step2-follow-up.eml");
        let other = write("ncts5-transition", "DNGB1", &mail("c", false));
        assert_eq!(other, "mail/DNGB1-3-step2-ncts5-transition.eml");
        assert_eq!(std::fs::read_dir(root.path().join("mail")).unwrap().count(), 3);
        // A house's own ids lead nowhere else.
        assert_eq!(write("p", "../../x y", &mail("d", false)), "mail/..-..-x-y-3-step2.eml");
    }
}
