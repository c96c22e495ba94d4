//! A part of a batch: the headers as they were, and the items that are wanted.

use bytes::Bytes;

use super::wire::{Fields, Wire, put_bytes, put_varint, varint_bytes};

const GROUP: u32 = 1; // field of a request that holds a group
const CHILD: u32 = 2; // field of a group that holds scope groups, and of a scope group that holds items

/// Keeps the items whose index, counted over the whole request from 0, satisfies `keep`.
///
/// Resources, scopes, schema URLs and fields of the future are copied byte for byte; groups left without an item go.
/// Where everything is kept the same bytes come back, not a copy; where nothing is, no bytes do.
pub fn select(body: &Bytes, mut keep: impl FnMut(usize) -> bool) -> Bytes {
    let plan = Plan::draw(body, &mut keep);
    if plan.dropped == 0 { body.clone() } else { plan.write(body).into() }
}

/// What is kept, with the lengths that must stand before it. Lengths are of the new messages; requests are far below
/// 4 GiB, and a sender may fill one with groups of two bytes.
#[derive(Default)]
struct Plan {
    /// One an item, in order.
    kept: Vec<bool>,
    dropped: usize,
    /// One a scope group; 0 where nothing of it is kept.
    scope_bytes: Vec<u32>,
    /// One a group; 0 where nothing of it is kept.
    group_bytes: Vec<u32>,
}

impl Plan {
    fn draw(body: &[u8], keep: &mut impl FnMut(usize) -> bool) -> Self {
        let mut plan = Plan::default();
        for (number, wire) in Fields::new(body) {
            let (GROUP, Wire::Bytes(group)) = (number, wire) else { continue };
            let (mut group_bytes, mut group_kept) = (0, false);
            for (start, end, number, wire) in Ranges::new(group) {
                let (CHILD, Wire::Bytes(scope)) = (number, wire) else {
                    group_bytes += end - start;
                    continue;
                };
                let (mut scope_bytes, mut scope_kept) = (0, false);
                for (start, end, number, _) in Ranges::new(scope) {
                    if number == CHILD {
                        let kept = keep(plan.kept.len());
                        plan.kept.push(kept);
                        plan.dropped += usize::from(!kept);
                        scope_kept |= kept;
                        if !kept {
                            continue;
                        }
                    }
                    scope_bytes += end - start;
                }
                plan.scope_bytes.push(if scope_kept { scope_bytes as u32 } else { 0 });
                if scope_kept {
                    group_bytes += 1 + varint_bytes(scope_bytes as u64) + scope_bytes;
                    group_kept = true;
                }
            }
            plan.group_bytes.push(if group_kept { group_bytes as u32 } else { 0 });
        }
        plan
    }

    fn write(&self, body: &[u8]) -> Vec<u8> {
        if self.dropped == self.kept.len() {
            return Vec::new();
        }
        let mut out = Vec::with_capacity(
            self.group_bytes.iter().filter(|bytes| **bytes > 0).map(|bytes| *bytes as usize + 6).sum(),
        );
        let (mut kept, mut scopes, mut groups) = (self.kept.iter(), self.scope_bytes.iter(), self.group_bytes.iter());
        for (start, end, number, wire) in Ranges::new(body) {
            let (GROUP, Wire::Bytes(group)) = (number, wire) else {
                out.extend_from_slice(&body[start..end]);
                continue;
            };
            let group_bytes = groups.next().copied().unwrap_or_default();
            if group_bytes > 0 {
                put_head(&mut out, GROUP, group_bytes);
            }
            for (start, end, number, wire) in Ranges::new(group) {
                let (CHILD, Wire::Bytes(scope)) = (number, wire) else {
                    if group_bytes > 0 {
                        out.extend_from_slice(&group[start..end]);
                    }
                    continue;
                };
                let scope_bytes = scopes.next().copied().unwrap_or_default();
                if scope_bytes > 0 {
                    put_head(&mut out, CHILD, scope_bytes);
                }
                for (start, end, number, _) in Ranges::new(scope) {
                    let wanted = number != CHILD || kept.next().copied().unwrap_or_default();
                    if wanted && scope_bytes > 0 {
                        out.extend_from_slice(&scope[start..end]);
                    }
                }
            }
        }
        out
    }
}

/// Wraps one item into a request of its own under the headers given as messages.
pub fn single(resource: &[u8], scope: &[u8], item: &[u8]) -> Vec<u8> {
    let mut scope_group = Vec::with_capacity(scope.len() + item.len() + 12);
    put_bytes(&mut scope_group, 1, scope);
    put_bytes(&mut scope_group, CHILD, item);
    let mut group = Vec::with_capacity(resource.len() + scope_group.len() + 12);
    put_bytes(&mut group, 1, resource);
    put_bytes(&mut group, CHILD, &scope_group);
    let mut request = Vec::with_capacity(group.len() + 6);
    put_bytes(&mut request, GROUP, &group);
    request
}

fn put_head(out: &mut Vec<u8>, number: u32, length: u32) {
    put_varint(out, u64::from(number) << 3 | 2);
    put_varint(out, u64::from(length));
}

/// The fields of a message with the range that each occupies, tag included.
struct Ranges<'a> {
    message: &'a [u8],
    fields: Fields<'a>,
}

impl<'a> Ranges<'a> {
    fn new(message: &'a [u8]) -> Self {
        Ranges { message, fields: Fields::new(message) }
    }
}

impl<'a> Iterator for Ranges<'a> {
    type Item = (usize, usize, u32, Wire<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let start = self.message.len() - self.fields.remaining();
        let (number, wire) = self.fields.next()?;
        Some((start, self.message.len() - self.fields.remaining(), number, wire))
    }
}
