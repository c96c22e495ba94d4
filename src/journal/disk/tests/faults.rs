//! A disk that fills up, tears writes, and fails to sync.

use std::fs::File;
use std::io::{self, IoSlice, Write};
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

use super::super::file::Disk;
use super::*;

/// Takes so many bytes, then is full; fails so many syncs.
#[derive(Debug)]
struct BadDisk {
    room: AtomicI64,
    failing_syncs: AtomicU32,
}

impl BadDisk {
    fn new() -> Arc<Self> {
        Arc::new(BadDisk { room: AtomicI64::new(i64::MAX), failing_syncs: AtomicU32::new(0) })
    }
}

impl Disk for BadDisk {
    fn write(&self, mut file: &File, slices: &[IoSlice<'_>]) -> io::Result<usize> {
        let room = self.room.load(Ordering::Relaxed);
        if room <= 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        // What still fits is written, and torn off there.
        let first = slices.iter().find(|slice| !slice.is_empty()).map_or(&[][..], |slice| slice);
        let written = file.write(&first[..first.len().min(room as usize)])?;
        self.room.fetch_sub(written as i64, Ordering::Relaxed);
        Ok(written)
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        let failing = self.failing_syncs.load(Ordering::Relaxed);
        if failing > 0 {
            self.failing_syncs.store(failing - 1, Ordering::Relaxed);
            return Err(io::Error::other("the cable is loose"));
        }
        file.sync_data()
    }
}

fn open_on(disk: &Arc<BadDisk>, folder: &Path) -> DiskJournal<u32> {
    let config = DiskConfig { safety: Safety::Disk, ..config(folder) };
    DiskJournal::open_on(Arc::clone(disk) as Arc<dyn Disk>, config, &NAMES, rules(0, &[])).unwrap().0
}

/// Check 107: a full disk refuses, says so, and loses nothing that was confirmed; when there is room it goes on by itself.
#[tokio::test]
async fn a_full_disk_refuses_at_any_byte_and_goes_on_when_there_is_room() {
    for room in (0..400).step_by(7) {
        let (folder, disk) = (tempfile::tempdir().unwrap(), BadDisk::new());
        let journal = open_on(&disk, folder.path());
        append(&journal, 1, &[0], 70).await.unwrap();
        disk.room.store(room, Ordering::Relaxed);
        let mut confirmed = vec![1];
        for name in 2..6 {
            match append(&journal, name, &[0], 70).await {
                Ok(_) => confirmed.push(name),
                Err(error) => assert_eq!(error, AppendError::Unwritable(io::ErrorKind::StorageFull)),
            }
        }
        assert_eq!(journal.usage().unwritable, Some(io::ErrorKind::StorageFull), "{room}");
        let after_kill = copy(folder.path());
        disk.room.store(i64::MAX, Ordering::Relaxed);
        append(&journal, 9, &[0], 70).await.unwrap();
        assert_eq!(journal.usage().unwritable, None);
        assert_eq!(names(&journal, 0).await, [&confirmed[..], &[9]].concat(), "{room}");
        drop(journal);
        let (journal, recovered) = open(folder.path());
        assert_eq!(recovered.damaged, [] as [String; 0], "{room}");
        let found = names(&journal, 0).await;
        assert!(confirmed.iter().chain(&[9]).all(|name| found.contains(name)), "{room}: {found:?}");
        let (journal, _) = open(after_kill.path());
        let found = names(&journal, 0).await;
        assert!(confirmed.iter().all(|name| found.contains(name)), "{room}: {found:?}");
    }
}

/// What was settled while nothing could be written is settled all the same after a restart.
#[tokio::test]
async fn what_is_settled_on_a_full_disk_does_not_come_again() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), BadDisk::new());
    let journal = open_on(&disk, folder.path());
    for name in 1..=3 {
        append(&journal, name, &[0], 70).await.unwrap();
    }
    let in_hand = read(&journal, 0).await;
    disk.room.store(0, Ordering::Relaxed);
    journal.settle(0, in_hand[1].1);
    append(&journal, 4, &[0], 70).await.unwrap_err();
    disk.room.store(i64::MAX, Ordering::Relaxed);
    append(&journal, 5, &[0], 70).await.unwrap();
    drop(journal);
    assert_eq!(names(&open(folder.path()).0, 0).await, [1, 3, 5]);
}

#[tokio::test]
async fn it_finds_out_by_itself_that_there_is_room_again() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), BadDisk::new());
    let journal = open_on(&disk, folder.path());
    disk.room.store(0, Ordering::Relaxed);
    append(&journal, 1, &[0], 70).await.unwrap_err();
    disk.room.store(i64::MAX, Ordering::Relaxed);
    let writable = async {
        while journal.usage().unwritable.is_some() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), writable).await.expect("without a client's asking");
}

/// What a failed sync left on disk nobody knows: its records are refused, the file is given up, those before it are there.
#[tokio::test]
async fn a_failed_sync_confirms_nothing_and_the_next_file_goes_on() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), BadDisk::new());
    let journal = open_on(&disk, folder.path());
    append(&journal, 1, &[0], 70).await.unwrap();
    disk.failing_syncs.store(1, Ordering::Relaxed);
    assert!(matches!(append(&journal, 2, &[0], 70).await, Err(AppendError::Unwritable(_))));
    append(&journal, 3, &[0], 70).await.unwrap();
    assert_eq!(names(&journal, 0).await, [1, 3]);
    assert_eq!(files(folder.path()).len(), 2, "the failed file is written no more");
    drop(journal);
    let (journal, recovered) = open(folder.path());
    assert_eq!(recovered.damaged, [] as [String; 0]);
    let found = names(&journal, 0).await;
    assert!(found == [1, 3] || found == [1, 2, 3], "{found:?}");
}

/// A disk that says it has synced and has not: what is missing is told, and what is there goes on.
#[tokio::test]
async fn a_disk_that_lied_on_sync_costs_what_it_lost_and_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(DiskConfig { safety: Safety::Disk, ..config(folder.path()) }, &NAMES, 0);
    for name in 1..=5 {
        append(&journal, name, &[0], 5000).await.unwrap();
    }
    drop(journal);
    let file = files(folder.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    // One page in the middle never came to the platter.
    bytes[8192..12_288].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    let (journal, recovered) = open(folder.path());
    let found = names(&journal, 0).await;
    assert!(found.len() >= 3 && found.contains(&5), "{found:?}");
    assert!(!recovered.damaged.is_empty());
}
