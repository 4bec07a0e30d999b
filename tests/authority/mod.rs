//! A time-stamping authority made with `openssl`, for tests.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::reference;

/// What kind of authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// RSA, with this digest.
    Rsa(&'static str),
    /// ECDSA.
    P256,
    /// ECDSA.
    P384,
    /// Its purpose is not marked as critical.
    NotCritical,
    /// Its certificate is for servers too.
    OtherPurposeToo,
    /// Its certificate ran out long ago.
    Expired,
}

/// An authority in a folder of its own, gone with the value.
pub(crate) struct Authority {
    folder: tempfile::TempDir,
    /// The certificate that its own leads to, PEM.
    pub(crate) ca: String,
}

impl Authority {
    /// None, after saying so loudly, where there is no `openssl`.
    pub(crate) fn make(kind: Kind) -> Option<Self> {
        if Command::new("openssl").arg("version").output().is_err() {
            reference::skipped("`openssl` is not installed");
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path();
        let algorithm: &[&str] = match kind {
            Kind::Rsa(_) => &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            Kind::P384 => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"],
            _ => &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
        };
        let digest = match kind {
            Kind::Rsa(digest) => digest,
            Kind::P384 => "sha384",
            _ => "sha256",
        };
        let usage = match kind {
            Kind::NotCritical => "timeStamping",
            Kind::OtherPurposeToo => "critical,timeStamping,serverAuth",
            _ => "critical,timeStamping",
        };
        fs::write(
            dir.join("tsa.cnf"),
            format!(
                "[tsa]\ndefault_tsa = one\n[one]\nserial = {0}/serial\nsigner_cert = {0}/tsa.pem\n\
                 signer_key = {0}/tsa.key\nsigner_digest = {digest}\n\
                 default_policy = 1.2.3.4\ndigests = sha256\naccuracy = secs:1\n\
                 ess_cert_id_alg = sha256\n\
                 [req]\ndistinguished_name = name\n[name]\n\
                 [ca]\ndefault_ca = old\n[old]\ndatabase = {0}/index.txt\n\
                 serial = {0}/serial\nnew_certs_dir = {0}\npolicy = any\n\
                 default_md = sha256\n[any]\ncommonName = supplied\n\
                 [authority]\nbasicConstraints = critical,CA:TRUE\nkeyUsage = critical,keyCertSign\n\
                 subjectKeyIdentifier = hash\n\
                 [stamp]\nbasicConstraints = CA:FALSE\nkeyUsage = critical,digitalSignature\n\
                 extendedKeyUsage = {usage}\nsubjectKeyIdentifier = hash\n\
                 authorityKeyIdentifier = keyid\n",
                dir.display()
            ),
        )
        .unwrap();
        fs::write(dir.join("serial"), "01\n").unwrap();
        let openssl = |args: &[&str]| {
            let output = Command::new("openssl").args(args).current_dir(dir).output().unwrap();
            assert!(
                output.status.success(),
                "{args:?}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        };
        for key in ["ca.key", "tsa.key"] {
            openssl(&[&["genpkey", "-out", key][..], algorithm].concat());
        }
        let digest = format!("-{digest}");
        openssl(&[
            "req",
            "-x509",
            "-new",
            "-key",
            "ca.key",
            "-out",
            "ca.pem",
            "-days",
            "36500",
            "-subj",
            "/CN=Invented authority",
            "-config",
            "tsa.cnf",
            "-extensions",
            "authority",
            &digest,
        ]);
        openssl(&[
            "req",
            "-new",
            "-key",
            "tsa.key",
            "-out",
            "tsa.csr",
            "-subj",
            "/O=Invented/CN=Invented time stamps",
            "-config",
            "tsa.cnf",
            &digest,
        ]);
        if kind == Kind::Expired {
            fs::write(dir.join("index.txt"), "").unwrap();
            openssl(&[
                "ca",
                "-batch",
                "-notext",
                "-config",
                "tsa.cnf",
                "-in",
                "tsa.csr",
                "-cert",
                "ca.pem",
                "-keyfile",
                "ca.key",
                "-out",
                "tsa.pem",
                "-startdate",
                "20200101000000Z",
                "-enddate",
                "20210101000000Z",
                "-extensions",
                "stamp",
            ]);
        } else {
            openssl(&[
                "x509",
                "-req",
                "-in",
                "tsa.csr",
                "-CA",
                "ca.pem",
                "-CAkey",
                "ca.key",
                "-set_serial",
                "77",
                "-out",
                "tsa.pem",
                "-days",
                "36500",
                "-extfile",
                "tsa.cnf",
                "-extensions",
                "stamp",
                &digest,
            ]);
        }
        let ca = fs::read_to_string(dir.join("ca.pem")).unwrap();
        Some(Self { folder, ca })
    }

    /// A file of the authority's.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Answers a question.
    pub(crate) fn answer(&self, question: &[u8]) -> Vec<u8> {
        self.try_answer(question).expect("openssl gives a time stamp")
    }

    /// The same, where `openssl` is willing.
    pub(crate) fn try_answer(&self, question: &[u8]) -> Option<Vec<u8>> {
        let dir: &Path = self.folder.path();
        fs::write(dir.join("question"), question).unwrap();
        let output = Command::new("openssl")
            .args(["ts", "-reply", "-config", "tsa.cnf", "-queryfile", "question"])
            .args(["-out", "answer"])
            .current_dir(dir)
            .output()
            .unwrap();
        output.status.success().then(|| fs::read(dir.join("answer")).unwrap())
    }
}
