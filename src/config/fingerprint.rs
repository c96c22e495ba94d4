//! What a part of `gateway.yaml` comes to, in 32 bytes: equal only where nothing that matters has changed.
//!
//! Places and comments do not matter; variables count with their values, and a secret that is named by its file counts with
//! what is in the file.

use sha2::{Digest, Sha256};

use super::yaml::{Node, Value};
use crate::gateway::config::Fingerprint;

/// Of some parts together, each of which may be missing.
pub fn fingerprint<'n>(parts: impl IntoIterator<Item = Option<&'n Node>>) -> Fingerprint {
    let mut hasher = Sha256::new();
    for part in parts {
        match part {
            Some(node) => add(&mut hasher, "", node),
            None => hasher.update(b"-"),
        }
    }
    hasher.finalize().into()
}

/// Recursion is bounded by the depth of a tree.
fn add(hasher: &mut Sha256, key: &str, node: &Node) {
    match &node.value {
        Value::Null => hasher.update(b"~"),
        Value::Scalar(scalar) => {
            hasher.update(if scalar.is_open() { b"o" } else { b"q" });
            add_text(hasher, scalar.text.as_bytes());
            if key.ends_with("_file") {
                add_text(hasher, &std::fs::read(&scalar.text).unwrap_or_default());
            }
        }
        Value::Sequence(items) => {
            hasher.update(b"[");
            for item in items {
                add(hasher, key, item);
            }
            hasher.update(b"]");
        }
        Value::Mapping(entries) => {
            hasher.update(b"{");
            for (key, node) in entries {
                add_text(hasher, key.text.as_bytes());
                add(hasher, &key.text, node);
            }
            hasher.update(b"}");
        }
    }
}

/// With its length in front, so that neighbours cannot run into each other.
fn add_text(hasher: &mut Sha256, text: &[u8]) {
    hasher.update((text.len() as u64).to_le_bytes());
    hasher.update(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::yaml::parse;

    fn of(text: &str) -> Fingerprint {
        fingerprint([parse(text).root.as_ref()])
    }

    #[test]
    fn only_what_matters_changes_it() {
        assert_eq!(of("a: [1, 2] # here\n"), of("\n\n\"a\":\n  - 1\n  - 2\n"));
        for other in ["a: [1, 3]", "a: [12]", "b: [1, 2]", "a: [1, \"2\"]", "a: { 1: 2 }", "a: [1, 2]\nb:"] {
            assert_ne!(of("a: [1, 2]"), of(other), "{other}");
        }
    }

    #[test]
    fn a_secret_in_a_file_counts_with_its_contents() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text = format!("api_key_file: {}", file.path().display());
        let before = of(&text);
        std::fs::write(file.path(), "another").unwrap();
        assert_ne!(before, of(&text));
    }
}
