//! From the text of gateway.yaml to a value of any `Deserialize` type, with all problems of the file at once.
//!
//! serde stops at the first error. Here an error is noted with its place, the value it is about is taken out of the
//! tree as if it had not been written, and reading starts again, until nothing fails or nothing is left:
//!
//! ```text
//!   text ─▶ tree ─▶ variables ─▶ read ──ok──▶ value
//!                                 ▲  └─fault─▶ note it, prune its node ─┐
//!                                 └─────────────────────────────────────┘
//! ```
//!
//! A fault that only follows from another (`missing key` where the key is there and wrong) is not noted. Unknown keys
//! never reach the type: the reader knows the fields of a struct and notes the others itself. The types are ordinary:
//! `#[derive(Deserialize)] #[serde(deny_unknown_fields, default)]`, hand-written visitors (see
//! [`Fault`]), [`Located`](crate::stdx::located::Located) where the place is wanted later.
//! Not `flatten`, `untagged` or internal tags: serde reads those through a copy that knows neither places nor fields.
//!
//! | YAML | reads as |
//! |---|---|
//! | plain `true`, `5`, `0x1f`, `1.5` | boolean, number; as text (`0123`, `1.10`, `yes` unchanged) where a `String` is wanted |
//! | quoted or block text | text only |
//! | text from a variable | text; number or boolean where one is wanted; `None` for an `Option` when empty and plain |
//! | nothing, `~`, `null` | `None`, the unit, a struct or map without entries |
//! | `name` or `name: content` | a variant of an enum |

mod collections;
mod describe;
mod error;
mod index;
mod name_reader;
mod node_reader;
mod session;
mod stand_in;
#[cfg(test)]
mod tests;

use serde::de::DeserializeOwned;

use crate::config::interpolate::{Environment, interpolate};
use crate::config::problem::page::Page;
use crate::config::problem::{Kind, Path, Problem, Problems};
use crate::config::read::index::Index;
use crate::config::read::session::Session;
use crate::config::yaml::{Node, Source, parse};
use crate::stdx::fault::Fault;

/// Says of the tree and a path in it whether an unset variable there may pass; the value then counts as not written.
pub type Tolerates<'t> = &'t dyn Fn(&Node, &Path) -> bool;

/// What a file gave: as much of the value as could be made, and all that is wrong.
pub struct Reading<T> {
    /// `None` when nothing could be made. Beside problems a value may lack what they are about.
    pub value: Option<T>,
    /// All that was written, variables replaced; `None` when the text is no YAML.
    pub tree: Option<Node>,
    pub problems: Problems,
    /// Unset variables that were let pass.
    pub tolerated: Vec<Problem>,
    index: Index,
}

/// Reads a value from a file.
///
/// Without a predicate of its own a caller passes `&|_, _| false` for `tolerates`.
pub fn read<T: DeserializeOwned>(source: Source, environment: Environment<'_>, tolerates: Tolerates<'_>) -> Reading<T> {
    let parsed = parse(&source.text);
    let mut problems = Problems::new(Page::new(source.name, source.text));
    for problem in parsed.problems {
        problems.push(problem);
    }
    let Some(mut tree) = parsed.root else {
        return Reading { value: None, tree: None, problems, tolerated: Vec::new(), index: Index::default() };
    };
    let unresolved = interpolate(&mut tree, environment);
    let index = Index::new(&tree);
    let page = problems.page_mut();
    page.understand(parsed.scalars);
    parsed.left_out.iter().for_each(|span| page.hide(span));
    index.hide_secrets(&tree, page);

    let mut session = Session::new(&index, problems);
    for unresolved in unresolved {
        let path = index.path(unresolved.node);
        let may_pass = matches!(unresolved.kind, Kind::UnsetVariable { .. }) && tolerates(&tree, &path);
        session.unresolved(unresolved, path, may_pass);
    }
    let value = session.read(&tree);
    let (problems, tolerated) = session.finish();
    Reading { value, tree: Some(tree), problems, tolerated, index }
}

impl<T> Reading<T> {
    /// Notes what a check after reading found; path, source line and cover are added here.
    pub fn complain(&mut self, fault: &Fault) {
        let tree = self.tree.as_ref();
        let node = self.index.at_place(0..self.index.len(), fault.place, |_| true);
        let cover = |text: &str| match (tree, node) {
            (Some(tree), Some(node)) => self.index.cover(tree, node, text),
            _ => text.to_owned(),
        };
        let problem = Problem {
            place: fault.place,
            path: node.map(|node| self.index.path(node)).unwrap_or_default(),
            message: cover(&fault.message),
            hint: fault.hint.as_deref().map(cover),
            kind: Kind::Rule,
        };
        self.problems.push(problem);
    }

    /// Gives the value if nothing is wrong, and all problems otherwise.
    pub fn finish(self) -> Result<T, Problems> {
        match self.value {
            Some(value) if self.problems.is_empty() => Ok(value),
            _ => Err(self.problems),
        }
    }
}
