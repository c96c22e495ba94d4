//! A rule's `when`, compiled: what it asks of the group, and what it asks of each item.

use crate::otlp::log::SEVERITIES;
use crate::otlp::metric::MetricKind;
use crate::otlp::semconv::{Reading, Vocabulary, other_metric_name};
use crate::otlp::span::{SpanKind, StatusCode};
use crate::otlp::{Attributes, Group, Item, Key, Signal, Value};
use crate::stdx::fault::Fault;
use crate::stdx::located::{Located, Place};
use crate::stdx::nearest::nearest;
use crate::stdx::units::Interval;

use super::config::{Condition, Match, Matches, Scalar};
use super::matcher::{Matcher, Operand, plain};

/// Attributes that rules ask for, each with a slot.
#[derive(Debug, Default)]
pub(super) struct Slots(Vec<Slot>);

/// One attribute by the name in the rule: old and present names of the conventions are one to a rule.
#[derive(Debug)]
struct Slot {
    /// As written in the rule.
    written: String,
    /// The names that it may come by, in the order in which to look, each with how its value is read.
    names: Vec<(String, How)>,
    /// What the written name was split into, for where none of the names is there.
    parts: Option<Parts>,
}

/// How the value of a name becomes what the rule speaks of.
#[derive(Debug, Clone, Copy)]
enum How {
    Read(Reading),
    /// A present word in the vocabulary of old that the rule was written in.
    Old(Vocabulary),
}

/// An old attribute that is two at present.
#[derive(Debug, Clone, Copy)]
enum Parts {
    /// `path?query`
    Target,
    /// `host:port`, or `host` alone where the port goes without saying.
    Host,
}

impl Slots {
    fn of(&mut self, written: &str) -> usize {
        self.0.iter().position(|known| known.written == written).unwrap_or_else(|| {
            self.0.push(Slot::new(written));
            self.0.len() - 1
        })
    }

    /// Finds all slots' values in one walk over the attributes.
    fn fill<'a>(&self, attributes: &Attributes<'a>) -> Vec<Option<Value<'a>>> {
        let mut values = vec![None; self.0.len()];
        if values.is_empty() {
            return values;
        }
        let mut ranks = vec![usize::MAX; self.0.len()];
        for (name, value) in attributes.iter() {
            for (at, slot) in self.0.iter().enumerate() {
                slot.look_at(name, value, &mut ranks[at], &mut values[at]);
            }
        }
        values
    }
}

impl Slot {
    fn new(written: &str) -> Self {
        let mut slot = Slot { written: written.to_owned(), names: Vec::new(), parts: None };
        let present = Key::of(written).filter(|key| key.name() == written);
        let successors: Vec<(Key, Reading)> = match present {
            Some(key) => vec![(key, Reading::Same)],
            None => Key::successors(written).collect(),
        };
        // The present name counts where both are there; what the rule says to the letter comes next.
        for (key, reading) in &successors {
            match reading {
                Reading::Same => slot.add(key.name(), How::Read(Reading::Same)),
                Reading::Value(vocabulary) => slot.add(key.name(), How::Old(vocabulary)),
                Reading::Path | Reading::Query => slot.parts = Some(Parts::Target),
                Reading::Host | Reading::Port => slot.parts = Some(Parts::Host),
            }
        }
        slot.add(written, How::Read(Reading::Same));
        // Other old names stand for it as well, where it is plain which attribute is meant.
        if let [(key, Reading::Same)] = successors[..] {
            for (old, reading) in key.old_names() {
                slot.add(old, How::Read(*reading));
            }
        }
        slot
    }

    fn add(&mut self, name: &str, how: How) {
        if self.names.iter().all(|(known, _)| known != name) {
            self.names.push((name.to_owned(), how));
        }
    }

    /// The words that were replaced when the attribute was renamed.
    fn vocabulary(&self) -> Vocabulary {
        let vocabulary = self.names.iter().find_map(|(_, how)| match how {
            How::Old(vocabulary) | How::Read(Reading::Value(vocabulary)) => Some(*vocabulary),
            How::Read(_) => None,
        });
        vocabulary.unwrap_or_default()
    }

