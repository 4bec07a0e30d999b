#[test]
fn loads() {
    let c = ctc_ready::catalogue::Catalogue::built_in().unwrap_or_else(|e| panic!("{e}"));
    for p in c.programmes() {
        eprintln!("{} {:?}", p.id, c.scenarios(&p.id).iter().map(|s| &s.id).collect::<Vec<_>>());
    }
    eprintln!(
        "{:#}",
        c.data("ncts5-final", ctc_ready::ncts::MessageType::Ie015, "simplified gb-xi").unwrap()
    );
}
