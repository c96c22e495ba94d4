//! One request from its head to its answer.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::runtime::Handle;

use super::answer::{Accepted, AnswerBody, Form, Refusal, Why, accepted, refused};
use super::budget::{Budget, Charge};
use super::decode::{Decoded, Raw, decode};
use super::head::{Asked, Head};
use super::{answer, body, grpc};
use crate::gateway::{self, Gateway};
use crate::vitals::receiver::{Protocol, signal_index};

/// Of a health check: the name of a service.
const HEALTH_BYTES_MAX: usize = 4 * 1024;

/// What every request needs.
pub struct Door {
    pub gateway: Arc<Gateway>,
    pub budget: Budget,
    pub body_bytes_max: usize,
}

impl Door {
    /// Answers one request, whatever it is.
    pub async fn answer(&self, request: Request<Incoming>) -> Response<AnswerBody> {
        let vitals = &self.gateway.vitals;
        let (parts, mut body) = request.into_parts();
        let head = match Asked::read(parts.version, &parts.method, &parts.uri, &parts.headers) {
            Ok(Asked::Export(head)) => head,
            Ok(Asked::Options) => return answer::options(),
            Ok(Asked::Health) => return self.health(body).await,
            Err((form, refusal)) => {
                body::discard(parts.version, body);
                let protocol = form.map_or(Protocol::HttpProtobuf, protocol);
                vitals.requests_refused[protocol as usize].add(1);
                // In the client's form where that is known, as JSON for a person with curl where not.
                return refused(form.unwrap_or(Form::Json), &refusal);
            }
        };
        let taken = match grpc::timeout(&parts.headers).filter(|_| head.form == Form::Grpc) {
            None => self.take(head, &mut body).await,
            Some(deadline) => tokio::time::timeout(deadline, self.take(head, &mut body))
                .await
                .unwrap_or_else(|_| Err(Refusal::new(Why::Deadline, format!("not done within {deadline:?}")))),
        };
        match taken {
            Ok(taken) => {
                vitals.requests_accepted[protocol(head.form) as usize].add(1);
                accepted(head.form, head.signal, &taken)
            }
            Err(refusal) => {
                body::discard(parts.version, body);
                vitals.requests_refused[protocol(head.form) as usize].add(1);
                refused(head.form, &refusal)
            }
        }
    }

    /// Says whether telemetry is taken. The request names a service, which does not matter: all share one door.
    async fn health(&self, mut incoming: Incoming) -> Response<AnswerBody> {
        let limit = body::Limit { bytes_max: HEALTH_BYTES_MAX, prefix_bytes: grpc::PREFIX_BYTES };
        match body::read(&mut incoming, limit, &mut self.budget.charge()).await {
            Ok(_) => answer::health(self.gateway.is_ready()),
            Err(refusal) => refused(Form::Grpc, &refusal),
        }
    }

    /// Takes one request: when this returns, the journal has it.
    async fn take(&self, head: Head, incoming: &mut Incoming) -> Result<Accepted, Refusal> {
        if !self.gateway.is_accepting() {
            return Err(stopping());
        }
        let mut charge = self.budget.charge();
        let prefix_bytes = if head.form == Form::Grpc { grpc::PREFIX_BYTES } else { 0 };
        let limit = body::Limit { bytes_max: self.body_bytes_max, prefix_bytes };
        let mut bytes = body::read(incoming, limit, &mut charge).await?;
        self.gateway.vitals.bytes_received.add(bytes.len() as u64);
        let mut encoding = head.encoding;
        if head.form == Form::Grpc {
            (bytes, encoding) = grpc::unframe(bytes, encoding, self.body_bytes_max)?;
        }
        let raw = Raw { signal: head.signal, form: head.form, encoding, bytes };
        let (gateway, bytes_max) = (Arc::clone(&self.gateway), self.body_bytes_max);
        if raw.is_slow() {
            return leave(move |runtime| {
                let decoded = decode(raw, bytes_max, &mut charge)?;
                runtime.block_on(hand_over(&gateway, decoded, charge))
            })
            .await;
        }
        let decoded = decode(raw, bytes_max, &mut charge)?;
        if decoded.is_slow() {
            return leave(move |runtime| runtime.block_on(hand_over(&gateway, decoded, charge))).await;
        }
        hand_over(&gateway, decoded, charge).await
    }
}

/// Runs long work where it stalls no other request. Its end does not depend on the client's staying.
async fn leave<T: Send + 'static>(
    work: impl FnOnce(&Handle) -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || work(&runtime))
        .await
        .unwrap_or_else(|error| Err(Refusal::new(Why::Internal, error.to_string())))
}

/// Gives a request that was read to the gateway, and counts it. The charge is held until the journal has the batch.
async fn hand_over(gateway: &Gateway, decoded: Decoded, charge: Charge) -> Result<Accepted, Refusal> {
    let Decoded { batch, accepted, leniency } = decoded;
    let vitals = &gateway.vitals;
    let lenient = [leniency.keys, leniency.ids, leniency.enums, leniency.numbers];
    for (counter, count) in vitals.json_lenient.iter().zip(lenient) {
        counter.add(count.into());
    }
    let (signal, weight) = (signal_index(batch.signal), batch.weight);
    if batch.items > 0 {
        gateway.accept(batch).await.map_err(of_gateway)?;
    }
    vitals.items_accepted[signal].add(weight.into());
    vitals.items_rejected[signal].add(accepted.rejected);
    drop(charge);
    Ok(accepted)
}

fn of_gateway(refusal: gateway::Refusal) -> Refusal {
    match refusal {
        gateway::Refusal::Full(_) => Refusal::new(Why::Overloaded, refusal.to_string()),
        gateway::Refusal::TooLarge(_) => Refusal::new(Why::TooLarge, refusal.to_string()),
        gateway::Refusal::Stopping => stopping(),
    }
}

fn stopping() -> Refusal {
    Refusal::new(Why::Stopping, "the gateway is stopping; come again")
}

fn protocol(form: Form) -> Protocol {
    match form {
        Form::Protobuf => Protocol::HttpProtobuf,
        Form::Json => Protocol::HttpJson,
        Form::Grpc => Protocol::Grpc,
    }
}
