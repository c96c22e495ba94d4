//! Which known name a misspelt one was meant to be.

/// Longest name that is compared; the table of distances grows with the square of it.
const NAME_CHARS_MAX: usize = 64;

/// Finds the candidate that `name` most likely was meant to be.
///
/// Counts inserted, dropped, replaced and swapped neighbouring letters, ignoring case. One such slip is allowed, and
/// one more for every three letters beyond the third, up to three. Of equally near candidates the first is taken.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name: Vec<char> = letters(name)?;
    let allowed = (name.len() / 3).clamp(1, 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let Some(other) = letters(candidate) else {
            continue;
        };
        // A slip on every letter is no slip: `a` was not meant to be `b`.
        if name.len().abs_diff(other.len()) > allowed || other.len() < 2 || name.len() < 2 {
            continue;
        }
        let distance = distance(&name, &other);
        if distance <= allowed && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

fn letters(name: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = name.chars().take(NAME_CHARS_MAX + 1).flat_map(char::to_lowercase).collect();
    (letters.len() <= NAME_CHARS_MAX).then_some(letters)
}

/// Optimal string alignment distance, three rows at a time.
fn distance(left: &[char], right: &[char]) -> usize {
    let mut before: Vec<usize> = vec![0; right.len() + 1];
    let mut above: Vec<usize> = (0..=right.len()).collect();
    let mut row = above.clone();
    for i in 1..=left.len() {
        row[0] = i;
        for j in 1..=right.len() {
            let replaced = above[j - 1] + usize::from(left[i - 1] != right[j - 1]);
            let mut least = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row[j] = least;
        }
        std::mem::swap(&mut before, &mut above);
        std::mem::swap(&mut above, &mut row);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const NAMES: [&str; 5] = ["honeycomb", "rollbar", "xray", "api_key", "endpoint"];

    #[test]
    fn one_slip_of_any_kind_is_found() {
        for (written, meant) in [
            ("rolbar", "rollbar"),
            ("rollbarr", "rollbar"),
            ("rollbat", "rollbar"),
            ("xary", "xray"),
            ("apikey", "api_key"),
            ("API-KEY", "api_key"),
            ("endpiont", "endpoint"),
            ("honycmb", "honeycomb"),
        ] {
            assert_eq!(nearest(written, NAMES), Some(meant), "{written}");
        }
    }

    #[test]
    fn a_name_that_is_near_to_nothing_has_no_hint() {
        for written in ["", "x", "datadog", "region", &"x".repeat(1_000_000)] {
            assert_eq!(nearest(written, NAMES), None, "{written:.20}");
        }
    }

    #[test]
    fn the_nearest_of_several_wins() {
        assert_eq!(nearest("listn", ["lists", "listen"]), Some("lists"));
        assert_eq!(nearest("timeout_m", ["timeout_ms", "timeout"]), Some("timeout_ms"));
    }
}
