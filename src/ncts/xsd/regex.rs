//! The regular expressions of XML Schema, as far as HMRC's schemas use them.
//!
//! They are not those of other tools: always anchored, `^` and `$` are
//! ordinary characters, `.` leaves out both line ends, `\d` is every decimal
//! digit of Unicode. What is not understood here is an error, never a guess.
//!
//! An expression, read by `pattern`, becomes a small program over characters,
//! run on all its threads at once: time grows with text times program, never
//! faster, and there is nothing to compile. Source: XML Schema Part 2,
//! Appendix F.

use super::pattern::{self, Node, Set};

/// Most instructions of one expression: `.{1,512}` has about a thousand.
pub(super) const MAX_PROGRAM: usize = 20_000;

/// A compiled expression.
#[derive(Clone, Debug)]
pub(super) struct Regex {
    program: Vec<Step>,
    sets: Vec<Set>,
    start: usize,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// One character of a set, and where to go on.
    One(usize, usize),
    /// Either way.
    Fork(usize, usize),
    /// The end of the expression.
    End,
}

impl Regex {
    /// Reads an expression.
    ///
    /// # Errors
    /// What is wrong with it, or not known here.
    pub(super) fn new(pattern: &str) -> Result<Self, String> {
        let node = pattern::parse(pattern)?;
        if node.size() > MAX_PROGRAM {
            return Err(format!("it repeats more than {MAX_PROGRAM} characters"));
        }
        let mut regex = Self { program: vec![Step::End], sets: Vec::new(), start: 0 };
        regex.start = regex.emit(&node, 0);
        Ok(regex)
    }

    /// Steps of the program.
    pub(super) fn size(&self) -> usize {
        self.program.len()
    }

    fn push(&mut self, step: Step) -> usize {
        self.program.push(step);
        self.program.len() - 1
    }

    /// Writes `node` so that it goes on at `next`; returns where it starts.
    fn emit(&mut self, node: &Node, next: usize) -> usize {
        match node {
            Node::Set(set) => {
                let known = self.sets.iter().position(|one| one == set);
                let index = known.unwrap_or_else(|| {
                    self.sets.push(set.clone());
                    self.sets.len() - 1
                });
                self.push(Step::One(index, next))
            }
            Node::Sequence(nodes) => nodes.iter().rev().fold(next, |at, node| self.emit(node, at)),
            Node::Either(nodes) => {
                let starts: Vec<usize> = nodes.iter().map(|node| self.emit(node, next)).collect();
                starts.into_iter().reduce(|a, b| self.push(Step::Fork(a, b))).unwrap_or(next)
            }
            Node::Repeat(node, least, most) => {
                let mut at = next;
                match most {
                    Some(most) => {
                        for _ in *least..*most {
                            let once = self.emit(node, at);
                            at = self.push(Step::Fork(once, next));
                        }
                    }
                    None => {
                        at = self.push(Step::Fork(next, next));
                        let again = self.emit(node, at);
                        self.program[at] = Step::Fork(again, next);
                    }
                }
                (0..*least).fold(at, |at, _| self.emit(node, at))
            }
        }
    }

    /// Whether the whole of `text` is in the language.
    pub(super) fn matches(&self, text: &str) -> bool {
        let mut now = Threads::new(self.program.len());
        let mut then = Threads::new(self.program.len());
        self.follow(self.start, &mut now);
        for c in text.chars() {
            then.clear();
            for &at in &now.ones {
                if let Step::One(set, next) = self.program[at]
                    && self.sets[set].has(c)
                {
                    self.follow(next, &mut then);
                }
            }
            std::mem::swap(&mut now, &mut then);
            if now.ones.is_empty() && !now.ended {
                return false;
            }
        }
        now.ended
    }

    /// Adds the thread at `at`, through every fork.
    fn follow(&self, at: usize, threads: &mut Threads) {
        threads.stack.push(at);
        while let Some(at) = threads.stack.pop() {
            if std::mem::replace(&mut threads.seen[at], threads.round) == threads.round {
                continue;
            }
            match self.program[at] {
                Step::One(..) => threads.ones.push(at),
                Step::Fork(a, b) => threads.stack.extend([b, a]),
                Step::End => threads.ended = true,
            }
        }
    }
}

