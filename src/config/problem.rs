//! [`Problem`]: one thing that is wrong in gateway.yaml, and how a person and a log get to see it.
//!
//! ```text
//! gateway.yaml:14:21: exporter `rolbar` is not defined
//!   14 |     to: [honeycomb, rolbar]
//!      |                     ^ routes[1].to[1]
//! hint: did you mean `rollbar`?
//! ```
//!
//! The promise: no secret is printed. A message is cleaned where it is made, a source line when it is shown (`page.rs`).

pub(in crate::config) mod page;
pub(in crate::config) mod sensitive;
#[cfg(test)]
mod tests;

use std::fmt;
use std::string::FromUtf8Error;

use crate::config::problem::page::Page;
use crate::config::problem::sensitive::{is_headers, is_secret_name, looks_secret, quoted};
use crate::stdx::located::Place;
use crate::stdx::secret::MASK;

/// More problems than a person mends in one go; also bounds how often a broken file is read.
pub const PROBLEMS_MAX: usize = 100;

/// What sort of mistake a problem is, for code that treats some of them otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The text is no YAML, or YAML of a form that is not taken (several documents, tags).
    Syntax,
    /// The file is larger, deeper or more branched than is taken.
    Limit,
    /// A mapping has one key twice.
    DuplicateKey,
    /// A `${…}` that is not well formed.
    Reference,
    /// A variable without default that is not set, or is set but empty.
    UnsetVariable { variable: String },
    /// A key that its section does not know.
    UnknownKey,
    /// A key that its section needs.
    MissingKey,
    /// A value of the wrong type or form.
    Value,
    /// What was read makes no sense as a whole; found by a check after reading.
    Rule,
}

/// One step from a mapping or list to what it contains.
#[derive(Clone, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// The way from the root of the file to a value. Displays as `routes[1].to[0]`, a key that looks secret as `***`.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Path(pub Vec<Step>);

impl Path {
    /// Gives the key at a depth (0 is the top level); `None` where the path is shorter or has an index there.
    pub fn key(&self, depth: usize) -> Option<&str> {
        match self.0.get(depth)? {
            Step::Key(key) => Some(key),
            Step::Index(_) => None,
        }
    }
}

impl Path {
    /// Gives the key at the end of the path in backticks, as a message may repeat it.
    pub(in crate::config) fn quoted_key(&self) -> String {
        match self.0.last() {
            Some(Step::Key(_)) if self.ends_in_secret_key() => format!("`{MASK}`"),
            Some(Step::Key(key)) => quoted(key),
            _ => String::from("``"),
        }
    }

    /// Says whether the key at the end of the path is itself secret, standing where a text was expected.
    pub(in crate::config) fn ends_in_secret_key(&self) -> bool {
        let above = self.0.split_last().map_or(&[][..], |(_, above)| above);
        above.iter().any(|step| matches!(step, Step::Key(name) if holds_secret_keys(name)))
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut secret = false;
        for (depth, step) in self.0.iter().enumerate() {
            match step {
                Step::Index(index) => write!(formatter, "[{index}]")?,
                Step::Key(key) => {
                    let dot = if depth == 0 { "" } else { "." };
                    if secret || looks_secret(key) {
                        write!(formatter, "{dot}{MASK}")?;
                    } else if key.is_empty() || key.contains(['.', '[', ' ']) {
                        write!(formatter, "{dot}\"{}\"", key.escape_debug())?;
                    } else {
                        write!(formatter, "{dot}{}", key.escape_debug())?;
                    }
                    secret |= holds_secret_keys(key);
                }
            }
        }
        Ok(())
    }
}

/// Says whether even the keys below this one are secret: where a text was expected, but not among headers.
fn holds_secret_keys(name: &str) -> bool {
    is_secret_name(name) && !is_headers(name)
}

/// One thing that is wrong, where, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where; 0:0 when it has no place in the file.
    pub place: Place,
    /// The way to the value, or to the key that is missing; empty for the file as a whole.
    pub path: Path,
    /// What is wrong: lowercase, no full stop, no secret.
    pub message: String,
    pub hint: Option<String>,
    pub kind: Kind,
}

