//! Schemas that are not understood, or wrong: every problem is told, with its
//! place, and nothing is passed over.

use ctc_ready::ncts::MessageType;
use ctc_ready::ncts::xsd::{SchemaError, Schemas};

use crate::facets::{HEAD, load, schema};

fn problems(files: &[(&str, &str)]) -> SchemaError {
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    Schemas::load(files).unwrap_err()
}

#[test]
fn whatever_is_not_known_is_a_problem_at_its_place() {
    let simple = |inside: &str| {
        format!(
            "<xs:simpleType name=\"T\"><xs:restriction base=\"xs:token\">{inside}</xs:restriction></xs:simpleType>"
        )
    };
    let number = |inside: &str| simple(inside).replace("xs:token", "xs:integer");
    let sequence = |inside: &str| {
        format!("<xs:complexType name=\"T\"><xs:sequence>{inside}</xs:sequence></xs:complexType>")
    };
    for (inside, part) in [
        ("<xs:import namespace='a'/>".to_owned(), "`import` inside `schema`"),
        ("<xs:redefine schemaLocation='a'/>".to_owned(), "`redefine` inside"),
        ("<xs:notation name='a' public='b'/>".to_owned(), "`notation` inside"),
        ("<other xmlns='urn:x'/>".to_owned(), "`other` inside `schema`"),
        ("text".to_owned(), "text inside `schema`"),
        ("<xs:element name='a' type='xs:token' nillable='true'/>".to_owned(), "`nillable=\"true\"`"),
        ("<xs:element name='a' type='xs:token' abstract='true'/>".to_owned(), "`abstract=\"true\"`"),
        ("<xs:element name='a' type='xs:anyType'/>".to_owned(), "type `anyType` is not known"),
        ("<xs:element name='a' type='xs:boolean'/>".to_owned(), "type `boolean` is not known"),
        ("<xs:element name='a' type='Nothing'/>".to_owned(), "there is no type `Nothing`"),
        ("<xs:element name='a' type='o:T' xmlns:o='urn:x'/>".to_owned(), "namespace that is not known"),
        ("<xs:element name='a'/>".to_owned(), "needs either `type` or `complexType`"),
        ("<xs:element type='xs:token'/>".to_owned(), "`element` has no proper `name`"),
        (sequence("<xs:choice/>"), "`choice` inside `sequence`"),
        (sequence("<xs:any/>"), "`any` inside `sequence`"),
        (sequence("<xs:sequence/>"), "`sequence` inside `sequence`"),
        (sequence("<xs:element ref='a'/>"), "`ref=\"a\"` of `element`"),
        (sequence("<xs:element name='a' type='xs:token' form='qualified'/>"), "`form=\"qualified\"`"),
        (sequence("<xs:element name='a' type='xs:token' default='x'/>"), "`default=\"x\"`"),
        (sequence("<xs:element name='a' type='xs:token' fixed='x'/>"), "`fixed=\"x\"`"),
        (sequence("<xs:element name='a' type='xs:token' maxOccurs='0'/>"), "`maxOccurs` is 0"),
        (sequence("<xs:element name='a' type='xs:token' minOccurs='2'/>"), "less than `minOccurs`"),
        (sequence("<xs:element name='a' type='xs:token' minOccurs='x'/>"), "are numbers"),
        (sequence("<xs:group ref='G'/>"), "there is no group `G`"),
        (
            sequence("<xs:element name='a' type='xs:token'/><xs:element name='a' type='xs:token'/>"),
            "`a` stands twice",
        ),
        (sequence("").replace("<xs:sequence>", "<xs:sequence minOccurs='0'>"), "`minOccurs=\"0\"` of `sequence`"),
        (sequence("").replace("name=", "mixed='true' name="), "`mixed=\"true\"`"),
        ("<xs:complexType name='T'><xs:all/></xs:complexType>".to_owned(), "`all` inside"),
        ("<xs:complexType name='T'><xs:simpleContent/></xs:complexType>".to_owned(), "`simpleContent` inside"),
        ("<xs:complexType name='T'><xs:anyAttribute/></xs:complexType>".to_owned(), "`anyAttribute` inside"),
        (
            "<xs:complexType name='T'><xs:attribute name='a' type='xs:token' use='prohibited'/></xs:complexType>".to_owned(),
            "`use=\"prohibited\"`",
        ),
        (
            "<xs:complexType name='T'><xs:attribute name='a' type='xs:integer' default='x'/></xs:complexType>".to_owned(),
            "this `default` can never stand",
        ),
        (
            "<xs:complexType name='T'><xs:complexContent><xs:restriction base='T'/></xs:complexContent></xs:complexType>".to_owned(),
            "`restriction` inside `complexContent`",
        ),
        (
            "<xs:complexType name='T'><xs:complexContent><xs:extension base='T'/></xs:complexContent></xs:complexType>".to_owned(),
            "derived from itself",
        ),
        ("<xs:simpleType name='T'><xs:restriction base='T'/></xs:simpleType>".to_owned(), "derived from itself"),
        ("<xs:simpleType name='T'><xs:list itemType='xs:token'/></xs:simpleType>".to_owned(), "`list` inside"),
        ("<xs:simpleType name='T'><xs:union/></xs:simpleType>".to_owned(), "`union` inside"),
        ("<xs:simpleType name='T'/><xs:simpleType name='T'/>".to_owned(), "is defined in `a.xsd` too"),
        (simple("<xs:whiteSpace value='collapse'/>"), "`whiteSpace` inside"),
        (simple("<xs:assertion test='a'/>"), "`assertion` inside"),
        (number("<xs:minExclusive value='1'/>"), "`minExclusive` inside"),
        (number("<xs:maxExclusive value='1'/>"), "`maxExclusive` inside"),
        (simple("<xs:maxLength value='1' fixed='true'/>"), "`fixed=\"true\"` of `maxLength`"),
        (simple("<xs:maxLength value='-1'/>"), "`-1` is no `maxLength`"),
        (simple("<xs:maxLength/>"), "`maxLength` has no `value`"),
        (simple("<xs:maxLength value='1'/><xs:maxLength value='2'/>"), "`maxLength` stands twice"),
        (simple("<xs:totalDigits value='1'/>"), "`totalDigits` does not suit"),
        (number("<xs:maxLength value='1'/>"), "`maxLength` does not suit"),
        (number("<xs:minInclusive value='1.5'/>"), "`1.5` is no `minInclusive`"),
        (number("<xs:enumeration value='1'/>"), "`enumeration` of other than text"),
        (simple("<xs:pattern value='\\i\\c*'/>"), "pattern `\\i\\c*`: `\\i` is not known"),
        (simple("<xs:pattern value='[a-z-[aeiou]]'/>"), "is not known to this validator"),
        (simple("<xs:pattern value='(a{1000}){1000}'/>"), "repeats more than"),
        (simple("<xs:pattern value='\\p{Lu}'/>"), "`\\p{Lu}` is not known"),
        (
            "<xs:simpleType name='A'><xs:restriction base='xs:token'><xs:maxLength value='2'/></xs:restriction></xs:simpleType>\
             <xs:simpleType name='B'><xs:restriction base='A'><xs:enumeration value='abc'/></xs:restriction></xs:simpleType>".to_owned(),
            "`enumeration`: `abc` has 3 characters",
        ),
    ] {
        let text = schema(&format!("\n {inside}"));
        let error = problems(&[("a.xsd", &text)]);
        assert!(error.problems.iter().any(|one| one.message.contains(part)), "{inside}\n{error}");
        for problem in &error.problems {
            assert_eq!((problem.file.as_str(), problem.line > 1), ("a.xsd", true), "{error}");
        }
    }
}

