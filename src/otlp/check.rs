//! The check at the door: is this a request of its signal, and which of its items are fit to pass on?
//!
//! Bytes that are no protobuf of the right shape condemn the request ([`Malformed`]). A flaw inside one item, such as an
//! id of 15 bytes or a name that is not UTF-8, condemns that item alone: receivers behind us decode whole requests and
//! would refuse its neighbours with it. A flaw of an envelope condemns all its items, and the request where it has none
//! to go with. After the door the views cannot fail.

#![expect(clippy::inline_always, reason = "one call a field less is a fifth of the time")]

use std::fmt;

use super::Signal;
use super::schema::{Field, Kind, Message, SPAN, proto_name, request};
use super::wire::{Fields, Malformed, Wire};
use super::{Item, schema};

/// How deep values may nest in values; each level is a list or a map.
pub const DEPTH_MAX: usize = 100; // https://protobuf.dev/programming-guides/proto-limits/ names 100 messages as the common limit

/// How many items of one request may be flawed; with more the request is condemned.
pub const REJECTED_MAX: usize = 65_536; // 5 MiB of findings; an empty span is two bytes, so 64 MiB hold 33 million of them

/// How many items one request may have, how many data points, and how many groups. Each costs some bytes of bookkeeping or
/// of a vendor's text, however small it is on the wire: 64 MiB can hold 33 million of them and come as 300 KB of gzip.
pub const ITEMS_MAX: u32 = 1024 * 1024; // a hundred times what SDKs and collectors send

/// What a request holds.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// Spans, log records or metrics, the rejected ones included.
    pub items: u32,
    /// Spans, log records or data points, the rejected ones included.
    pub weight: u32,
    /// The items that cannot pass, in order.
    pub rejected: Vec<Rejected>,
}

/// An item that cannot pass.
#[derive(Debug, PartialEq, Eq)]
pub struct Rejected {
    /// Which item of the request, counted from 0.
    pub index: usize,
    pub weight: u32,
    pub flaw: Flaw,
}

/// What is wrong with an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    IdLength { message: &'static str, field: &'static str, expected: usize, bytes: usize },
    IdMissing { field: &'static str },
    NotUtf8 { message: &'static str, field: &'static str },
}

impl fmt::Display for Flaw {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Flaw::IdLength { message, field, expected, bytes } => {
                write!(out, "{message}.{} has {bytes} bytes, not {expected}", proto_name(field))
            }
            Flaw::IdMissing { field } => write!(out, "Span.{} is missing or all zero", proto_name(field)),
            Flaw::NotUtf8 { message, field } => write!(out, "{message}.{} is not UTF-8", proto_name(field)),
        }
    }
}

/// Reads all of a request once.
pub fn check(signal: Signal, body: &[u8]) -> Result<Census, Malformed> {
    let mut census = Census::default();
    let mut groups = 0;
    for_children(request(signal), body, |group_message, group| {
        count_group(&mut groups)?;
        let items_before = census.items;
        let group_flaw = check_headers(group_message, group)?;
        for_children(group_message, group, |scope_message, scope| {
            count_group(&mut groups)?;
            let items_before = census.items;
            let scope_flaw = check_headers(scope_message, scope)?;
            for_children(scope_message, scope, |item_message, item| {
                let mut found = Found::default();
                check_message(item_message, item, 0, &mut found)?;
                let missing = || if signal == Signal::Traces { found.missing_id() } else { None };
                let weight = Item::weight(signal, item);
                if let Some(flaw) = group_flaw.or(scope_flaw).or(found.flaw).or_else(missing) {
                    if census.rejected.len() == REJECTED_MAX {
                        return Err(Malformed::Flaws(REJECTED_MAX));
                    }
                    census.rejected.push(Rejected { index: census.items as usize, weight, flaw });
                }
                census.items += 1;
                // A body has no more than 2^32 bytes, and a data point no less than two.
                census.weight += weight;
                if census.items.max(census.weight) > ITEMS_MAX {
                    return Err(Malformed::Items(ITEMS_MAX));
                }
                Ok(())
            })?;
            // Where the group is at fault too, it goes as a whole.
            refuse_hollow(scope_flaw.filter(|_| group_flaw.is_none()), census.items - items_before)
        })?;
        refuse_hollow(group_flaw, census.items - items_before)
    })?;
    Ok(census)
}

fn count_group(groups: &mut u32) -> Result<(), Malformed> {
    *groups += 1;
    if *groups > ITEMS_MAX { Err(Malformed::Items(ITEMS_MAX)) } else { Ok(()) }
}

/// A flaw of an envelope goes with its items; an envelope without items would stay, and make every receiver behind us
/// refuse what it travels with.
fn refuse_hollow(flaw: Option<Flaw>, items: u32) -> Result<(), Malformed> {
    match flaw {
        Some(Flaw::NotUtf8 { field, .. }) if items == 0 => Err(Malformed::Hollow(field)),
        _ => Ok(()),
    }
}

/// What was found out about one item, or one envelope.
#[derive(Default)]
struct Found {
    /// The first flaw on the wire.
    flaw: Option<Flaw>,
    /// Whether a span's own two ids are there and not zero; the last occurrence counts.
    ids: [bool; 2],
}

impl Found {
    #[cold]
    fn note(&mut self, flaw: Flaw) {
        self.flaw.get_or_insert(flaw);
    }

