//! [`Plan`]: everything that will happen in a round, drawn from its seed before it begins.

use std::fmt;
use std::time::Duration;

use crate::draw::Draw;
use crate::fault::{Fault, OUTAGES};
use crate::key::{MARKS, Mark};
use crate::kind::Kind;

/// What the binary and the command line allow.
#[derive(Clone, Copy, Debug)]
pub struct Allowed {
    pub kills: bool,
    pub reloads: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Way {
    Rename,
    InPlace,
}

/// What happens to the gateway's process or file.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    Kill,
    /// Killed, and killed again so long after it was started.
    KillTwice(Duration),
    Stop,
    Reload(Way, Notice),
    /// A file with new keys.
    Renew(Way, Notice),
    /// A file that must change nothing, mended after so long.
    Break(Way, Notice, Duration),
}

/// How the gateway learns of a new file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Notice {
    Signal,
    Watch,
}

#[derive(Clone, Copy, Debug)]
pub enum Action {
    Vendor(Kind, Fault),
    Gateway(Event),
}

pub struct Plan {
    pub seed: u64,
    pub load: Duration,
    pub connections: u64,
    pub poisons: Vec<Mark>,
    /// By time.
    pub actions: Vec<(Duration, Action)>,
    /// What happens when every vendor is healthy again, to end a rest that is too long for a round.
    pub last: Option<Event>,
}

impl Plan {
    pub fn draw(seed: u64, allowed: Allowed) -> Self {
        let mut draw = Draw::new(seed);
        let load = Duration::from_millis(1200 + draw.below(1000));
        let mut actions = Vec::new();
        let kind = |draw: &mut Draw| Kind::ALL[draw.below(3) as usize];
        let outage = (draw.below(3) == 0).then(|| kind(&mut draw));
        let unauthorized = (draw.below(3) == 0).then(|| kind(&mut draw)).filter(|kind| outage != Some(*kind));
        let last = unauthorized.and_then(|kind| draw_mend(kind, allowed, &mut draw));
        let unauthorized = unauthorized.filter(|_| last.is_some());
        for kind in Kind::ALL {
            if outage == Some(kind) {
                let fault = OUTAGES[draw.below(OUTAGES.len() as u64) as usize];
                actions.push((millis(draw.below(100)), Action::Vendor(kind, fault)));
            } else {
                draw_moods(kind, unauthorized == Some(kind), load, &mut actions, &mut draw);
            }
        }
        if allowed.kills {
            for _ in 0..=draw.below(2) {
                actions.push((draw_time(load, &mut draw), Action::Gateway(draw_end(&mut draw))));
            }
        }
        if allowed.reloads {
            for _ in 0..draw.below(4) {
                actions.push((draw_time(load, &mut draw), Action::Gateway(draw_reload(&mut draw))));
            }
        }
        actions.sort_by_key(|(at, _)| *at);
        // Few, because the gateway searches a request for its poison with a limited number of tries.
        let poisons = MARKS[1..].iter().flat_map(|(mark, ..)| vec![*mark; draw.below(3) as usize]);
        let mut poisons: Vec<Mark> = poisons.collect();
        poisons.sort_by_cached_key(|_| draw.below(u64::MAX));
        Self { seed, load, connections: 6 + draw.below(10), poisons, actions, last }
    }
}

/// Good and bad moods in turn.
fn draw_moods(
    kind: Kind,
    ends_unauthorized: bool,
    load: Duration,
    actions: &mut Vec<(Duration, Action)>,
    draw: &mut Draw,
) {
    let mut at = millis(draw.below(200));
    while at < load {
        actions.push((at, Action::Vendor(kind, Fault::draw_short(kind, draw))));
        at += millis(50 + draw.below(350));
        actions.push((at, Action::Vendor(kind, Fault::Healthy)));
        at += millis(50 + draw.below(300));
    }
    if ends_unauthorized {
        let from = load / 2 + draw_time(load / 2, draw);
        actions.retain(|(at, action)| *at < from || !matches!(action, Action::Vendor(of, _) if *of == kind));
        actions.push((from, Action::Vendor(kind, Fault::draw_long(kind, draw))));
    }
}

fn draw_end(draw: &mut Draw) -> Event {
    match draw.below(8) {
        0..4 => Event::Kill,
        4..6 => Event::KillTwice(millis(draw.below(30))),
        _ => Event::Stop,
    }
}

/// What ends the long rest of an exporter that is not let in. X-Ray's credentials are not of the file.
fn draw_mend(kind: Kind, allowed: Allowed, draw: &mut Draw) -> Option<Event> {
    let by_file = allowed.reloads && kind != Kind::Xray;
    match draw.below(2) {
        0 if by_file => Some(Event::Renew(draw_way(draw), Notice::Signal)),
        _ if allowed.kills => Some(draw_end(draw)),
        _ if by_file => Some(Event::Renew(draw_way(draw), Notice::Watch)),
        _ => None,
    }
}

fn draw_way(draw: &mut Draw) -> Way {
    if draw.below(2) == 0 { Way::Rename } else { Way::InPlace }
}

fn draw_reload(draw: &mut Draw) -> Event {
    let way = draw_way(draw);
    let notice = if draw.below(2) == 0 { Notice::Signal } else { Notice::Watch };
    match draw.below(3) {
        0 => Event::Break(way, notice, millis(50 + draw.below(200))),
        _ => Event::Reload(way, notice),
    }
}

fn draw_time(within: Duration, draw: &mut Draw) -> Duration {
    millis(draw.below(within.as_millis() as u64))
}

fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

impl fmt::Display for Plan {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "seed {}: {} connections for {:?}, poison {:?}",
            self.seed, self.connections, self.load, self.poisons
        )?;
        for (at, action) in &self.actions {
            writeln!(out, "  {:>5} ms  {action:?}", at.as_millis())?;
        }
        writeln!(out, "  at the end all vendors are healthy; then {:?}", self.last)
    }
}
