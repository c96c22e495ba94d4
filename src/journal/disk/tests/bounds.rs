//! The bound in bytes, and what happens at it.

use super::*;

fn small(folder: &Path) -> DiskConfig {
    DiskConfig { bytes_max: 4 << 20, ..config(folder) }
}

/// Checks 110 and 111: one consumer that is away loses its oldest, counted; the other has everything.
#[tokio::test]
async fn at_the_bound_the_oldest_of_who_lags_goes_and_nobody_else_notices() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(small(folder.path()), &NAMES, 0);
    let (mut lost, mut delivered) = (Vec::new(), Vec::new());
    for name in 0..2000u32 {
        let evicted = append(&journal, name, &[0, 1], 5000).await.expect("no client is refused");
        assert!(evicted.iter().all(|evicted| evicted.consumer == 0), "{evicted:?}");
        lost.extend(evicted);
        for (name, position) in read(&journal, 1).await {
            delivered.push(name);
            journal.settle(1, position);
        }
        assert!(journal.usage().bytes <= journal.usage().bytes_max);
    }
    assert_eq!(delivered, (0..2000).collect::<Vec<_>>());
    assert_eq!(lost.iter().map(|evicted| evicted.weight as usize).sum::<usize>(), lost.len());
    let left = 2000 - lost.len() as u32;
    assert_eq!(journal.backlog(0).records as u32, left);
    assert!(journal.usage().file_bytes <= (4 << 20) + (256 << 10), "{:?}", journal.usage());
    drop(journal);
    let on_disk: u64 =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= (4 << 20) + (512 << 10), "{on_disk}");
    // What went does not come again, and what was kept does.
    let (journal, _) = open_as(small(folder.path()), &NAMES, 0);
    let mut found = Vec::new();
    while journal.backlog(0).records > 0 {
        for (name, position) in read(&journal, 0).await {
            found.push(name);
            journal.settle(0, position);
        }
    }
    assert_eq!(found, (2000 - left..2000).collect::<Vec<_>>());
}

#[tokio::test]
async fn where_it_is_told_to_a_full_journal_refuses_and_keeps_all() {
    let folder = tempfile::tempdir().unwrap();
    let refusing = DiskConfig { when_full: WhenFull::Refuse, ..small(folder.path()) };
    let (journal, _) = open_as(refusing, &NAMES, 0);
    let mut taken = 0;
    while append(&journal, taken, &[0], 5000).await.is_ok() {
        taken += 1;
    }
    assert!(matches!(append(&journal, 0, &[0], 5000).await, Err(AppendError::Full { .. })));
    assert_eq!(journal.backlog(0).records, taken as usize);
    let first = journal.read(0, 1).await.entries.remove(0);
    journal.settle(0, first.position);
    append(&journal, taken, &[0], 4000).await.expect("there is room again");
    let too_large = append(&journal, 0, &[0], 5 << 20).await;
    assert!(matches!(too_large, Err(AppendError::TooLarge { .. })), "{too_large:?}");
}

/// The file of an exporter that lags shrinks to what it needs before anything of its own goes.
#[tokio::test]
async fn of_what_is_kept_for_one_that_lags_only_what_it_needs_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(small(folder.path()), &NAMES, 0);
    let mut lost = 0;
    for name in 0..600u32 {
        // "a" needs a small part of each record, and is away.
        let needs = Needs::new([(0, 1), (1, 100)]);
        let whole = Batch { weight: 100, ..batch(name, &[0, 1], 20_000) };
        lost += journal.append(whole, needs, name).await.unwrap().len();
        for (_, position) in read(&journal, 1).await {
            journal.settle(1, position);
        }
    }
    assert_eq!(lost, 0, "12 MB of telemetry in a journal of 4 MB, of which 2 % are needed");
    assert!(journal.usage().file_bytes <= (4 << 20) + (256 << 10), "{:?}", journal.usage());
    drop(journal);
    let (journal, recovered) = open_as(small(folder.path()), &NAMES, 0);
    assert_eq!((recovered.records, recovered.damaged.len()), (600, 0));
    let mut next = 0;
    while journal.backlog(0).records > 0 {
        for entry in journal.read(0, 100_000).await.entries {
            assert_eq!((name_of(&entry.batch), entry.weight), (next, 1));
            journal.settle(0, entry.position);
            next += 1;
        }
    }
    assert_eq!(next, 600);
}

#[tokio::test]
async fn records_of_every_size_fit_whatever_the_size_of_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(DiskConfig { bytes_max: 64 << 20, ..config(folder.path()) }, &NAMES, 0);
    let sizes = [10, 5 << 20, 100, 9 << 20, 1 << 20, 10];
    for (name, bytes) in sizes.into_iter().enumerate() {
        append(&journal, name as u32, &[0, 1], bytes).await.unwrap();
    }
    assert_eq!(names(&journal, 0).await.len(), 1, "its share is small");
    drop(journal);
    let (journal, _) = open(folder.path());
    let mut found = Vec::new();
    while journal.backlog(1).records > 0 {
        for entry in journal.read(1, usize::MAX).await.entries {
            found.push((name_of(&entry.batch), entry.batch.body.len()));
            journal.settle(1, entry.position);
        }
    }
    assert_eq!(found, sizes.into_iter().enumerate().map(|(name, bytes)| (name as u32, bytes)).collect::<Vec<_>>());
}
