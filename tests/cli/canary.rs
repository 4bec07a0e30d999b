//! Secrets that a hostile server, a proxy and the user's own files put into
//! every place: afterwards every byte that was written or printed is searched
//! for them, in any writing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use ctc_ready::evidence::leak::Secrets;

use crate::support::{Outcome, Project, SCALE, Simulate, outcome, tree};

/// The bearer token: whatever RFC 6750 lets stand in a header.
const TOKEN: &str = "cAn4ry-t0k\"en'/Q7+fX=&%41<z>\\nK2";
/// The client secret.
const CLIENT_SECRET: &str = "cAn4ry-cl1ent s\u{e9}cret/+?&\"9";
/// What the server grants: known to nobody before.
const GRANTED: &str = "gr4nted-cAn4ry.0123456789-Zz";
/// What the server sends as a password: too ordinary to be known.
const PASSWORD: &str = "pwcAn4ry8";

fn percent(text: &str, every: bool, upper: bool) -> String {
    text.bytes()
        .map(|byte| match byte {
            _ if !every && (byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) => {
                char::from(byte).to_string()
            }
            _ if upper => format!("%{byte:02X}"),
            _ => format!("%{byte:02x}"),
        })
        .collect()
}

fn json(text: &str) -> String {
    let quoted = serde_json::to_string(text).unwrap();
    quoted[1..quoted.len() - 1].to_owned()
}

fn xml(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&apos;")
}

fn hex(text: &str, upper: bool) -> String {
    text.bytes().map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect()
}

/// Every writing of a secret that is searched for; of Base64 what does not
/// depend on its neighbours.
fn writings(secret: &str) -> Vec<String> {
    let mut found = vec![
        secret.to_owned(),
        json(secret),
        json(&json(secret)),
        secret.replace('/', "\\/"),
        xml(secret),
        json(&xml(secret)),
        hex(secret, false),
        hex(secret, true),
        secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
        secret.encode_utf16().map(|unit| format!("\\u{unit:04X}")).collect(),
        secret.chars().map(|c| format!("&#{};", u32::from(c))).collect(),
        secret.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect(),
    ];
    for upper in [false, true] {
        for every in [false, true] {
            found.push(percent(secret, every, upper));
            found.push(percent(&percent(secret, every, upper), false, upper));
        }
    }
    for before in ["", "a", "ab"] {
        let text = STANDARD_NO_PAD.encode(format!("{before}{secret}"));
        let core = &text[(before.len() * 8).div_ceil(6)..(before.len() + secret.len()) * 8 / 6];
        found.push(core.to_owned());
        found.push(core.replace('+', "-").replace('/', "_"));
        found.push(core.replace('/', "\\/"));
        found.push(percent(core, false, true));
    }
    found
}

const SECRETS: [(&str, &str); 4] = [
    ("token", TOKEN),
    ("client secret", CLIENT_SECRET),
    ("granted", GRANTED),
    ("password", PASSWORD),
];

/// Nothing of any secret is in these bytes.
#[track_caller]
fn assert_clean(place: &str, bytes: &[u8]) {
    for (name, secret) in SECRETS {
        for writing in writings(secret) {
            let found = bytes.windows(writing.len()).position(|it| it == writing.as_bytes());
            if let Some(at) = found {
                let around = &bytes[at.saturating_sub(80)..bytes.len().min(at + 120)];
                panic!(
                    "{place} has the {name} as `{writing}`: {}",
                    String::from_utf8_lossy(around)
                );
            }
        }
    }
}

#[track_caller]
fn assert_nowhere(project: &Project) {
    let mut secrets = Secrets::new();
    SECRETS.iter().for_each(|(name, secret)| secrets.add(name, secret.as_bytes()));
    let mut files = 0;
    for (path, bytes) in tree(project.path()) {
        // What the user wrote is the user's.
        if path.file_name().is_some_and(|name| name == "ctc-ready.toml" || name == "broken.toml") {
            continue;
        }
        files += 1;
        assert_clean(&path.display().to_string(), &bytes);
        let leaks = secrets.scan(&path.display().to_string(), &mut bytes.as_slice()).unwrap();
        assert_eq!(leaks, [], "the last look sees more than this test");
    }
    assert!(files > 5, "the test looks at nothing");
}

