//! Files that are cut off, or not what was written: the rest goes on.

use super::*;

/// Three records in one file, closed as the process would.
async fn three_records() -> (tempfile::TempDir, PathBuf, Vec<u8>) {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for name in 1..=3 {
        append(&journal, name, &[0], 70).await.unwrap();
    }
    journal.close().await;
    drop(journal);
    let file = files(folder.path()).remove(0);
    let bytes = std::fs::read(&file).unwrap();
    (folder, file, bytes)
}

/// Opens a directory that holds just these bytes; gives what is read and what is told to be damaged.
async fn reopen(file: &Path, bytes: &[u8]) -> (Vec<u32>, Recovered) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(file.file_name().unwrap()), bytes).unwrap();
    let (journal, recovered) = open(folder.path());
    let found = names(&journal, 0).await;
    // Whatever was there, it goes on.
    append(&journal, 9, &[0], 70).await.unwrap();
    assert_eq!(names(&journal, 0).await, [9]);
    (found, recovered)
}

/// Check 108: a torn last record is cut, those before it are there.
#[tokio::test]
async fn a_file_cut_at_any_byte_gives_the_records_in_front_of_the_cut() {
    let (_folder, file, bytes) = three_records().await;
    let mut last = 0;
    for length in 0..=bytes.len() {
        let (found, recovered) = reopen(&file, &bytes[..length]).await;
        assert!(found.len() >= last && found.len() <= last + 1, "{length}: {found:?}");
        assert_eq!(found, (1..=found.len() as u32).collect::<Vec<_>>(), "{length}");
        assert_eq!(recovered.damaged, [] as [String; 0], "a cut is no damage: {length}");
        last = found.len();
    }
    assert_eq!(last, 3);
}

/// Check 109: what is damaged in the middle is put aside and told, the rest goes on.
#[tokio::test]
async fn any_flipped_byte_costs_one_record_at_most_and_is_told() {
    let (_folder, file, bytes) = three_records().await;
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x41;
        let (found, recovered) = reopen(&file, &flipped).await;
        assert!(found.len() >= 2 && found.is_sorted(), "{at}: {found:?}");
        // A byte that only fills up is nobody's loss; the frame that marks the end is followed by nothing that tells of it.
        let is_told = !recovered.damaged.is_empty() || recovered.torn > 0;
        assert!(found.len() == 3 || is_told, "{at}: {found:?} {recovered:?}");
    }
}

#[tokio::test]
async fn a_damaged_stretch_is_kept_aside_and_does_not_stop_the_records_behind_it() {
    let (folder, file, mut bytes) = three_records().await;
    let second = bytes.windows(5).position(|window| window == [1, 2, 0, 0, 0]).expect("the second body");
    bytes[second..second + 40].fill(0);
    std::fs::write(&file, &bytes).unwrap();
    let (journal, recovered) = open(folder.path());
    assert_eq!(names(&journal, 0).await, [1, 3]);
    assert_eq!((recovered.damaged.len(), journal.usage().damaged_stretches), (1, 1));
    let kept = std::fs::read_dir(folder.path().join("quarantine")).unwrap().next().unwrap().unwrap();
    assert!(std::fs::read(kept.path()).unwrap().windows(40).any(|window| window == [0; 40]));
    assert!(recovered.damaged[0].contains("quarantine"), "{}", recovered.damaged[0]);
}

/// Damage behind the index's back: found when the record is read, booked, and the next one goes on.
#[tokio::test]
async fn a_record_that_cannot_be_read_any_more_is_settled_and_its_weight_told() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for name in 1..=3 {
        append(&journal, name, &[0], 70).await.unwrap();
    }
    drop(journal);
    let (journal, _) = open(folder.path());
    let file = files(folder.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    let second = bytes.windows(5).position(|window| window == [1, 2, 0, 0, 0]).expect("the second body");
    bytes[second] = 0xff;
    std::fs::write(&file, &bytes).unwrap();
    let read = journal.read(0, usize::MAX).await;
    assert_eq!(read.entries.iter().map(|entry| name_of(&entry.batch)).collect::<Vec<_>>(), [1, 3]);
    assert_eq!((read.damaged_weight, journal.usage().records), (1, 2));
}

/// A start that reads files written by somebody else, or by nobody.
#[tokio::test]
async fn garbage_files_are_no_records_and_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    for (base, bytes) in
        [(5u64, vec![]), (7, vec![0; 100_000]), (9, b"TGJOURNL".repeat(9)), (11, b"TGF\x01".repeat(10_000))]
    {
        std::fs::write(folder.path().join(format!("{base:020}.journal")), bytes).unwrap();
    }
    std::fs::write(folder.path().join("notes.txt"), "mine").unwrap();
    let (journal, recovered) = open(folder.path());
    assert_eq!(recovered.records, 0);
    append(&journal, 1, &[0], 100).await.unwrap();
    assert_eq!(names(&journal, 0).await, [1]);
    assert!(folder.path().join("notes.txt").exists());
}