impl Problem {
    /// Gives the problem as one line for a log: `gateway.yaml:14:21: routes[1].to[1]: exporter …; did you mean …?`
    pub fn line(&self, file: &str) -> String {
        use fmt::Write as _;
        let mut line = String::from(file);
        // Writing to a String cannot fail.
        if self.place != Place::NONE {
            let _ = write!(line, ":{}", self.place);
        }
        line.push_str(": ");
        if !self.path.0.is_empty() {
            let _ = write!(line, "{}: ", self.path);
        }
        line.push_str(&self.message);
        if let Some(hint) = &self.hint {
            let _ = write!(line, "; {hint}");
        }
        line.replace('\n', " ")
    }
}

/// All problems of one file, in the order of their places. Displays for a person, with source lines.
#[derive(Clone, Debug)]
pub struct Problems {
    page: Box<Page>,
    list: Vec<Problem>,
    dropped: usize,
}

impl Problems {
    pub(in crate::config) fn new(page: Page) -> Self {
        Self { page: Box::new(page), list: Vec::new(), dropped: 0 }
    }

    /// The one problem of a file that is no UTF-8.
    pub(in crate::config) fn not_utf8(name: String, error: FromUtf8Error) -> Self {
        let valid = error.utf8_error().valid_up_to();
        let bytes = error.into_bytes();
        let before = String::from_utf8_lossy(&bytes[..valid]);
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let place =
            Place { line: before.matches('\n').count() as u32 + 1, column: before[start..].chars().count() as u32 + 1 };
        let hint = match bytes[..] {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "it is UTF-16: save it as UTF-8",
            _ => "save it as UTF-8",
        };
        let mut problems = Self::new(Page::new(name, String::from_utf8_lossy(&bytes).into_owned()));
        problems.push(Problem {
            place,
            path: Path::default(),
            message: "the file is not UTF-8 here".to_owned(),
            hint: Some(hint.to_owned()),
            kind: Kind::Syntax,
        });
        problems
    }

    /// Adds a problem, unless the same is known already or there are [`PROBLEMS_MAX`].
    pub(in crate::config) fn push(&mut self, problem: Problem) {
        let same = |known: &Problem| known.place == problem.place && known.message == problem.message;
        if self.list.iter().any(same) {
            return;
        }
        if self.list.len() == PROBLEMS_MAX {
            self.dropped += 1;
            return;
        }
        let at = self.list.partition_point(|known| known.place <= problem.place);
        self.list.insert(at, problem);
    }

    pub(in crate::config) fn page_mut(&mut self) -> &mut Page {
        &mut self.page
    }

    pub(in crate::config) fn is_full(&self) -> bool {
        self.list.len() == PROBLEMS_MAX
    }

    /// Says whether the file is in order.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Gives the number of problems, at most [`PROBLEMS_MAX`].
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// Walks over the problems from the top of the file to its end.
    pub fn iter(&self) -> std::slice::Iter<'_, Problem> {
        self.list.iter()
    }

    /// Gives each problem as one line for a log, without source lines.
    pub fn lines(&self) -> impl Iterator<Item = String> + '_ {
        self.list.iter().map(|problem| problem.line(self.page.file()))
    }
}

impl<'p> IntoIterator for &'p Problems {
    type Item = &'p Problem;
    type IntoIter = std::slice::Iter<'p, Problem>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            self.show(problem, formatter)?;
        }
        if self.dropped > 0 {
            write!(formatter, "\n… and more: only the first {PROBLEMS_MAX} problems are shown")?;
        }
        Ok(())
    }
}

impl Problems {
    fn show(&self, problem: &Problem, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = problem.place;
        if place == Place::NONE {
            write!(formatter, "{}: {}", self.page.file(), problem.message)?;
        } else {
            write!(formatter, "{}:{place}: {}", self.page.file(), problem.message)?;
        }
        if let Some(shown) = self.page.show(place) {
            let number = place.line.to_string();
            write!(formatter, "\n  {number} | {}", shown.text)?;
            let label = if problem.path.0.is_empty() { "^".to_owned() } else { format!("^ {}", problem.path) };
            let margin = " ".repeat(number.len());
            let indent = " ".repeat(shown.caret);
            write!(formatter, "\n  {margin} | {indent}{label}")?;
        }
        if let Some(hint) = &problem.hint {
            write!(formatter, "\nhint: {hint}")?;
        }
        Ok(())
    }
}
