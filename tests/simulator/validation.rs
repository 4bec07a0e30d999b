//! Messages judged by XSDs before anything else, told as the API tells it. The
//! schema is invented: it describes the declaration of these tests.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use ctc_ready::ncts::xsd::Schemas;
use ctc_ready::simulator::{ApiVersion, SimulatorOptions};
use serde_json::Value;

use super::bench::*;

fn leaf(name: &str) -> String {
    format!("<xs:element name=\"{name}\" type=\"Text\"/>")
}

fn typed(name: &str, of: &str) -> String {
    format!("<xs:element name=\"{name}\" type=\"{of}\"/>")
}

fn group(name: &str, inside: &[String]) -> String {
    format!(
        "<xs:element name=\"{name}\"><xs:complexType><xs:sequence>{}</xs:sequence>\
         </xs:complexType></xs:element>",
        inside.concat()
    )
}

fn schema() -> String {
    let header = ["messageRecipient", "preparationDateAndTime", "messageIdentification"];
    let declared = [
        "declarationType",
        "additionalDeclarationType",
        "security",
        "reducedDatasetIndicator",
        "bindingItinerary",
    ];
    let operation: Vec<_> = [typed("LRN", "Lrn")].into_iter().chain(declared.map(leaf)).collect();
    let office = |name| group(name, &[leaf("referenceNumber")]);
    let reference = group("GuaranteeReference", &[leaf("sequenceNumber"), leaf("GRN")]);
    let inside: Vec<String> = [leaf("messageSender")]
        .into_iter()
        .chain(header.map(leaf))
        .chain([
            leaf("messageType"),
            group("TransitOperation", &operation),
            group(
                "Authorisation",
                &[leaf("sequenceNumber"), leaf("type"), leaf("referenceNumber")],
            ),
            office("CustomsOfficeOfDeparture"),
            office("CustomsOfficeOfDestinationDeclared"),
            group("HolderOfTheTransitProcedure", &[leaf("identificationNumber")]),
            group("Guarantee", &[leaf("sequenceNumber"), leaf("guaranteeType"), reference]),
            group(
                "Consignment",
                &[
                    typed("grossMass", "xs:integer"),
                    group("HouseConsignment", &[leaf("sequenceNumber")]),
                ],
            ),
        ])
        .collect();
    format!(
        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" \
         targetNamespace=\"http://ncts.dgtaxud.ec\" xmlns=\"http://ncts.dgtaxud.ec\">\
         <xs:simpleType name=\"Text\"><xs:restriction base=\"xs:string\"><xs:minLength value=\"1\"/>\
         </xs:restriction></xs:simpleType>\
         <xs:simpleType name=\"Lrn\"><xs:restriction base=\"xs:string\">\
         <xs:pattern value=\"[A-Z0-9]{{1,22}}\"/></xs:restriction></xs:simpleType>{}</xs:schema>",
        group("CC015C", &inside)
    )
}

fn judging(state: Option<&Path>) -> SimulatorOptions {
    let schemas = Schemas::load([("cc015c.xsd".to_owned(), schema())]).unwrap();
    SimulatorOptions {
        requests_per_second: None,
        schemas: BTreeMap::from([(ApiVersion::V2_1, Arc::new(schemas))]),
        state: state.map(Path::to_owned),
        ..SimulatorOptions::default()
    }
}

async fn told(bench: &Bench, message: String) -> (u16, Vec<String>) {
    let (status, body) = refusal(bench.xml(DEPARTURES, message)).await;
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(body["code"], "SCHEMA_VALIDATION");
    assert_eq!(body["message"], "Request failed schema validation");
    let all = body["validationErrors"].as_array().unwrap().iter();
    let all = all.map(|one| {
        let fields = one.as_object().unwrap();
        assert_eq!(fields.len(), 3, "{one}");
        let message = one["message"].as_str().unwrap();
        let (code, _) = message.split_once(": ").unwrap();
        format!("{}:{} {code}", one["lineNumber"], one["columnNumber"])
    });
    (status, all.collect())
}

#[tokio::test]
async fn a_bad_value_is_told_twice_and_a_bad_structure_once() {
    let bench = Bench::with(judging(None)).await;
    bench.open("LRN1").await;
    let (lrn, mass) = ("<LRN>LRN2</LRN>", "<grossMass>1000</grossMass>");
    let good = declaration("LRN2").replace("><", ">\n<");
    let at = |what: &str| 1 + good[..good.find(what).unwrap()].matches('\n').count();
    let both = |line: usize, code: &str| {
        vec![format!("{line}:1 {code}"), format!("{line}:1 cvc-type.3.1.3")]
    };
    for (from, to, expected) in [
        (lrn, "<LRN>lower case</LRN>", both(at(lrn), "cvc-pattern-valid")),
        (mass, "<grossMass>heavy</grossMass>", both(at(mass), "cvc-datatype-valid.1.2.1")),
        (
            "<messageSender>SENDER</messageSender>",
            "<messageSender></messageSender>",
            both(2, "cvc-length-valid"),
        ),
        (
            mass,
            "<netMass>1</netMass>\n<grossMass>1000</grossMass>",
            vec![format!("{}:1 cvc-complex-type.2.4.a", at(mass))],
        ),
        (
            "<messageType>CC015C</messageType>\n",
            "",
            vec![format!("{}:1 cvc-complex-type.2.4.b", at("<TransitOperation>") - 1)],
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let (status, told) = told(&bench, good.replacen(from, to, 1)).await;
        assert_eq!((status, told), (400, expected), "{to}");
    }
    // What nothing is wrong with is taken, and nothing else was.
    assert_eq!(bench.xml(DEPARTURES, good).send().await.unwrap().status(), 202);
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 2);
}

#[tokio::test]
async fn a_version_without_schemas_is_not_judged() {
    let bench = Bench::with(judging(None)).await;
    let message = declaration("lower case");
    assert_eq!(told(&bench, message.clone()).await.0, 400);
    let request = bench.xml(DEPARTURES, message);
    let (client, request) = request.build_split();
    let mut request = request.unwrap();
    let version = "application/vnd.hmrc.3.0+json".parse().unwrap();
    request.headers_mut().insert("Accept", version);
    assert_eq!(client.execute(request).await.unwrap().status(), 202);
}

#[tokio::test]
async fn a_refusal_stays_one_when_the_schemas_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let bench = Bench::with(judging(Some(folder.path()))).await;
    assert_eq!(told(&bench, declaration("lower case")).await.0, 400);
    bench.open("LRN1").await;
    let before = bench.get("/simulator/log").await;
    drop(bench.running);
    tokio::task::yield_now().await;
    let options = SimulatorOptions { schemas: BTreeMap::new(), ..judging(Some(folder.path())) };
    let bench = Bench::with(options).await;
    assert_eq!(bench.get("/simulator/log").await, before);
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 1);
}
