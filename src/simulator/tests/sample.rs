//! Small invented messages.

use crate::ncts::MessageType;

/// What varies between messages.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) lrn: &'static str,
    pub(super) identification: &'static str,
    pub(super) sender: &'static str,
    pub(super) simplified: bool,
    pub(super) pre_lodged: bool,
    pub(super) grn: &'static str,
    pub(super) guarantee_only: bool,
    pub(super) by_mrn: bool,
    pub(super) location: &'static str,
    /// In the declaration.
    pub(super) place_of_loading: bool,
    pub(super) conform: bool,
    pub(super) complete: bool,
    pub(super) seals: Option<bool>,
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            lrn: "LRN1",
            identification: "ID1",
            sender: "SENDER",
            simplified: true,
            pre_lodged: false,
            grn: "24GB0000010000031",
            guarantee_only: false,
            by_mrn: true,
            location: "<qualifierOfIdentification>U</qualifierOfIdentification>\
                       <UNLocode>GBDVR</UNLocode>",
            place_of_loading: false,
            conform: true,
            complete: true,
            seals: Some(true),
        }
    }
}

fn header(sample: &Sample, message: MessageType, recipient: &str) -> String {
    format!(
        "<messageSender>{}</messageSender><messageRecipient>{recipient}</messageRecipient>\
         <preparationDateAndTime>2026-11-21T09:00:00</preparationDateAndTime>\
         <messageIdentification>{}</messageIdentification><messageType>{}</messageType>",
        sample.sender,
        sample.identification,
        message.root()
    )
}

fn flag(set: bool) -> &'static str {
    if set { "1" } else { "0" }
}

