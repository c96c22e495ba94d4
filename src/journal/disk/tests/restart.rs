//! Ends and starts: what comes again, what does not, and to whom.

use super::*;

#[tokio::test]
async fn an_unsettled_record_comes_again_after_restart_and_a_settled_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for name in 1..=4 {
        append(&journal, name, &[0, 1], 100).await.unwrap();
    }
    let read_by_a = read(&journal, 0).await;
    journal.settle(0, read_by_a[1].1);
    journal.settle(0, read_by_a[3].1);
    drop(journal);
    let (journal, recovered) = open(folder.path());
    assert_eq!((recovered.records, &recovered.waiting), (4, &[(0, 2), (1, 4), (2, 0)].into()));
    assert_eq!((names(&journal, 0).await, names(&journal, 1).await), (vec![1, 3], vec![1, 2, 3, 4]));
    append(&journal, 5, &[0], 100).await.unwrap();
    assert_eq!(names(&journal, 0).await, [5], "positions go on where they were");
}

/// Check 106 of the specification: what is confirmed is there after kill -9.
#[tokio::test]
async fn a_confirmed_record_is_there_after_kill_9() {
    for safety in [Safety::Disk, Safety::Process] {
        let folder = tempfile::tempdir().unwrap();
        let (journal, _) = open_as(DiskConfig { safety, ..config(folder.path()) }, &NAMES, 0);
        for name in 1..=50 {
            append(&journal, name, &[0], 1000).await.unwrap();
            if name % 10 == 0 {
                let copied = copy(folder.path());
                let (after_kill, _) = open(copied.path());
                assert_eq!(names(&after_kill, 0).await, (1..=name).collect::<Vec<_>>());
            }
        }
    }
}

#[tokio::test]
async fn cursors_survive_many_files_and_many_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let small = DiskConfig { bytes_max: 4 << 20, memory_bytes_max: 64 << 20, ..config(folder.path()) };
    let (mut name, mut expected) = (0, Vec::new());
    for round in 0..6 {
        let (journal, recovered) = open_as(small.clone(), &NAMES, 0);
        assert_eq!(recovered.records, expected.len(), "round {round}");
        let unread = read(&journal, 0).await;
        assert_eq!(unread.iter().map(|(name, _)| *name).collect::<Vec<_>>(), expected, "round {round}");
        // Every third is settled, the others are read and left.
        for (_, position) in unread.iter().step_by(3) {
            journal.settle(0, *position);
        }
        expected = expected.iter().enumerate().filter(|(at, _)| at % 3 != 0).map(|(_, name)| *name).collect();
        for _ in 0..100 {
            name += 1;
            append(&journal, name, &[0], 5000).await.unwrap();
            expected.push(name);
        }
    }
}

#[tokio::test]
async fn a_file_goes_when_all_in_it_is_settled_and_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let small = DiskConfig { bytes_max: 4 << 20, safety: Safety::Disk, ..config(folder.path()) };
    let (journal, _) = open_as(small, &NAMES, 0);
    for name in 0..2000 {
        append(&journal, name, &[0], 5000).await.unwrap();
        for (read_name, position) in read(&journal, 0).await {
            assert_eq!(read_name, name);
            journal.settle(0, position);
        }
    }
    drop(journal);
    assert!(files(folder.path()).len() <= 2, "{:?}", files(folder.path()));
    // Whatever older files left behind the end, nothing of it comes back.
    let (journal, recovered) = open(folder.path());
    assert_eq!((recovered.records, recovered.damaged.len()), (0, 0));
    assert_eq!(names(&journal, 0).await, [0u32; 0]);
}

#[tokio::test]
async fn who_has_caught_up_reads_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for name in 1..=3 {
        append(&journal, name, &[0], 1000).await.unwrap();
    }
    for file in files(folder.path()) {
        std::fs::write(file, "nothing").unwrap();
    }
    assert_eq!(names(&journal, 0).await, [1, 2, 3]);
}

