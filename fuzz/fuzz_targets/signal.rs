//! The first byte of an input chooses the signal.

use telemetry_gateway::otlp::Signal;

pub fn split(input: &[u8]) -> Option<(Signal, &[u8])> {
    let (first, rest) = input.split_first()?;
    let signal = match first {
        b't' => Signal::Traces,
        b'm' => Signal::Metrics,
        b'l' => Signal::Logs,
        other => Signal::ALL[usize::from(other % 3)],
    };
    Some((signal, rest))
}
