//! The contract of `journal`, held against the engine in memory.

mod model;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use telemetry_gateway::journal::memory::MemoryJournal;
use telemetry_gateway::journal::{AppendError, Backlog, Journal, Needs, Position, WhenFull};
use telemetry_gateway::otlp::{Batch, Signal};

/// What the engine counts for a record of one item beside its bytes.
const OVERHEAD: usize = 512 + 8;

/// What a record of [`append`] counts for.
const RECORD: usize = 100 + OVERHEAD;

fn record(name: u8, bytes: usize) -> Batch {
    let body = Bytes::from(vec![name; bytes]);
    Batch { signal: Signal::Traces, body, original: None, items: 1, weight: 1, received_at: SystemTime::UNIX_EPOCH }
}

fn consumers(indexes: &[usize]) -> Needs {
    Needs::new(indexes.iter().map(|index| (*index, 1)))
}

/// Appends a record; gives who loses which position for it.
async fn append(journal: &dyn Journal<u8>, name: u8, needed_by: &[usize]) -> Result<Vec<(usize, u64)>, AppendError> {
    let evicted = journal.append(record(name, 100), consumers(needed_by), name).await?;
    Ok(evicted.into_iter().map(|evicted| (evicted.consumer, evicted.position.0)).collect())
}

/// The names of what a consumer reads, with the positions to settle.
async fn read(journal: &dyn Journal<u8>, consumer: usize) -> Vec<(u8, Position)> {
    let read = journal.read(consumer, usize::MAX).await;
    read.entries.into_iter().map(|entry| (entry.note.unwrap(), entry.position)).collect()
}

#[tokio::test]
async fn each_consumer_reads_what_it_needs_once_and_in_order() {
    let journal = MemoryJournal::new(2, 1 << 20, WhenFull::DropOldest);
    for (name, needed_by) in [(1, &[0, 1][..]), (2, &[1]), (3, &[0])] {
        assert_eq!(append(&journal, name, needed_by).await, Ok(vec![]));
    }
    let names = |read: Vec<(u8, _)>| read.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(names(read(&journal, 0).await), [1, 3]);
    assert_eq!(names(read(&journal, 0).await), [0u8; 0]);
    assert_eq!(names(read(&journal, 1).await), [1, 2]);
}

#[tokio::test]
async fn a_record_goes_when_all_who_need_it_have_settled_it_in_any_order() {
    let journal = MemoryJournal::new(2, 1 << 20, WhenFull::DropOldest);
    for name in [1, 2, 3] {
        append(&journal, name, &[0, 1]).await.unwrap();
    }
    let (first, second) = (read(&journal, 0).await, read(&journal, 1).await);
    assert_eq!(journal.usage().records, 3);
    journal.settle(0, first[2].1);
    journal.settle(1, second[2].1);
    assert_eq!((journal.usage().records, journal.usage().bytes), (2, 2 * RECORD));
    for (_, position) in &first[..2] {
        journal.settle(0, *position);
    }
    assert_eq!(journal.usage().records, 2);
    for (_, position) in &second[..2] {
        journal.settle(1, *position);
        journal.settle(1, *position);
    }
    assert_eq!((journal.usage().records, journal.usage().bytes), (0, 0));
}

#[tokio::test]
async fn the_bound_holds_and_the_oldest_unread_record_goes_first() {
    let journal = MemoryJournal::new(2, 3 * RECORD, WhenFull::DropOldest);
    for name in [1, 2, 3] {
        append(&journal, name, &[0, 1]).await.unwrap();
    }
    while journal.backlog(1).records > 0 {
        for (_, position) in read(&journal, 1).await {
            journal.settle(1, position);
        }
    }
    // Consumer 0 lags; consumer 1 has everything and loses nothing.
    assert_eq!(append(&journal, 4, &[0, 1]).await, Ok(vec![(0, 0)]));
    assert_eq!(journal.backlog(0), Backlog { records: 3, bytes: 3 * RECORD });
    assert!(journal.usage().bytes <= journal.usage().bytes_max);
    let mut names = Vec::new();
    while journal.backlog(0).records > 0 {
        for (name, position) in read(&journal, 0).await {
            names.push(name);
            journal.settle(0, position);
        }
    }
    assert_eq!(names, [2, 3, 4]);
}

