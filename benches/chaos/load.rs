//! [`Load`]: several clients of the gateway, and what they were told about each request.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::draw::Draw;
use crate::key::{Key, Mark};
use crate::kind::Kind;
use crate::lives::Lives;
use crate::request::{Form, body};

/// One span in so many has failed.
const ERROR_EVERY: u64 = 40;
/// One request in so many carries a poisoned span, while there are any left.
const POISON_EVERY: u64 = 4;
/// Each connection numbers its spans from here times its own number on.
const NUMBERS_PER_CONNECTION: u64 = 1 << 32;
/// How long a connection rests for each span it has sent: all together send a few thousand spans a second.
const REST_PER_SPAN: Duration = Duration::from_micros(2500);
/// The gateway answers in milliseconds; nobody waits for ever.
pub const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);

/// What a client was told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Answer {
    Acknowledged,
    /// Not taken, says the gateway.
    Refused(String),
    /// The connection broke: nobody knows.
    Unknown(String),
}

/// One request, and what became of it.
#[derive(Clone, Debug)]
pub struct Sent {
    pub keys: Vec<Key>,
    pub life: u32,
    pub ended_at: Instant,
    pub answer: Answer,
}

/// What all clients have sent so far.
#[derive(Default)]
struct Journey {
    sent: Mutex<Vec<Sent>>,
    poisons: Mutex<Vec<Mark>>,
}

pub struct Load {
    journey: Arc<Journey>,
    clients: JoinSet<()>,
}

impl Load {
    /// Lets so many clients send until then.
    pub fn start(
        address: SocketAddr,
        lives: &Arc<Lives>,
        connections: u64,
        poisons: Vec<Mark>,
        seed: u64,
        until: Instant,
    ) -> Self {
        let journey = Arc::new(Journey { sent: Mutex::default(), poisons: Mutex::new(poisons) });
        let mut clients = JoinSet::new();
        for number in 0..connections {
            let client = Client {
                address,
                lives: Arc::clone(lives),
                journey: Arc::clone(&journey),
                draw: Draw::new(seed ^ (number + 1) << 40),
                next: number * NUMBERS_PER_CONNECTION,
            };
            clients.spawn(client.run(until));
        }
        Self { journey, clients }
    }

    /// Waits for the last answers.
    pub async fn end(mut self) -> Vec<Sent> {
        while self.clients.join_next().await.is_some() {}
        std::mem::take(&mut self.journey.sent.lock().expect("no holder of the lock can panic"))
    }
}

struct Client {
    address: SocketAddr,
    lives: Arc<Lives>,
    journey: Arc<Journey>,
    draw: Draw,
    next: u64,
}

impl Client {
    async fn run(mut self, until: Instant) {
        let mut up = self.lives.follow();
        let mut connection: Option<(u32, SendRequest<Full<Bytes>>)> = None;
        loop {
            let life = tokio::select! {
                Ok(life) = up.wait_for(Option::is_some) => life.unwrap_or_default(),
                () = tokio::time::sleep_until(until.into()) => return,
            };
            if Instant::now() >= until {
                return;
            }
            let keys = self.keys();
            let form = Form::ALL[self.draw.below(3) as usize];
            let answer = match body(&keys, form, &mut self.draw) {
                Ok(body) => self.send(life, &mut connection, form, body).await,
                Err(problem) => Answer::Refused(format!("cannot be written: {problem:#}")),
            };
            // In bursts: half of the requests follow at once, so that a kill finds some under way.
            let rest = REST_PER_SPAN * keys.len() as u32 * [0, 0, 1, 3][self.draw.below(4) as usize];
            let sent = Sent { keys, life, ended_at: Instant::now(), answer };
            self.journey.sent.lock().expect("no holder of the lock can panic").push(sent);
            tokio::time::sleep_until(until.min(Instant::now() + rest).into()).await;
        }
    }

    /// Draws the spans of a request: mostly few, sometimes many.
    fn keys(&mut self) -> Vec<Key> {
        let count = match self.draw.below(10) {
            0..5 => 1 + self.draw.below(4),
            5..9 => 8 + self.draw.below(56),
            _ => 150 + self.draw.below(250),
        };
        let poison = if self.draw.below(POISON_EVERY) == 0 {
            self.journey.poisons.lock().expect("no holder of the lock can panic").pop()
        } else {
            None
        };
        let poisoned = self.draw.below(count);
        (0..count)
            .map(|position| {
                self.next += 1;
                let mark = poison.filter(|_| position == poisoned).unwrap_or(Mark::None);
                let key = Key::new(self.next, mark, true);
                let is_error = key.is_refused_by(Kind::Rollbar) || self.draw.below(ERROR_EVERY) == 0;
                Key::new(self.next, mark, is_error)
            })
            .collect()
    }

    /// Sends over the open connection of this life, or a new one.
    async fn send(
        &self,
        life: u32,
        connection: &mut Option<(u32, SendRequest<Full<Bytes>>)>,
        form: Form,
        body: Bytes,
    ) -> Answer {
        let export = async {
            let mut sender = match connection.take() {
                Some((of, sender)) if of == life && !sender.is_closed() => sender,
                _ => connect(self.address).await?,
            };
            let answer = export(&mut sender, self.address, form, body).await?;
            *connection = Some((life, sender));
            anyhow::Ok(answer)
        };
        match tokio::time::timeout(ANSWER_TIME_MAX, export).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(problem)) => Answer::Unknown(format!("{problem:#}")),
            Err(_) => Answer::Unknown(format!("no answer within {ANSWER_TIME_MAX:?}")),
        }
    }
}

pub async fn connect(address: SocketAddr) -> anyhow::Result<SendRequest<Full<Bytes>>> {
    let stream = TcpStream::connect(address).await.context("cannot connect")?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Sends one request, and reads what is said to it.
pub async fn export(
    sender: &mut SendRequest<Full<Bytes>>,
    address: SocketAddr,
    form: Form,
    body: Bytes,
) -> anyhow::Result<Answer> {
    let mut request =
        Request::post("/v1/traces").header(HOST, address.to_string()).header(CONTENT_TYPE, form.content_type());
    if form == Form::Gzip {
        request = request.header(CONTENT_ENCODING, "gzip");
    }
    sender.ready().await?;
    let response = sender.send_request(request.body(Full::new(body))?).await?;
    let status = response.status();
    // The status line is the promise: what breaks behind it takes nothing back.
    let text = response.into_body().collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    // Success without a word about partial success is empty in protobuf and `{}` in JSON.
    Ok(if status.as_u16() == 200 && text.len() <= 2 {
        Answer::Acknowledged
    } else {
        Answer::Refused(format!("{status}: {}", text.escape_ascii()))
    })
}