#[tokio::test]
async fn who_lags_reads_the_files_and_memory_stays_within_its_bound() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(DiskConfig { memory_bytes_max: 1 << 20, ..config(folder.path()) }, &NAMES, 0);
    for name in 0..2000 {
        append(&journal, name, &[0], 5000).await.unwrap();
    }
    let mut next = 0;
    while next < 2000 {
        let read = journal.read(0, 300_000).await;
        let bytes: usize = read.entries.iter().map(|entry| entry.batch.body.len()).sum();
        assert!(bytes <= 512 * 1024, "half of the memory by one consumer: {bytes}");
        for entry in read.entries {
            assert_eq!((name_of(&entry.batch), entry.batch.body.len(), entry.weight), (next, 5000, 1));
            next += 1;
            journal.settle(0, entry.position);
        }
    }
}

#[tokio::test]
async fn a_new_consumer_starts_now_or_at_the_oldest_and_one_that_is_gone_frees_what_it_held() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(config(folder.path()), &NAMES[..2], 0);
    append(&journal, 1, &[0], 100).await.unwrap();
    append(&journal, 2, &[0, 1], 100).await.unwrap();
    drop(journal);
    // Without "a", which had both; "c" is new.
    let copied = copy(folder.path());
    let (journal, recovered) = open_as(config(copied.path()), &NAMES[1..], 1);
    assert_eq!(
        recovered.retired.iter().map(|(name, retired)| (name.as_str(), retired.weight)).collect::<Vec<_>>(),
        [("a", 2)]
    );
    assert_eq!((names(&journal, 1).await, names(&journal, 2).await), (vec![2], vec![]));
    drop(journal);
    let oldest = DiskConfig { newcomers: Newcomers::Oldest, ..config(folder.path()) };
    let (journal, _) = DiskJournal::<u32>::open(oldest, &NAMES, rules(1, &[2])).unwrap();
    assert_eq!((names(&journal, 0).await, names(&journal, 2).await), (vec![1, 2], vec![1, 2]));
}

/// Acknowledged telemetry that waits for somebody goes where the rules in force say, but nobody gets it twice.
#[tokio::test]
async fn after_a_restart_the_rules_in_force_decide_about_what_waits() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    append(&journal, 1, &[0, 1], 100).await.unwrap();
    append(&journal, 2, &[0, 1], 100).await.unwrap();
    append(&journal, 3, &[1], 100).await.unwrap();
    // The first is delivered by "a" already, the second by both.
    for consumer in [0, 1] {
        for (name, position) in read(&journal, consumer).await {
            if name == 2 || (name, consumer) == (1, 0) {
                journal.settle(consumer, position);
            }
        }
    }
    drop(journal);
    let (journal, recovered) = DiskJournal::<u32>::open(config(folder.path()), &NAMES, rules(9, &[2])).unwrap();
    assert!(recovered.rerouted);
    assert_eq!(names(&journal, 0).await, [0u32; 0]);
    assert_eq!((names(&journal, 1).await, names(&journal, 2).await), (vec![1, 3], vec![1, 3]));
}

#[tokio::test]
async fn numbers_may_change_as_long_as_names_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    append(&journal, 1, &[0], 100).await.unwrap();
    append(&journal, 2, &[2], 100).await.unwrap();
    drop(journal);
    let (journal, _) = open_as(config(folder.path()), &[(0, "c"), (1, "b"), (2, "a")], 0);
    assert_eq!((names(&journal, 0).await, names(&journal, 2).await), (vec![2], vec![1]));
}

#[tokio::test]
async fn a_consumer_that_comes_while_it_runs_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open_as(config(folder.path()), &NAMES[..1], 0);
    append(&journal, 1, &[0, 1], 100).await.unwrap();
    journal.admit(1, "b");
    append(&journal, 2, &[0, 1], 100).await.unwrap();
    assert_eq!(journal.retire(0).weight, 2);
    append(&journal, 3, &[0, 1], 100).await.unwrap();
    drop(journal);
    let (journal, recovered) = open_as(config(folder.path()), &NAMES[..2], 0);
    assert_eq!(recovered.retired, []);
    assert_eq!((names(&journal, 0).await, names(&journal, 1).await), (vec![], vec![2, 3]));
}

