//! A rule's `when`, compiled: what it asks of the group, and what it asks of each item.

use crate::otlp::log::SEVERITIES;
use crate::otlp::metric::MetricKind;
use crate::otlp::span::{SpanKind, StatusCode};
use crate::otlp::{Attributes, Group, Item, Key, Signal, Value};
use crate::stdx::fault::Fault;
use crate::stdx::located::Located;
use crate::stdx::nearest::nearest;
use crate::stdx::units::Interval;

use super::config::{Condition, Match, Matches, Scalar};
use super::matcher::{Matcher, Operand, plain};

/// Attribute names that rules ask for, each with a slot; old and present names of the conventions share one.
#[derive(Debug, Default)]
pub(super) struct Slots {
    names: Vec<Slot>,
}

#[derive(Debug)]
struct Slot {
    /// As written in the rule.
    written: String,
    /// Set where the conventions know the name.
    key: Option<Key>,
}

impl Slots {
    fn of(&mut self, name: &str) -> usize {
        // An old name in a rule means the same attribute as the present one, except where the old one was split.
        let key = Key::of(name).filter(|key| {
            key.name() == name || key.old_names().iter().any(|(old, reading)| *old == name && reading.is_same())
        });
        let slot = Slot { written: key.map_or_else(|| name.to_owned(), |key| key.name().to_owned()), key };
        self.names.iter().position(|known| known.written == slot.written).unwrap_or_else(|| {
            self.names.push(slot);
            self.names.len() - 1
        })
    }

    /// Finds all slots' values in one walk over the attributes.
    fn fill<'a>(&self, attributes: &Attributes<'a>) -> Vec<Option<Value<'a>>> {
        let mut values = vec![None; self.names.len()];
        if values.is_empty() {
            return values;
        }
        let mut ranks = vec![usize::MAX; self.names.len()];
        for (name, value) in attributes.iter() {
            for (at, slot) in self.names.iter().enumerate() {
                let found = if name == slot.written {
                    Some((0, Some(value)))
                } else if let Some(key) = slot.key {
                    let old = key.old_names().iter().position(|(old, _)| *old == name);
                    old.map(|rank| (rank + 1, key.old_names()[rank].1.read(value)))
                } else {
                    None
                };
                if let Some((rank, Some(value))) = found
                    && rank < ranks[at]
                {
                    (ranks[at], values[at]) = (rank, Some(value));
                }
            }
        }
        values
    }
}

/// What all items of a group share.
pub(super) struct GroupFacts<'a> {
    signal: Signal,
    service: &'a str,
    resource: Vec<Option<Value<'a>>>,
}

impl<'a> GroupFacts<'a> {
    pub(super) fn new(signal: Signal, group: &Group<'a>, slots: &Slots) -> Self {
        let resource = slots.fill(&group.resource.attributes);
        GroupFacts { signal, service: group.resource.service_name(), resource }
    }
}

/// One item and what its group shares.
pub(super) struct ItemFacts<'a> {
    group: &'a GroupFacts<'a>,
    item: &'a Item<'a>,
    /// Of a metric: one list a data point. Of others: one list.
    attributes: Vec<Vec<Option<Value<'a>>>>,
}

