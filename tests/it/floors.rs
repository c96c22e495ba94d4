//! The floors of ARCHITECTURE.md: who may import whom.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Every folder of `src` with its floor. A folder imports lower floors, and on floor 0 the rows above its own.
const FLOORS: [(&str, u8); 14] = [
    ("stdx", 0),
    ("otlp", 0),
    ("stacktrace", 0),
    ("vitals", 0),
    ("router", 1),
    ("journal", 1),
    ("exporter", 1),
    ("delivery", 2),
    ("gateway", 3),
    ("receiver", 4),
    ("admin", 4),
    ("config", 5),
    ("cli", 6),
    ("main", 7),
];

fn source_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            source_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The folders that a text names behind `crate::` or `telemetry_gateway::`, in braces too.
fn imports(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let code: Vec<&str> = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
    let code = code.join("\n");
    for root in ["crate::", "telemetry_gateway::"] {
        for (at, _) in code.match_indices(root) {
            // `some_crate::x` is somebody else's, and a quoted path is a text.
            if code[..at].chars().next_back().is_some_and(|before| before.is_alphanumeric() || "_\"".contains(before)) {
                continue;
            }
            let rest = &code[at + root.len()..];
            let names: Vec<&str> = match rest.strip_prefix('{') {
                Some(group) => group[..group.find('}').unwrap()].split(',').map(str::trim).collect(),
                None => vec![rest],
            };
            for name in names {
                let end = name.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(name.len());
                found.insert(name[..end].to_owned());
            }
        }
    }
    found
}

fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    source_files(&src, &mut files);
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in files {
        let relative = file.strip_prefix(&src).unwrap();
        let folder = relative.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
        if folder != "lib" {
            let text = fs::read_to_string(&file).unwrap();
            graph
                .entry(folder.to_owned())
                .or_default()
                .extend(imports(&text).into_iter().filter(|name| name != folder));
        }
    }
    graph
}

#[test]
fn a_folder_imports_only_lower_floors() {
    let row = |name: &str| FLOORS.iter().position(|(folder, _)| *folder == name);
    let graph = graph();
    assert_eq!(graph.len(), FLOORS.len(), "every folder has its row: {:?}", graph.keys());
    for (folder, imported) in &graph {
        let own = row(folder).unwrap_or_else(|| panic!("{folder} has no floor"));
        for name in imported {
            let other = row(name).unwrap_or_else(|| panic!("{folder} imports {name}, which has no floor"));
            let (own_floor, other_floor) = (FLOORS[own].1, FLOORS[other].1);
            let allowed = other_floor < own_floor || own_floor == 0 && other_floor == 0 && other < own;
            assert!(allowed, "{folder} (floor {own_floor}) imports {name} (floor {other_floor})");
        }
    }
}

#[test]
fn no_folders_import_each_other_in_a_circle() {
    fn visit<'a>(graph: &'a BTreeMap<String, BTreeSet<String>>, at: &'a str, path: &mut Vec<&'a str>) {
        assert!(!path.contains(&at), "a circle: {path:?} → {at}");
        path.push(at);
        for next in graph.get(at).into_iter().flatten() {
            visit(graph, next, path);
        }
        path.pop();
    }
    let graph = graph();
    for folder in graph.keys() {
        visit(&graph, folder, &mut Vec::new());
    }
}

#[test]
fn imports_are_found_in_every_form() {
    let text = "use crate::otlp::Span;\nuse crate::{admin, receiver};\n// crate::router\nlet x = crate::stdx::f();\nuse my_crate::no;";
    let expected = ["admin", "otlp", "receiver", "stdx"].map(str::to_owned);
    assert_eq!(imports(text), BTreeSet::from(expected));
}
