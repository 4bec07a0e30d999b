//! Bodies, headers and names that would rather be something else.

use ctc_ready::evidence::{
    Attachment, Event, Failure, OfficerAnswered, Purpose, RequestFailed, RunState,
};
use ctc_ready::ncts::MessageType;

use crate::checks::{check, elements, parse, words};
use crate::support::{House, get, id, pixel};

const MARKUP: &str = "</code></pre></script><script>alert(1)</script><img src=x onerror=alert(2)>\
    <svg/onload=alert(3)>{{ 7*7 }}{% raw %}]]><!-- \" onclick='alert(4)' &lt; &#60; javascript:alert(5)";
const HIDDEN: &str = "a\u{202e}b\u{2066}c\u{200b}d\u{feff}e\0f\u{1b}[31mg\r\nh\u{ffff}i\u{85}j";

#[test]
fn nothing_hostile_gets_through() {
    let house = House::new();
    let mut teller = house.open(1, MARKUP, false);
    for text in [MARKUP, HIDDEN, ""] {
        for media in ["text/html", "application/json", "image/svg+xml", MARKUP] {
            let mut request = get(Purpose::ListMovements, text);
            request.method = format!("GET{text}");
            request.headers =
                vec![(format!("x{text}"), text.to_owned()), (MARKUP.into(), HIDDEN.into())];
            house.ask(&mut teller, request);
            let body = house.put(&mut teller, text.as_bytes(), media);
            house.answer(&mut teller, 500, Some(body));
        }
    }
    let bytes = [b"<script>alert(1)</script>\xff\xfe\xc3(" as &[u8], MARKUP.as_bytes()].concat();
    house.fetch(&mut teller, MessageType::Ie928, MARKUP, &bytes, Vec::new());
    house.ask(&mut teller, get(Purpose::ListMessages, "/x"));
    let failed = RequestFailed {
        exchange: 14,
        failure: MARKUP.into(),
        detail: HIDDEN.into(),
        may_have_arrived: false,
    };
    house.tell(&mut teller, Event::RequestFailed(failed));
    // A picture that is a page, a page that is a picture.
    let mut disguised = pixel();
    disguised.extend_from_slice(MARKUP.as_bytes());
    let mut attach = |name: &str, bytes: &[u8], media: &str| Attachment {
        name: name.into(),
        file: house.put(&mut teller, bytes, media),
    };
    let attachments = vec![
        attach(MARKUP, b"<html><script>alert(6)</script></html>", "image/png"),
        attach("../../x.html", &disguised, "text/html"),
        attach(
            "x.svg",
            b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(7)'/>",
            "image/svg+xml",
        ),
    ];
    let note = Some(format!("{MARKUP}{HIDDEN}"));
    house.tell(&mut teller, Event::OfficerAnswered(OfficerAnswered { step: 2, note, attachments }));
    let failure = Failure { reason: MARKUP.into(), message: HIDDEN.into(), ..Failure::default() };
    house.close(teller, RunState::Failed, Some(failure));

    let (page, _) = house.page();
    // No element, no handler, no address of theirs; their text is all there is.
    check(&page);
    let words = words(&page);
    assert!(words.contains("<script>alert(1)</script><img src=x onerror=alert(2)>"));
    assert!(words.contains("a[U+202E]b[U+2066]c[U+200B]d[U+FEFF]e␀f␛[31mg␍"));
    assert!(words.contains("h[U+FFFF]i[U+0085]j"));
    assert!(words.contains("{{ 7*7 }}{% raw %}"));
    assert!(words.contains("not UTF-8: what cannot be read as text is shown as \u{fffd}"));
    let document = parse(&page);
    let images: Vec<_> = elements(&document, "img").collect();
    assert_eq!(images.len(), 1);
    assert!(images[0].attribute("src").unwrap().starts_with("data:image/png;base64,"));
    for link in elements(&document, "a").filter_map(|link| link.attribute("download")) {
        let extension = link.rsplit('.').next().unwrap();
        assert!(["txt", "json", "xml", "bin"].contains(&extension), "{link}");
    }
}

#[test]
fn large_bodies_are_cut_and_say_so() {
    let house = House::new();
    let mut teller = house.open(1, "DNGB1", false);
    let bodies: [&[u8]; 4] = [
        &b"x".repeat(5 << 20),
        &b"<".repeat(5 << 20),
        &[&b"["[..], &b"1,".repeat(400_000), b"1]"].concat(),
        &b"\xff".repeat(600_000),
    ];
    for body in bodies {
        house.ask(&mut teller, get(Purpose::ListMovements, "/departures"));
        let body = house.put(&mut teller, body, "text/plain");
        house.answer(&mut teller, 200, Some(body));
    }
    house.close(teller, RunState::Passed, None);
    let (page, _) = house.page();
    check(&page);
    assert!(page.len() < 5 << 20, "{}", page.len());
    let words = words(&page);
    assert!(words.contains("cut: the first 262,144 of 5,242,880 bytes are shown"));
    assert!(words.contains("too large to have its exact bytes in this page"));
    assert_eq!(words.matches("cut: the first").count(), 4);
}

#[test]
fn a_page_stays_within_its_bound_however_long_the_run() {
    let house = House::new();
    let mut teller = house.open(1, "DNGB1", false);
    house.send(&mut teller, MessageType::Ie015, 1, "LRN-LONG");
    let list = house.put(&mut teller, &b"{\"a\":\"<>\"}".repeat(1000), "application/json");
    for _ in 0..10_000 {
        let mut request = get(Purpose::ListMovements, "/departures");
        request.headers = vec![("x".into(), "<\"&>".repeat(20))];
        house.ask(&mut teller, request);
        house.answer(&mut teller, 200, Some(list.clone()));
    }
    for n in 0..50 {
        house.ask(&mut teller, get(Purpose::ListMovements, "/arrivals"));
        let body =
            house.put(&mut teller, format!("{n}{MARKUP}").repeat(500).as_bytes(), "text/html");
        house.answer(&mut teller, 200, Some(body));
    }
    house.close(teller, RunState::Passed, None);

    let (store, dossier) = house.dossier();
    let whole = house.render(&store, &dossier, 256 << 20);
    assert_eq!(dossier.runs[0].exchanges.len(), 10_051);
    assert!(whole.contains(&format!("id=\"run-{}-x10051\"", id(1))));
    assert!(!whole.contains("small enough"));

    for max in [16 << 20, 512 << 10] {
        let page = house.render(&store, &dossier, max);
        check(&page);
        assert!(page.len() <= max, "{} of {max}", page.len());
        assert!(page.len() > max / 8, "{} of {max}: room is wasted", page.len());
        let words = words(&page);
        assert!(words.contains("small enough"), "it says that something is left out");
        // The message is there before anything else.
        assert!(words.contains("<LRN>LRN-LONG</LRN>"));
    }
}