    /// Takes an attribute's value if it is the best so far.
    #[inline]
    fn look_at<'a>(&self, name: &str, value: Value<'a>, best: &mut usize, found: &mut Option<Value<'a>>) {
        if let Some(rank) = self.names.iter().position(|(known, _)| known == name)
            && rank < *best
            && let Some(value) = self.names[rank].1.read(value)
        {
            (*best, *found) = (rank, Some(value));
        }
    }

    fn find<'a>(&self, attributes: &Attributes<'a>) -> Option<Value<'a>> {
        let (mut best, mut found) = (usize::MAX, None);
        for (name, value) in attributes.iter() {
            self.look_at(name, value, &mut best, &mut found);
        }
        found
    }

    /// Whether a value, or what is put together from its parts, is what is wanted.
    fn holds(&self, matcher: &Matcher, found: Option<Value<'_>>, attributes: &Attributes<'_>) -> bool {
        let (None, Some(parts)) = (found, self.parts) else { return matcher.holds(found.as_slice()) };
        let (first, second, separator) = match parts {
            Parts::Target => (Key::UrlPath, Key::UrlQuery, '?'),
            Parts::Host => (Key::ServerAddress, Key::ServerPort, ':'),
        };
        let Some(first) = attributes.get(first.name()) else { return matcher.holds(&[]) };
        let second = attributes.get(second.name()).map(Value::to_text).filter(|text| !text.is_empty());
        let Some(second) = second else { return matcher.holds(&[first]) };
        let joined = format!("{}{separator}{second}", first.to_text());
        match parts {
            Parts::Target => matcher.holds(&[Value::Str(&joined)]),
            Parts::Host => matcher.holds(&[first, Value::Str(&joined)]),
        }
    }
}

impl How {
    fn read(self, value: Value<'_>) -> Option<Value<'_>> {
        match self {
            How::Read(reading) => reading.read(value),
            How::Old(vocabulary) => {
                let old = vocabulary.iter().find(|(_, present)| value.as_str() == Some(present));
                Some(old.map_or(value, |(old, _)| Value::Str(old)))
            }
        }
    }
}

/// What all items of a group share.
pub(super) struct GroupFacts<'a> {
    signal: Signal,
    service: &'a str,
    attributes: Attributes<'a>,
    resource: Vec<Option<Value<'a>>>,
    slots: &'a Slots,
}

impl<'a> GroupFacts<'a> {
    pub(super) fn new(signal: Signal, group: &Group<'a>, slots: &'a Slots) -> Self {
        let attributes = group.resource.attributes;
        let resource = slots.fill(&attributes);
        GroupFacts { signal, service: group.resource.service_name(), attributes, resource, slots }
    }
}

/// One item and what its group shares.
pub(super) struct ItemFacts<'a> {
    group: &'a GroupFacts<'a>,
    item: &'a Item<'a>,
    slots: &'a Slots,
    /// Of a span or log record, one a slot. A metric may have a million points: they are looked at one by one.
    attributes: Vec<Option<Value<'a>>>,
}

impl<'a> ItemFacts<'a> {
    pub(super) fn new(group: &'a GroupFacts<'a>, item: &'a Item<'a>, slots: &'a Slots) -> Self {
        let attributes = match item {
            Item::Span(span) => slots.fill(&span.attributes),
            Item::Log(log) => slots.fill(&log.attributes),
            Item::Metric(_) => Vec::new(),
        };
        ItemFacts { group, item, slots, attributes }
    }

    fn attribute_holds(&self, slot: usize, matcher: &Matcher) -> bool {
        let at = &self.slots.0[slot];
        match self.item {
            Item::Span(span) => at.holds(matcher, self.attributes[slot], &span.attributes),
            Item::Log(log) => at.holds(matcher, self.attributes[slot], &log.attributes),
            Item::Metric(metric) => {
                // A metric goes one way with all its points: a condition holds for it when it holds for each of them.
                let mut points = metric.point_attributes().peekable();
                if points.peek().is_none() {
                    return matcher.holds(&[]);
                }
                points.all(|attributes| at.holds(matcher, at.find(&attributes), &attributes))
            }
        }
    }
}

