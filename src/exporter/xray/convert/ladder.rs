//! How a document that is too large becomes smaller: step by step, and each step is named in the document.
//!
//! X-Ray refuses what is above 64 kB whole. A level takes all that the level before took, and more. The last one always
//! fits: required members, marks, the HTTP status, and the types of the exceptions.

/// How much a document may show at one level.
#[derive(Debug, Clone, Copy)]
pub struct Level {
    /// What `metadata.otel.truncated` says was done.
    pub steps: &'static [&'static str],
    /// Events kept at the beginning and at the end.
    pub events_ends: usize,
    pub frames_first: usize,
    pub frames_last: usize,
    pub exceptions_max: usize,
    /// Strings in metadata beyond this are cut to a quarter of it.
    pub string_bytes_max: usize,
    pub query_bytes_max: usize,
    pub url_chars_max: usize,
    pub message_bytes_max: usize,
    /// Larger values in metadata are replaced by their size: those of the span, those of the resource.
    pub value_bytes_max: usize,
    pub resource_bytes_max: usize,
    pub annotation_chars_max: usize,
    pub links_max: usize,
    pub minimal: bool,
}

/// X-Ray's limit for the value of an annotation, in characters.
const ANNOTATION_CHARS_MAX: usize = 1000;

const WHOLE: Level = Level {
    steps: &[],
    events_ends: usize::MAX,
    frames_first: usize::MAX,
    frames_last: 0,
    exceptions_max: usize::MAX,
    string_bytes_max: usize::MAX,
    query_bytes_max: usize::MAX,
    url_chars_max: usize::MAX,
    message_bytes_max: usize::MAX,
    value_bytes_max: usize::MAX,
    resource_bytes_max: usize::MAX,
    annotation_chars_max: ANNOTATION_CHARS_MAX,
    links_max: usize::MAX,
    minimal: false,
};

const EVENTS: Level = Level { steps: &["events"], events_ends: 5, ..WHOLE };
const STACKS: Level =
    Level { steps: &["events", "stacks"], frames_first: 20, frames_last: 10, exceptions_max: 3, ..EVENTS };
const STACKS_MORE: Level = Level { frames_first: 5, frames_last: 0, ..STACKS };
const STRINGS: Level = Level { steps: &["events", "stacks", "strings"], string_bytes_max: 4 * 1024, ..STACKS_MORE };
const TEXTS: Level = Level {
    steps: &["events", "stacks", "strings", "texts"],
    query_bytes_max: 4 * 1024,
    url_chars_max: 1024,
    message_bytes_max: 2 * 1024,
    links_max: 20,
    ..STRINGS
};
const VALUES: Level =
    Level { steps: &["events", "stacks", "strings", "texts", "values"], value_bytes_max: 512, ..TEXTS };
const ANNOTATIONS: Level = Level {
    steps: &["events", "stacks", "strings", "texts", "values", "annotations"],
    annotation_chars_max: 250,
    value_bytes_max: 0,
    resource_bytes_max: 0,
    ..VALUES
};

/// What is tried, one after the other.
pub const LEVELS: &[Level] = &[
    WHOLE,
    EVENTS,
    STACKS,
    STACKS_MORE,
    STRINGS,
    TEXTS,
    VALUES,
    Level { value_bytes_max: 128, ..VALUES },
    Level { value_bytes_max: 32, ..VALUES },
    Level { value_bytes_max: 0, ..VALUES },
    Level { value_bytes_max: 0, resource_bytes_max: 128, ..VALUES },
    Level { value_bytes_max: 0, resource_bytes_max: 0, ..VALUES },
    ANNOTATIONS,
    MINIMAL,
];

const MINIMAL: Level = Level { steps: &["minimal"], minimal: true, events_ends: 0, frames_first: 0, ..ANNOTATIONS };

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_level_takes_what_the_one_before_took() {
        for pair in LEVELS.windows(2) {
            let (wide, narrow) = (pair[0], pair[1]);
            assert!(narrow.minimal || narrow.steps.starts_with(wide.steps));
            assert!(narrow.events_ends <= wide.events_ends && narrow.frames_first <= wide.frames_first);
            assert!(
                narrow.string_bytes_max <= wide.string_bytes_max && narrow.message_bytes_max <= wide.message_bytes_max
            );
            assert!(
                narrow.value_bytes_max <= wide.value_bytes_max && narrow.resource_bytes_max <= wide.resource_bytes_max
            );
            assert!(narrow.annotation_chars_max <= wide.annotation_chars_max && narrow.links_max <= wide.links_max);
        }
        assert!(LEVELS.last().is_some_and(|level| level.minimal));
    }
}
