//! [`Fault`]: the moods of a vendor, one for each row of the gateway's tables of verdicts.

use std::time::{Duration, SystemTime};

use crate::draw::Draw;
use crate::kind::Kind;

/// What a vendor does with requests for a while.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    Healthy,
    /// Nobody listens, and what was connected is cut off.
    Closed,
    /// Reads the request, then resets the connection; every other time it has taken what it read.
    Reset,
    /// As [`Fault::Reset`], but closes the connection in good order, as a server does with one that was idle for too long.
    HangUp,
    /// Takes the request, and resets in the middle of its answer.
    CutAnswer,
    /// Reads the request and says nothing; every other time it has taken what it read.
    Stall,
    /// Takes nothing and answers with this status.
    Status(u16, After),
    /// A proxy of the vendor fails; every other time the vendor behind it has taken the request.
    Proxy(u16),
    /// Refuses requests of more than a few spans as too large.
    TooLarge,
    /// Takes a part of each request and asks for the rest again.
    Unprocessed,
    /// Refuses the credentials.
    Unauthorized,
    /// Draws one of the quick ones for each request, or none.
    Mixed,
}

/// What `Retry-After` says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    Nothing,
    Seconds,
    Date,
    Garbage,
}

/// How soon the gateway may be expected to be back once the vendor is healthy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Pause {
    Short,
    /// Half a minute: too long for a round, so that only a restart ends it.
    Long,
}

const ALL: &[Kind] = &Kind::ALL;
const OTLP: &[Kind] = &[Kind::Honeycomb];
const XRAY: &[Kind] = &[Kind::Xray];
const ROLLBAR: &[Kind] = &[Kind::Rollbar];
const OTLP_XRAY: &[Kind] = &[Kind::Honeycomb, Kind::Xray];
const XRAY_ROLLBAR: &[Kind] = &[Kind::Xray, Kind::Rollbar];

/// Every fault, whose it can be, and how long the gateway rests because of it.
const FAULTS: [(Fault, &[Kind], Pause); 23] = [
    (Fault::Closed, ALL, Pause::Short),
    (Fault::Reset, ALL, Pause::Short),
    (Fault::HangUp, ALL, Pause::Short),
    (Fault::CutAnswer, ALL, Pause::Short),
    (Fault::Stall, ALL, Pause::Short),
    (Fault::Status(429, After::Seconds), ALL, Pause::Short),
    (Fault::Status(429, After::Date), OTLP_XRAY, Pause::Short),
    (Fault::Status(429, After::Garbage), OTLP_XRAY, Pause::Short),
    (Fault::Status(429, After::Nothing), OTLP_XRAY, Pause::Short),
    (Fault::Status(429, After::Garbage), ROLLBAR, Pause::Long), // a limit by the minute rests for half of one
    (Fault::Status(503, After::Nothing), ALL, Pause::Short),
    (Fault::Status(503, After::Seconds), ALL, Pause::Short),
    (Fault::Status(503, After::Date), ALL, Pause::Short),
    (Fault::Status(503, After::Garbage), ALL, Pause::Short),
    (Fault::Status(500, After::Nothing), XRAY_ROLLBAR, Pause::Short),
    (Fault::Status(500, After::Nothing), OTLP, Pause::Short), // for good: OTLP forbids to send it again
    (Fault::Status(504, After::Nothing), ALL, Pause::Short),
    (Fault::Proxy(502), ALL, Pause::Short),
    (Fault::Proxy(504), ALL, Pause::Short),
    (Fault::TooLarge, OTLP_XRAY, Pause::Short),
    (Fault::Unprocessed, XRAY, Pause::Short),
    (Fault::Mixed, ALL, Pause::Short),
    (Fault::Unauthorized, ALL, Pause::Long),
];

/// What keeps a vendor away for a whole round.
pub const OUTAGES: [Fault; 4] =
    [Fault::Closed, Fault::Stall, Fault::Status(503, After::Nothing), Fault::Status(429, After::Seconds)];

impl Fault {
    /// Draws one that is over soon after the vendor is healthy.
    pub fn draw_short(kind: Kind, draw: &mut Draw) -> Self {
        Self::draw_of(kind, Pause::Short, draw)
    }

    /// Draws one after which the gateway rests for longer than a round.
    pub fn draw_long(kind: Kind, draw: &mut Draw) -> Self {
        Self::draw_of(kind, Pause::Long, draw)
    }

    fn draw_of(kind: Kind, wanted: Pause, draw: &mut Draw) -> Self {
        let rows: Vec<Self> = FAULTS
            .iter()
            .filter(|(_, kinds, pause)| kinds.contains(&kind) && *pause == wanted)
            .map(|(fault, ..)| *fault)
            .collect();
        rows[draw.below(rows.len() as u64) as usize]
    }

    /// What is done to one request.
    pub fn of_request(self, kind: Kind, draw: &mut Draw) -> Self {
        if self != Self::Mixed {
            return self;
        }
        match draw.below(9) {
            0 => Self::Reset,
            1 => Self::CutAnswer,
            2 => Self::Status(503, After::Nothing),
            3 => Self::Proxy(502),
            4 => Self::HangUp,
            5 if kind == Kind::Xray => Self::Unprocessed,
            _ => Self::Healthy,
        }
    }
}

impl After {
    pub fn text(self, draw: &mut Draw) -> Option<String> {
        match self {
            Self::Nothing => None,
            Self::Seconds => Some(draw.below(2).to_string()),
            Self::Date => Some(http_date(SystemTime::now() + Duration::from_secs(1))),
            Self::Garbage => Some(["soon", "-3", "1e9", "", "Thu, 32 Jan"][draw.below(5) as usize].to_owned()),
        }
    }
}

/// `Wed, 21 Oct 2015 07:28:00 GMT`. <https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7>
fn http_date(at: SystemTime) -> String {
    jiff::Timestamp::try_from(at)
        .map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%a, %d %b %Y %H:%M:%S GMT").to_string())
        .unwrap_or_default()
}
