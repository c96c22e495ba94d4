//! The loop between journal and exporter, on a clock that stands still until somebody waits.

use std::sync::Arc;
use std::time::Duration;

use telemetry_gateway::delivery::health::{Health, State};
use telemetry_gateway::delivery::ledger::{Figures, Ledger};
use telemetry_gateway::delivery::previews::Previews;
use telemetry_gateway::delivery::{Delivery, Note, Orders, Reroute};
use telemetry_gateway::exporter::contract::{Exception, Exporter, Fate, Limits, Outcome};
use telemetry_gateway::exporter::pace::{Pace, Preview, RetryConfig};
use telemetry_gateway::journal::memory::MemoryJournal;
use telemetry_gateway::journal::{Journal, Needs, Position, WhenFull};
use telemetry_gateway::otlp::Batch;
use telemetry_gateway::router::{Router, RouterConfig};
use telemetry_gateway::stdx::located::Located;
use telemetry_gateway::stdx::units::Interval;
use tokio::time::Instant;

use crate::support::scripted::{Attempt, Scripted};
use crate::support::traces;

const PACE: Pace = Pace {
    retry: RetryConfig { initial: Interval::seconds(1), max: Interval::seconds(30) },
    concurrency: 4,
    timeout: Duration::from_secs(30),
    linger: Duration::from_millis(200),
};

struct Rules(Router);

impl Reroute for Rules {
    fn routing(&self, _position: Position, batch: &Batch) -> Note {
        Arc::new(self.0.route(batch).0)
    }
}

struct Outcomes {
    figures: Figures,
    attempts: Vec<Attempt>,
    state: State,
    last_error: Option<String>,
    records_left: usize,
}

impl Outcomes {
    fn pieces(&self) -> Vec<Vec<&str>> {
        self.attempts.iter().map(|attempt| attempt.pieces.iter().map(String::as_str).collect()).collect()
    }

    fn dropped(&self) -> Vec<(&str, u64)> {
        self.figures.dropped.iter().map(|(reason, count)| (*reason, *count)).collect()
    }

    fn delays(&self) -> Vec<Duration> {
        self.attempts.windows(2).map(|pair| pair[1].at - pair[0].at).collect()
    }
}

/// Delivers batches of spans, each given by its spans' names, until nothing is left.
async fn deliver(exporter: Scripted, batches: &[&[&str]]) -> Outcomes {
    deliver_with(exporter, PACE, Preview::Off, batches).await
}

async fn deliver_with(exporter: Scripted, pace: Pace, preview: Preview, batches: &[&[&str]]) -> Outcomes {
    deliver_from(1 << 24, exporter, pace, preview, batches).await
}

