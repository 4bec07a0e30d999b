//! Messages sent and fetched as JSON.

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use super::bench::*;

fn declared() -> Value {
    json!({"n1:CC015C": {
        "@PhaseID": "NCTS5.1",
        "messageSender": "SENDER",
        "messageRecipient": "NTA.GB",
        "preparationDateAndTime": "2026-11-21T09:00:00",
        "messageIdentification": "ID1",
        "messageType": "CC015C",
        "TransitOperation": {
            "LRN": "JSON1",
            "declarationType": "T1",
            "additionalDeclarationType": "A",
            "security": "0",
            "reducedDatasetIndicator": "0",
            "bindingItinerary": "0",
        },
        "Authorisation":
            [{"sequenceNumber": 1, "type": "C521", "referenceNumber": "GBAUTHDEP01"}],
        "CustomsOfficeOfDeparture": {"referenceNumber": "GB000246"},
        "CustomsOfficeOfDestinationDeclared": {"referenceNumber": "XI000142"},
        "HolderOfTheTransitProcedure": {"identificationNumber": "GB953574106000"},
        "Guarantee": [{
            "sequenceNumber": 1,
            "guaranteeType": "1",
            "GuaranteeReference": [{"sequenceNumber": 1, "GRN": "24GB0000010000031"}],
        }],
        "Consignment": {
            "grossMass": 4000.5,
            "HouseConsignment": [{"sequenceNumber": 1, "Consignor": {"name": "A & B <Ltd>"}}],
        },
    }})
}

fn post(bench: &Bench, path: &str, body: &Value) -> RequestBuilder {
    bench.request(Method::POST, path).json(body)
}

#[tokio::test]
async fn a_declaration_in_json_is_taken_and_read_back_as_it_was_sent() {
    let bench = Bench::new().await;
    let response = post(&bench, DEPARTURES, &declared()).send().await.unwrap();
    assert_eq!(response.status(), 202);
    let opened: Value = response.json().await.unwrap();
    let id = opened["departureId"].as_str().unwrap();
    let path = format!("{DEPARTURES}/{id}/messages/{}", opened["messageId"].as_str().unwrap());
    assert_eq!(bench.get(&path).await["body"], declared());
    assert_eq!(bench.get(&format!("{path}/body")).await, declared());
    bench.pass(5);
    assert_eq!(bench.types(DEPARTURES, id).await, ["IE028", "IE928", "IE015"]);
    let movement = bench.get(&format!("{DEPARTURES}/{id}")).await;
    assert_eq!(movement["localReferenceNumber"], "JSON1");

    let wish = json!({"n1:CC014C": {
        "messageSender": "SENDER",
        "messageRecipient": "NTA.GB",
        "preparationDateAndTime": "2026-11-21T09:00:00",
        "messageIdentification": "ID2",
        "messageType": "CC014C",
        "TransitOperation": {"MRN": movement["movementReferenceNumber"]},
        "Invalidation": {"initiatedByCustoms": "0", "justification": "no"},
        "CustomsOfficeOfDeparture": {"referenceNumber": "GB000246"},
        "HolderOfTheTransitProcedure": {"identificationNumber": "GB953574106000"},
    }});
    let messages = format!("{DEPARTURES}/{id}/messages");
    assert_eq!(post(&bench, &messages, &wish).send().await.unwrap().status(), 202);
}

/// The declaration with the value at a pointer changed, or taken away.
fn changed(pointer: &str, value: Option<Value>) -> Value {
    let mut whole = declared();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = whole.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Some(value) => parent.insert(name.to_owned(), value),
        None => parent.remove(name),
    };
    whole
}

