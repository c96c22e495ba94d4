//! The reckoning of a round: what clients were promised against what vendors saw.
//!
//! | promise | how it is checked |
//! |---|---|
//! | nothing acknowledged is lost | each such span is at each of its vendors, or was refused there for good |
//! | no answer is without a reason | clients are refused or cut off only when the process was told to end |
//! | duplicates have a cause | see [`cause`] |
//! | the books are exact | identity at every scrape; what the last process dropped, by span |

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use crate::books::{Books, Delivery};
use crate::key::Key;
use crate::kind::Kind;
use crate::lives::{End, Life};
use crate::load::{Answer, Sent};
use crate::scrape::Scrapes;

/// An answer that came so shortly before the end of a process may not have been written down by it.
const UNWRITTEN: Duration = Duration::from_millis(100);

/// So many examples of each violation are shown.
const EXAMPLES: usize = 12;

/// Everything that was seen of a round.
pub struct Evidence {
    pub begun_at: Instant,
    pub sent: Vec<Sent>,
    /// Honeycomb, X-Ray, Rollbar.
    pub books: [Books; 3],
    pub lives: Vec<Life>,
    pub scrapes: Scrapes,
}

/// What came of the reckoning.
#[derive(Default, Debug)]
pub struct Findings {
    pub violations: Vec<String>,
    pub acknowledged: u64,
    pub unknown: u64,
    pub refused: u64,
    /// Distinct spans, by vendor.
    pub delivered: [u64; 3],
    /// Distinct spans that the vendor refused for good and never took.
    pub dropped: [u64; 3],
    /// By vendor and cause.
    pub duplicates: [BTreeMap<&'static str, u64>; 3],
    pub answers: [BTreeMap<&'static str, u64>; 3],
    pub kills: u64,
    pub stops: u64,
    pub reloads: u64,
    pub scrapes: u64,
    pub recovery_max: Duration,
}

/// Holds the evidence against every promise.
pub fn check(evidence: &Evidence) -> Findings {
    let Evidence { sent, books, lives, scrapes, .. } = evidence;
    let mut findings = Findings {
        scrapes: scrapes.count,
        recovery_max: lives.iter().filter_map(|life| life.recovery).max().unwrap_or_default(),
        ..Findings::default()
    };
    findings.violations.extend(scrapes.violations.iter().cloned());
    // The last stop belongs to the round's end.
    for (.., end) in lives.iter().filter_map(|life| life.end).take(lives.len().saturating_sub(1)) {
        match end {
            End::Kill => findings.kills += 1,
            End::Stop => findings.stops += 1,
        }
    }
    check_answers(evidence, &mut findings);
    let requests: HashMap<Key, &Sent> =
        sent.iter().flat_map(|sent| sent.keys.iter().map(move |key| (*key, sent))).collect();
    for kind in Kind::ALL {
        let books = &books[kind as usize];
        findings.violations.extend(books.violations.iter().take(EXAMPLES).cloned());
        findings.answers[kind as usize].clone_from(&books.answers);
        findings.delivered[kind as usize] = books.deliveries.len() as u64;
        findings.dropped[kind as usize] =
            books.refusals.keys().filter(|key| !books.deliveries.contains_key(key)).count() as u64;
        check_losses(kind, evidence, &mut findings);
        check_duplicates(kind, evidence, &requests, &mut findings);
        check_figures(kind, evidence, &mut findings);
    }
    findings
}

/// What clients heard.
fn check_answers(evidence: &Evidence, findings: &mut Findings) {
    let mut unfounded = Vec::new();
    for sent in &evidence.sent {
        let count = sent.keys.len() as u64;
        let words = match &sent.answer {
            Answer::Acknowledged => {
                findings.acknowledged += count;
                continue;
            }
            Answer::Unknown(words) => {
                findings.unknown += count;
                words
            }
            Answer::Refused(words) => {
                findings.refused += count;
                words
            }
        };
        let life = evidence.lives.get(sent.life as usize - 1);
        if life.and_then(|life| life.end).is_none_or(|(told_at, ..)| sent.ended_at < told_at) {
            unfounded.push(format!("{} after {} ms: {words}", sent.keys[0].name(), since(evidence, sent.ended_at)));
        }
    }
    tell("requests not acknowledged though nothing had told the gateway to end", &unfounded, findings);
}

fn check_losses(kind: Kind, evidence: &Evidence, findings: &mut Findings) {
    let books = &evidence.books[kind as usize];
    let mut lost = Vec::new();
    for sent in evidence.sent.iter().filter(|sent| sent.answer == Answer::Acknowledged) {
        for key in sent.keys.iter().filter(|key| key.goes_to(kind)) {
            if !books.deliveries.contains_key(key) && !books.refusals.contains_key(key) {
                let end = evidence.lives.get(sent.life as usize - 1).and_then(|life| life.end);
                let before = end.map_or_else(String::new, |(told_at, _, end)| {
                    format!(", {} ms before its {end:?}", told_at.saturating_duration_since(sent.ended_at).as_millis())
                });
                lost.push(format!(
                    "{} of a request of {}, acknowledged by process {} after {} ms{before}",
                    key.name(),
                    sent.keys.len(),
                    sent.life,
                    since(evidence, sent.ended_at)
                ));
            }
        }
    }
    let newest = evidence.scrapes.newest.as_ref().and_then(|(.., books)| books.get(kind.name()));
    let what = match newest {
        Some(figures) if figures.waiting > 0 => format!("not delivered yet, if ever; at the end {figures:?}"),
        _ => "LOST spans, acknowledged and never delivered".to_owned(),
    };
    tell(&format!("{}: {what}", kind.name()), &lost, findings);
}

fn check_duplicates(kind: Kind, evidence: &Evidence, requests: &HashMap<Key, &Sent>, findings: &mut Findings) {
    let mut unexplained = Vec::new();
    let mut foreign = Vec::new();
    for (key, deliveries) in &evidence.books[kind as usize].deliveries {
        let Some(sent) = requests.get(key) else {
            foreign.push(key.name());
            continue;
        };
        for pair in deliveries.windows(2) {
            let cause = cause(evidence, pair[0], pair[1]);
            *findings.duplicates[kind as usize].entry(cause.unwrap_or("UNEXPLAINED")).or_default() += 1;
            if cause.is_none() {
                let answered = pair[0].answered_at.map_or(0, |at| since(evidence, at));
                unexplained.push(format!(
                    "{} of a request of {}: taken from process {} and answered after {answered} ms, then again from process {}",
                    key.name(),
                    sent.keys.len(),
                    pair[0].life,
                    pair[1].life
                ));
            }
        }
    }
    unexplained.sort();
    tell(&format!("{}: duplicates without a cause", kind.name()), &unexplained, findings);
    tell(&format!("{}: spans that nobody sent", kind.name()), &foreign, findings);
}

/// Why a span came again; none where there is no good reason.
fn cause(evidence: &Evidence, first: Delivery, again: Delivery) -> Option<&'static str> {
    let Some(answered_at) = first.answered_at else { return Some("answer withheld") };
    if first.life >= again.life {
        return None;
    }
    let (told_at, _, end) = evidence.lives.get(first.life as usize - 1)?.end?;
    if answered_at + UNWRITTEN >= told_at {
        return Some(match end {
            End::Kill => "in flight at a kill",
            End::Stop => "in flight at a stop",
        });
    }
    None
}

/// What the last process gave up can be told to the last span; where it was the only one and answered every client, so
/// can what it accepted.
fn check_figures(kind: Kind, evidence: &Evidence, findings: &mut Findings) {
    let last = evidence.lives.len() as u32;
    let newest = evidence.scrapes.newest.as_ref().filter(|(_, life, _)| *life == last);
    let Some(figures) = newest.and_then(|(.., books)| books.get(kind.name())) else {
        findings.violations.push(format!("{}: not in the last /status", kind.name()));
        return;
    };
    if figures.waiting > 0 {
        return;
    }
    // What was taken without an answer and refused when it came again counts as dropped: the gateway cannot know better.
    let books = &evidence.books[kind as usize];
    let is_known_taken = |key: &Key| {
        let deliveries = books.deliveries.get(key).into_iter().flatten();
        deliveries.filter(|delivery| delivery.life == last).any(|delivery| delivery.answered_at.is_some())
    };
    let is_refused = |key: &Key| books.refusals[key].contains(&last);
    let dropped = books.refusals.keys().filter(|key| is_refused(key) && !is_known_taken(key)).count() as u64;
    if figures.dropped_total() != dropped {
        findings.violations.push(format!(
            "{}: the books are wrong: {dropped} spans were refused for good, /status says {figures:?}",
            kind.name()
        ));
    }
    if last == 1 && evidence.sent.iter().all(|sent| sent.answer == Answer::Acknowledged) {
        let keys = evidence.sent.iter().flat_map(|sent| &sent.keys);
        let accepted = keys.filter(|key| key.goes_to(kind)).count() as u64;
        if figures.accepted != accepted {
            findings.violations.push(format!(
                "{}: the books are wrong: {accepted} spans were accepted, /status says {figures:?}",
                kind.name()
            ));
        }
    }
}

fn tell(what: &str, examples: &[String], findings: &mut Findings) {
    if !examples.is_empty() {
        let shown = examples[..examples.len().min(EXAMPLES)].join("\n    ");
        let more = if examples.len() > EXAMPLES { "\n    …" } else { "" };
        findings.violations.push(format!("{what}: {}\n    {shown}{more}", examples.len()));
    }
}

fn since(evidence: &Evidence, at: Instant) -> u128 {
    at.saturating_duration_since(evidence.begun_at).as_millis()
}
