//! Which exporters each item goes to: `routes` of `gateway.yaml`, compiled once, asked for every item.
//!
//! The promise: the same item and the same rules always give the same exporters, and nothing is dropped for want of a
//! rule. [`Router::route`] decides for a whole batch and [`Router::explain`] says why for one item; both ask the same
//! predicate.
//!
//! Most rules look at the signal, the service or the resource, which a whole group of items shares. They are decided once
//! a group; an item is only read when a rule is left that needs it, and its attributes only when a rule asks for one.

mod config;
mod matcher;
mod predicate;
mod routing;

use std::sync::atomic::{AtomicU64, Ordering};

pub use config::{RouteConfig, RouterConfig};
pub use routing::{ExporterSet, Routing};

use crate::otlp::{Batch, Item, groups};
use crate::stdx::fault::Fault;
use crate::stdx::nearest::nearest;
use predicate::{GroupFacts, ItemFacts, Predicate, Slots};

/// How many exporters a gateway may have: one bit each in an [`ExporterSet`].
pub const EXPORTERS_MAX: usize = 64;

/// What `explain` and metrics call the end of the rules.
const DEFAULT: &str = "default";

/// The compiled rules.
#[derive(Debug)]
pub struct Router {
    routes: Vec<Route>,
    default: ExporterSet,
    unmatched: AtomicU64,
    item_slots: Slots,
    resource_slots: Slots,
}

#[derive(Debug)]
struct Route {
    name: String,
    predicate: Predicate,
    to: ExporterSet,
    continues: bool,
    /// Spans, log records and data points that matched.
    matched: AtomicU64,
}

/// How much each route took of one batch, the default last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matched(Vec<u64>);

/// What one rule said about one item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explained {
    pub route: String,
    pub matched: bool,
    pub because: String,
}

impl Router {
    /// Compiles the rules for exporters of these names, in the order of their bits. Returns all faults at once.
    pub fn new(config: &RouterConfig, exporters: &[&str]) -> Result<Self, Vec<Fault>> {
        let mut faults = Vec::new();
        let (mut item_slots, mut resource_slots) = (Slots::default(), Slots::default());
        let mut routes: Vec<Route> = Vec::new();
        for (row, route) in config.routes.iter().enumerate() {
            let name = &route.name.value;
            if name.is_empty() || name == DEFAULT {
                let message = format!("a route cannot have the name `{name}`");
                let hint =
                    "say what it is for: metrics and `explain` name it, and `default` is what no route has taken";
                faults.push(Fault::at(route.name.place, message).hint(hint));
            }
            if routes.iter().any(|earlier| earlier.name == *name) {
                faults.push(
                    Fault::at(route.name.place, format!("route `{name}` is defined twice"))
                        .hint("give each route a name of its own: metrics and `explain` name it"),
                );
            }
            let faults_before = faults.len();
            let predicate = Predicate::compile(route.when.as_ref(), &mut item_slots, &mut resource_slots, &mut faults);
            // What is wrong already needs no second complaint.
            let is_sound = faults.len() == faults_before;
            if is_sound && predicate.is_plain() == Some(false) {
                let fault = Fault::at(route.name.place, format!("route `{name}` can never match"));
                faults.push(fault.hint("its `when` holds for nothing"));
            }
            let mut closing = config.routes[..row].iter().zip(&routes).filter(|(earlier, _)| !earlier.continues);
            if let Some((_, earlier)) = closing.find(|(_, earlier)| earlier.predicate.is_plain() == Some(true)) {
                let message = format!("route `{name}` can never match: `{}` takes everything", earlier.name);
                let fault = Fault::at(route.name.place, message);
                faults.push(fault.hint("move it up, or give the earlier route a `when` or `continue: true`"));
            } else if is_sound && let Some(earlier) = config.routes[..row].iter().find(|earlier| earlier.shadows(route))
            {
                let message = format!("route `{name}` can never match: `{}` takes all that it would", earlier.name);
                let fault = Fault::at(route.name.place, message);
                faults.push(fault.hint("move it up, or give the earlier route `continue: true`"));
            }
            routes.push(Route {
                name: name.clone(),
                predicate,
                to: resolve(&route.to, exporters, &mut faults),
                continues: route.continues,
                matched: AtomicU64::new(0),
            });
        }
        let default = resolve(&config.default, exporters, &mut faults);
        if faults.is_empty() {
            Ok(Router { routes, default, unmatched: AtomicU64::new(0), item_slots, resource_slots })
        } else {
            Err(faults)
        }
    }