#[tokio::test]
async fn what_is_in_flight_is_never_evicted() {
    // Two of its four records are its share.
    let journal = MemoryJournal::new(1, 4 * RECORD, WhenFull::DropOldest);
    for name in [1, 2, 3, 4] {
        append(&journal, name, &[0]).await.unwrap();
    }
    let in_flight = read(&journal, 0).await;
    assert_eq!(in_flight.len(), 2);
    for (name, gone) in [(5, 2), (6, 3), (7, 4)] {
        assert_eq!(append(&journal, name, &[0]).await, Ok(vec![(0, gone)]));
    }
    for (_, position) in in_flight {
        journal.settle(0, position);
    }
    assert_eq!(append(&journal, 8, &[0]).await, Ok(vec![]));
}

#[tokio::test]
async fn a_record_is_refused_only_where_nothing_can_make_way() {
    // A record larger than its consumer's share is read alone, and then half of the journal is not free for others.
    let journal = MemoryJournal::new(2, 4 * RECORD, WhenFull::DropOldest);
    journal.append(record(1, 2 * RECORD + 100), consumers(&[0]), 1).await.unwrap();
    assert_eq!(read(&journal, 0).await.len(), 1);
    append(&journal, 2, &[1]).await.unwrap();
    let in_flight = read(&journal, 1).await;
    let full = AppendError::Full { used: 4 * RECORD, bytes_max: 4 * RECORD };
    assert_eq!(append(&journal, 3, &[1]).await, Err(full));
    journal.settle(1, in_flight[0].1);
    assert_eq!(append(&journal, 4, &[1]).await, Ok(vec![]));
}

#[tokio::test]
async fn a_full_journal_refuses_where_it_is_told_to() {
    let journal = MemoryJournal::new(1, RECORD, WhenFull::Refuse);
    append(&journal, 1, &[0]).await.unwrap();
    assert!(matches!(append(&journal, 2, &[0]).await, Err(AppendError::Full { .. })));
    let too_large = journal.append(record(3, 10_000), consumers(&[0]), 3).await;
    assert!(matches!(too_large, Err(AppendError::TooLarge { .. })));
}

#[tokio::test]
async fn a_read_stops_at_its_bytes_but_gives_one_record_at_least() {
    let journal = MemoryJournal::new(1, 1 << 20, WhenFull::DropOldest);
    for name in [1, 2, 3] {
        append(&journal, name, &[0]).await.unwrap();
    }
    assert_eq!(journal.read(0, 1).await.entries.len(), 1);
    assert_eq!(journal.read(0, 2 * RECORD).await.entries.len(), 2);
}

#[tokio::test]
async fn a_waiting_consumer_wakes_for_its_own_records_only() {
    let journal = Arc::new(MemoryJournal::new(2, 1 << 20, WhenFull::DropOldest));
    let waiting = tokio::spawn({
        let journal = Arc::clone(&journal);
        async move {
            journal.ready(1).await;
            read(&*journal, 1).await.len()
        }
    });
    append(&*journal, 1, &[0]).await.unwrap();
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    append(&*journal, 2, &[1]).await.unwrap();
    assert_eq!(waiting.await.unwrap(), 1);
}

/// Starts to wait for a consumer's records, and waits until that has begun.
async fn waiting(journal: &Arc<MemoryJournal<u8>>, consumer: usize) -> tokio::task::JoinHandle<()> {
    let journal = Arc::clone(journal);
    let waiting = tokio::spawn(async move { journal.ready(consumer).await });
    tokio::task::yield_now().await;
    assert!(!waiting.is_finished());
    waiting
}

/// A wake that is lost fails the test instead of holding it up.
async fn comes_through(waiting: tokio::task::JoinHandle<()>) {
    tokio::time::timeout(Duration::from_secs(10), waiting).await.expect("it is woken").unwrap();
}

#[tokio::test]
async fn a_consumer_that_has_its_share_in_hand_waits_until_it_settles() {
    let journal = Arc::new(MemoryJournal::new(2, 8 * RECORD, WhenFull::DropOldest));
    for name in [1, 2, 3] {
        append(&*journal, name, &[0]).await.unwrap();
    }
    let in_hand = read(&*journal, 0).await;
    assert_eq!(in_hand.len(), 2, "a half by two consumers");
    assert_eq!(read(&*journal, 0).await, []);
    let waiting = waiting(&journal, 0).await;
    journal.settle(0, in_hand[1].1);
    comes_through(waiting).await;
    assert_eq!(read(&*journal, 0).await.len(), 1);
}

