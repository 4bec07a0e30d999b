//! From schema files to compiled schemas. Whatever is not understood is a
//! problem, wherever it stands and whether or not a message reaches it.

use std::collections::{BTreeSet, HashMap};

use roxmltree::Node;

use super::model::{AttributeUse, Builtin, ComplexType, Facets, Particle, SimpleType, Type};
use super::source::{self, Problems, Source, XSD, check_attributes, children};
use super::{SchemaError, Schemas, shown, value};
use crate::ncts::read::NAMESPACE;

/// Longest chain of types derived from each other.
pub(super) const MAX_CHAIN: usize = 32;

/// Most elements of all types together, with what they take from groups and
/// bases. HMRC's schemas have about 2,500.
const MAX_PARTICLES: usize = 200_000;

/// A definition of a file's top level.
#[derive(Clone, Copy)]
pub(super) struct Defined<'s, 'a> {
    pub(super) source: usize,
    pub(super) node: Node<'s, 'a>,
}

type Names<'s, 'a> = HashMap<&'s str, Defined<'s, 'a>>;

/// What is being compiled.
pub(super) struct Loader<'s, 'a> {
    pub(super) problems: Problems,
    /// By file: whether its local elements are in the namespace.
    qualified: Vec<bool>,
    elements: Names<'s, 'a>,
    groups: Names<'s, 'a>,
    types: Names<'s, 'a>,
    pub(super) indices: HashMap<&'s str, Type>,
    pub(super) simple: Vec<SimpleType>,
    complex: Vec<ComplexType>,
    /// Where a complex type stands, for problems found later.
    complex_at: Vec<Defined<'s, 'a>>,
    group_contents: HashMap<&'s str, Vec<Particle>>,
    /// Elements and steps of patterns so far.
    particles: usize,
    pub(super) steps: usize,
    /// From one file to a definition in another.
    references: Vec<(Defined<'s, 'a>, &'s str, usize)>,
}

pub(super) fn load(files: &[(String, String)]) -> Result<Schemas, SchemaError> {
    let mut problems = Problems::default();
    let sources = source::parse(files, &mut problems);
    let reach = source::reach(&sources, &mut problems);
    let mut loader = Loader {
        problems,
        qualified: Vec::new(),
        elements: Names::new(),
        groups: Names::new(),
        types: Names::new(),
        indices: HashMap::new(),
        simple: Builtin::ALL
            .iter()
            .map(|(builtin, _)| SimpleType {
                builtin: *builtin,
                base: None,
                facets: Facets::default(),
            })
            .collect(),
        complex: Vec::new(),
        complex_at: Vec::new(),
        group_contents: HashMap::new(),
        particles: 0,
        steps: 0,
        references: Vec::new(),
    };
    loader.collect(&sources);
    loader.compile();
    let elements = loader.compile_elements();
    loader.flatten();
    loader.check_reach(&sources, &reach);
    let types = loader.indices.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect();
    let schemas = Schemas { elements, types, simple: loader.simple, complex: loader.complex };
    loader.problems.settle(&sources)?;
    Ok(schemas)
}

impl<'s, 'a> Loader<'s, 'a> {
    /// Reads the names of every file's definitions.
    fn collect(&mut self, sources: &'s [Source<'a>]) {
        for (index, source) in sources.iter().enumerate() {
            let qualified = source::check_root(sources, index, &mut self.problems);
            self.qualified.push(qualified);
            let known = ["include", "element", "complexType", "simpleType", "group"];
            for node in children(&mut self.problems, index, source.root(), &known) {
                let names = match node.tag_name().name() {
                    "include" => continue,
                    "element" => &mut self.elements,
                    "group" => &mut self.groups,
                    _ => &mut self.types,
                };
                let Some(name) = name_of(&mut self.problems, index, node) else { continue };
                if let Some(other) = names.insert(name, Defined { source: index, node }) {
                    let path = sources[other.source].path;
                    let message = format!("`{}` is defined in `{path}` too", shown(name));
                    self.problems.at(index, node, message);
                }
            }
        }
    }

