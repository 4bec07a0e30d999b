//! Reading the regular expressions of XML Schema. `regex` says which.

use super::regex::MAX_PROGRAM;

/// Deepest nesting of parentheses.
const MAX_DEPTH: usize = 32;

/// Characters, as ranges in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Set {
    ascii: u128,
    ranges: Vec<(u32, u32)>,
}

const LAST: u32 = char::MAX as u32;

impl Set {
    fn new(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (first, last) in ranges {
            match merged.last_mut() {
                Some(before) if first <= before.1.saturating_add(1) => {
                    before.1 = before.1.max(last);
                }
                _ => merged.push((first, last)),
            }
        }
        let inside = |c: u32| merged.iter().any(|(first, last)| (*first..=*last).contains(&c));
        let ascii = (0..128).filter(|c| inside(*c)).fold(0, |bits, c| bits | 1u128 << c);
        Self { ascii, ranges: merged }
    }

    fn negated(&self) -> Self {
        let mut out = Vec::with_capacity(self.ranges.len() + 1);
        let mut from = 0;
        for (first, last) in &self.ranges {
            if from < *first {
                out.push((from, first - 1));
            }
            from = last.saturating_add(1);
        }
        if from <= LAST {
            out.push((from, LAST));
        }
        Self::new(out)
    }

    pub(super) fn has(&self, c: char) -> bool {
        let c = u32::from(c);
        if c < 128 {
            return self.ascii >> c & 1 == 1;
        }
        let at = self.ranges.partition_point(|(_, last)| *last < c);
        self.ranges.get(at).is_some_and(|(first, _)| *first <= c)
    }
}

/// Unicode's decimal digits, by the first of each ten (`Nd`, version 14).
const ZEROS: &[u32] = &[
    0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66,
    0xde6, 0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90,
    0x1b50, 0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0xff10,
    0x104a0, 0x10d30, 0x11066, 0x110f0, 0x11136, 0x111d0, 0x112f0, 0x11450, 0x114d0, 0x11650,
    0x116c0, 0x11730, 0x118e0, 0x11950, 0x11c50, 0x11d50, 0x11da0, 0x16a60, 0x16ac0, 0x16b50,
    0x1d7ce, 0x1d7d8, 0x1d7e2, 0x1d7ec, 0x1d7f6, 0x1e140, 0x1e2f0, 0x1e950, 0x1fbf0,
];

/// Unicode's separators (`Z`). U+180E was one when XML Schema was written, and
/// libxml2 goes by that.
const SEPARATORS: &[(u32, u32)] = &[
    (0x20, 0x20),
    (0xa0, 0xa0),
    (0x1680, 0x1680),
    (0x180e, 0x180e),
    (0x2000, 0x200a),
    (0x2028, 0x2029),
    (0x202f, 0x202f),
    (0x205f, 0x205f),
    (0x3000, 0x3000),
];

/// Characters that stand for themselves only behind a `\`.
const META: &[char] = &['.', '\\', '?', '*', '+', '{', '}', '(', ')', '[', ']', '|'];

/// An expression, read.
pub(super) enum Node {
    Set(Set),
    Sequence(Vec<Node>),
    Either(Vec<Node>),
    Repeat(Box<Node>, usize, Option<usize>),
}

impl Node {
    /// Instructions it becomes.
    pub(super) fn size(&self) -> usize {
        let sum = |nodes: &[Node]| nodes.iter().fold(0usize, |n, one| n.saturating_add(one.size()));
        match self {
            Self::Set(_) => 1,
            Self::Sequence(nodes) => sum(nodes),
            Self::Either(nodes) => sum(nodes).saturating_add(nodes.len()),
            Self::Repeat(node, least, most) => {
                // An empty node costs its forks all the same.
                let copies = most.unwrap_or(least.saturating_add(1)).max(1);
                node.size().saturating_add(1).saturating_mul(copies)
            }
        }
    }
}

/// Reads an expression.
///
/// # Errors
/// What is wrong with it, or not known here.
pub(super) fn parse(pattern: &str) -> Result<Node, String> {
    let mut parser = Parser { rest: pattern, depth: 0 };
    let node = parser.either()?;
    if !parser.rest.is_empty() {
        return Err("`)` without `(`".to_owned());
    }
    Ok(node)
}