#[test]
fn the_schema_element_is_checked_too() {
    for (from, to, part) in [
        ("targetNamespace=\"http://ncts.dgtaxud.ec\"", "", "the target namespace is ``"),
        ("targetNamespace=\"http", "finalDefault=\"all\" targetNamespace=\"http", "`finalDefault"),
        (
            "targetNamespace=\"http",
            "attributeFormDefault=\"qualified\" targetNamespace=\"http",
            "attributeForm",
        ),
        (
            "targetNamespace=\"http",
            "elementFormDefault=\"x\" targetNamespace=\"http",
            "elementForm",
        ),
        (
            "targetNamespace=\"http",
            "xmlns:vc=\"http://www.w3.org/2007/XMLSchema-versioning\" vc:minVersion=\"1.2\" targetNamespace=\"http",
            "`minVersion=\"1.2\"`",
        ),
        ("2001/XMLSchema", "2001/XMLSchema1", "the root element is not `schema`"),
    ] {
        let text = schema("").replacen(from, to, 1);
        let error = problems(&[("a.xsd", &text)]);
        assert!(error.to_string().contains(part), "{error}");
    }
    let versioned = schema("").replacen(
        "targetNamespace",
        "xmlns:vc=\"http://www.w3.org/2007/XMLSchema-versioning\" vc:minVersion=\"1.1\" version=\"5\" targetNamespace",
        1,
    );
    Schemas::load([("a.xsd".to_owned(), versioned)]).unwrap();
}