/// One condition.
#[derive(Debug)]
pub(super) enum Predicate {
    All(Vec<Predicate>),
    Any(Vec<Predicate>),
    Not(Box<Predicate>),
    Signal(Matcher),
    Service(Matcher),
    Resource { slot: usize, matcher: Matcher },
    Name(Matcher),
    Kind(Matcher),
    Status(Matcher),
    Severity(Matcher),
    Exception(bool),
    Duration(Matcher),
    Attribute { slot: usize, matcher: Matcher },
}

impl Predicate {
    pub(super) fn compile(
        condition: Option<&Condition>,
        item_slots: &mut Slots,
        resource_slots: &mut Slots,
        faults: &mut Vec<Fault>,
    ) -> Predicate {
        let mut all = Vec::new();
        let Some(condition) = condition else { return Predicate::All(all) };
        let Condition {
            signal, service, name, kind, status, severity, exception, duration, attributes, resource, ..
        } = condition;
        let mut field =
            |wanted: &Option<Located<Match>>, read: super::matcher::ReadOperand<'_>, make: fn(Matcher) -> _| {
                if let Some(wanted) = wanted {
                    all.push(make(Matcher::compile(wanted, read, faults)));
                }
            };
        field(signal, &|scalar| one_of(scalar, "signal", &Signal::ALL.map(Signal::name)), Predicate::Signal);
        field(service, &plain, Predicate::Service);
        field(name, &plain, Predicate::Name);
        let kinds: Vec<&str> = SpanKind::NAMES
            .iter()
            .map(|(name, _)| *name)
            .chain(MetricKind::NAMES.iter().map(|(name, _)| *name))
            .collect();
        field(kind, &|scalar| one_of(scalar, "kind", &kinds), Predicate::Kind);
        let statuses = StatusCode::NAMES.map(|(name, _)| name);
        field(status, &|scalar| one_of(scalar, "status", &statuses), Predicate::Status);
        field(severity, &read_severity, Predicate::Severity);
        field(duration, &read_duration, Predicate::Duration);
        all.extend(exception.map(Predicate::Exception));
        for (name, wanted) in attributes.iter().flat_map(|Matches(matches)| matches) {
            let slot = item_slots.of(name);
            let matcher = compile_attribute(wanted, &item_slots.0[slot], faults);
            all.push(Predicate::Attribute { slot, matcher });
        }
        for (name, wanted) in resource.iter().flat_map(|Matches(matches)| matches) {
            let slot = resource_slots.of(name);
            let matcher = compile_attribute(wanted, &resource_slots.0[slot], faults);
            all.push(Predicate::Resource { slot, matcher });
        }
        let mut inner = |conditions: &[Condition]| -> Vec<Predicate> {
            conditions
                .iter()
                .map(|condition| Predicate::compile(Some(condition), item_slots, resource_slots, faults))
                .collect()
        };
        all.extend(condition.all.as_deref().map(&mut inner).map(Predicate::All));
        all.extend(condition.any.as_deref().map(&mut inner).map(Predicate::Any));
        all.extend(
            condition
                .not
                .as_deref()
                .map(|condition| Predicate::Not(Box::new(inner(std::slice::from_ref(condition)).remove(0)))),
        );
        if all.len() == 1 { all.remove(0) } else { Predicate::All(all) }
    }

    /// Whether it is plain without looking at anything: holding for everything, or for nothing.
    pub(super) fn is_plain(&self) -> Option<bool> {
        match self {
            Predicate::All(inner) if inner.iter().any(|one| one.is_plain() == Some(false)) => Some(false),
            Predicate::All(inner) => inner.iter().all(|one| one.is_plain() == Some(true)).then_some(true),
            Predicate::Any(inner) if inner.iter().any(|one| one.is_plain() == Some(true)) => Some(true),
            Predicate::Any(inner) => inner.iter().all(|one| one.is_plain() == Some(false)).then_some(false),
            Predicate::Not(inner) => inner.is_plain().map(|held| !held),
            Predicate::Signal(matcher) => {
                let mut held = Signal::ALL.map(|signal| matcher.holds(&[Value::Str(signal.name())])).into_iter();
                let first = held.next()?;
                held.all(|other| other == first).then_some(first)
            }
            _ => None,
        }
    }

    /// Decides for all items of a group at once; `None` where the items must be asked.
    pub(super) fn of_group(&self, facts: &GroupFacts<'_>) -> Option<bool> {
        match self {
            Predicate::All(inner) => {
                let mut verdict = Some(true);
                for predicate in inner {
                    match predicate.of_group(facts) {
                        Some(false) => return Some(false),
                        Some(true) => {}
                        None => verdict = None,
                    }
                }
                verdict
            }
            Predicate::Any(inner) => {
                let mut verdict = Some(false);
                for predicate in inner {
                    match predicate.of_group(facts) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => verdict = None,
                    }
                }
                verdict
            }
            Predicate::Not(inner) => inner.of_group(facts).map(|held| !held),
            Predicate::Signal(matcher) => Some(matcher.holds(&[Value::Str(facts.signal.name())])),
            Predicate::Service(matcher) => Some(matcher.holds(present(facts.service).as_slice())),
            Predicate::Resource { slot, matcher } => {
                Some(facts.slots.0[*slot].holds(matcher, facts.resource[*slot], &facts.attributes))
            }
            // Only spans have a status and a duration, only logs a severity, only both of them exceptions.
            Predicate::Status(matcher) | Predicate::Duration(matcher) if facts.signal != Signal::Traces => {
                Some(matcher.holds(&[]))
            }
            Predicate::Severity(matcher) if facts.signal != Signal::Logs => Some(matcher.holds(&[])),
            Predicate::Exception(wanted) if facts.signal == Signal::Metrics => Some(!wanted),
            _ => None,
        }
    }

    /// Decides for one item.
    pub(super) fn holds(&self, facts: &ItemFacts<'_>) -> bool {
        match self {
            Predicate::All(inner) => inner.iter().all(|predicate| predicate.holds(facts)),
            Predicate::Any(inner) => inner.iter().any(|predicate| predicate.holds(facts)),
            Predicate::Not(inner) => !inner.holds(facts),
            Predicate::Signal(_) | Predicate::Service(_) | Predicate::Resource { .. } => {
                self.of_group(facts.group).unwrap_or_default()
            }
            Predicate::Attribute { slot, matcher } => facts.attribute_holds(*slot, matcher),
            Predicate::Exception(wanted) => *wanted == tells_of_exception(facts.item),
            Predicate::Name(matcher) => match facts.item {
                Item::Metric(metric) if let Some(other) = other_metric_name(metric.name) => {
                    matcher.holds(&[Value::Str(metric.name), Value::Str(other)])
                }
                item => matcher.holds(present(item.name()).as_slice()),
            },
            Predicate::Kind(matcher)
            | Predicate::Status(matcher)
            | Predicate::Severity(matcher)
            | Predicate::Duration(matcher) => matcher.holds(self.value(facts.item).as_slice()),
        }
    }

    /// What a condition on a field of the item looks at.
    fn value<'a>(&self, item: &Item<'a>) -> Option<Value<'a>> {
        match (self, item) {
            (Predicate::Kind(_), Item::Span(span)) => Some(Value::Str(span.kind.name())),
            (Predicate::Kind(_), Item::Metric(metric)) => Some(Value::Str(metric.kind.name())),
            (Predicate::Status(_), Item::Span(span)) => Some(Value::Str(span.status.code.name())),
            (Predicate::Duration(_), Item::Span(span)) => Some(Value::Double(span.duration_nano() as f64)),
            (Predicate::Severity(_), Item::Log(log)) => {
                Some(log.severity_number_or_text()).filter(|number| *number > 0).map(|number| Value::Int(number.into()))
            }
            _ => None,
        }
    }

    /// Says in words what decided: the first condition that failed, or those that held.
    pub(super) fn because(&self, facts: &ItemFacts<'_>, item_slots: &Slots, resource_slots: &Slots) -> String {
        let say = |predicate: &Predicate| predicate.because(facts, item_slots, resource_slots);
        let leaf = |subject: &str, matcher: &Matcher| {
            let verdict = if self.holds(facts) { "holds" } else { "does not hold" };
            format!("{subject} {matcher}: {verdict}")
        };
        match self {
            Predicate::All(inner) if inner.is_empty() => "it has no condition".to_owned(),
            Predicate::All(inner) => match inner.iter().find(|predicate| !predicate.holds(facts)) {
                Some(failed) => say(failed),
                None => inner.iter().map(say).collect::<Vec<_>>().join("; "),
            },
            Predicate::Any(inner) => match inner.iter().find(|predicate| predicate.holds(facts)) {
                Some(held) => say(held),
                None => format!("none of: {}", inner.iter().map(say).collect::<Vec<_>>().join("; ")),
            },
            Predicate::Not(inner) => format!("not ({})", say(inner)),
            Predicate::Exception(wanted) => {
                let found = if tells_of_exception(facts.item) { "tells of" } else { "tells of no" };
                format!("{found} exception, wanted: {wanted}")
            }
            Predicate::Signal(matcher) => leaf("signal", matcher),
            Predicate::Service(matcher) => leaf("service", matcher),
            Predicate::Name(matcher) => leaf("name", matcher),
            Predicate::Kind(matcher) => leaf("kind", matcher),
            Predicate::Status(matcher) => leaf("status", matcher),
            Predicate::Severity(matcher) => leaf("severity", matcher),
            Predicate::Duration(matcher) => leaf("duration", matcher),
            Predicate::Attribute { slot, matcher } => {
                leaf(&format!("attribute `{}`", item_slots.0[*slot].written), matcher)
            }
            Predicate::Resource { slot, matcher } => {
                leaf(&format!("resource attribute `{}`", resource_slots.0[*slot].written), matcher)
            }
        }
    }
}