#[tokio::test]
async fn json_against_the_schema_is_refused_with_paths() {
    let bench = Bench::new().await;
    let top = "/n1:CC015C";
    for (pointer, value, schema_path, message) in [
        (
            format!("{top}/TransitOperation/LRN"),
            None,
            "#/properties/n1:CC015C/properties/TransitOperation",
            "$.n1:CC015C.TransitOperation: The content of element 'TransitOperation' is not \
             complete. One of '{LRN}' is expected.",
        ),
        (
            format!("{top}/TransitOperation/LRN"),
            Some(json!("L".repeat(23))),
            "#/properties/n1:CC015C/properties/TransitOperation/properties/LRN",
            "$.n1:CC015C.TransitOperation.LRN: Value 'LLLLLLLLLLLLLLLLLLLLLLL' is not facet-valid \
             for type of 'LRN'.",
        ),
        (
            format!("{top}/Guarantee"),
            Some(json!([{"sequenceNumber": 1, "GuaranteeReference": [
                {"sequenceNumber": 1, "GRN": "24GB0000010000031"},
                {"sequenceNumber": 2, "GRN": "bad"},
            ]}])),
            "#/properties/n1:CC015C/properties/Guarantee/items/properties/GuaranteeReference/items/properties/GRN",
            "$.n1:CC015C.Guarantee[0].GuaranteeReference[1].GRN: Value 'bad' is not facet-valid \
             for type of 'GRN'.",
        ),
        (
            format!("{top}/Consignment"),
            Some(json!("much")),
            "#/properties/n1:CC015C/properties/Consignment/type",
            "$.n1:CC015C.Consignment: string found, object expected",
        ),
        (top.to_owned(), None, "#/required", "$: required property 'n1:CC015C' not found"),
    ] {
        let (status, body) = refusal(post(&bench, DEPARTURES, &changed(&pointer, value))).await;
        assert_eq!(status, 400, "{pointer}");
        let start = r#"{"message":"Request failed schema validation","code":"SCHEMA_VALIDATION","validationErrors":[{"schemaPath":"#;
        assert!(body.starts_with(start), "{body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        let errors = body["validationErrors"].as_array().unwrap();
        assert_eq!(errors, &[json!({"schemaPath": schema_path, "message": message})], "{pointer}");
    }
    assert_eq!(bench.get(DEPARTURES).await["totalCount"], 0);
}

#[tokio::test]
async fn json_is_refused_where_xml_would_be() {
    let bench = Bench::new().await;
    let id = bench.open("LRN1").await;
    let messages = format!("{DEPARTURES}/{id}/messages");
    let raw = |body: String| {
        let request = bench.request(Method::POST, DEPARTURES);
        request.header("Content-Type", "application/json").body(body)
    };
    let rule = changed("/n1:CC015C/messageRecipient", Some(json!("NTA.XI")));
    let used = changed("/n1:CC015C/TransitOperation/LRN", Some(json!("LRN1")));
    let long = json!({"n1:CC015C": {"messageSender": "x".repeat(5_000_000)}});
    let deep = format!("{}1{}", "{\"Consignment\":".repeat(10_000), "}".repeat(10_000));
    for (what, request, status, code) in [
        ("not JSON", raw("{".into()), 400, "BAD_REQUEST"),
        ("nothing", raw(String::new()), 400, "BAD_REQUEST"),
        ("too deep", raw(deep), 400, "BAD_REQUEST"),
        ("XML", raw(declaration("L")), 400, "BAD_REQUEST"),
        ("no object", raw("[]".into()), 400, "SCHEMA_VALIDATION"),
        ("rule", post(&bench, DEPARTURES, &rule), 400, "BUSINESS_VALIDATION_ERROR"),
        ("used", post(&bench, DEPARTURES, &used), 409, "CONFLICT"),
        ("too large", post(&bench, DEPARTURES, &long), 413, "REQUEST_ENTITY_TOO_LARGE"),
        ("type", post(&bench, &messages, &declared()), 400, "BAD_REQUEST"),
        ("no type", post(&bench, &messages, &json!({})), 400, "BAD_REQUEST"),
        ("prefix", post(&bench, &messages, &json!({"x:CC014C": {}})), 400, "SCHEMA_VALIDATION"),
    ] {
        let (got, body) = refusal(request).await;
        assert_eq!(got, status, "{what}: {body}");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body["code"], code, "{what}");
    }
}