    /// Decides for every item of a batch, and says how much each route took; nothing is counted yet.
    pub fn route(&self, batch: &Batch) -> (Routing, Matched) {
        let mut routing = routing::Builder::new(batch.items as usize);
        let mut matched = vec![0u64; self.routes.len() + 1];
        for group in groups(&batch.body) {
            let facts = GroupFacts::new(batch.signal, &group, &self.resource_slots);
            // What is left to ask each item of this group: undecided rules, up to the first that takes everything.
            let mut open: Vec<(usize, &Route)> = Vec::new();
            let mut decided = ExporterSet::EMPTY;
            let mut decided_rows: Vec<usize> = Vec::new();
            let mut ends = false;
            for (row, route) in self.routes.iter().enumerate() {
                match route.predicate.of_group(&facts) {
                    Some(false) => {}
                    Some(true) if open.is_empty() => {
                        decided = decided.union(route.to);
                        decided_rows.push(row);
                        if !route.continues {
                            ends = true;
                            break;
                        }
                    }
                    _ => open.push((row, route)),
                }
            }
            for scope in group.scopes() {
                for message in scope.items() {
                    let weight = Item::weight(batch.signal, message);
                    let mut set = decided;
                    let mut ended = ends;
                    for row in &decided_rows {
                        matched[*row] += u64::from(weight);
                    }
                    if !ended && !open.is_empty() {
                        let item = Item::parse(batch.signal, message);
                        let facts = ItemFacts::new(&facts, &item, &self.item_slots);
                        for (row, route) in &open {
                            if route.predicate.holds(&facts) {
                                set = set.union(route.to);
                                matched[*row] += u64::from(weight);
                                if !route.continues {
                                    ended = true;
                                    break;
                                }
                            }
                        }
                    }
                    if !ended {
                        set = set.union(self.default);
                        *matched.last_mut().expect("one more than routes") += u64::from(weight);
                    }
                    routing.push(set, weight);
                }
            }
        }
        (routing.finish(), Matched(matched))
    }

    /// Counts what the routes took of a batch that was accepted.
    pub fn count(&self, matched: &Matched) {
        let counters = self.routes.iter().map(|route| &route.matched).chain([&self.unmatched]);
        for (counter, matched) in counters.zip(&matched.0) {
            if *matched > 0 {
                counter.fetch_add(*matched, Ordering::Relaxed);
            }
        }
    }

    /// Goes on counting where routes of the same names were.
    pub fn count_on_from(&self, before: &Router) {
        for route in &self.routes {
            let known = before.routes.iter().find(|known| known.name == route.name);
            route.matched.store(known.map_or(0, |known| known.matched.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
        self.unmatched.store(before.unmatched.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many items each route took since the start, the default last, under the name `default`.
    pub fn matched(&self) -> impl Iterator<Item = (&str, u64)> {
        self.routes
            .iter()
            .map(|route| (route.name.as_str(), route.matched.load(Ordering::Relaxed)))
            .chain([(DEFAULT, self.unmatched.load(Ordering::Relaxed))])
    }

    /// Says for every item of a batch what each rule made of it; rules behind a final match were not asked.
    pub fn explain(&self, batch: &Batch) -> Vec<(Vec<Explained>, ExporterSet)> {
        let mut all = Vec::new();
        for group in groups(&batch.body) {
            let group_facts = GroupFacts::new(batch.signal, &group, &self.resource_slots);
            for scope in group.scopes() {
                for message in scope.items() {
                    let item = Item::parse(batch.signal, message);
                    all.push(self.explain_item(&ItemFacts::new(&group_facts, &item, &self.item_slots)));
                }
            }
        }
        all
    }

    fn explain_item(&self, facts: &ItemFacts<'_>) -> (Vec<Explained>, ExporterSet) {
        let mut explained = Vec::new();
        let mut set = ExporterSet::EMPTY;
        for route in &self.routes {
            let matched = route.predicate.holds(facts);
            let because = route.predicate.because(facts, &self.item_slots, &self.resource_slots);
            explained.push(Explained { route: route.name.clone(), matched, because });
            if matched {
                set = set.union(route.to);
                if !route.continues {
                    return (explained, set);
                }
            }
        }
        explained.push(Explained {
            route: DEFAULT.to_owned(),
            matched: true,
            because: "no route before it was final".to_owned(),
        });
        (explained, set.union(self.default))
    }
}

fn resolve(
    names: &[crate::stdx::located::Located<String>],
    exporters: &[&str],
    faults: &mut Vec<Fault>,
) -> ExporterSet {
    let mut set = ExporterSet::EMPTY;
    for name in names {
        match exporters.iter().position(|exporter| *exporter == name.value) {
            Some(index) => set.insert(index),
            None => faults.push(
                Fault::at(name.place, format!("exporter `{}` is not defined", name.value))
                    .did_you_mean(nearest(&name.value, exporters.iter().copied())),
            ),
        }
    }
    set
}
