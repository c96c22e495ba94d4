//! [`Settings`]: what may differ from one gateway.yaml of a round to the next, and the files of it that are broken.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::draw::Draw;

/// Where everybody is: what stays the same for a round.
#[derive(Clone)]
pub struct Places<'a> {
    pub otlp: SocketAddr,
    pub admin: SocketAddr,
    /// Honeycomb, X-Ray, Rollbar.
    pub vendors: [SocketAddr; 3],
    pub journal: &'a Path,
    pub durability: &'a str,
}

/// What a reload changes; never where a span goes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Counts the keys that vendors have given out.
    key: u64,
    honeycomb: String,
    xray: String,
    rollbar: String,
    route: String,
}

impl Settings {
    pub const STOP_GRACE: Duration = Duration::from_millis(1500);

    /// For one attempt: long enough for a slow machine, short enough for a round with stalls.
    pub const TIMEOUT: Duration = Duration::from_millis(700);

    pub fn draw(draw: &mut Draw) -> Self {
        let mut pace = || format!("linger: {}ms, concurrency: {}", 5 + draw.below(60), 1 + draw.below(8));
        let (honeycomb, xray, rollbar) = (pace(), pace(), pace());
        let compression = ["none", "gzip", "zstd"][draw.below(3) as usize];
        let request_bytes_max = ["64KiB", "256KiB", "4MiB"][draw.below(3) as usize];
        Self {
            key: 1,
            honeycomb: format!("{honeycomb}, compression: {compression}, request_bytes_max: {request_bytes_max}"),
            xray,
            rollbar: format!("{rollbar}, compression: {}", ["none", "gzip"][draw.below(2) as usize]),
            route: format!("errors {}", draw.below(1000)),
        }
    }

    /// Changes one of them, so that the others should go on undisturbed.
    pub fn redraw_one(&mut self, draw: &mut Draw) {
        let new = Self::draw(draw);
        match draw.below(4) {
            0 => self.honeycomb = new.honeycomb,
            1 => self.xray = new.xray,
            2 => self.rollbar = new.rollbar,
            _ => self.route = new.route,
        }
    }

    /// Changes the key, as one does whose key is refused.
    pub fn renew_key(&mut self) {
        self.key += 1;
    }

    pub fn yaml(&self, places: &Places<'_>) -> String {
        let Places { otlp, admin, vendors: [honeycomb, xray, rollbar], journal, durability } = places;
        let key = self.key;
        let pace = format!("timeout: {}ms, retry: {{ initial: 20ms, max: 200ms }}", Self::TIMEOUT.as_millis());
        format!(
            r#"receivers: {{ otlp: {{ listen: ["{otlp}"] }} }}
exporters:
  honeycomb: {{ api_key: "chaos-{key}", endpoint: "http://{honeycomb}", {pace}, {} }}
  xray: {{ region: us-east-1, endpoint: "http://{xray}", {pace}, {} }}
  rollbar: {{ access_token: "chaos-{key}", environment: chaos, endpoint: "http://{rollbar}", {pace}, error_spans: all, {} }}
routes:
  - name: {}
    when: {{ any: [ {{ status: error }}, {{ exception: true }} ] }}
    to: [rollbar]
    continue: true
default: [honeycomb, xray]
journal: {{ directory: "{}", durability: {durability}, max_bytes: 256MiB }}
admin: {{ listen: "{admin}" }}
stop: {{ grace: {}ms }}
"#,
            self.honeycomb,
            self.xray,
            self.rollbar,
            self.route,
            journal.display(),
            Self::STOP_GRACE.as_millis(),
        )
    }

    /// A file that must change nothing.
    pub fn broken_yaml(&self, places: &Places<'_>, draw: &mut Draw) -> String {
        let good = self.yaml(places);
        match draw.below(5) {
            0 => good.replace("to: [rollbar]", "to: [rolbar]"),
            1 => good.replace("default: [honeycomb, xray]\n", ""),
            2 => String::new(),
            3 => good[..good.len() / 2].to_owned(),
            _ => good.replace("retry: {", "retry: { often: yes,"),
        }
    }
}
