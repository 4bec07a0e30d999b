//! A simulator on a socket, with a clock in the hand, and small invented
//! messages for it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeZone, Utc};
use ctc_ready::clock::ManualClock;
use ctc_ready::simulator::{Running, SimulatorOptions, start};
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

pub const DEPARTURES: &str = "/customs/transits/movements/departures";
pub const ARRIVALS: &str = "/customs/transits/movements/arrivals";
pub const JSON: &str = "application/vnd.hmrc.2.1+json";

pub fn loopback() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

pub fn morning() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap()
}

pub struct Bench {
    pub clock: Arc<ManualClock>,
    pub running: Running,
    client: reqwest::Client,
}

impl Bench {
    pub async fn with(options: SimulatorOptions) -> Self {
        Self::at(options, morning()).await
    }

    /// The same with another time to begin at.
    pub async fn at(options: SimulatorOptions, begin: DateTime<Utc>) -> Self {
        // A second installation in the same process is refused, and harmless.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let clock = Arc::new(ManualClock::at(begin));
        let running = start(options, clock.clone(), loopback()).await.unwrap();
        Self { clock, running, client: reqwest::Client::new() }
    }

    /// Without a limit on requests, which would need the clock moved.
    pub async fn new() -> Self {
        let options = SimulatorOptions { requests_per_second: None, ..SimulatorOptions::default() };
        Self::with(options).await
    }

    pub fn bare(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.running.base_url))
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.bare(method, path).bearer_auth("trader-1").header("Accept", JSON)
    }

    pub async fn get(&self, path: &str) -> Value {
        let response = self.request(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub fn xml(&self, path: &str, body: impl Into<String>) -> RequestBuilder {
        self.request(Method::POST, path).header("Content-Type", "application/xml").body(body.into())
    }

    /// Sends a simplified declaration and returns the departure's id.
    pub async fn open(&self, lrn: &str) -> String {
        let response = self.xml(DEPARTURES, declaration(lrn)).send().await.unwrap();
        assert_eq!(response.status(), 202);
        let body: Value = response.json().await.unwrap();
        body["departureId"].as_str().unwrap().to_owned()
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Types of a movement's messages, newest first.
    pub async fn types(&self, kind: &str, id: &str) -> Vec<String> {
        let body = self.get(&format!("{kind}/{id}/messages")).await;
        let all = body["messages"].as_array().unwrap();
        all.iter().map(|one| one["type"].as_str().unwrap().to_owned()).collect()
    }
}

pub async fn refusal(request: RequestBuilder) -> (u16, String) {
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json");
    (response.status().as_u16(), response.text().await.unwrap())
}

fn header(root: &str, recipient: &str) -> String {
    format!(
        "<messageSender>SENDER</messageSender><messageRecipient>{recipient}</messageRecipient>\
         <preparationDateAndTime>2026-11-21T09:00:00</preparationDateAndTime>\
         <messageIdentification>ID1</messageIdentification><messageType>{root}</messageType>"
    )
}

fn wrap(root: &str, body: &str) -> String {
    format!("<ncts:{root} xmlns:ncts=\"http://ncts.dgtaxud.ec\">{body}</ncts:{root}>")
}

const DECLARED: &str = "<declarationType>T1</declarationType>\
    <additionalDeclarationType>A</additionalDeclarationType><security>0</security>\
    <reducedDatasetIndicator>0</reducedDatasetIndicator><bindingItinerary>0</bindingItinerary>";
const AUTHORISATION: &str = "<Authorisation><sequenceNumber>1</sequenceNumber><type>C521</type>\
    <referenceNumber>GBAUTHDEP01</referenceNumber></Authorisation>";
const REST: &str = "<CustomsOfficeOfDeparture><referenceNumber>GB000246</referenceNumber>\
    </CustomsOfficeOfDeparture><CustomsOfficeOfDestinationDeclared><referenceNumber>XI000142\
    </referenceNumber></CustomsOfficeOfDestinationDeclared><HolderOfTheTransitProcedure>\
    <identificationNumber>GB953574106000</identificationNumber></HolderOfTheTransitProcedure>\
    <Guarantee><sequenceNumber>1</sequenceNumber><guaranteeType>1</guaranteeType>\
    <GuaranteeReference><sequenceNumber>1</sequenceNumber><GRN>24GB0000010000031</GRN>\
    </GuaranteeReference></Guarantee><Consignment><grossMass>1000</grossMass><HouseConsignment>\
    <sequenceNumber>1</sequenceNumber></HouseConsignment></Consignment>";
const DESTINATION: &str = "<CustomsOfficeOfDestinationActual><referenceNumber>XI000081\
    </referenceNumber></CustomsOfficeOfDestinationActual><TraderAtDestination>\
    <identificationNumber>XI175521246821</identificationNumber></TraderAtDestination>";

/// A simplified declaration.
pub fn declaration(lrn: &str) -> String {
    let header = header("CC015C", "NTA.GB");
    let operation = format!("<TransitOperation><LRN>{lrn}</LRN>{DECLARED}</TransitOperation>");
    wrap("CC015C", &format!("{header}{operation}{AUTHORISATION}{REST}"))
}

/// A declaration in the normal procedure.
pub fn normal(lrn: &str) -> String {
    declaration(lrn).replace("C521", "C999")
}

pub fn invalidation(lrn: &str) -> String {
    let header = header("CC014C", "NTA.GB");
    let operation = format!("<TransitOperation><LRN>{lrn}</LRN></TransitOperation>");
    let wish = "<Invalidation><initiatedByCustoms>0</initiatedByCustoms></Invalidation>";
    wrap("CC014C", &format!("{header}{operation}{wish}{REST}"))
}

pub fn amendment(reference: &str) -> String {
    let header = header("CC013C", "NTA.GB");
    let flag = "<amendmentTypeFlag>0</amendmentTypeFlag>";
    let operation = format!("<TransitOperation>{reference}{DECLARED}{flag}</TransitOperation>");
    wrap("CC013C", &format!("{header}{operation}{REST}"))
}

/// A simplified arrival notification.
pub fn notification(mrn: &str) -> String {
    let header = header("CC007C", "NTA.XI");
    let operation = format!(
        "<TransitOperation><MRN>{mrn}</MRN><arrivalNotificationDateAndTime>2026-11-21T10:00:00\
         </arrivalNotificationDateAndTime><simplifiedProcedure>1</simplifiedProcedure>\
         <incidentFlag>0</incidentFlag></TransitOperation>"
    );
    let place = "<Consignment><LocationOfGoods><typeOfLocation>B</typeOfLocation>\
                 <qualifierOfIdentification>Y</qualifierOfIdentification></LocationOfGoods>\
                 </Consignment>";
    wrap("CC007C", &format!("{header}{operation}{DESTINATION}{place}"))
}

/// Unloading remarks without fault.
pub fn remarks(mrn: &str) -> String {
    let header = header("CC044C", "NTA.XI");
    let operation = format!("<TransitOperation><MRN>{mrn}</MRN></TransitOperation>");
    let remark = "<UnloadingRemark><conform>1</conform><unloadingCompletion>1\
                  </unloadingCompletion><unloadingDate>2026-11-21</unloadingDate>\
                  </UnloadingRemark>";
    wrap("CC044C", &format!("{header}{operation}{DESTINATION}{remark}"))
}
