//! Whether a message that is not ours is the one its step is about. HMRC's
//! packs hold some that are not, beside the data spreadsheets of the same
//! scenarios; sent, they would lead the movement elsewhere than the scenario.
//!
//! Only the few things are compared by which NCTS decides what comes next. The
//! rest of a message is its owner's.

use roxmltree::Node;
use serde_json::Value;

use crate::catalogue::Mutation;
use crate::ncts::MessageType;
use crate::ncts::read;

/// Authorisation of a consignor to have goods released without officers: type
/// code of the simplified procedure at departure.
///
/// Source: code list CL235, types of authorisation; NCTS data spreadsheets,
/// columns for the simplified procedure.
const AUTHORISED_CONSIGNOR: &str = "C521";

const OFFICE_OF_DEPARTURE: &str = "CustomsOfficeOfDeparture/referenceNumber";
const OFFICE_OF_DESTINATION: &str = "CustomsOfficeOfDestinationActual/referenceNumber";
const DECLARATION_TYPE: &str = "TransitOperation/additionalDeclarationType";
const AUTHORISATION: &str = "Authorisation/type";
const SIMPLIFIED: &str = "TransitOperation/simplifiedProcedure";
const CONFORM: &str = "UnloadingRemark/conform";

/// Something by which NCTS decides.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Point {
    /// Where a message says it.
    path: &'static str,
    /// What it says, in words.
    says: String,
}

/// What a message says about each point: `values` has the texts at a path.
fn points(message: MessageType, values: impl Fn(&str) -> Vec<String>) -> Vec<Point> {
    let one = |path| values(path).into_iter().next();
    let mut points = Vec::new();
    let mut say = |path, says: Option<String>| {
        points.extend(says.map(|says| Point { path, says }));
    };
    let procedure = |simplified| if simplified { "simplified" } else { "normal" };
    let side = |office: String| Some(format!("is lodged at an office of `{}`", office.get(..2)?));
    if matches!(message, MessageType::Ie015 | MessageType::Ie013) {
        let declared = one(DECLARATION_TYPE);
        // What does not say how it declares is no whole declaration.
        if let Some(declared) = declared {
            let lodged = if declared == "D" { "is pre-lodged" } else { "is not pre-lodged" };
            say(DECLARATION_TYPE, Some(lodged.to_owned()));
            let simplified = values(AUTHORISATION).iter().any(|of| of == AUTHORISED_CONSIGNOR);
            say(AUTHORISATION, Some(format!("is for the {} procedure", procedure(simplified))));
        }
    }
    if message == MessageType::Ie007 {
        let simplified = one(SIMPLIFIED).map(|flag| procedure(flag == "1"));
        say(SIMPLIFIED, simplified.map(|name| format!("is for the {name} procedure")));
    }
    if message == MessageType::Ie044 {
        let finds = one(CONFORM).map(|flag| match flag.as_str() {
            "1" => "finds the goods as declared".to_owned(),
            _ => "finds discrepancies".to_owned(),
        });
        say(CONFORM, finds);
    }
    let office = match message.movement() {
        crate::ncts::MovementKind::Departure => OFFICE_OF_DEPARTURE,
        crate::ncts::MovementKind::Arrival => OFFICE_OF_DESTINATION,
    };
    say(office, one(office).and_then(side));
    points
}

/// How a message contradicts its step, in words; none where it fits one of the
/// columns of test data. What the step changes of the message says nothing.
pub(super) fn contradiction(
    message: MessageType,
    xml: &str,
    columns: &[(&str, &Value)],
    mutation: Option<&Mutation>,
) -> Option<String> {
    let document = read::parse(xml).ok()?;
    let own = points(message, |path| texts(document.root_element(), path));
    let mut told = None;
    for (column, data) in columns {
        let wanted = points(message, |path| strings(data, path));
        let differs = own.iter().find_map(|point| {
            let other = wanted.iter().find(|other| other.path == point.path)?;
            let meant = mutation.is_some_and(|mutation| touches(mutation, point.path));
            (other.says != point.says && !meant).then_some((point, other))
        });
        let (point, other) = differs?;
        told.get_or_insert_with(|| {
            format!("it {}; the scenario's (test data `{column}`) {}", point.says, other.says)
        });
    }
    told
}