#[tokio::test]
async fn a_consumer_wakes_when_what_was_too_large_for_the_rest_of_its_share_makes_way() {
    let journal = Arc::new(MemoryJournal::new(1, 8 * RECORD, WhenFull::DropOldest));
    append(&*journal, 1, &[0]).await.unwrap();
    assert_eq!(read(&*journal, 0).await.len(), 1);
    journal.append(record(2, 5 * RECORD - OVERHEAD), consumers(&[0]), 2).await.unwrap();
    append(&*journal, 3, &[0]).await.unwrap();
    let waiting = waiting(&journal, 0).await;
    append(&*journal, 4, &[0]).await.unwrap();
    assert_eq!(append(&*journal, 5, &[0]).await, Ok(vec![(0, 1)]));
    comes_through(waiting).await;
    let names: Vec<u8> = read(&*journal, 0).await.into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, [3, 4, 5]);
}

#[tokio::test]
async fn a_note_counts_for_as_many_items_as_its_record_has() {
    let journal = MemoryJournal::new(1, 1 << 20, WhenFull::DropOldest);
    let batch = Batch { items: 1000, ..record(1, 100) };
    journal.append(batch, consumers(&[0]), 1).await.unwrap();
    assert_eq!((journal.usage().bytes, journal.backlog(0).bytes), (512 + 8 * 1000 + 100, 512 + 8 * 1000 + 100));
}

#[tokio::test]
async fn what_nobody_needs_is_not_kept() {
    let journal = MemoryJournal::new(1, 1 << 20, WhenFull::DropOldest);
    assert_eq!(append(&journal, 1, &[]).await, Ok(vec![]));
    assert_eq!(journal.usage().records, 0);
}

/// A bug's test: settled records once stayed as empty slots behind one in flight, and every append into a full journal
/// walked over all of them.
#[tokio::test]
async fn memory_and_time_stay_flat_behind_one_record_that_hangs() {
    const CAPACITY: usize = 1000;
    let journal = MemoryJournal::new(2, CAPACITY * RECORD, WhenFull::DropOldest);
    append(&journal, 0, &[0]).await.unwrap();
    let hanging = journal.read(0, 1).await.entries;
    let (mut delivered, mut lost) = (0, 0);
    let begun = Instant::now();
    for _ in 0..200_000 {
        let evicted = append(&journal, 1, &[0, 1]).await.unwrap();
        assert!(evicted.iter().all(|(consumer, _)| *consumer == 0));
        lost += evicted.len();
        for (_, position) in read(&journal, 1).await {
            journal.settle(1, position);
            delivered += 1;
        }
        assert!(journal.usage().records <= CAPACITY && journal.usage().bytes <= CAPACITY * RECORD);
    }
    // Seconds in a debug build; time that grows with the square of the records is far beyond it.
    assert!(begun.elapsed() < Duration::from_mins(2), "{:?}", begun.elapsed());
    assert_eq!((delivered, lost, journal.backlog(0).records), (200_000, 200_001 - CAPACITY, CAPACITY - 1));
    journal.settle(0, hanging[0].position);
    assert_eq!(journal.usage().records, CAPACITY - 1);
}

/// A bug's test: whatever one exporter had in flight could fill the journal, and then clients were refused.
#[tokio::test]
async fn a_consumer_that_reads_all_it_may_and_never_settles_costs_the_others_nothing() {
    let journal = MemoryJournal::new(3, 60 * RECORD, WhenFull::DropOldest);
    let mut in_hand = 0;
    for round in 0..1000 {
        for (consumer, _) in append(&journal, 1, &[0, 1, 2]).await.expect("no client is refused") {
            assert_eq!(consumer, 0, "only the one that hangs loses");
        }
        in_hand += read(&journal, 0).await.len();
        // One of the others is always a few records behind.
        for consumer in if round % 5 == 0 { &[1, 2][..] } else { &[1] } {
            for (_, position) in read(&journal, *consumer).await {
                journal.settle(*consumer, position);
            }
        }
    }
    assert_eq!(in_hand, 10, "a half by three consumers");
}