/// A word that was replaced and the one that replaced it are one to a rule: `publish` is called `send` now.
fn compile_attribute(wanted: &Located<Match>, slot: &Slot, faults: &mut Vec<Fault>) -> Matcher {
    let read = |scalar: &Scalar| {
        let other = slot.vocabulary().iter().find_map(|(old, present)| match &*scalar.text {
            text if text == *old => Some(*present),
            text if text == *present => Some(*old),
            _ => None,
        });
        Ok(match other {
            Some(other) => Operand::Words([scalar.clone(), Scalar { text: other.to_owned(), number: None }]),
            None => Operand::Value(scalar.clone()),
        })
    };
    Matcher::compile(wanted, &read, faults)
}

/// An empty string is how protobuf writes absence.
fn present(text: &str) -> Option<Value<'_>> {
    (!text.is_empty()).then_some(Value::Str(text))
}

fn tells_of_exception(item: &Item<'_>) -> bool {
    match item {
        Item::Span(span) => !span.events.is_empty() && span.exceptions().next().is_some(),
        Item::Log(log) => log.is_exception(),
        Item::Metric(_) => false,
    }
}

fn one_of(scalar: &Scalar, what: &str, words: &[&str]) -> Result<Operand, Fault> {
    if words.contains(&scalar.text.as_str()) {
        return Ok(Operand::Value(scalar.clone()));
    }
    Err(Fault::at(Place::NONE, format!("`{}` is no {what}", scalar.text))
        .hint(format!("one of {}", words.join(", ")))
        .did_you_mean(nearest(&scalar.text, words.iter().copied())))
}