#[track_caller]
fn assert_silent(outcome: &Outcome) {
    assert_clean("standard output", outcome.stdout.as_bytes());
    assert_clean("standard error", outcome.stderr.as_bytes());
}

fn call(project: &Project, args: &[&str]) -> Outcome {
    let mut command = project.command(args);
    command.env("CTC_READY_TOKEN", TOKEN).env("CTC_READY_CLIENT_SECRET", CLIENT_SECRET);
    let outcome = outcome(&mut command);
    assert!(!outcome.stderr.contains("panicked"), "{outcome:#?}");
    assert_silent(&outcome);
    outcome
}

/// A request as it came.
struct Request {
    head: String,
    body: Vec<u8>,
}

fn read_request(stream: &TcpStream) -> Option<Request> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let before = head.len();
        if reader.read_line(&mut head).ok()? == 0 {
            return None;
        }
        if &head[before..] == "\r\n" {
            break;
        }
    }
    let length = header(&head, "content-length").and_then(|it| it.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { head, body })
}

fn header(head: &str, name: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    })
}

/// Answers every request on its own thread, until the test ends.
fn serve(answer: impl Fn(Request) -> Vec<u8> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (Ok(mut stream), answer) = (stream, Arc::clone(&answer)) else { return };
            std::thread::spawn(move || {
                if let Some(request) = read_request(&stream) {
                    let _ = stream.write_all(&answer(request));
                }
            });
        }
    });
    address
}