/// The same from a journal of so many bytes.
async fn deliver_from(
    journal_bytes_max: usize,
    exporter: Scripted,
    pace: Pace,
    preview: Preview,
    batches: &[&[&str]],
) -> Outcomes {
    let rules = RouterConfig { routes: Vec::new(), default: vec![Located::nowhere("it".to_owned())] };
    let rules = Rules(Router::new(&rules, &["it"]).unwrap());
    let journal: Arc<dyn Journal<Note>> = Arc::new(MemoryJournal::new(1, journal_bytes_max, WhenFull::DropOldest));
    let (ledger, health) = (Arc::new(Ledger::default()), Arc::new(Health::new("it", State::Ok)));
    for names in batches {
        let spans: Vec<String> = names.iter().map(|name| format!(r#""name":"{name}""#)).collect();
        let batch = traces("shop", &spans.iter().map(String::as_str).collect::<Vec<_>>());
        ledger.accept(batch.weight.into());
        let note = rules.routing(Position::default(), &batch);
        journal.append(batch.clone(), Needs::new([(0, batch.weight)]), note).await.unwrap();
    }
    let attempts = exporter.attempts();
    let delivery = Delivery {
        index: 0,
        exporter: Arc::new(exporter),
        pace,
        preview,
        ledger: Arc::clone(&ledger),
        health: Arc::clone(&health),
        previews: Arc::new(Previews::default()),
        dead_letters: None,
        journal: Arc::clone(&journal),
        reroute: Arc::new(rules),
    };
    let orders = Orders::default();
    orders.stop.cancel();
    delivery.run(orders).await;
    let (report, attempts) = (health.report(), attempts.lock().unwrap().clone());
    Outcomes {
        figures: ledger.read(),
        attempts,
        state: report.state,
        last_error: report.last_error.map(|error| error.message),
        records_left: journal.usage().records,
    }
}

/// A delivery that is told to leave while a record is half sent, and the one that takes its place.
#[tokio::test(start_paused = true)]
async fn who_takes_over_sends_what_is_left_of_a_record_and_nothing_twice() {
    let rules = RouterConfig { routes: Vec::new(), default: vec![Located::nowhere("it".to_owned())] };
    let rules = Arc::new(Rules(Router::new(&rules, &["it"]).unwrap()));
    let journal: Arc<dyn Journal<Note>> = Arc::new(MemoryJournal::new(1, 1 << 24, WhenFull::DropOldest));
    let (ledger, health) = (Arc::new(Ledger::default()), Arc::new(Health::new("it", State::Ok)));
    let names = ["a", "b", "c", "d"].map(|name| format!(r#""name":"{name}""#));
    let batch = traces("shop", &names.each_ref().map(String::as_str));
    ledger.accept(4);
    let note = rules.routing(Position::default(), &batch);
    journal.append(batch, Needs::new([(0, 4)]), note).await.unwrap();
    let delivery = |exporter: Scripted| Delivery {
        index: 0,
        exporter: Arc::new(exporter),
        pace: Pace { concurrency: 1, ..PACE },
        preview: Preview::Off,
        ledger: Arc::clone(&ledger),
        health: Arc::clone(&health),
        previews: Arc::new(Previews::default()),
        dead_letters: None,
        journal: Arc::clone(&journal),
        reroute: Arc::clone(&rules) as Arc<dyn Reroute>,
    };
    let limits = Limits { pieces_max: 1, bytes_max: 1 << 20, items_max: usize::MAX };
    let orders = Orders::default();
    let leave = orders.leave.clone();
    // "a" is taken, "b" refused for good, "c" is to come again later: then it is told to leave.
    let mut first = Scripted::new(move |pieces| match pieces[0].as_str() {
        "a" => Outcome::Accepted { except: Vec::new() },
        "b" => Outcome::Refused { reason: "refused_422", message: "no".to_owned() },
        _ => {
            leave.cancel();
            retry(None)
        }
    });
    first.limits = limits;
    delivery(first).run(orders).await;
    assert_eq!(ledger.read().waiting, 2);
    journal.rewind(0);
    let mut second = Scripted::answers([]);
    second.limits = limits;
    let attempts = second.attempts();
    let orders = Orders::default();
    orders.stop.cancel();
    delivery(second).run(orders).await;
    let sent: Vec<String> = attempts.lock().unwrap().iter().flat_map(|attempt| attempt.pieces.clone()).collect();
    assert_eq!(sent, ["c", "d"]);
    let figures = ledger.read();
    assert_eq!((figures.accepted, figures.delivered, figures.waiting), (4, 3, 0));
    assert_eq!((figures.dropped["refused_422"], journal.usage().records), (1, 0));
}

fn retry(after: Option<u64>) -> Outcome {
    Outcome::Retry { after: after.map(Duration::from_secs), message: "503 busy".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn neighbouring_batches_travel_in_one_request() {
    let done = deliver(Scripted::answers([]), &[&["a", "b"], &["c"]]).await;
    assert_eq!(done.pieces(), [["a", "b", "c"]]);
    assert_eq!((done.figures.delivered, done.figures.waiting, done.records_left), (3, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn requests_keep_within_the_limits_of_the_vendor() {
    let mut exporter = Scripted::answers([]);
    exporter.limits = Limits { pieces_max: 2, bytes_max: 1 << 20, items_max: usize::MAX };
    let done = deliver(exporter, &[&["a", "b", "c"], &["d", "e"]]).await;
    let mut sizes: Vec<usize> = done.pieces().iter().map(Vec::len).collect();
    sizes.sort_unstable();
    assert_eq!((sizes, done.figures.delivered), (vec![1, 2, 2], 5));

    let mut exporter = Scripted::answers([]);
    exporter.limits = Limits { pieces_max: 100, bytes_max: 4, items_max: usize::MAX };
    let done = deliver(exporter, &[&["aa", "bb", "larger than four", "c"]]).await;
    let mut pieces = done.pieces();
    pieces.sort();
    assert_eq!(pieces, [vec!["aa", "bb"], vec!["c"], vec!["larger than four"]]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_until_it_succeeds_and_counts_once() {
    let done = deliver(Scripted::answers([retry(None), retry(None), retry(None)]), &[&["a"]]).await;
    assert_eq!(done.attempts.len(), 4);
    assert_eq!((done.figures.delivered, done.dropped(), done.state), (1, vec![], State::Ok));
    assert_eq!(done.last_error.as_deref(), Some("503 busy"));
    for (delay, bound_s) in done.delays().into_iter().zip([1, 2, 4]) {
        assert!(delay <= Duration::from_secs(bound_s) + Duration::from_millis(2), "{delay:?} > {bound_s} s");
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_wait_differently() {
    let run =
        || async { deliver(Scripted::answers([retry(None), retry(None), retry(None)]), &[&["a"]]).await.delays() };
    assert_ne!(run().await, run().await);
}

#[tokio::test(start_paused = true)]
async fn the_wait_that_a_vendor_names_is_kept() {
    let done = deliver(Scripted::answers([retry(Some(3)), retry(Some(100_000))]), &[&["a"]]).await;
    let delays = done.delays();
    assert!((3.0..=3.4).contains(&delays[0].as_secs_f64()), "{:?}", delays[0]);
    assert!((300.0..=331.0).contains(&delays[1].as_secs_f64()), "capped at five minutes: {:?}", delays[1]);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_without_an_answer_is_given_up_and_repeated() {
    let started = Instant::now();
    let mut first = true;
    let exporter =
        Scripted::new(
            move |_| if std::mem::take(&mut first) { retry(Some(1)) } else { Outcome::Accepted { except: vec![] } },
        );
    let done = deliver(exporter, &[&["a"]]).await;
    assert_eq!(done.figures.delivered, 1);
    assert!(started.elapsed() >= Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn only_what_was_not_taken_is_sent_again() {
    let except = vec![
        Exception { piece: 1, fate: Fate::Retry, message: "throttled".to_owned() },
        Exception { piece: 2, fate: Fate::Drop("invalid_name"), message: "no such name".to_owned() },
    ];
    let done = deliver(Scripted::answers([Outcome::Accepted { except }]), &[&["a", "b", "c"]]).await;
    assert_eq!(done.pieces(), [vec!["a", "b", "c"], vec!["b"]]);
    assert_eq!((done.figures.delivered, done.dropped(), done.records_left), (2, vec![("invalid_name", 1)], 0));
}

#[tokio::test(start_paused = true)]
async fn a_count_of_rejected_items_is_booked_without_a_second_try() {
    let less = Outcome::AcceptedLess { rejected: 2, message: "too old".to_owned() };
    let done = deliver(Scripted::answers([less]), &[&["a", "b", "c"]]).await;
    assert_eq!(done.attempts.len(), 1);
    assert_eq!((done.figures.delivered, done.dropped()), (1, vec![("rejected_by_vendor", 2)]));
    assert_eq!(done.last_error.as_deref(), Some("rejected_by_vendor: too old"));
}

#[tokio::test(start_paused = true)]
async fn one_poisonous_item_does_not_take_its_neighbours_with_it() {
    let exporter = Scripted::new(|pieces| {
        if pieces.iter().any(|piece| piece == "poison") {
            Outcome::Refused { reason: "refused_400", message: "400: no".to_owned() }
        } else {
            Outcome::Accepted { except: vec![] }
        }
    });
    let done = deliver(exporter, &[&["a", "b", "poison", "c", "d", "e", "f"]]).await;
    assert_eq!((done.figures.delivered, done.dropped(), done.records_left), (6, vec![("refused_400", 1)], 0));
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_refuses_everything_is_not_asked_for_ever() {
    let exporter = Scripted::new(|_| Outcome::Refused { reason: "refused_400", message: "400: no".to_owned() });
    let names: Vec<String> = (0..500).map(|number| format!("span {number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let done = deliver(exporter, &[&names]).await;
    assert_eq!(done.dropped(), [("refused_400", 500)]);
    assert!(done.attempts.len() < 100, "{} attempts", done.attempts.len());
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_goes_in_halves() {
    let exporter = Scripted::new(|pieces| {
        if pieces.len() > 2 || pieces[0] == "giant" {
            Outcome::TooLarge { message: "413".to_owned() }
        } else {
            Outcome::Accepted { except: vec![] }
        }
    });
    let done = deliver(exporter, &[&["a", "b", "c", "giant", "d"]]).await;
    assert_eq!((done.figures.delivered, done.dropped(), done.records_left), (4, vec![("too_large", 1)], 0));
}

#[tokio::test(start_paused = true)]
async fn refused_credentials_keep_everything_and_say_so() {
    let unauthorized = Outcome::Unauthorized { message: "401: unknown key".to_owned() };
    let done = deliver(Scripted::answers([unauthorized]), &[&["a"]]).await;
    assert_eq!((done.figures.delivered, done.dropped()), (1, vec![]));
    assert!(done.delays()[0] >= Duration::from_secs(30));
    assert_eq!(done.last_error.as_deref(), Some("401: unknown key"));
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_conversion_costs_its_batch_only() {
    let mut exporter = Scripted::answers([]);
    exporter.panics_on = Some("bug");
    let done = deliver(exporter, &[&["a"], &["bug", "b"], &["c"]]).await;
    assert_eq!((done.figures.delivered, done.dropped(), done.records_left), (2, vec![("conversion_panicked", 2)], 0));
}

#[tokio::test(start_paused = true)]
async fn an_exporter_in_preview_shows_and_sends_nothing() {
    let done = deliver_with(Scripted::answers([]), PACE, Preview::On, &[&["a", "b"]]).await;
    assert_eq!((done.attempts.len(), done.figures.delivered, done.dropped()), (0, 0, vec![("preview", 2)]));
    assert_eq!(done.state, State::Preview);
}

#[tokio::test(start_paused = true)]
async fn an_unauthorized_exporter_that_never_recovers_loses_nothing() {
    let exporter = Scripted::new(|_| Outcome::Unauthorized { message: "401".to_owned() });
    assert!(exporter.limits().bytes_max > 0);
    let delivering = deliver(exporter, &[&["a"]]);
    assert!(tokio::time::timeout(Duration::from_hours(24), delivering).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_says_at_once_is_not_hammered() {
    let started = Instant::now();
    let answers = (0..20).map(|_| retry(Some(0)));
    let done = deliver(Scripted::answers(answers), &[&["a"]]).await;
    assert_eq!((done.attempts.len(), done.figures.delivered), (21, 1));
    assert!(started.elapsed() > Duration::from_secs(20), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_large_batch_is_encoded_in_slices_and_settled_once() {
    let mut exporter = Scripted::answers([]);
    exporter.limits = Limits { pieces_max: usize::MAX, bytes_max: 1 << 20, items_max: 3 };
    let done = deliver(exporter, &[&["a", "b", "c", "d", "e", "f", "g"], &["h"], &["i"]]).await;
    let mut pieces = done.pieces();
    pieces.sort();
    assert_eq!(pieces, [vec!["a", "b", "c"], vec!["d", "e", "f"], vec!["g"], vec!["h", "i"]]);
    assert_eq!((done.figures.delivered, done.records_left), (9, 0));
}

#[tokio::test(start_paused = true)]
async fn an_internal_error_of_the_vendor_is_not_repeated_in_pieces() {
    let exporter = Scripted::new(|_| Outcome::Refused { reason: "refused_5xx", message: "500".to_owned() });
    let done = deliver(exporter, &[&["a", "b", "c"]]).await;
    assert_eq!((done.attempts.len(), done.dropped()), (1, vec![("refused_5xx", 3)]));
    assert_eq!(done.state, State::Refusing);
}

#[tokio::test(start_paused = true)]
async fn a_vendors_words_stay_on_one_line() {
    let refused = Outcome::Refused { reason: "refused_400", message: "no\n2026 ERROR forged".to_owned() };
    let done = deliver(Scripted::answers([refused]), &[&["a"]]).await;
    assert_eq!(done.last_error.as_deref(), Some("refused_400: no 2026 ERROR forged"));
}

#[tokio::test(start_paused = true)]
async fn a_stop_delivers_what_was_unread_while_the_exporter_had_its_share_in_hand() {
    let batches: [&[&str]; 6] = [&["a"], &["b"], &["c"], &["d"], &["e"], &["f"]];
    let done = deliver_from(6000, Scripted::answers([retry(None)]), PACE, Preview::Off, &batches).await;
    assert_eq!((done.figures.accepted, done.figures.delivered, done.records_left), (6, 6, 0));
}

#[tokio::test(start_paused = true)]
async fn a_panic_while_sending_costs_its_request_only() {
    let exporter = Scripted::new(|pieces| {
        assert!(pieces[0] != "bug", "a bug in a client, made on purpose");
        Outcome::Accepted { except: vec![] }
    });
    let pace = Pace { linger: Duration::ZERO, ..PACE };
    let done = deliver_from(4000, exporter, pace, Preview::Off, &[&["bug"], &["a"]]).await;
    assert_eq!(done.figures.delivered + done.figures.dropped_total(), 2);
    assert!(done.figures.dropped.contains_key("delivery_panicked"), "{:?}", done.figures);
    assert_eq!(done.records_left, 0);
}