#[tokio::test]
async fn what_was_read_and_not_settled_is_read_again_after_rewind() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    for name in 1..=3 {
        append(&journal, name, &[0], 100).await.unwrap();
    }
    let first = read(&journal, 0).await;
    journal.settle(0, first[1].1);
    journal.rewind(0);
    assert_eq!(names(&journal, 0).await, [1, 3]);
}

#[tokio::test]
async fn what_of_a_record_was_done_with_comes_back_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let small = DiskConfig { bytes_max: 4 << 20, ..config(folder.path()) };
    let (journal, _) = open_as(small.clone(), &NAMES, 0);
    let done = |ordinal| Done { ordinal, crc: 7, weight: 3 };
    journal.append(batch(1, &[0, 1], 100), Needs::new([(0, 10), (1, 10)]), 1).await.unwrap();
    let position = read(&journal, 0).await[0].1;
    journal.note(0, position, &[done(0)]);
    journal.note(0, position, &[done(5), done(9)]);
    // Into the roster of another file, and back.
    for name in 2..200 {
        append(&journal, name, &[2], 5000).await.unwrap();
    }
    drop(journal);
    for _ in 0..2 {
        let (journal, recovered) = open_as(small.clone(), &NAMES, 0);
        assert_eq!((recovered.waiting[&0], recovered.waiting[&1]), (1, 10));
        let entry = journal.read(0, 1).await.entries.remove(0);
        assert_eq!(entry.done, [done(0), done(5), done(9)]);
        assert_eq!(journal.read(1, 1).await.entries.remove(0).done, []);
    }
    let (journal, _) = open_as(small, &NAMES, 0);
    assert_eq!(journal.retire(0).weight, 1, "what is booked is not lost again");
}

#[tokio::test]
async fn a_directory_has_one_writer_and_a_later_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, _) = open(folder.path());
    append(&journal, 1, &[0], 100).await.unwrap();
    let second = DiskJournal::<u32>::open(config(folder.path()), &NAMES, rules(0, &[]));
    assert!(matches!(second, Err(OpenError::Locked { .. })));
    drop(journal);
    let file = files(folder.path()).remove(0);
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[8] = 99;
    let crc = crc32fast::hash(&bytes[..28]);
    bytes[28..32].copy_from_slice(&crc.to_le_bytes());
    std::fs::write(&file, &bytes).unwrap();
    let later = DiskJournal::<u32>::open(config(folder.path()), &NAMES, rules(0, &[]));
    let message = later.err().expect("it is refused").to_string();
    assert!(message.contains("version 99, and this build reads 1"), "{message}");
    assert_eq!(std::fs::read(&file).unwrap(), bytes, "nothing is changed");
}

#[tokio::test]
async fn what_nobody_needs_is_kept_as_long_as_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let keeping =
        DiskConfig { keep: Duration::from_secs(u64::from(u32::MAX)), bytes_max: 4 << 20, ..config(folder.path()) };
    let (journal, _) = open_as(keeping, &NAMES, 0);
    for name in 0..200 {
        append(&journal, name, &[0], 5000).await.unwrap();
        for (_, position) in read(&journal, 0).await {
            journal.settle(0, position);
        }
    }
    assert!(files(folder.path()).len() >= 4, "{:?}", files(folder.path()));
    for name in 0..2000 {
        append(&journal, name, &[0], 5000).await.unwrap();
        for (_, position) in read(&journal, 0).await {
            journal.settle(0, position);
        }
        assert!(journal.usage().file_bytes <= (4 << 20) + (256 << 10), "{:?}", journal.usage());
    }
}