impl<'a> ItemFacts<'a> {
    pub(super) fn new(group: &'a GroupFacts<'a>, item: &'a Item<'a>, slots: &Slots) -> Self {
        let attributes = match item {
            _ if slots.names.is_empty() => Vec::new(),
            Item::Span(span) => vec![slots.fill(&span.attributes)],
            Item::Log(log) => vec![slots.fill(&log.attributes)],
            Item::Metric(metric) => metric.point_attributes().map(|point| slots.fill(&point)).collect(),
        };
        ItemFacts { group, item, attributes }
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
            let matcher = Matcher::compile(wanted, &plain, faults);
            all.push(Predicate::Attribute { slot: item_slots.of(name), matcher });
        }
        for (name, wanted) in resource.iter().flat_map(|Matches(matches)| matches) {
            let matcher = Matcher::compile(wanted, &plain, faults);
            all.push(Predicate::Resource { slot: resource_slots.of(name), matcher });
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

    /// Whether it holds for everything, whatever comes.
    pub(super) fn is_always(&self) -> bool {
        match self {
            Predicate::All(inner) => inner.iter().all(Predicate::is_always),
            Predicate::Any(inner) => inner.iter().any(Predicate::is_always),
            _ => false,
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
            Predicate::Signal(matcher) => Some(matcher.holds(Some(Value::Str(facts.signal.name())))),
            Predicate::Service(matcher) => Some(matcher.holds(present(facts.service))),
            Predicate::Resource { slot, matcher } => Some(matcher.holds(facts.resource[*slot])),
            // Only spans have a status and a duration, only logs a severity, only both of them exceptions.
            Predicate::Status(matcher) | Predicate::Duration(matcher) if facts.signal != Signal::Traces => {
                Some(matcher.holds(None))
            }
            Predicate::Severity(matcher) if facts.signal != Signal::Logs => Some(matcher.holds(None)),
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
            Predicate::Attribute { slot, matcher } => match facts.attributes.as_slice() {
                [] => matcher.holds(None),
                // A metric goes one way with all its points: a condition holds for it when it holds for each of them.
                lists => lists.iter().all(|values| matcher.holds(values[*slot])),
            },
            Predicate::Exception(wanted) => *wanted == tells_of_exception(facts.item),
            Predicate::Name(matcher)
            | Predicate::Kind(matcher)
            | Predicate::Status(matcher)
            | Predicate::Severity(matcher)
            | Predicate::Duration(matcher) => matcher.holds(self.value(facts.item)),
        }
    }

    /// What a condition on a field of the item looks at.
    fn value<'a>(&self, item: &Item<'a>) -> Option<Value<'a>> {
        match (self, item) {
            (Predicate::Name(_), item) => present(item.name()),
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
                leaf(&format!("attribute `{}`", item_slots.names[*slot].written), matcher)
            }
            Predicate::Resource { slot, matcher } => {
                leaf(&format!("resource attribute `{}`", resource_slots.names[*slot].written), matcher)
            }
        }
    }
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

fn one_of(scalar: &Scalar, what: &str, words: &[&str]) -> Result<Operand, String> {
    if words.contains(&scalar.text.as_str()) {
        return Ok(Operand::Value(scalar.clone()));
    }
    let hint = nearest(&scalar.text, words.iter().copied())
        .map_or_else(|| format!("one of {}", words.join(", ")), |name| format!("did you mean `{name}`?"));
    Err(format!("`{}` is no {what}: {hint}", scalar.text))
}

/// A name stands for its whole range of numbers: `error` is 17 to 20.
fn read_severity(scalar: &Scalar) -> Result<Operand, String> {
    match scalar.number {
        Some(number) if (1.0..=24.0).contains(&number) => Ok(Operand::Value(scalar.clone())),
        Some(number) => Err(format!("severity {number} is not between 1 and 24")),
        None => {
            one_of(scalar, "severity", &SEVERITIES.map(|(name, _)| name))?;
            let floor = SEVERITIES.iter().find(|(name, _)| *name == scalar.text).map_or(0, |(_, floor)| *floor);
            Ok(Operand::Numbers(f64::from(floor)..=f64::from(floor + 3), scalar.text.clone()))
        }
    }
}

fn read_duration(scalar: &Scalar) -> Result<Operand, String> {
    match scalar.text.parse::<Interval>() {
        Ok(interval) => {
            let number = Some(interval.duration().as_nanos() as f64);
            Ok(Operand::Value(Scalar { text: scalar.text.clone(), number }))
        }
        Err(error) => Err(format!("`{}` is no duration: {error}", scalar.text)),
    }
}