    /// Compiles every type and group, used or not.
    fn compile(&mut self) {
        // In the order of the files, so that problems and indices are stable.
        let mut types: Vec<(&'s str, Defined<'s, 'a>)> =
            self.types.iter().map(|(name, at)| (*name, *at)).collect();
        types.sort_by_key(|(_, at)| (at.source, at.node.range().start));
        for (name, at) in &types {
            let kind = if at.node.tag_name().name() == "simpleType" {
                self.simple.push(SimpleType {
                    builtin: Builtin::String,
                    base: None,
                    facets: Facets::default(),
                });
                Type::Simple(self.simple.len() - 1)
            } else {
                self.complex.push(ComplexType::default());
                self.complex_at.push(*at);
                Type::Complex(self.complex.len() - 1)
            };
            self.indices.insert(name, kind);
        }
        let mut restrictions = Vec::new();
        for (name, at) in &types {
            if let Some(Type::Simple(index)) = self.indices.get(name).copied() {
                restrictions.extend(self.simple_base(*at, index).map(|node| (index, *at, node)));
            }
        }
        self.settle_chains(&types);
        for (index, at, restriction) in restrictions {
            let facets = self.facets(at.source, restriction, index);
            self.simple[index].facets = facets;
        }
        // Values of enumerations, once every base has its facets.
        for (name, at) in &types {
            if let Some(Type::Simple(index)) = self.indices.get(name).copied() {
                self.check_enumeration(*at, index);
            }
        }
        let mut groups: Vec<(&'s str, Defined<'s, 'a>)> =
            self.groups.iter().map(|(name, at)| (*name, *at)).collect();
        groups.sort_by_key(|(_, at)| (at.source, at.node.range().start));
        for (name, at) in groups {
            check_attributes(&mut self.problems, at.source, at.node, &["name"]);
            let mut content = Vec::new();
            for sequence in children(&mut self.problems, at.source, at.node, &["sequence"]) {
                self.sequence(at.source, sequence, false, &mut content);
            }
            self.group_contents.insert(name, content);
        }
        for (name, at) in &types {
            if let Some(Type::Complex(index)) = self.indices.get(name).copied() {
                check_attributes(&mut self.problems, at.source, at.node, &["name"]);
                self.complex[index] = self.complex_type(at.source, at.node);
            }
        }
    }

    /// A `complexType`, without what its base adds.
    fn complex_type(&mut self, source: usize, node: Node<'s, 'a>) -> ComplexType {
        let mut complex = ComplexType::default();
        let known = ["sequence", "attribute", "complexContent"];
        let parts = children(&mut self.problems, source, node, &known);
        let contents = parts.iter().filter(|part| part.tag_name().name() != "attribute").count();
        if contents > 1 {
            self.problems.at(source, node, "a `complexType` with more than one content");
        }
        for part in parts {
            match part.tag_name().name() {
                "sequence" => self.sequence(source, part, true, &mut complex.content),
                "attribute" => complex.attributes.extend(self.attribute(source, part)),
                _ => self.extension(source, part, &mut complex),
            }
        }
        complex
    }

    fn extension(&mut self, source: usize, content: Node<'s, 'a>, complex: &mut ComplexType) {
        check_attributes(&mut self.problems, source, content, &[]);
        let found = children(&mut self.problems, source, content, &["extension"]);
        let [extension] = found[..] else {
            self.problems.at(source, content, "a `complexContent` needs one `extension`");
            return;
        };
        check_attributes(&mut self.problems, source, extension, &["base"]);
        match self.resolve(source, extension, "base") {
            Some(Type::Complex(base)) => complex.base = Some(base),
            Some(Type::Simple(_)) => {
                self.problems.at(source, extension, "the base of an `extension` is simple");
            }
            None => {}
        }
        for part in children(&mut self.problems, source, extension, &["sequence"]) {
            self.sequence(source, part, true, &mut complex.content);
        }
    }

    fn sequence(
        &mut self,
        source: usize,
        sequence: Node<'s, 'a>,
        groups: bool,
        content: &mut Vec<Particle>,
    ) {
        check_attributes(&mut self.problems, source, sequence, &[]);
        let known: &[&str] = if groups { &["element", "group"] } else { &["element"] };
        for node in children(&mut self.problems, source, sequence, known) {
            if node.tag_name().name() == "element" {
                content.extend(self.particle(source, node));
                self.particles += 1;
                continue;
            }
            check_attributes(&mut self.problems, source, node, &["ref"]);
            children(&mut self.problems, source, node, &[]);
            let Some((namespace, name)) = self.qualified_name(source, node, "ref") else {
                continue;
            };
            let group = self.groups.get(name).filter(|_| namespace == NAMESPACE).copied();
            let Some(group) = group else {
                self.problems.at(source, node, format!("there is no group `{}`", shown(name)));
                continue;
            };
            self.references.push((Defined { source, node }, name, group.source));
            let parts = self.group_contents.get(name).map(Vec::as_slice).unwrap_or_default();
            self.particles += parts.len();
            if self.particles > MAX_PARTICLES {
                let message = format!("the types have more than {MAX_PARTICLES} elements together");
                self.problems.at(source, node, message);
            } else {
                content.extend_from_slice(parts);
            }
        }
    }

    /// An element inside a sequence.
    fn particle(&mut self, source: usize, node: Node<'s, 'a>) -> Option<Particle> {
        check_attributes(
            &mut self.problems,
            source,
            node,
            &["name", "type", "minOccurs", "maxOccurs"],
        );
        let name = name_of(&mut self.problems, source, node)?.to_owned();
        let kind = self.element_type(source, node)?;
        let occurs = |name| node.attribute(name).unwrap_or("1").trim();
        let min: Option<usize> = occurs("minOccurs").parse().ok();
        let max: Option<Option<usize>> = match occurs("maxOccurs") {
            "unbounded" => Some(None),
            text => text.parse().ok().map(Some),
        };
        let (Some(min), Some(max)) = (min, max) else {
            self.problems.at(source, node, "`minOccurs` and `maxOccurs` are numbers");
            return None;
        };
        if max.is_some_and(|max| max == 0 || max < min) {
            self.problems.at(source, node, "`maxOccurs` is 0, or less than `minOccurs`");
        }
        Some(Particle { name, qualified: self.qualified[source], min, max, kind })
    }

    /// The type an element names or holds.
    fn element_type(&mut self, source: usize, node: Node<'s, 'a>) -> Option<Type> {
        let inside = children(&mut self.problems, source, node, &["complexType"]);
        match (node.has_attribute("type"), &inside[..]) {
            (true, []) => self.resolve(source, node, "type"),
            (false, [one]) => {
                check_attributes(&mut self.problems, source, *one, &[]);
                let complex = self.complex_type(source, *one);
                self.complex.push(complex);
                self.complex_at.push(Defined { source, node: *one });
                Some(Type::Complex(self.complex.len() - 1))
            }
            _ => {
                self.problems.at(source, node, "an element needs either `type` or `complexType`");
                None
            }
        }
    }

    fn attribute(&mut self, source: usize, node: Node<'s, 'a>) -> Option<AttributeUse> {
        check_attributes(&mut self.problems, source, node, &["name", "type", "use", "default"]);
        children(&mut self.problems, source, node, &[]);
        let name = name_of(&mut self.problems, source, node)?.to_owned();
        let Type::Simple(simple) = self.resolve(source, node, "type")? else {
            self.problems.at(source, node, "an attribute's type is a simple one");
            return None;
        };
        let required = match node.attribute("use").unwrap_or("optional") {
            "optional" => false,
            "required" => true,
            other => {
                let message = format!("`use=\"{}\"` is not known to this validator", shown(other));
                self.problems.at(source, node, message);
                false
            }
        };
        // A default says what an absent attribute means; it judges nothing.
        if let Some(default) = node.attribute("default")
            && (required || value::fault(&self.simple, simple, default).is_some())
        {
            self.problems.at(source, node, "this `default` can never stand");
        }
        Some(AttributeUse { name, required, simple })
    }

    /// Namespace and local name of a QName in an attribute.
    fn qualified_name(
        &mut self,
        source: usize,
        node: Node<'s, 'a>,
        attribute: &str,
    ) -> Option<(&'s str, &'s str)> {
        let Some(text) = node.attribute(attribute) else {
            let element = node.tag_name().name();
            self.problems.at(source, node, format!("`{element}` has no `{attribute}`"));
            return None;
        };
        let (prefix, name) = match text.trim().split_once(':') {
            Some((prefix, name)) => (Some(prefix), name),
            None => (None, text.trim()),
        };
        let namespace = node.lookup_namespace_uri(prefix).unwrap_or_default();
        if namespace != XSD && namespace != NAMESPACE {
            let message = format!("`{}` is in a namespace that is not known", shown(text));
            self.problems.at(source, node, message);
            return None;
        }
        Some((namespace, name))
    }

    /// The type that an attribute names.
    pub(super) fn resolve(
        &mut self,
        source: usize,
        node: Node<'s, 'a>,
        attribute: &str,
    ) -> Option<Type> {
        let (namespace, name) = self.qualified_name(source, node, attribute)?;
        if namespace == XSD {
            let found = Builtin::ALL.iter().position(|(_, known)| *known == name);
            if found.is_none() {
                let message = format!("type `{}` is not known to this validator", shown(name));
                self.problems.at(source, node, message);
            }
            return found.map(Type::Simple);
        }
        match (self.indices.get(name), self.types.get(name)) {
            (Some(kind), Some(at)) => {
                self.references.push((Defined { source, node }, name, at.source));
                Some(*kind)
            }
            _ => {
                self.problems.at(source, node, format!("there is no type `{}`", shown(name)));
                None
            }
        }
    }

    fn compile_elements(&mut self) -> HashMap<String, Type> {
        let mut elements: Vec<(&'s str, Defined<'s, 'a>)> =
            self.elements.iter().map(|(name, at)| (*name, *at)).collect();
        elements.sort_by_key(|(_, at)| (at.source, at.node.range().start));
        let mut out = HashMap::new();
        for (name, at) in elements {
            check_attributes(&mut self.problems, at.source, at.node, &["name", "type"]);
            if let Some(kind) = self.element_type(at.source, at.node) {
                out.insert(name.to_owned(), kind);
            }
        }
        out
    }

    /// Puts the content of bases before that of extensions, and checks that
    /// names are unique: then order and number say all.
    fn flatten(&mut self) {
        let mut flat = Vec::with_capacity(self.complex.len());
        let mut particles = 0;
        for (index, at) in self.complex_at.iter().enumerate() {
            let mut chain = vec![index];
            while let Some(base) = self.complex[chain[chain.len() - 1]].base {
                chain.push(base);
                if chain.len() > MAX_CHAIN {
                    let message = format!("derived from itself, or in more than {MAX_CHAIN} steps");
                    self.problems.at(at.source, at.node, message);
                    chain.truncate(1);
                    break;
                }
            }
            let count: usize = chain.iter().map(|index| self.complex[*index].content.len()).sum();
            particles += count;
            if particles > MAX_PARTICLES {
                let message = format!("the types have more than {MAX_PARTICLES} elements together");
                self.problems.at(at.source, at.node, message);
                break;
            }
            let mut complex =
                ComplexType { base: self.complex[index].base, ..ComplexType::default() };
            for index in chain.iter().rev() {
                complex.content.extend(self.complex[*index].content.iter().cloned());
                complex.attributes.extend(self.complex[*index].attributes.iter().cloned());
            }
            let mut names = BTreeSet::new();
            let elements = complex.content.iter().map(|one| one.name.as_str());
            let attributes = complex.attributes.iter().map(|one| one.name.as_str());
            let twice: Vec<&str> = elements
                .map(|name| (false, name))
                .chain(attributes.map(|name| (true, name)))
                .filter(|named| !names.insert(*named))
                .map(|(_, name)| name)
                .collect();
            for name in twice {
                let message = format!("`{}` stands twice in one content", shown(name));
                self.problems.at(at.source, at.node, message);
            }
            flat.push(complex);
        }
        self.complex = flat;
    }

    /// A file that defines a message must reach whatever its files name: other
    /// validators read it alone.
    fn check_reach(&mut self, sources: &[Source<'_>], reach: &[BTreeSet<usize>]) {
        let starts: BTreeSet<usize> = self.elements.values().map(|at| at.source).collect();
        // One reference for each pair of files: there are thousands.
        let mut pairs: HashMap<(usize, usize), (Defined<'s, 'a>, &'s str)> = HashMap::new();
        for (at, name, to) in &self.references {
            pairs.entry((at.source, *to)).or_insert((*at, name));
        }
        for ((from, to), (at, name)) in &pairs {
            let lacks =
                |start: &&usize| reach[**start].contains(from) && !reach[**start].contains(to);
            if let Some(start) = starts.iter().find(lacks) {
                let message = format!(
                    "`{}` is defined in `{}`, which `{}` does not include",
                    shown(name),
                    sources[*to].path,
                    sources[*start].path
                );
                self.problems.at(*from, at.node, message);
            }
        }
    }
}

/// The `name` of a definition, as a name can be.
fn name_of<'s>(problems: &mut Problems, source: usize, node: Node<'s, '_>) -> Option<&'s str> {
    let name = node.attribute("name").map(str::trim).unwrap_or_default();
    if name.is_empty() || name.contains([':', ' ']) {
        let element = node.tag_name().name();
        problems.at(source, node, format!("`{element}` has no proper `name`"));
        return None;
    }
    Some(name)
}