struct Parser<'a> {
    rest: &'a str,
    depth: usize,
}

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.rest = &self.rest[c.len_utf8()..];
        Some(c)
    }

    fn take(&mut self, c: char) -> bool {
        let taken = self.peek() == Some(c);
        if taken {
            self.next();
        }
        taken
    }

    fn either(&mut self) -> Result<Node, String> {
        let mut branches = vec![self.branch()?];
        while self.take('|') {
            branches.push(self.branch()?);
        }
        Ok(Node::Either(branches))
    }

    fn branch(&mut self) -> Result<Node, String> {
        let mut pieces = Vec::new();
        while self.peek().is_some_and(|c| !matches!(c, '|' | ')')) {
            let atom = self.atom()?;
            pieces.push(self.quantified(atom)?);
        }
        Ok(Node::Sequence(pieces))
    }

    fn atom(&mut self) -> Result<Node, String> {
        let set = match self.next() {
            Some('(') => {
                self.depth += 1;
                if self.depth > MAX_DEPTH {
                    return Err(format!("more than {MAX_DEPTH} parentheses inside each other"));
                }
                let inside = self.either()?;
                if !self.take(')') {
                    return Err("`(` without `)`".to_owned());
                }
                self.depth -= 1;
                return Ok(inside);
            }
            Some('[') => self.class()?,
            Some('.') => single('\n', '\r').negated(),
            Some('\\') => self.escape()?,
            Some(c) if META.contains(&c) => return Err(format!("`{c}` stands for nothing here")),
            Some(c) => single(c, c),
            None => return Err("it ends too early".to_owned()),
        };
        Ok(Node::Set(set))
    }

    fn quantified(&mut self, atom: Node) -> Result<Node, String> {
        let (least, most) = match self.peek() {
            Some('?') => (0, Some(1)),
            Some('*') => (0, None),
            Some('+') => (1, None),
            Some('{') => {
                self.next();
                let (inside, after) =
                    self.rest.split_once('}').ok_or_else(|| "`{` without `}`".to_owned())?;
                self.rest = after;
                let number = |text: &str| {
                    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
                    let value = text.parse().ok().filter(|n| digits && *n <= MAX_PROGRAM);
                    value.ok_or_else(|| format!("`{{{inside}}}` is no number of times"))
                };
                let (least, most) = match inside.split_once(',') {
                    None => (number(inside)?, Some(number(inside)?)),
                    Some((least, "")) => (number(least)?, None),
                    Some((least, most)) => (number(least)?, Some(number(most)?)),
                };
                if most.is_some_and(|most| most < least) {
                    return Err(format!("`{{{inside}}}` is no number of times"));
                }
                return self.once(Node::Repeat(Box::new(atom), least, most));
            }
            _ => return Ok(atom),
        };
        self.next();
        self.once(Node::Repeat(Box::new(atom), least, most))
    }

    /// A second quantifier means something else in other tools, and nothing
    /// here.
    fn once(&self, node: Node) -> Result<Node, String> {
        match self.peek() {
            Some(c @ ('?' | '*' | '+' | '{')) => Err(format!("`{c}` behind a quantifier")),
            _ => Ok(node),
        }
    }

    /// What follows a `\`.
    fn escape(&mut self) -> Result<Set, String> {
        let c = self.next().ok_or_else(|| "it ends with `\\`".to_owned())?;
        let set = match c {
            'n' => single('\n', '\n'),
            'r' => single('\r', '\r'),
            't' => single('\t', '\t'),
            'd' => Set::new(ZEROS.iter().map(|zero| (*zero, zero + 9)).collect()),
            'p' | 'P' => {
                let name = self.rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
                let (set, after) = match name {
                    Some(("Z", after)) => (Set::new(SEPARATORS.to_vec()), after),
                    Some(("IsBasicLatin", after)) => (Set::new(vec![(0, 0x7f)]), after),
                    _ => return Err(unknown(&format!("\\{c}{}", self.rest))),
                };
                self.rest = after;
                if c == 'P' { set.negated() } else { set }
            }
            c if META.contains(&c) || matches!(c, '-' | '^') => single(c, c),
            c => return Err(unknown(&format!("\\{c}"))),
        };
        Ok(set)
    }

    /// What follows a `[`.
    fn class(&mut self) -> Result<Set, String> {
        let negated = self.take('^');
        let mut ranges = Vec::new();
        loop {
            let first = match self.next() {
                None => return Err("`[` without `]`".to_owned()),
                Some(']') if ranges.is_empty() => return Err("`[]` holds nothing".to_owned()),
                Some(']') => break,
                Some('[') => return Err(unknown("[ inside [ ]")),
                Some('\\') => {
                    let set = self.escape()?;
                    match set.ranges[..] {
                        [(one, same)] if one == same => one,
                        _ => {
                            ranges.extend(set.ranges);
                            if self.peek() == Some('-') && !self.rest.starts_with("-]") {
                                return Err("`-` behind a class".to_owned());
                            }
                            continue;
                        }
                    }
                }
                // XML Schema takes a `-` as itself at either end alone, and
                // has class subtraction behind one.
                Some('-') if !ranges.is_empty() && self.peek() != Some(']') => {
                    return Err(unknown("- inside [ ]"));
                }
                Some(c) => u32::from(c),
            };
            let last = if self.peek() == Some('-') && !self.rest.starts_with("-]") {
                self.next();
                match self.next() {
                    Some('\\') => match self.escape()?.ranges[..] {
                        [(one, same)] if one == same => one,
                        _ => return Err("a range that ends in a class".to_owned()),
                    },
                    Some(c) if !matches!(c, '[' | ']') => u32::from(c),
                    _ => return Err(unknown("class subtraction")),
                }
            } else {
                first
            };
            if last < first {
                return Err("a range that ends before it starts".to_owned());
            }
            ranges.push((first, last));
        }
        let set = Set::new(ranges);
        Ok(if negated { set.negated() } else { set })
    }
}

fn single(a: char, b: char) -> Set {
    Set::new(vec![(u32::from(a), u32::from(a)), (u32::from(b), u32::from(b))])
}

fn unknown(what: &str) -> String {
    format!("`{}` is not known to this validator", what.chars().take(20).collect::<String>())
}