/// A name stands for its whole range of numbers: `error` is 17 to 20.
fn read_severity(scalar: &Scalar) -> Result<Operand, Fault> {
    match scalar.number {
        Some(number) if (1.0..=24.0).contains(&number) => Ok(Operand::Value(scalar.clone())),
        Some(number) => Err(Fault::at(Place::NONE, format!("severity {number} is not between 1 and 24"))
            .hint(format!("or one of {}", SEVERITIES.map(|(name, _)| name).join(", ")))),
        None => {
            one_of(scalar, "severity", &SEVERITIES.map(|(name, _)| name))?;
            let floor = SEVERITIES.iter().find(|(name, _)| *name == scalar.text).map_or(0, |(_, floor)| *floor);
            Ok(Operand::Numbers(f64::from(floor)..=f64::from(floor + 3), scalar.text.clone()))
        }
    }
}

fn read_duration(scalar: &Scalar) -> Result<Operand, Fault> {
    match scalar.text.parse::<Interval>() {
        Ok(interval) => {
            let number = Some(interval.duration().as_nanos() as f64);
            Ok(Operand::Value(Scalar { text: scalar.text.clone(), number }))
        }
        Err(_) => Err(Fault::at(Place::NONE, format!("`{}` is no duration", scalar.text))
            .hint("whole numbers with their units, such as 200ms, 1s500ms or 1h30m")),
    }
}
