//! An exporter that answers by a script, for driving delivery without a network.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use telemetry_gateway::exporter::contract::{BoxFuture, Encoded, Exporter, Limits, Outcome, Piece, Request};
use telemetry_gateway::otlp::{Group, Part, ScopeGroup, Signal, Span};
use tokio::time::Instant;

/// One attempt as the exporter saw it.
#[derive(Debug, Clone, PartialEq)]
pub struct Attempt {
    pub at: Instant,
    /// The names of the spans.
    pub pieces: Vec<String>,
}

type Answer = Box<dyn FnMut(&[String]) -> Outcome + Send>;

/// Makes one piece a span, named by it; `answer` decides each attempt.
pub struct Scripted {
    pub limits: Limits,
    pub panics_on: Option<&'static str>,
    answer: Mutex<Answer>,
    attempts: Arc<Mutex<Vec<Attempt>>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Scripted")
    }
}

impl Scripted {
    pub fn new(answer: impl FnMut(&[String]) -> Outcome + Send + 'static) -> Self {
        Scripted {
            limits: Limits { pieces_max: usize::MAX, bytes_max: 1024 * 1024, items_max: usize::MAX },
            panics_on: None,
            answer: Mutex::new(Box::new(answer)),
            attempts: Arc::default(),
        }
    }

    /// Gives these answers in turn, then accepts.
    pub fn answers(answers: impl IntoIterator<Item = Outcome>) -> Self {
        let mut answers: VecDeque<Outcome> = answers.into_iter().collect();
        Scripted::new(move |_| answers.pop_front().unwrap_or(Outcome::Accepted { except: Vec::new() }))
    }

    pub fn attempts(&self) -> Arc<Mutex<Vec<Attempt>>> {
        Arc::clone(&self.attempts)
    }
}

impl Exporter for Scripted {
    fn limits(&self) -> Limits {
        self.limits
    }

    fn takes(&self, signal: Signal) -> bool {
        signal == Signal::Traces
    }

    fn encode(&self, part: &Part) -> Encoded {
        let mut pieces = Vec::new();
        part.walk(|visit| {
            let (_, _): (&Group<'_>, &ScopeGroup<'_>) = (visit.group, visit.scope);
            let name = Span::parse(visit.message).name.to_owned();
            assert!(self.panics_on != Some(name.as_str()), "a bug in the conversion, made on purpose");
            pieces.push(Piece { weight: 1, bytes: name.clone().into(), original: None, key: None });
        });
        Encoded { pieces, refused: Vec::new() }
    }

    fn send<'a>(&'a self, request: Request<'a>) -> BoxFuture<'a, Outcome> {
        let pieces: Vec<String> =
            request.pieces.iter().map(|piece| String::from_utf8(piece.bytes.to_vec()).unwrap()).collect();
        let outcome = (self.answer.lock().unwrap())(&pieces);
        self.attempts.lock().unwrap().push(Attempt { at: Instant::now(), pieces });
        Box::pin(std::future::ready(outcome))
    }

    fn show(&self, _signal: Signal, piece: &Piece) -> serde_json::Value {
        String::from_utf8_lossy(&piece.bytes).into_owned().into()
    }
}