/// Where a program stands behind one character.
struct Threads {
    ones: Vec<usize>,
    ended: bool,
    stack: Vec<usize>,
    /// The round in which a step was last added.
    seen: Vec<u32>,
    round: u32,
}

impl Threads {
    fn new(steps: usize) -> Self {
        Self { ones: Vec::new(), ended: false, stack: Vec::new(), seen: vec![0; steps], round: 1 }
    }

    fn clear(&mut self) {
        self.ones.clear();
        self.ended = false;
        self.round += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_the_whole_text_as_xml_schema_says() {
        for (pattern, yes, no) in [
            (".{1,3}", &["a", "abc", "é€𝄞"][..], &["", "abcd", "a\nb", "\r"][..]),
            ("a|bc", &["a", "bc"], &["abc", "ac", ""]),
            ("(0|[1-9]\\d*)(\\.\\d+)?", &["0", "10.5", "1٣"], &["01", "1.", ".5"]),
            ("[+-]?1", &["1", "+1", "-1"], &["--1", ","]),
            ("[!-~][ -~]{1,15}[!-~]|[!-~]{1,2}", &["a", "ab", "a b"], &[" a", "a ", "aé"]),
            ("\\P{Z}(.*\\P{Z})?", &["a", "a b", "a\u{200b}"], &["", " a", "a\u{a0}", "\u{2028}"]),
            ("[^@]+@[^\\.]+\\..+", &["a@b.c", "a@b@c.d"], &["a@b", "@b.c", "a@.c"]),
            ("[A-Z]{2}[^\\n\\r]*", &["AB", "ABc d"], &["A", "AB\n"]),
            ("\\p{IsBasicLatin}+", &["a\u{7f}"], &["", "\u{80}"]),
            ("(a*)*b", &["b", "aaab"], &["a"]),
            ("^a$", &["^a$"], &["a"]),
            ("a{2}", &["aa"], &["a", "aaa"]),
            ("a{2,}", &["aa", "aaaa"], &["a"]),
            ("a{0,2}E", &["E", "aaE"], &["aaaE", "a"]),
            ("[a\\-c]", &["a", "-", "c"], &["b"]),
            ("[\\d\\.]", &["7", "."], &["a"]),
            ("", &[""], &["a"]),
            ("(|a)b", &["b", "ab"], &["aab"]),
        ] {
            let regex = Regex::new(pattern).unwrap();
            for text in yes {
                assert!(regex.matches(text), "{pattern} {text:?}");
            }
            for text in no {
                assert!(!regex.matches(text), "{pattern} {text:?}");
            }
        }
    }

    #[test]
    fn what_it_does_not_know_it_refuses() {
        let deep = "(".repeat(100_000);
        for pattern in [
            "\\w",
            "\\i\\c*",
            "\\s",
            "\\D",
            "\\p{L}",
            "\\p{Z",
            "\\u0041",
            "\\1",
            "[a-z-[aeiou]]",
            "[a-c-e]",
            "[\\d-z]",
            "[a",
            "[]",
            "[^]",
            "a{",
            "a{1",
            "a{2,1}",
            "a{x}",
            "a{,2}",
            "a**",
            "a+?",
            "(?:a)",
            "*a",
            "a)",
            "(a",
            "a}",
            "]",
            "\\",
            "[b-a]",
            "(a{1000}){1000}",
            "a{99999999999999999999}",
            &deep,
        ] {
            assert!(Regex::new(pattern).is_err(), "{pattern:.40}");
        }
    }

    #[test]
    fn hostile_expressions_take_no_longer_than_they_are() {
        let regex = Regex::new("(a|a)*(a*)*(a+)+b").unwrap();
        assert!(!regex.matches(&"a".repeat(20_000)));
    }
}
