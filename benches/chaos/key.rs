//! [`Key`]: who a span is. Its id tells it all, so that whoever sees a span anywhere knows what must become of it.
//!
//! ```text
//!  span id:  │ mark │ error │     number     │
//!             1 byte  1 byte      6 bytes
//! ```

use crate::kind::Kind;

/// What a vendor does with a span whatever mood it is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub enum Mark {
    /// Takes it.
    None,
    /// Refuses every request that holds it.
    Honeycomb400,
    /// Takes the request but for this span, and says so.
    HoneycombPartial,
    /// Refuses every request that holds it.
    Xray400,
    /// Takes the request but for this document, and says so.
    XrayUnprocessed,
    /// Refuses the item.
    Rollbar400,
    Rollbar413,
    Rollbar422,
}

/// Every mark with its name in the span's name, and the vendor that minds it. The position is the byte in the id.
pub const MARKS: [(Mark, &str, Option<Kind>); 8] = [
    (Mark::None, "plain", None),
    (Mark::Honeycomb400, "poison-honeycomb-400", Some(Kind::Honeycomb)),
    (Mark::HoneycombPartial, "poison-honeycomb-partial", Some(Kind::Honeycomb)),
    (Mark::Xray400, "poison-xray-400", Some(Kind::Xray)),
    (Mark::XrayUnprocessed, "poison-xray-unprocessed", Some(Kind::Xray)),
    (Mark::Rollbar400, "poison-rollbar-400", Some(Kind::Rollbar)),
    (Mark::Rollbar413, "poison-rollbar-413", Some(Kind::Rollbar)),
    (Mark::Rollbar422, "poison-rollbar-422", Some(Kind::Rollbar)),
];

const NUMBER_BITS: u32 = 48;

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct Key(u64);

impl Key {
    /// `number` is from 1 on, so that no id is all zeros.
    pub fn new(number: u64, mark: Mark, is_error: bool) -> Self {
        let row = MARKS.iter().position(|(known, ..)| *known == mark).expect("every mark has its row");
        Self((row as u64) << 56 | u64::from(is_error) << NUMBER_BITS | number)
    }

    /// Reads an id in hex digits, as X-Ray and Rollbar get it.
    pub fn from_hex(text: &str) -> Option<Self> {
        (text.len() == 16).then(|| u64::from_str_radix(text, 16).ok().map(Self))?.filter(|key| key.is_known())
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(|bytes| Self(u64::from_be_bytes(bytes))).filter(|key| key.is_known())
    }

    fn is_known(self) -> bool {
        ((self.0 >> 56) as usize) < MARKS.len() && self.number() > 0
    }

    pub fn bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    pub fn number(self) -> u64 {
        self.0 & ((1 << NUMBER_BITS) - 1)
    }

    pub fn mark(self) -> Mark {
        MARKS[(self.0 >> 56) as usize].0
    }

    pub fn is_error(self) -> bool {
        self.0 >> NUMBER_BITS & 1 == 1
    }

    /// What the span is called.
    pub fn name(self) -> String {
        let (_, mark, _) = MARKS[(self.0 >> 56) as usize];
        format!("chaos {mark} {:012}", self.number())
    }

    /// A text that nobody else's span has, of varying length: what arrives changed is found out.
    pub fn pad(self) -> String {
        let length = (self.number().wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize; // 0 to 511
        format!("{:x}-", self.0).chars().cycle().take(length).collect()
    }

    /// Whether the routes send it to this vendor.
    pub fn goes_to(self, kind: Kind) -> bool {
        kind != Kind::Rollbar || self.is_error()
    }

    /// Whether this vendor refuses it for good.
    pub fn is_refused_by(self, kind: Kind) -> bool {
        MARKS[(self.0 >> 56) as usize].2 == Some(kind)
    }
}