fn respond(status: &str, headers: &[String], body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n");
    for header in headers {
        answer.push_str(&format!("{header}\r\n"));
    }
    answer.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n\r\n", body.len()));
    let mut answer = answer.into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// Answers that refuse, with every secret in every place. Each body has a mark
/// of its own, to prove that it was recorded.
fn refusals() -> Vec<(String, Vec<u8>)> {
    let basic = STANDARD.encode(format!("user:{TOKEN}"));
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{PASSWORD}\r\n--b\r\n\
         Content-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n\
         {{\"refresh_token\":\"{GRANTED}\",\"password\":\"{PASSWORD}\"}}\r\n--b--\r\n"
    );
    let soap = format!(
        "<s:Envelope><s:Header><wsse:Security><wsse:Username>u</wsse:Username><wsse:Password \
         Type=\"x\">{PASSWORD}</wsse:Password></wsse:Security></s:Header><s:Body><s:Fault \
         password='{PASSWORD}'><detail>&lt;password&gt;{PASSWORD}&lt;/password&gt; {}</detail>\
         <token><![CDATA[{GRANTED}]]></token></s:Fault></s:Body></s:Envelope>",
        xml(TOKEN)
    );
    let html = format!(
        "<html><h1>Proxy error</h1><pre>GET /x?access_token={GRANTED}&amp;password={PASSWORD} \
         HTTP/1.1\nAuthorization: Bearer {}\nProxy-Authorization: Basic {basic}\nCookie: \
         session={PASSWORD}; b={PASSWORD}\nX-Api-Key: {PASSWORD}\n</pre><input type=\"hidden\" \
         name=\"code\" value=\"{PASSWORD}\"/><a href=\"https://u:{PASSWORD}@h/\">again</a></html>",
        xml(TOKEN)
    );
    let echo = serde_json::json!({
        "code": "INTERNAL_SERVER_ERROR",
        "message": format!("no: Authorization: Bearer {TOKEN}"),
        "headers": {"Authorization": format!("Bearer {TOKEN}"), "Cookie": format!("a={PASSWORD}")},
        "pairs": [["x-session-token", PASSWORD], ["accept", "x"]],
        "named": [{"name": "Set-Cookie", "value": format!("s={PASSWORD}; Path=/")}],
        "nested": serde_json::json!({
            "access_token": GRANTED,
            "again": serde_json::json!({"password": PASSWORD, "t": TOKEN}).to_string(),
        })
        .to_string(),
        "again": format!("you sent {GRANTED}"),
        "uri": format!("https://h/?next=https%3A%2F%2Fapp%3Fcode%3D{PASSWORD}%26token%3D{GRANTED}"),
        "soap": soap,
        "client": format!("id={}", percent(CLIENT_SECRET, false, true)),
    })
    .to_string();
    let form = format!(
        "access_token={GRANTED}&password={PASSWORD}&data={}&secret={}",
        percent(&format!("{{\"password\":\"{PASSWORD}\",\"x\":\"{TOKEN}\"}}"), false, true),
        percent(CLIENT_SECRET, true, false)
    );
    let written = |body: String| ("text/plain".to_owned(), body.into_bytes());
    let mut bodies = vec![
        ("application/json".to_owned(), echo.clone().into_bytes()),
        ("application/problem+json; charset=utf-8".to_owned(), echo[..echo.len() - 9].into()),
        ("text/xml".to_owned(), soap.clone().into_bytes()),
        ("application/soap+xml".to_owned(), soap[..soap.len() / 2].into()),
        ("text/html".to_owned(), html.into_bytes()),
        ("multipart/form-data; boundary=b".to_owned(), multipart.into_bytes()),
        ("application/x-www-form-urlencoded".to_owned(), form.into_bytes()),
        (
            "application/octet-stream".to_owned(),
            [&[0xff, 0xfe, 0x80][..], TOKEN.as_bytes(), &[0xc3, 0xff]].concat(),
        ),
        (
            "application/json".to_owned(),
            [
                &b"{\"m\":\"\xff\xc3"[..],
                json(TOKEN).as_bytes(),
                b"\xff\",\"password\":\"\x80",
                PASSWORD.as_bytes(),
                b"\xc3\"}",
            ]
            .concat(),
        ),
    ];
    for secret in [TOKEN, CLIENT_SECRET] {
        bodies
            .extend(writings(secret).into_iter().map(|text| written(format!("seen: {text} end"))));
        // What a test without its neighbours cannot search for.
        for around in ["", "a", "ab"] {
            bodies.push(written(STANDARD.encode(format!("{around}{secret}:more"))));
        }
    }
    bodies
}

fn hostile_headers() -> Vec<String> {
    vec![
        format!("Set-Cookie: session={PASSWORD}; Path=/; HttpOnly"),
        format!("Set-Cookie: other={TOKEN}"),
        format!("Location: /cb?code={PASSWORD}&access_token={GRANTED}#state={PASSWORD}"),
        format!(
            "Refresh: 0; url=https://u:{PASSWORD}@h/?next=https%3A%2F%2Fapp%3Fcode%3D{PASSWORD}"
        ),
        format!("X-Echo: GET /x HTTP/1.1; Authorization: Bearer {TOKEN}"),
        format!("X-Auth-Token: {PASSWORD}"),
        format!(
            "WWW-Authenticate: Bearer error=\"invalid_token\", error_description=\"{}\"",
            hex(TOKEN, true)
        ),
        format!("Via: 1.1 proxy ({})", STANDARD.encode(format!("x{TOKEN}"))),
    ]
}

const STATUS: [&str; 7] = [
    "500 Internal Server Error",
    "302 Found",
    "503 Service Unavailable",
    "407 Proxy Authentication Required",
    "429 Too Many Requests",
    "401 Unauthorized",
    "400 Bad Request",
];

#[test]
fn a_hostile_server_and_a_leaking_proxy_leave_no_secret_anywhere() {
    let project = Project::new();
    let bodies = refusals();
    let marks = bodies.len();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (served, heard) = (Arc::new(AtomicUsize::new(0)), Arc::clone(&seen));
    let counter = Arc::clone(&served);
    let url = serve(move |request| {
        let n = counter.fetch_add(1, Ordering::SeqCst);
        heard.lock().unwrap().push(header(&request.head, "authorization").unwrap_or_default());
        let (media_type, mut body) = bodies[n % bodies.len()].clone();
        let mut headers = hostile_headers();
        headers.push(format!("X-Mark: mark-{n}."));
        // The same once more, cut off: the answer breaks within a body.
        let cut = n / bodies.len() % 2 == 1;
        if cut {
            body.truncate(body.len() * 2 / 3);
        }
        headers.push(format!("Content-Type: {media_type}"));
        let status = STATUS[n % STATUS.len()];
        let answer = respond(status, &headers, &body);
        match cut && n % 3 == 0 {
            true => answer[..answer.len().saturating_sub(5)].to_vec(),
            false => answer,
        }
    });
    let run = [
        "run",
        "DNGB1",
        "PSGB1",
        "ASGB1",
        "--environment",
        "simulator",
        "--base-url",
        &url,
        "--time-scale",
        "2700",
    ];
    let ways: [&[&str]; 4] = [
        &["-vv"],
        &["--format", "json"],
        &["--events", "events.jsonl"],
        &["--events", "-", "--abandon"],
    ];
    let mut calls = 0;
    while served.load(Ordering::SeqCst) < 2 * marks {
        let way = ways[calls % ways.len()];
        call(&project, &[&run[..], way, &["--failed", "--again"]].concat());
        calls += 1;
        assert!(calls < 200, "{} of {marks} answers were asked for", served.load(Ordering::SeqCst));
    }
    let bearer = format!("Bearer {TOKEN}");
    assert!(seen.lock().unwrap().iter().all(|found| *found == bearer));
    for args in [
        &["status"][..],
        &["gate"],
        &["gate", "--format", "json"],
        &["verify"],
        &["checklist", "--rehearsal"],
        &["pack", "--draft"],
        &["evidence", "export", "--to", "html", "--output", "report.html"],
        &["evidence", "export", "--to", "har", "--output", "report.har"],
        &["evidence", "export", "--to", "json", "--output", "report.json"],
        &["evidence", "export", "--to", "junit", "--output", "report.xml"],
        &["evidence", "export", "--to", "markdown", "--output", "report.md"],
        &["evidence", "list"],
    ] {
        call(&project, args);
    }
    let list = project.json(&["evidence", "list"], 0);
    call(&project, &["query", "--run", list["runs"][0]["run"].as_str().unwrap(), "-o", "ask"]);
    project.call(&["verify"]).code(0);
    for written in
        ["report.html", "report.har", "report.json", "report.xml", "report.md", "ask/query.txt"]
    {
        assert!(project.file(written).exists(), "{written}");
    }
    assert_nowhere(&project);

    // It was all recorded: the answers with their marks, the places with what
    // stands there now.
    let mut journals = String::new();
    for (path, bytes) in tree(&project.evidence().join("runs")) {
        assert!(path.ends_with("journal.jsonl"));
        journals.push_str(std::str::from_utf8(&bytes).unwrap());
    }
    let recorded = (0..2 * marks).filter(|n| journals.contains(&format!("mark-{n}."))).count();
    assert!(recorded > marks, "{recorded} of {}", 2 * marks);
    for kept in [
        "session=redacted:",
        "Bearer redacted:",
        "/cb?code=redacted:",
        "&access_token=redacted:",
        "code%3Dredacted:",
        "Path=/; HttpOnly",
        "invalid_token",
    ] {
        assert!(journals.contains(kept), "`{kept}` is gone");
    }
    let objects: Vec<u8> = tree(&project.evidence().join("objects"))
        .into_iter()
        .flat_map(|(_, bytes)| bytes)
        .collect();
    let objects = String::from_utf8_lossy(&objects);
    for kept in [
        "Proxy error",
        "wsse:Username>u<",
        "INTERNAL_SERVER_ERROR",
        "name=\"password\"",
        "seen: redacted:",
    ] {
        assert!(objects.contains(kept), "`{kept}` is gone");
    }
}

#[test]
fn an_honest_run_through_a_proxy_that_echoes_leaves_none_either() {
    let simulator = Simulate::start(SCALE);
    let upstream = simulator.base_url.strip_prefix("http://").unwrap().to_owned();
    let url = serve(move |request| {
        let mut stream = TcpStream::connect(&upstream).unwrap();
        let head = request.head.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(&request.body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let mut body = answer[end + 4..].to_vec();
        if body.first() == Some(&b'{') {
            let echo = serde_json::json!({
                "echo": request.head,
                "access_token": GRANTED,
                "again": format!("{GRANTED} and {TOKEN}"),
                "password": PASSWORD,
            });
            let echo = echo.to_string();
            body.splice(0..1, [&echo.as_bytes()[..echo.len() - 1], b","].concat());
        } else if body.starts_with(b"<") {
            body.extend(format!("<!-- {} {} -->", xml(TOKEN), hex(CLIENT_SECRET, false)).bytes());
        }
        let mut headers: Vec<String> = head
            .lines()
            .skip(1)
            .filter(|line| !line.to_ascii_lowercase().starts_with("content-length"))
            .filter(|line| !line.to_ascii_lowercase().starts_with("connection"))
            .map(str::to_owned)
            .collect();
        headers.extend(hostile_headers());
        respond(head.lines().next().unwrap().split_once(' ').unwrap().1, &headers, &body)
    });
    let project = Project::new();
    let text = project.settings();
    project.write_settings(&crate::support::set(
        &text,
        "operator",
        &format!("{:?}", format!("me {TOKEN}")),
    ));
    let run = [
        "run",
        "DNGB1",
        "PSGB1",
        "--environment",
        "simulator",
        "--time-scale",
        SCALE,
        "--wait",
        "--base-url",
        &url,
        "--events",
        "events.jsonl",
        "-vv",
    ];
    let passed = call(&project, &[&run[..], &["--format", "json"]].concat());
    let passed = passed.code(0).json();
    assert_eq!(passed["runs"][0]["state"], "passed", "{passed:#}");
    for args in [
        &["status", "--rehearsal"][..],
        &["gate", "--rehearsal", "-vv"],
        &["checklist", "--rehearsal", "--output", "form.docx"],
        &["doctor"],
        &["pack", "--draft"],
        &["evidence", "export", "--to", "html", "--output", "report.html"],
        &["evidence", "export", "--to", "har", "--output", "report.har"],
        &["evidence", "export", "--to", "json", "--output", "report.json"],
        &["evidence", "export", "--to", "junit", "--output", "report.xml"],
        &["evidence", "export", "--to", "markdown", "--output", "report.md"],
        &["evidence", "list"],
        &["evidence", "prune", "--keep-days", "0", "--yes", "--reason", TOKEN],
        &["verify", "--format", "json"],
    ] {
        call(&project, args);
    }
    project.call(&["verify"]).code(0);
    for written in ["report.html", "report.har", "report.json", "report.xml", "report.md"] {
        assert!(project.file(written).exists(), "{written}");
    }
    assert_nowhere(&project);
}

#[test]
fn what_the_user_types_and_writes_is_not_repeated_either() {
    let project = Project::new();
    call(&project, &["run", TOKEN]).code(2);
    call(&project, &["run", "--environment", TOKEN]).code(2);
    call(&project, &["--format", "json", "status", &format!("--at={TOKEN}")]).code(2);
    call(&project, &["message", "validate", TOKEN]);
    let good = project.settings();
    for line in [
        format!("client-secret = \"{CLIENT_SECRET}"),
        format!("token = \"{PASSWORD}\"\nnonsense = 5"),
        format!("nonsense = \"{}\"", json(TOKEN)),
        format!("[[{}", json(TOKEN)),
        format!("[software.x]\npassword = '{PASSWORD}'\n]"),
    ] {
        project.write_settings(&format!("{line}\n{good}"));
        call(&project, &["status"]).code(3);
        call(&project, &["status", "--format", "json"]).code(3);
        call(&project, &["doctor", "-vv"]);
    }
}
