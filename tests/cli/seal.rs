//! Keys, seals and time stamps from the command line; other programs than ours
//! find the seals right too.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::authority::{Authority, Kind};
use crate::contract::assert_valid;
use crate::reference::skipped;
use crate::support::{Outcome, Project, SCALE, command, outcome};

/// A rehearsed project and a folder with a key.
struct Signing {
    project: Project,
    keys: tempfile::TempDir,
}

impl Signing {
    fn new() -> Self {
        let signing = Self { project: Project::rehearsed(), keys: tempfile::tempdir().unwrap() };
        signing.call(&["keys", "init"]).code(0);
        signing
    }

    fn folder(&self) -> PathBuf {
        self.keys.path().join("keys")
    }

    fn call(&self, args: &[&str]) -> Outcome {
        outcome(self.project.command(args).env("CTC_READY_KEYS", self.folder()))
    }

    fn json(&self, args: &[&str], code: i32) -> Value {
        self.call(&[args, &["--format", "json"]].concat()).code(code).json()
    }

    fn fingerprint(&self) -> String {
        self.json(&["keys", "show"], 0)["fingerprint"].as_str().unwrap().to_owned()
    }

    fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> String {
        let path = self.keys.path().join(name);
        fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

fn rules(report: &Value) -> Vec<&str> {
    report["problems"].as_array().unwrap().iter().map(|it| it["rule"].as_str().unwrap()).collect()
}

#[test]
fn keys_are_made_shown_and_replaced() {
    let home = tempfile::tempdir().unwrap();
    let call = |args: &[&str]| {
        let mut command = command(args);
        command.current_dir(home.path()).env("CTC_READY_KEYS", "mine/keys");
        outcome(&mut command)
    };
    for args in [["keys", "show"], ["keys", "rotate"]] {
        call(&args).code(3).says(&["no signing key", "mine/keys", "ctc-ready keys init"]);
    }
    let made = call(&["keys", "init", "--format", "json"]).code(0).json();
    assert_valid("keys", &made);
    assert_eq!(made["former"], serde_json::json!([]));
    call(&["keys", "init"]).code(3).says(&["already", "keys rotate"]);
    let shown = call(&["keys", "show", "--format", "json"]).code(0).json();
    assert_eq!(shown, made);
    let text = call(&["keys", "show"]).code(0).stdout;
    assert!(text.contains(made["fingerprint"].as_str().unwrap()), "{text}");
    assert!(text.contains("-----BEGIN PUBLIC KEY-----"), "{text}");
    let private = fs::read_to_string(made["private_key_file"].as_str().unwrap()).unwrap();
    let secret = private.lines().nth(1).unwrap();
    for shown in [text, made.to_string()] {
        assert!(!shown.contains(secret) && !shown.contains("PRIVATE KEY"), "{shown}");
    }
    let rotated = call(&["keys", "rotate", "--format", "json"]).code(0).json();
    assert_valid("keys", &rotated);
    assert_ne!(rotated["fingerprint"], made["fingerprint"]);
    assert_eq!(rotated["former"][0]["fingerprint"], made["fingerprint"]);
    let text = call(&["keys", "show"]).code(0).stdout;
    assert!(text.contains(made["fingerprint"].as_str().unwrap()), "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = made["private_key_file"].as_str().unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        call(&["keys", "show"]).code(3).says(&["by others than you", "chmod 600"]);
    }
}

#[test]
fn a_key_lies_with_its_user_and_never_in_a_project() {
    let home = tempfile::tempdir().unwrap();
    let folder_of = |variables: &[(&str, &Path)]| {
        let mut command = command(&["keys", "init", "--format", "json"]);
        command.env_remove("CTC_READY_KEYS").env_remove("XDG_CONFIG_HOME");
        command.envs(variables.iter().copied());
        outcome(command.env("HOME", home.path())).code(0).json()["folder"].clone()
    };
    let path = |inner: &str| Value::from(home.path().join(inner).to_str().unwrap());
    assert_eq!(folder_of(&[]), path(".config/ctc-ready/keys"));
    let xdg = home.path().join("xdg");
    assert_eq!(folder_of(&[("XDG_CONFIG_HOME", &xdg)]), path("xdg/ctc-ready/keys"));

    let project = Project::new();
    for inside in ["keys", "evidence/keys", "."] {
        let mut command = project.command(&["keys", "init"]);
        outcome(command.env("CTC_READY_KEYS", inside)).code(3).says(&["lies in the project"]);
    }
    assert!(!project.file("keys").exists());
}

#[test]
fn a_store_is_sealed_and_sealed_again_when_something_is_new() {
    let signing = Signing::new();
    let sealed = signing.json(&["seal"], 0);
    assert_valid("seal", &sealed);
    assert_eq!((&sealed["new"], &sealed["seal"]), (&true.into(), &"seals/1.dsse.json".into()));
    let again = signing.call(&["seal"]).code(0);
    assert!(again.stdout.starts_with("nothing is new since evidence/seals/1"), "{again:?}");
    assert_eq!(signing.json(&["seal"], 0)["new"], false);

    let run = ["run", "ASGB1", "--environment", "simulator", "--time-scale", SCALE, "--again"];
    signing.call(&run).code(0).says(&["sealed: seals/2.dsse.json covers 5 runs"]);
    // Without a key the run is as good, and one is told.
    signing.project.call(&run).code(0).says(&["not sealed", "ctc-ready keys init"]);
    let report = signing.json(&["verify"], 0);
    assert_valid("verify", &report);
    assert_eq!(report["seals"].as_array().unwrap().len(), 2);
    assert_eq!(report["seals"][1]["covers_runs"], 5);
    assert_eq!(report["unsealed_runs"].as_array().unwrap().len(), 1);
    let text = signing.call(&["verify"]).code(0).stdout;
    assert!(text.contains("2 seals hold; 5 of 6 runs are sealed"), "{text}");

    // The gate tells of the run that counts and is not sealed, then does not.
    let unsealed = |verdict: Value| -> Vec<Value> {
        let findings = verdict["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|finding| finding["rule"] == "store-unsealed").collect()
    };
    let found = unsealed(signing.json(&["gate", "--rehearsal"], 0));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(
        (&found[0]["scenario"], &found[0]["severity"]),
        (&"ASGB1".into(), &"warning".into())
    );
    assert_eq!(found[0]["run"], report["unsealed_runs"][0]);
    signing.call(&["seal"]).code(0);
    assert_eq!(unsealed(signing.json(&["gate", "--rehearsal"], 0)).len(), 0);

    // A changed seal breaks the evidence.
    let path = signing.project.evidence().join("seals/1.dsse.json");
    crate::support::flip(&path);
    assert_eq!(rules(&signing.json(&["verify"], 1)), ["seal-changed"]);
    signing.call(&["gate", "--rehearsal"]).code(1);
}

#[test]
fn sealing_wants_evidence_and_a_key() {
    let project = Project::new();
    project.call(&["seal"]).code(3).says(&["no evidence store", "ctc-ready run"]);
    assert!(!project.evidence().exists());
    let project = Project::rehearsed();
    project.call(&["seal"]).code(3).says(&["no signing key", "ctc-ready keys init"]);
    project.call(&["seal", "--tsa", "ftp://127.0.0.1"]).code(2).says(&["http"]);
    project.call(&["seal", "--tsa", "http://tsa.example"]).code(2).says(&["--tsa-ca"]);
    project.call(&["seal", "--tsa", "https://x", "--time-stamp", "y"]).code(2);
    let signing = Signing::new();
    let pem = signing.file("none.pem", "no certificate");
    signing.call(&["seal", "--time-stamp", "x", "--tsa-ca", &pem]).code(3).says(&["none.pem"]);
}

#[test]
fn a_pinned_key_must_have_signed() {
    let signing = Signing::new();
    let first = signing.fingerprint();
    signing.call(&["verify", "--key", &first]).code(1);
    signing.call(&["seal"]).code(0);
    signing.call(&["verify", "--key", &first]).code(0);
    signing.call(&["verify", "--key", &first.to_uppercase()]).code(0);
    let public = signing.json(&["keys", "show"], 0)["public_key"].as_str().unwrap().to_owned();
    let public = signing.file("public.pem", public);
    signing.call(&["verify", "--key", &public]).code(0);
    let report = signing.json(&["verify", "--key", &"0".repeat(64)], 1);
    assert_eq!(rules(&report), ["untrusted-key"]);
    // The key that took over is as good.
    signing.call(&["keys", "rotate"]).code(0);
    signing.call(&["seal"]).code(0);
    let report = signing.json(&["verify", "--key", &first], 0);
    assert_eq!(report["seals"][1]["endorsed_by"], first);
    assert_eq!(report["seals"][1]["key"], signing.fingerprint());

    signing.call(&["verify", "--key", "nonsense"]).code(2).says(&["nonsense", "64 hexadecimal"]);
    let private = signing.folder().join("signing-key.pem");
    let private = private.to_str().unwrap();
    signing.call(&["verify", "--key", private]).code(3).says(&["private key"]);
}

/// Answers every request like a time-stamping authority on this machine, or
/// with `status` and nothing; gives its address.
fn serve(authority: Authority, status: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/tsa", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            let mut buffer = [0; 4096];
            // The question has 69 bytes after the headers.
            let question = loop {
                let read = stream.read(&mut buffer).unwrap();
                request.extend_from_slice(&buffer[..read]);
                let end = request.windows(4).position(|four| four == b"\r\n\r\n");
                match end.map(|end| request.split_off(end + 4)) {
                    Some(body) if body.len() == 69 => break body,
                    Some(body) => request.extend(body),
                    None => assert_ne!(read, 0),
                }
            };
            let head = String::from_utf8(request).unwrap().to_lowercase();
            assert!(head.starts_with("post /tsa "), "{head}");
            assert!(head.contains("content-type: application/timestamp-query"), "{head}");
            let body = if status == "200 OK" { authority.answer(&question) } else { Vec::new() };
            write!(
                stream,
                "HTTP/1.1 {status}\r\ncontent-type: application/timestamp-reply\r\n\
                 content-length: {}\r\nconnection: close\r\n\r\n",
                body.len()
            )
            .unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    address
}

#[test]
fn an_authority_stamps_a_seal_over_http() {
    let Some(authority) = Authority::make(Kind::Rsa("sha256")) else { return };
    let signing = Signing::new();
    let ca = signing.file("ca.pem", &authority.ca);
    let cert = fs::read(authority.file("ca.pem")).unwrap();
    let url = serve(authority, "200 OK");
    let sealed = signing.json(&["seal", "--tsa", &url, "--tsa-ca", &ca], 0);
    assert_valid("seal", &sealed);
    assert_eq!(sealed["time_stamp"]["authority"], "Invented time stamps");
    assert_eq!(sealed["time_stamp"]["authority_checked"], true);
    // There is nothing to do a second time.
    let again = signing.json(&["seal", "--tsa", &url], 0);
    assert_eq!((&again["new"], &again["time_stamp"]), (&false.into(), &Value::Null));
    let report = signing.json(&["verify", "--tsa-ca", &ca], 0);
    assert_eq!(report["seals"][0]["time_stamp"], sealed["time_stamp"]);
    let text = signing.call(&["verify"]).code(0).stdout;
    assert!(text.contains("time-stamped") && text.contains("was not checked"), "{text}");
    // openssl accepts it as well.
    let file = signing.file("kept.pem", cert);
    let seals = signing.project.evidence().join("seals");
    let output = Command::new("openssl")
        .args(["ts", "-verify", "-data", "1.dsse.json", "-in", "1.tsr", "-CAfile", &file])
        .current_dir(seals)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");

    let Some(other) = Authority::make(Kind::P256) else { return };
    let other_ca = signing.file("other.pem", &other.ca);
    let report = signing.json(&["verify", "--tsa-ca", &other_ca], 1);
    assert_eq!(rules(&report), ["bad-time-stamp"]);
}

#[test]
fn an_authority_that_fails_costs_no_seal() {
    let Some(authority) = Authority::make(Kind::P256) else { return };
    let signing = Signing::new();
    let ca = signing.file("ca.pem", &authority.ca);
    let url = serve(authority, "500 Internal Server Error");
    signing.call(&["seal", "--tsa", &url]).code(4).says(&["status 500", "is made"]);
    let url = crate::support::nobody_listens();
    signing.call(&["seal", "--tsa", &url]).code(4).says(&["no answer", "is made"]);
    // From another authority than the one expected.
    let Some(other) = Authority::make(Kind::P256) else { return };
    let url = serve(other, "200 OK");
    let refused = signing.call(&["seal", "--tsa", &url, "--tsa-ca", &ca]).code(4);
    refused.says(&["not from the authority given"]);
    let report = signing.json(&["verify"], 0);
    assert_eq!(report["seals"].as_array().unwrap().len(), 1);
    assert!(report["seals"][0]["time_stamp"].is_null());
    signing.call(&["seal", "--tsa", &url]).code(0);
}

#[test]
fn a_time_stamp_is_taken_from_a_file() {
    let Some(authority) = Authority::make(Kind::P384) else { return };
    let signing = Signing::new();
    signing.call(&["seal"]).code(0);
    let seal = signing.project.evidence().join("seals/1.dsse.json");
    // As the help of `seal` says.
    let question = signing.keys.path().join("1.tsq");
    let output = Command::new("openssl")
        .args(["ts", "-query", "-sha256", "-cert", "-data"])
        .arg(&seal)
        .arg("-out")
        .arg(&question)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let answer = authority.answer(&fs::read(&question).unwrap());
    let answer = signing.file("1.tsr", answer);
    let ca = signing.file("ca.pem", &authority.ca);
    for (bytes, says) in [(&b""[..], "cannot be read"), (b"hello", "cannot be read")] {
        let bad = signing.file("bad.tsr", bytes);
        signing.call(&["seal", "--time-stamp", &bad]).code(3).says(&[says]);
    }
    signing.call(&["seal", "--time-stamp", "nowhere"]).code(3).says(&["nowhere"]);
    let stamped = signing.json(&["seal", "--time-stamp", &answer, "--tsa-ca", &ca], 0);
    assert_eq!((&stamped["new"], &stamped["seal"]), (&false.into(), &"seals/1.dsse.json".into()));
    assert_eq!(stamped["time_stamp"]["authority_checked"], true);
    signing.call(&["seal", "--time-stamp", &answer]).code(3).says(&["stamped already"]);
    signing.call(&["verify", "--tsa-ca", &ca]).code(0);
}

/// A verifier of seals in another language, from `docs/evidence-format.md`.
const VERIFIER: &str = r#"
import base64, hashlib, json, sys
from cryptography.hazmat.primitives import serialization

store, pem = sys.argv[1], sys.argv[2].encode()
key = serialization.load_pem_public_key(pem)
der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
canonical = lambda value: json.dumps(
    value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
sha256 = lambda data: hashlib.sha256(data).hexdigest()

raw = open(f"{store}/seals/1.dsse.json", "rb").read()
envelope = json.loads(raw)
assert raw == canonical(envelope) + b"\n"
payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"]
assert kind == "application/vnd.in-toto+json"
[signature] = envelope["signatures"]
assert signature["keyid"] == sha256(der)
pae = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
key.verify(base64.b64decode(signature["sig"]), pae)

statement = json.loads(payload)
assert payload == canonical(statement)
assert statement["_type"] == "https://in-toto.io/Statement/v1"
assert statement["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
said = statement["predicate"]
bytes_of = {"index.jsonl": said["indexBytes"]}
heads = {"index.jsonl": (said["indexLines"], said["indexHead"])}
for run in said["runs"]:
    name = f"runs/{run['run']}/journal.jsonl"
    bytes_of[name], heads[name] = run["bytes"], (run["lines"], run["head"])
leaves = []
for subject in statement["subject"]:
    name = subject["name"]
    data = open(f"{store}/{name}", "rb").read()[:bytes_of.get(name)]
    assert subject["digest"] == {"sha256": sha256(data)}, name
    if name in heads:
        lines, head = heads[name]
        assert data.count(b"\n") == lines and json.loads(data.splitlines()[-1])["hash"] == head
        leaf = canonical({"bytes": len(data), "head": head, "lines": lines, "name": name})
        leaves.append(hashlib.sha256(b"\0" + leaf).digest())

def root(nodes):
    if len(nodes) == 1:
        return nodes[0]
    split = 1
    while 2 * split < len(nodes):
        split *= 2
    return hashlib.sha256(b"\1" + root(nodes[:split]) + root(nodes[split:])).digest()

assert said["merkleRoot"] == root(leaves).hex()
assert len(said["runs"]) == len(leaves) - 1 == 4
print("HOLDS", said["result"], len(said["passedTests"]))
"#;

#[test]
fn another_language_finds_a_seal_right() {
    let library =
        Command::new("python3").args(["-c", "import cryptography"]).stderr(Stdio::null()).status();
    if !library.is_ok_and(|status| status.success()) {
        return skipped("Python's `cryptography` is not installed");
    }
    let signing = Signing::new();
    signing.call(&["seal"]).code(0);
    let keys = signing.json(&["keys", "show"], 0);
    let verify = || {
        let output = Command::new("python3")
            .args(["-c", VERIFIER])
            .arg(signing.project.evidence())
            .arg(keys["public_key"].as_str().unwrap())
            .output()
            .unwrap();
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (said, errors) = verify();
    assert_eq!(said, "HOLDS PASSED 4\n", "{errors}");
    // openssl gives the same fingerprint.
    let output = Command::new("sh")
        .args(["-c", "openssl pkey -pubin -outform DER | sha256sum"])
        .stdin(
            fs::File::open(signing.file("public.pem", keys["public_key"].as_str().unwrap()))
                .unwrap(),
        )
        .output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).unwrap();
            assert!(text.starts_with(keys["fingerprint"].as_str().unwrap()), "{text}");
        }
        _ => skipped("`openssl` or `sha256sum` is not installed"),
    }
    let journal = crate::support::tree(&signing.project.evidence().join("runs"));
    crate::support::flip(&journal[0].0);
    assert_eq!(verify().0, "");
}

#[test]
fn the_demo_signs_with_a_key_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let demo = ["demo", "--time-scale", SCALE];
    let first = outcome(command(&demo).current_dir(dir.path())).code(0);
    assert!(first.stdout.contains("1 seal holds; 4 of 4 runs are sealed"), "{first:?}");
    assert!(dir.path().join("ctc-ready-demo/demo-keys/signing-key.pem").is_file());
    assert!(!Path::new(crate::support::NO_KEYS).exists());
}
