//! Which pieces an answer says were not processed: a 200 from X-Ray does not mean that everything was taken.

use std::collections::{HashMap, HashSet};

use aws_sdk_xray::types::UnprocessedTraceSegment;

use super::convert::plain;
use super::verdict::unprocessed;
use crate::exporter::contract::{Exception, Fate, Outcome, Piece};

/// Reads UnprocessedTraceSegments.
///
/// An entry need not say which document it is about: X-Ray gives no id for one that it could not read. Then one piece of
/// the request is not taken, and nobody knows which. A request of one piece needs no name; of a larger one everything is
/// sent again, whole where the code asks for that, else in halves until the piece stands alone. What was taken before
/// replaces itself.
pub(super) fn read(pieces: &[Piece], entries: &[UnprocessedTraceSegment]) -> Outcome {
    if entries.is_empty() {
        return Outcome::Accepted { except: Vec::new() };
    }
    let pieces_by_id = pieces_by_id(pieces, entries);
    let mut except: Vec<Exception> = Vec::new();
    let mut unnamed: Option<(Fate, String)> = None;
    let mut seen = HashSet::new();
    for entry in entries {
        let fate = unprocessed(entry.error_code());
        let named = match (pieces, entry.id().and_then(|id| pieces_by_id.get(id))) {
            (_, Some(named)) => named.as_slice(),
            ([_], None) => &[0],
            (_, None) => {
                // What asks for halves counts more than what asks for patience: it would never pass.
                if unnamed.as_ref().is_none_or(|(known, _)| *known == Fate::Retry) {
                    unnamed = Some((fate, text(entry)));
                }
                continue;
            }
        };
        let new = named.iter().copied().filter(|piece| seen.insert(*piece));
        except.extend(new.map(|piece| Exception { piece, fate, message: text(entry) }));
    }
    match unnamed {
        None => Outcome::Accepted { except },
        Some((Fate::Retry, message)) => Outcome::Retry { after: None, message },
        Some((Fate::Drop(_), message)) => Outcome::Refused { reason: "unprocessed", message },
    }
}

fn text(entry: &UnprocessedTraceSegment) -> String {
    let or = |text: Option<&str>, none: &str| text.unwrap_or(none).chars().take(200).collect::<String>();
    format!(
        "segment {}: {}: {}",
        or(entry.id(), "without id"),
        or(entry.error_code(), "no code"),
        or(entry.message(), "")
    )
}

/// The positions of the pieces that entries name; two where a span came twice.
fn pieces_by_id(pieces: &[Piece], entries: &[UnprocessedTraceSegment]) -> HashMap<String, Vec<usize>> {
    let ids: HashSet<&[u8]> = entries.iter().filter_map(UnprocessedTraceSegment::id).map(str::as_bytes).collect();
    let mut found: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, piece) in pieces.iter().enumerate() {
        // Reading a document is dear; few of them hold an id that is named, be it their own, a parent's or a link's.
        let quoted = piece.bytes.windows(1 + ID_CHARS).filter(|window| window[0] == b'"');
        if quoted.map(|window| &window[1..]).any(|window| ids.contains(window))
            && let Some(id) = own_id(piece)
        {
            found.entry(id).or_default().push(index);
        }
    }
    found
}

/// The length of a segment's id in hex digits.
const ID_CHARS: usize = 16;

fn own_id(piece: &Piece) -> Option<String> {
    plain(&piece.bytes)["id"].as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use super::*;

    fn piece(id: &str, link: &str) -> Piece {
        let bytes = format!(r#"{{\"id\":\"{id}\",\"links\":[{{\"id\":\"{link}\"}}]}}"#);
        Piece { weight: 1, bytes: bytes.into(), original: None, key: None }
    }

    fn pieces() -> Vec<Piece> {
        vec![piece("000000000000000a", "000000000000000b"), piece("000000000000000b", "000000000000000a")]
    }

    fn entry(id: Option<&str>, code: Option<&str>) -> UnprocessedTraceSegment {
        UnprocessedTraceSegment::builder().set_id(id.map(Into::into)).set_error_code(code.map(Into::into)).build()
    }

    /// What is not taken, by piece; or what becomes of the whole request.
    fn check(pieces: &[Piece], entries: &[UnprocessedTraceSegment], expected: Result<&[(usize, Fate)], &str>) {
        let outcome = match read(pieces, entries) {
            Outcome::Accepted { except } => {
                Ok(except.into_iter().map(|exception| (exception.piece, exception.fate)).collect::<Vec<_>>())
            }
            Outcome::Retry { .. } => Err("retry"),
            Outcome::Refused { reason, .. } => Err(reason),
            other => panic!("{other:?}"),
        };
        assert_eq!(outcome, expected.map(<[_]>::to_vec), "{entries:?}");
    }

    #[test]
    fn an_entry_is_about_the_piece_whose_own_id_it_names() {
        let name = Fate::Drop("invalid_name");
        check(&pieces(), &[], Ok(&[]));
        check(&pieces(), &[entry(Some("000000000000000b"), Some("InvalidName"))], Ok(&[(1, name)]));
        check(&pieces(), &[entry(Some("000000000000000a"), None)], Ok(&[(0, Fate::Retry)]));
        let twice = entry(Some("000000000000000a"), Some("InvalidName"));
        check(&pieces(), &[twice.clone(), twice], Ok(&[(0, name)]));
        let same = [piece("000000000000000a", ""), piece("000000000000000a", "")];
        check(&same, &[entry(Some("000000000000000a"), Some("InvalidName"))], Ok(&[(0, name), (1, name)]));
    }

    #[test]
    fn an_entry_that_names_no_piece_is_about_the_only_one_or_asks_for_halves() {
        for id in [None, Some(""), Some("00000000000000ff")] {
            let refused = entry(id, Some("JSONFormatError"));
            let later = entry(id, Some("InternalFailure"));
            check(&pieces()[..1], from_ref(&refused), Ok(&[(0, Fate::Drop("invalid_segment"))]));
            check(&pieces()[..1], from_ref(&later), Ok(&[(0, Fate::Retry)]));
            check(&pieces(), from_ref(&refused), Err("unprocessed"));
            check(&pieces(), from_ref(&later), Err("retry"));
            check(&pieces(), &[later, refused], Err("unprocessed"));
        }
    }
}