#[test]
fn includes_are_followed_and_never_out_of_the_folder() {
    let main = |location: &str| {
        schema(&format!(
            "<xs:include schemaLocation=\"{location}\"/><xs:element name=\"CC015C\" type=\"T\"/>"
        ))
    };
    let types =
        schema("<xs:simpleType name=\"T\"><xs:restriction base=\"xs:token\"/></xs:simpleType>");
    let both = |main: String, at: &str, path: &str| {
        Schemas::load([(at.to_owned(), main), (path.to_owned(), types.clone())])
    };
    let schemas = both(main("in/types.xsd"), "cc.xsd", "in/types.xsd").unwrap();
    assert!(schemas.knows(MessageType::Ie015) && !schemas.knows(MessageType::Ie007));
    both(main("../types.xsd"), "in/cc.xsd", "types.xsd").unwrap();
    both(main("./in/../types.xsd"), "cc.xsd", "types.xsd").unwrap();
    // In a circle.
    let circle = types.replace(HEAD, &format!("{HEAD}<xs:include schemaLocation=\"cc.xsd\"/>"));
    Schemas::load([("cc.xsd".to_owned(), main("types.xsd")), ("types.xsd".to_owned(), circle)])
        .unwrap();
    for (location, part) in [
        ("../types.xsd", "is not a path inside the folder"),
        ("/types.xsd", "is not a path inside the folder"),
        ("file:///types.xsd", "is not a path inside the folder"),
        ("http://example.org/types.xsd", "is not a path inside the folder"),
        ("in\\types.xsd", "is not a path inside the folder"),
        ("", "is not a path inside the folder"),
        ("Types.xsd", "there is no file `Types.xsd`"),
    ] {
        let error = both(main(location), "cc.xsd", "types.xsd").unwrap_err().to_string();
        assert!(error.contains("cc.xsd:2:1: ") && error.contains(part), "{error}");
    }
    // Another validator reads the file alone: what it needs it must include.
    let alone = schema("<xs:element name=\"CC015C\" type=\"T\"/>");
    let error = both(alone, "cc.xsd", "types.xsd").unwrap_err().to_string();
    assert!(error.contains("`T` is defined in `types.xsd`, which `cc.xsd` does not include"));
    for path in ["../a.xsd", "/a.xsd", "a\\b.xsd", "./a.xsd", ""] {
        let error = problems(&[(path, &types)]).to_string();
        assert!(error.contains("not a path inside the folder"), "{path}: {error}");
    }
    assert!(problems(&[("a.xsd", &types), ("a.xsd", &types)]).to_string().contains("given twice"));
    assert!(problems(&[]).to_string().contains("there is no schema file here"));
}

#[test]
fn all_problems_of_all_files_come_at_once_in_order() {
    let error = problems(&[
        ("b.xsd", &schema("<xs:import/>\n<xs:element name='a' type='xs:float'/>")),
        ("a.xsd", "<xs:schema"),
        ("c.xsd", &format!("<!DOCTYPE x>{}", schema(""))),
    ]);
    let places: Vec<(&str, u32, u32)> =
        error.problems.iter().map(|one| (one.file.as_str(), one.line, one.column)).collect();
    assert_eq!(places, [("a.xsd", 1, 1), ("b.xsd", 2, 1), ("b.xsd", 3, 1), ("c.xsd", 1, 1)]);
    assert!(error.to_string().starts_with("the schemas have 4 problems\n  a.xsd:1:1: "), "{error}");
}

#[test]
fn elements_of_a_qualified_file_are_in_the_namespace() {
    let qualified =
        HEAD.replace("targetNamespace", "elementFormDefault=\"qualified\" targetNamespace");
    let inside = "<xs:element name=\"CC015C\"><xs:complexType><xs:sequence>\
        <xs:element name=\"a\" type=\"xs:token\"/></xs:sequence></xs:complexType></xs:element>";
    let schemas =
        Schemas::load([("a.xsd".to_owned(), format!("{qualified}{inside}</xs:schema>"))]).unwrap();
    let good = "<CC015C xmlns=\"http://ncts.dgtaxud.ec\"><a/></CC015C>";
    assert_eq!(schemas.validate(good).unwrap(), []);
    let bad = "<n:CC015C xmlns:n=\"http://ncts.dgtaxud.ec\"><a/></n:CC015C>";
    assert_eq!(schemas.validate(bad).unwrap().len(), 1);
    assert_eq!(load(inside).validate(good).unwrap().len(), 1);
}