    /// A span needs both ids, and neither may be all zero. <https://www.w3.org/TR/trace-context/#trace-id>
    fn missing_id(&self) -> Option<Flaw> {
        let missing = self.ids.iter().position(|there| !there)?;
        Some(Flaw::IdMissing { field: SPAN.fields[missing].json })
    }
}

/// Calls `each` for the sub-messages that lead towards the items: groups, scope groups, items.
fn for_children<'a>(
    message: &'static Message,
    bytes: &'a [u8],
    mut each: impl FnMut(&'static Message, &'a [u8]) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let field = message.fields.iter().find(|field| field.rule == schema::Rule::Many).expect("a container has children");
    let Kind::Message(child) = field.kind else { return Ok(()) };
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.try_next()? {
        if number == field.number {
            let Wire::Bytes(bytes) = wire else { return Err(Malformed::FieldType(field.json)) };
            each(child, bytes)?;
        }
    }
    Ok(())
}

/// Checks what a container holds beside its children.
fn check_headers(message: &'static Message, bytes: &[u8]) -> Result<Option<Flaw>, Malformed> {
    let mut found = Found::default();
    let mut fields = Fields::new(bytes);
    while let Some((number, wire)) = fields.try_next()? {
        match message.field(number) {
            Some(field) if field.rule != schema::Rule::Many => check_field(message, field, wire, 0, &mut found)?,
            _ => {}
        }
    }
    Ok(found.flaw)
}

/// Checks a message field by field. Nearly every field has the tag that its table expects, hence the short way there:
/// the tag's one byte tells field and wire type at once.
fn check_message(message: &'static Message, bytes: &[u8], depth: usize, found: &mut Found) -> Result<(), Malformed> {
    let mut fields = Fields::new(bytes);
    while let Some(tag) = fields.first_byte() {
        let Some(field) = message.field_of_tag(tag) else {
            if let Some((number, wire)) = fields.try_next()?
                && let Some(field) = message.field(number)
            {
                check_field(message, field, wire, depth, found)?;
            }
            continue;
        };
        fields.pass(1)?;
        match tag & 7 {
            2 => check_payload(message, field, fields.payload()?, depth, found)?,
            1 => fields.pass(8)?,
            5 => fields.pass(4)?,
            _ => drop(fields.varint()?),
        }
    }
    Ok(())
}

/// Checks a field that was read whole.
fn check_field(
    message: &'static Message,
    field: &'static Field,
    wire: Wire<'_>,
    depth: usize,
    found: &mut Found,
) -> Result<(), Malformed> {
    match (field.kind, wire) {
        (Kind::Message(_) | Kind::String | Kind::Bytes | Kind::Id(_), Wire::Bytes(bytes)) => {
            check_payload(message, field, bytes, depth, found)
        }
        (Kind::Double | Kind::Fixed64 | Kind::Sfixed64, Wire::Fixed64(_))
        | (Kind::Fixed32, Wire::Fixed32(_))
        | (
            Kind::Int64 | Kind::Uint64 | Kind::Uint32 | Kind::Int32 | Kind::Sint32 | Kind::Bool | Kind::Enum(_),
            Wire::Varint(_),
        ) => Ok(()),
        (kind, Wire::Bytes(bytes)) if field.rule == schema::Rule::Many => check_packed(field, kind, bytes),
        _ => Err(Malformed::FieldType(field.json)),
    }
}

/// Checks what stands behind the length of a message, a text, an id or bytes.
#[inline(always)]
fn check_payload(
    message: &'static Message,
    field: &'static Field,
    bytes: &[u8],
    depth: usize,
    found: &mut Found,
) -> Result<(), Malformed> {
    match field.kind {
        Kind::Message(inner) => {
            let depth = depth + usize::from(inner.nests());
            if depth > DEPTH_MAX {
                return Err(Malformed::Depth(DEPTH_MAX));
            }
            return check_message(inner, bytes, depth, found);
        }
        Kind::String if !is_text(bytes) => found.note(Flaw::NotUtf8 { message: message.name, field: field.json }),
        Kind::Id(expected) => {
            if bytes.len() != expected && !bytes.is_empty() {
                let (message, field) = (message.name, field.json);
                found.note(Flaw::IdLength { message, field, expected, bytes: bytes.len() });
            }
            if std::ptr::eq(message, &raw const SPAN)
                && let Some(there) = found.ids.get_mut(field.number as usize - 1)
            {
                *there = bytes.iter().any(|byte| *byte != 0);
            }
        }
        _ => {}
    }
    Ok(())
}

/// Whether bytes are UTF-8. Names are short and plain ASCII nearly always, so that much is looked at first.
#[inline(always)]
fn is_text(bytes: &[u8]) -> bool {
    bytes.is_ascii() || std::str::from_utf8(bytes).is_ok()
}

/// Checks a repeated number that stands packed in one length-delimited field.
fn check_packed(field: &'static Field, kind: Kind, bytes: &[u8]) -> Result<(), Malformed> {
    match kind {
        Kind::Double | Kind::Fixed64 if bytes.len().is_multiple_of(8) => Ok(()),
        Kind::Uint64 => {
            let mut numbers = Fields::new(bytes);
            while numbers.remaining() > 0 {
                numbers.varint()?;
            }
            Ok(())
        }
        _ => Err(Malformed::FieldType(field.json)),
    }
}