/// Which of a step's changes a message that somebody else made lacks, in words.
/// Another value than the step's will do, unless it is that of the test data:
/// one guarantee that does not exist is as good as another.
pub(super) fn unchanged(
    xml: &str,
    columns: &[(&str, &Value)],
    mutation: &Mutation,
) -> Option<String> {
    let document = read::parse(xml).ok()?;
    let own = |path| texts(document.root_element(), path);
    let what = &mutation.what;
    let there = mutation.remove.iter().find(|path| !own(path).is_empty());
    let few = mutation.at_least.iter().find(|(path, least)| own(path).len() < **least);
    let same = mutation.set.iter().find(|(path, value)| {
        let own = own(path);
        let of_data = |(_, data): &(&str, &Value)| own == strings(data, path);
        !own.contains(value) && columns.iter().any(of_data)
    });
    let says = there
        .map(|path| format!("it has `{path}`"))
        .or_else(|| few.map(|(path, _)| format!("it has {} of `{path}`", own(path).len())))
        .or_else(|| same.map(|(path, _)| format!("its `{path}` is that of the test data")))?;
    Some(format!("{says}; the scenario's has {what}"))
}

/// Whose and what a movement is, beyond what NCTS decides by.
const PARTICULARS: [&str; 10] = [
    "TransitOperation/declarationType",
    "TransitOperation/security",
    "Authorisation/referenceNumber",
    OFFICE_OF_DEPARTURE,
    "CustomsOfficeOfDestinationDeclared/referenceNumber",
    OFFICE_OF_DESTINATION,
    "HolderOfTheTransitProcedure/identificationNumber",
    "TraderAtDestination/identificationNumber",
    "Guarantee/guaranteeType",
    "Guarantee/GuaranteeReference/GRN",
];

/// In which particulars a message is not as the test data has it, in words.
pub(super) fn departures(
    xml: &str,
    columns: &[(&str, &Value)],
    mutation: Option<&Mutation>,
) -> Vec<String> {
    let Ok(document) = read::parse(xml) else { return Vec::new() };
    let list = |texts: &[String]| match texts {
        [] => "none".to_owned(),
        texts => texts.iter().map(|text| format!("`{text:.40}`")).collect::<Vec<_>>().join(", "),
    };
    let differs = |path: &&str| {
        let own = texts(document.root_element(), path);
        let wanted: Vec<_> = columns.iter().map(|(_, data)| strings(data, path)).collect();
        let first = wanted.first().filter(|_| !wanted.contains(&own))?;
        let meant = mutation.is_some_and(|mutation| touches(mutation, path));
        (!meant).then(|| format!("`{path}` is {}; the test data has {}", list(&own), list(first)))
    };
    PARTICULARS.iter().filter_map(differs).collect()
}

/// Whether a step changes what stands at a path.
fn touches(mutation: &Mutation, path: &str) -> bool {
    let mut changed = mutation.remove.iter().chain(mutation.set.keys());
    changed.any(|changed| path.starts_with(changed.as_str()) || changed.starts_with(path))
}

/// The texts at a path of a message.
fn texts(root: Node<'_, '_>, path: &str) -> Vec<String> {
    let found = path.split('/').fold(vec![root], |nodes, name| {
        nodes.into_iter().flat_map(|node| read::children(node, name).collect::<Vec<_>>()).collect()
    });
    found.iter().map(|node| node.text().unwrap_or_default().trim().to_owned()).collect()
}

/// The same of test data, where what occurs several times is a list.
fn strings(data: &Value, path: &str) -> Vec<String> {
    let found = path.split('/').fold(vec![data], |values, name| {
        values.into_iter().flat_map(items).filter_map(|value| value.get(name)).collect()
    });
    found
        .iter()
        .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        .collect()
}