/// A message. `mrn` is the MRN known so far, or empty.
pub(super) fn message(of: MessageType, sample: &Sample, mrn: &str) -> String {
    let gb = header(sample, of, "NTA.GB");
    let xi = header(sample, of, "NTA.XI");
    let office = "<CustomsOfficeOfDeparture><referenceNumber>GB000246</referenceNumber>\
                  </CustomsOfficeOfDeparture>";
    let destination = "<CustomsOfficeOfDestinationActual><referenceNumber>XI000081\
                       </referenceNumber></CustomsOfficeOfDestinationActual>";
    let holder = "<HolderOfTheTransitProcedure><identificationNumber>GB953574106000\
                  </identificationNumber></HolderOfTheTransitProcedure>";
    let trader = "<TraderAtDestination><identificationNumber>XI175521246821\
                  </identificationNumber></TraderAtDestination>";
    let reference = if sample.by_mrn && !mrn.is_empty() {
        format!("<MRN>{mrn}</MRN>")
    } else {
        format!("<LRN>{}</LRN>", sample.lrn)
    };
    let declaration = |reference: &str, extra: &str| {
        let authorisation = if sample.simplified {
            "<Authorisation><sequenceNumber>1</sequenceNumber><type>C521</type>\
             <referenceNumber>GBAUTHDEP01</referenceNumber></Authorisation>"
        } else {
            ""
        };
        let kind = if sample.pre_lodged { "D" } else { "A" };
        let place = "<PlaceOfLoading><country>GB</country></PlaceOfLoading>";
        let loading = if sample.place_of_loading { place } else { "" };
        format!(
            "{gb}<TransitOperation>{reference}<declarationType>T1</declarationType>\
             <additionalDeclarationType>{kind}</additionalDeclarationType><security>0</security>\
             <reducedDatasetIndicator>0</reducedDatasetIndicator><bindingItinerary>0\
             </bindingItinerary>{extra}</TransitOperation>{authorisation}{office}\
             <CustomsOfficeOfDestinationDeclared><referenceNumber>XI000142</referenceNumber>\
             </CustomsOfficeOfDestinationDeclared>{holder}<Guarantee><sequenceNumber>1\
             </sequenceNumber><guaranteeType>1</guaranteeType><GuaranteeReference>\
             <sequenceNumber>1</sequenceNumber><GRN>{grn}</GRN><accessCode>AC01</accessCode>\
             <amountToBeCovered>10</amountToBeCovered><currency>GBP</currency>\
             </GuaranteeReference></Guarantee><Consignment><countryOfDispatch>GB\
             </countryOfDispatch><grossMass>1000</grossMass><TransportEquipment><sequenceNumber>1\
             </sequenceNumber><containerIdentificationNumber>C1</containerIdentificationNumber>\
             <numberOfSeals>1</numberOfSeals><Seal><sequenceNumber>1</sequenceNumber><identifier>S1\
             </identifier></Seal></TransportEquipment><LocationOfGoods><typeOfLocation>B\
             </typeOfLocation><qualifierOfIdentification>Y</qualifierOfIdentification>\
             <authorisationNumber>GB DEP E20 1HZ</authorisationNumber></LocationOfGoods>\
             <DepartureTransportMeans><sequenceNumber>1</sequenceNumber><typeOfIdentification>30\
             </typeOfIdentification><identificationNumber>NC15REG</identificationNumber>\
             <nationality>GB</nationality></DepartureTransportMeans>{loading}<HouseConsignment>\
             <sequenceNumber>1</sequenceNumber><grossMass>1000</grossMass><ConsignmentItem>\
             <goodsItemNumber>1</goodsItemNumber><declarationGoodsItemNumber>1\
             </declarationGoodsItemNumber><Commodity><descriptionOfGoods>Nuts &amp; bolts\
             </descriptionOfGoods><GoodsMeasure><grossMass>1000</grossMass><netMass>950</netMass>\
             <supplementaryUnits>3</supplementaryUnits></GoodsMeasure></Commodity><Packaging>\
             <sequenceNumber>1</sequenceNumber><typeOfPackages>BX</typeOfPackages>\
             <numberOfPackages>1</numberOfPackages><shippingMarks>M</shippingMarks></Packaging>\
             </ConsignmentItem></HouseConsignment></Consignment>",
            grn = sample.grn,
            loading = loading
        )
    };
    let body = match of {
        MessageType::Ie015 => declaration(&format!("<LRN>{}</LRN>", sample.lrn), ""),
        MessageType::Ie013 => declaration(
            &reference,
            &format!("<amendmentTypeFlag>{}</amendmentTypeFlag>", flag(sample.guarantee_only)),
        ),
        MessageType::Ie014 => format!(
            "{gb}<TransitOperation>{reference}</TransitOperation><Invalidation>\
             <initiatedByCustoms>0</initiatedByCustoms><justification>Not going</justification>\
             </Invalidation>{office}{holder}"
        ),
        MessageType::Ie170 => format!(
            "{gb}<TransitOperation><LRN>{}</LRN></TransitOperation>{office}{holder}<Consignment>\
             <containerIndicator>0</containerIndicator><LocationOfGoods><typeOfLocation>B\
             </typeOfLocation>{}</LocationOfGoods><PlaceOfLoading><country>GB</country>\
             <location>Dover</location></PlaceOfLoading><HouseConsignment><sequenceNumber>1\
             </sequenceNumber></HouseConsignment></Consignment>",
            sample.lrn, sample.location
        ),
        MessageType::Ie007 => format!(
            "{xi}<TransitOperation><MRN>{mrn}</MRN><arrivalNotificationDateAndTime>\
             2026-11-21T09:00:00</arrivalNotificationDateAndTime><simplifiedProcedure>{}\
             </simplifiedProcedure><incidentFlag>0</incidentFlag></TransitOperation>{destination}\
             {trader}<Consignment><LocationOfGoods><typeOfLocation>B</typeOfLocation>\
             <qualifierOfIdentification>Y</qualifierOfIdentification></LocationOfGoods>\
             </Consignment>",
            flag(sample.simplified)
        ),
        _ => {
            let seals = sample.seals.map_or_else(String::new, |intact| {
                format!("<stateOfSeals>{}</stateOfSeals>", flag(intact))
            });
            format!(
                "{xi}<TransitOperation><MRN>{mrn}</MRN></TransitOperation>{destination}{trader}\
                 <UnloadingRemark><conform>{}</conform><unloadingCompletion>{}\
                 </unloadingCompletion><unloadingDate>2026-11-21</unloadingDate>{seals}\
                 </UnloadingRemark>",
                flag(sample.conform),
                flag(sample.complete)
            )
        }
    };
    let root = of.root();
    format!("<ncts:{root} xmlns:ncts=\"http://ncts.dgtaxud.ec\">{body}</ncts:{root}>")
}
