//! Tells when `gateway.yaml` may have changed: written in place, replaced by a rename, or behind a symbolic link that was
//! turned elsewhere, as editors, Kubernetes and Docker do it.
//!
//! The folder is watched, not the file: a file that is replaced takes its watch with it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

/// A change is told when nothing has happened for so long: a file that is being written is not read half-way.
const QUIET: Duration = Duration::from_millis(150);

/// The link that Kubernetes turns when a mounted configuration changes.
const KUBERNETES_LINK: &str = "..data";

/// Watches one file.
pub struct Watch {
    changed: Arc<Notify>,
    _watcher: RecommendedWatcher,
}

impl Watch {
    pub fn new(path: &Path) -> notify::Result<Self> {
        let changed = Arc::new(Notify::new());
        let (folders, names) = places(path);
        let told = Arc::clone(&changed);
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may have swallowed an event: looking once more costs little.
            if event.map_or(true, |event| concerns(&event, &names)) {
                told.notify_one();
            }
        })?;
        for folder in folders {
            watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        Ok(Watch { changed, _watcher: watcher })
    }

    /// Resolves when the file may have changed and has been quiet since.
    pub async fn changed(&self) {
        self.changed.notified().await;
        while tokio::time::timeout(QUIET, self.changed.notified()).await.is_ok() {}
    }
}

/// The folders to watch for a file, and the names that matter in them: its own, and those of what it links to.
fn places(path: &Path) -> (BTreeSet<PathBuf>, BTreeSet<OsString>) {
    let mut folders = BTreeSet::new();
    let mut names = BTreeSet::from([OsString::from(KUBERNETES_LINK)]);
    let mut next = Some(path.to_owned());
    // As many links as the system itself follows.
    for _ in 0..40 {
        let Some(path) = next.take() else { break };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        folders.insert(folder.to_owned());
        names.extend(path.file_name().map(OsString::from));
        next = std::fs::read_link(&path).ok().map(|target| folder.join(target));
    }
    (folders, names)
}

fn concerns(event: &notify::Event, names: &BTreeSet<OsString>) -> bool {
    let is_change = match event.kind {
        EventKind::Access(kind) => kind == AccessKind::Close(AccessMode::Write),
        _ => true,
    };
    is_change && event.paths.iter().any(|path| path.file_name().is_some_and(|name| names.contains(name)))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    async fn is_told(watch: &Watch) -> bool {
        tokio::time::timeout(Duration::from_secs(10), watch.changed()).await.is_ok()
    }

    #[tokio::test]
    async fn every_way_of_changing_a_file_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        fs::write(&path, "a").unwrap();
        let watch = Watch::new(&path).unwrap();
        fs::write(&path, "b").unwrap();
        assert!(is_told(&watch).await, "written in place");
        let other = folder.path().join("other");
        fs::write(&other, "c").unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(is_told(&watch).await, "replaced");
        fs::write(&path, "d").unwrap();
        assert!(is_told(&watch).await, "written after it was replaced");
    }

    #[tokio::test]
    async fn a_link_that_is_turned_is_told_and_so_is_a_file_behind_links() {
        let folder = tempfile::tempdir().unwrap();
        for (version, text) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(folder.path().join(version)).unwrap();
            fs::write(folder.path().join(version).join("gateway.yaml"), text).unwrap();
        }
        symlink("..1", folder.path().join("..data")).unwrap();
        symlink("..data/gateway.yaml", folder.path().join("gateway.yaml")).unwrap();
        let watch = Watch::new(&folder.path().join("gateway.yaml")).unwrap();
        symlink("..2", folder.path().join("..data_tmp")).unwrap();
        fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();
        assert!(is_told(&watch).await, "as Kubernetes does it");
    }

    #[tokio::test]
    async fn other_files_of_the_folder_and_reading_are_not_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gateway.yaml");
        fs::write(&path, "a").unwrap();
        let watch = Watch::new(&path).unwrap();
        fs::write(folder.path().join("telemetry.jsonl"), "a line").unwrap();
        fs::read(&path).unwrap();
        let told = tokio::time::timeout(Duration::from_millis(500), watch.changed()).await;
        assert!(told.is_err());
    }
}