/// What a list holds; anything else stands for itself.
fn items(value: &Value) -> &[Value] {
    value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn declaration(kind: &str, authorisation: &str, office: &str) -> String {
        format!(
            "<a><TransitOperation><additionalDeclarationType>{kind}</additionalDeclarationType>\
             </TransitOperation><CustomsOfficeOfDeparture><referenceNumber>{office}\
             </referenceNumber></CustomsOfficeOfDeparture>\
             <Authorisation><type>{authorisation}</type></Authorisation></a>"
        )
    }

    fn against(xml: &str, mutation: Option<&Mutation>) -> Option<String> {
        let data = |of: &[&str]| {
            json!({
                "TransitOperation": {"additionalDeclarationType": "A"},
                "CustomsOfficeOfDeparture": {"referenceNumber": "GB000246"},
                "Authorisation": of.iter().map(|of| json!({"type": of})).collect::<Vec<_>>(),
            })
        };
        let columns = [("S", &data(&["C999", "C521"])), ("N", &data(&["C999"]))];
        let columns = if mutation.is_some() { &columns[..1] } else { &columns[..] };
        contradiction(MessageType::Ie015, xml, columns, mutation)
    }

    #[test]
    fn a_message_fits_if_it_fits_one_column() {
        assert_eq!(against(&declaration("A", "C521", "GB000011"), None), None);
        assert_eq!(against(&declaration("A", "C999", "GB000011"), None), None);
        // Whoever says nothing contradicts nothing.
        assert_eq!(against("<a/>", None), None);
        let told = against(&declaration("D", "C521", "GB000246"), None).unwrap();
        assert_eq!(told, "it is pre-lodged; the scenario's (test data `S`) is not pre-lodged");
        let told = against(&declaration("A", "C521", "XI000081"), None).unwrap();
        assert!(told.contains("`XI`") && told.contains("`GB`"), "{told}");
    }

    #[test]
    fn what_the_step_changes_must_be_changed_in_what_others_send() {
        let data = json!({"Guarantee": {"GRN": "KNOWN"}, "House": {"a": "1"}, "Place": "X"});
        let columns = [("S", &data)];
        let mutation = Mutation {
            what: "it all".into(),
            remove: vec!["Place".into()],
            set: [("Guarantee/GRN".to_owned(), "UNKNOWN".to_owned())].into(),
            at_least: [("House".to_owned(), 2)].into(),
        };
        let of = |place: &str, houses: usize, grn: &str| {
            let xml = format!(
                "<a>{place}{}<Guarantee><GRN>{grn}</GRN></Guarantee></a>",
                "<House><a>1</a></House>".repeat(houses)
            );
            unchanged(&xml, &columns, &mutation)
        };
        assert_eq!(of("", 2, "UNKNOWN"), None);
        assert_eq!(of("", 3, "ANOTHER"), None, "it need not be ours");
        for (told, says) in [
            (of("<Place/>", 2, "UNKNOWN"), "it has `Place`"),
            (of("", 1, "UNKNOWN"), "it has 1 of `House`"),
            (of("", 2, "KNOWN"), "its `Guarantee/GRN` is that of the test data"),
        ] {
            assert_eq!(told, Some(format!("{says}; the scenario's has it all")));
        }
        assert_eq!(unchanged("<broken", &columns, &mutation), None);
    }

    #[test]
    fn particulars_that_are_not_of_the_data_are_told() {
        let data = |grn: &str| json!({"Guarantee": {"GuaranteeReference": [{"GRN": grn}]}});
        let (one, other) = (data("A"), data("B"));
        let xml = |grn: &str| {
            format!(
                "<a><Guarantee><GuaranteeReference><GRN>{grn}</GRN></GuaranteeReference></Guarantee></a>"
            )
        };
        let told = |grn: &str| departures(&xml(grn), &[("S", &one), ("N", &other)], None);
        assert!(told("A").is_empty() && told("B").is_empty());
        let path = "Guarantee/GuaranteeReference/GRN";
        assert_eq!(told("C"), [format!("`{path}` is `C`; the test data has `A`")]);
        let meant = Mutation {
            what: "another".into(),
            remove: vec![],
            set: [(path.to_owned(), "C".to_owned())].into(),
            at_least: Default::default(),
        };
        assert!(departures(&xml("C"), &[("S", &one)], Some(&meant)).is_empty());
    }

    #[test]
    fn what_the_step_changes_is_no_contradiction() {
        let normal = declaration("A", "C999", "GB000246");
        let mut mutation = Mutation {
            what: "without its authorisation".into(),
            remove: vec!["Authorisation".into()],
            set: Default::default(),
            at_least: Default::default(),
        };
        assert_eq!(against(&normal, Some(&mutation)), None);
        mutation.remove = vec!["Guarantee".into()];
        let told = against(&normal, Some(&mutation)).unwrap();
        assert!(told.contains("normal") && told.contains("simplified"), "{told}");
    }
}
