//! Stack traces against what the runtimes themselves report, against fixtures of our own, and against hostile text.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use telemetry_gateway::stacktrace::{
    self, Chain, EXCEPTIONS_MAX, Exception, FRAMES_MAX, Frame, FrameKind, Known, Language, Link, Naming,
};

/// The folders of the corpus, and the value of `telemetry.sdk.language` where the case names none.
const FOLDERS: &[(&str, Language)] = &[
    ("python", Language::Python),
    ("java", Language::Jvm),
    ("jvm", Language::Jvm),
    ("node", Language::JavaScript),
    ("spidermonkey", Language::JavaScript),
    ("jsc", Language::JavaScript),
    ("go", Language::Go),
    ("ruby", Language::Ruby),
    ("dotnet", Language::DotNet),
    ("php", Language::Php),
    ("handwritten", Language::Jvm),
];

/// Cases whose text does not hold what the runtime knows. A case that is listed and passes is a failure.
const IMPOSSIBLE: &[(&str, &str)] = &[
    ("dotnet-3.1-custom-tostring", "the exception's own ToString() prints no frames"),
    ("java-17-custom-tostring", "its own toString() prints no class, and the telemetry has the canonical name"),
    ("node-20-fetch-refused-inspect", "the sidecar is of a second run, whose cause was made elsewhere"),
    ("node-20-worker", "the error was cloned from a worker: the text is all there is"),
];

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/rollbar/stacktraces")
}

fn check(text: &str, language: Option<Language>, class: Option<&str>, message: Option<&str>) -> Chain<'static> {
    let chain = stacktrace::parse(text, language, Known { class, message });
    let copy = rebuild(&chain);
    for (index, exception) in chain.exceptions.iter().enumerate() {
        assert!(exception.parent.is_none_or(|parent| parent < index), "a parent stands before its children");
        assert_eq!(exception.parent.is_none(), index == 0, "only the recorded exception hangs on nothing");
        assert!(exception.frames.len() <= FRAMES_MAX);
    }
    assert!((1..=EXCEPTIONS_MAX).contains(&chain.exceptions.len()));
    copy
}

fn rebuild(chain: &Chain<'_>) -> Chain<'static> {
    let own = |text: &Option<std::borrow::Cow<'_, str>>| text.as_ref().map(|text| text.to_string().into());
    let frame = |frame: &Frame<'_>| Frame {
        file: own(&frame.file),
        module: own(&frame.module),
        function: own(&frame.function),
        parameters: own(&frame.parameters),
        line: frame.line,
        column: frame.column,
        code: own(&frame.code),
        origin: own(&frame.origin),
        kind: frame.kind,
        implied: frame.implied,
    };
    let exception = |exception: &Exception<'_>| Exception {
        class: exception.class.to_string().into(),
        message: exception.message.to_string().into(),
        notes: own(&exception.notes),
        frames: exception.frames.iter().map(frame).collect(),
        link: exception.link,
        parent: exception.parent,
        skipped: exception.skipped,
    };
    Chain {
        language: chain.language,
        exceptions: chain.exceptions.iter().map(exception).collect(),
        skipped: chain.skipped,
        lines_unread: chain.lines_unread,
    }
}

// -- the corpus

struct Case {
    name: String,
    folder: &'static str,
    language: Language,
    text: String,
    sidecar: Value,
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (folder, language) in FOLDERS {
        let Ok(entries) = std::fs::read_dir(corpus().join(folder)) else {
            continue;
        };
        let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "txt")) {
            let bytes = std::fs::read(path).unwrap();
            let sidecar: Value =
                serde_json::from_str(&String::from_utf8_lossy(&std::fs::read(path.with_extension("json")).unwrap()))
                    .unwrap();
            let stated = sidecar["otel"]["telemetry.sdk.language"].as_str();
            if *folder == "handwritten" && stated.and_then(Language::from_sdk_language).is_none() {
                continue;
            }
            cases.push(Case {
                name: path.file_stem().unwrap().to_string_lossy().into_owned(),
                folder,
                language: stated.and_then(Language::from_sdk_language).unwrap_or(*language),
                text: String::from_utf8_lossy(&bytes).into_owned(),
                sidecar,
            });
        }
    }
    cases
}

#[test]
fn every_case_of_the_corpus_reads_as_the_runtime_reports_it() {
    let cases = cases();
    if cases.is_empty() {
        println!("skipped: no corpus beside this repository");
        return;
    }
    let mut failures = String::new();
    for case in &cases {
        let listed = IMPOSSIBLE.iter().find(|(name, _)| *name == case.name);
        match (compare(case), listed) {
            (Err(why), None) => writeln!(failures, "{}: {why}", case.name).unwrap(),
            (Ok(()), Some((name, _))) => {
                writeln!(failures, "{name}: is listed as impossible and passes").unwrap();
            }
            _ => {}
        }
    }
    for (name, _) in IMPOSSIBLE {
        assert!(cases.iter().any(|case| case.name == *name), "{name} is listed and does not exist");
    }
    println!("{} cases, {} listed as impossible", cases.len(), IMPOSSIBLE.len());
    assert!(failures.is_empty(), "\n{failures}");
}

#[test]
fn the_corpus_reads_the_same_without_being_told_the_language() {
    for case in cases() {
        let otel = &case.sidecar["otel"];
        let (class, message) = (otel["exception.type"].as_str(), otel["exception.message"].as_str());
        let told = check(&case.text, Some(case.language), class, message);
        let sniffed = check(&case.text, None, class, message);
        if told.exceptions.iter().any(|exception| !exception.frames.is_empty()) {
            assert_eq!(sniffed, told, "{}", case.name);
        }
    }
}

#[test]
fn the_text_of_a_language_that_is_not_covered_stays_text() {
    for folder in ["cpp", "elixir", "erlang", "lua", "perl", "rust"] {
        let Ok(entries) = std::fs::read_dir(corpus().join(folder)) else {
            continue;
        };
        for path in
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "txt"))
        {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            let chain = check(&text, Language::from_sdk_language(folder), Some("Boom"), Some("it broke"));
            assert_eq!(chain.language, None, "{}", path.display());
            assert_eq!(chain.exceptions[0].message, "it broke", "{}", path.display());
        }
    }
}

fn compare(case: &Case) -> Result<(), String> {
    let otel = &case.sidecar["otel"];
    let (class, message) = (otel["exception.type"].as_str(), otel["exception.message"].as_str());
    let chain = check(&case.text, Some(case.language), class, message);
    let Some(wanted) = case.sidecar["expected"]["chain"].as_array() else {
        return Ok(());
    };
    if chain.language != Some(case.language) {
        return Err(format!("language {:?}", chain.language));
    }
    if chain.lines_unread > 0 {
        return Err(format!("{} lines unread", chain.lines_unread));
    }
    // PHP's trace text has neither header nor chain; SpiderMonkey and JavaScriptCore print no causes; what is no error or
    // was printed before has no class.
    let single = case.name.ends_with("-trace") || wanted.iter().any(|entry| entry["in_text"] == false);
    let visible =
        case.sidecar["expected"]["chain_visible_in_text"].as_u64().map_or(wanted.len(), |visible| visible as usize);
    let visible = if single { 1 } else { visible };
    let wanted: Vec<_> = wanted
        .iter()
        .filter(|entry| !entry["class"].is_null() || !entry["class_name_property"].is_null())
        .take(visible)
        .collect();
    if case.folder == "node" && !case.name.ends_with("-inspect") {
        return compare_line(case, &chain, &wanted[..1]);
    }
    compare_line(case, &chain, &wanted)
}

/// Compares one line of causes, and the side branches of each of its exceptions.
fn compare_line(case: &Case, chain: &Chain<'_>, wanted: &[&Value]) -> Result<(), String> {
    let line: Vec<usize> = follow(chain, 0);
    if line.len() != wanted.len() {
        return Err(format!("{} exceptions in line instead of {}: {:?}", line.len(), wanted.len(), heads(chain)));
    }
    for (position, (index, wanted)) in line.iter().zip(wanted).enumerate() {
        compare_exception(case, &chain.exceptions[*index], wanted, position)
            .map_err(|why| format!("#{position} {why}"))?;
        for (key, link) in [("sub_exceptions", Link::Group), ("suppressed", Link::Suppressed), ("errors", Link::Group)]
        {
            let Some(members) = wanted[key].as_array() else {
                continue;
            };
            if case.folder == "node" && !case.name.ends_with("-inspect") {
                continue;
            }
            let heads: Vec<usize> = (0..chain.exceptions.len())
                .filter(|at| chain.exceptions[*at].parent == Some(*index) && chain.exceptions[*at].link == link)
                .collect();
            let printed = members.len().min(15);
            if heads.len() != printed {
                return Err(format!("#{position} {} of {printed} members", heads.len()));
            }
            for (head, member) in heads.iter().zip(members) {
                let entries: Vec<&Value> = member.as_array().map_or(vec![member], |line| line.iter().collect());
                let line = follow(chain, *head);
                // An exception that was printed before is not printed again.
                for (at, wanted) in line.iter().zip(&entries) {
                    compare_exception(case, &chain.exceptions[*at], wanted, 1)
                        .map_err(|why| format!("member {why}"))?;
                }
            }
        }
    }
    Ok(())
}

fn heads(chain: &Chain<'_>) -> Vec<(String, Link)> {
    chain.exceptions.iter().map(|exception| (exception.class.to_string(), exception.link)).collect()
}

fn follow(chain: &Chain<'_>, head: usize) -> Vec<usize> {
    let mut line = vec![head];
    loop {
        let last = line[line.len() - 1];
        let next = (0..chain.exceptions.len()).find(|at| {
            let exception = &chain.exceptions[*at];
            exception.parent == Some(last) && matches!(exception.link, Link::Cause | Link::Context)
        });
        match next {
            Some(next) => line.push(next),
            None => return line,
        }
    }
}

fn compare_exception(case: &Case, read: &Exception<'_>, wanted: &Value, position: usize) -> Result<(), String> {
    let class = ["class", "class_name_property"].iter().find_map(|key| wanted[key].as_str()).unwrap_or_default();
    let qualified = wanted["class_qualified"].as_str().unwrap_or(class);
    let plain = |class: &str| class.split('\0').next().unwrap_or_default().trim_start_matches("__main__.").to_owned();
    let unqualified = |class: &str| class.rsplit('.').next().unwrap_or_default().to_owned();
    let alike = plain(&read.class) == plain(qualified)
        || case.folder == "python" && unqualified(&read.class) == unqualified(class);
    if !alike {
        return Err(format!("class {:?} instead of {qualified:?}", read.class));
    }
    let message = wanted["message"].as_str().unwrap_or_default();
    if read.message != message {
        return Err(format!("message {:?} instead of {message:?}", read.message));
    }
    let link = match wanted["link"].as_str() {
        None => position > 0 || read.link == Link::Root,
        Some("context") => read.link == Link::Context,
        Some("suppressed") => read.link == Link::Suppressed,
        Some(_) => read.link == Link::Cause,
    };
    if !link {
        return Err(format!("link {:?} instead of {}", read.link, wanted["link"]));
    }
    let Some(frames) = wanted["frames"].as_array() else {
        return Ok(());
    };
    compare_frames(case, read, frames, wanted)
}

fn compare_frames(case: &Case, read: &Exception<'_>, wanted: &[Value], entry: &Value) -> Result<(), String> {
    let mut read_lines: Vec<String> = Vec::new();
    for frame in &read.frames {
        if frame.kind != FrameKind::CreatedBy {
            read_lines.push(read_frame(case, frame));
        }
    }
    let mut wanted_lines: Vec<String> = wanted.iter().rev().map(|frame| wanted_frame(case, frame)).collect();
    match case.folder {
        // The dump ends before the runtime's own start, holds recorders that the sidecar leaves out, and may be cut.
        "go" => {
            let own = |line: &String| line.contains("gen.go") || line.contains("generic.go");
            read_lines.retain(own);
            wanted_lines.retain(own);
            if case.name.ends_with("-2048") {
                // A cut dump has as many frames as whole places; only the last one can be broken.
                let places = case.text.matches("gen.go:").count() + case.text.matches("generic.go:").count();
                let created = read.frames.iter().filter(|frame| frame.kind == FrameKind::CreatedBy).count();
                let places = places - created;
                if read_lines.len() + usize::from(case.text.len() == 2048) < places {
                    return Err(format!("only {} of {places} frames", read_lines.len()));
                }
                wanted_lines.truncate(read_lines.len());
            }
            // The runtime was asked one line below the dump.
            read_lines.retain(|line| !line.starts_with("main.catch.func1 "));
            wanted_lines.retain(|line| !line.starts_with("main.catch.func1 "));
        }
        "php" if case.name.ends_with("-trace") => {
            wanted_lines.remove(0);
        }
        "ruby"
            if entry["frames_elided_by_text"].is_u64()
                && u64::from(read.skipped) != entry["frames_elided_by_text"].as_u64().unwrap_or_default() =>
        {
            return Err(format!("{} frames skipped", read.skipped));
        }
        "dotnet" => return compare_dotnet(&read_lines, &wanted_lines),
        // Never raised: the text has the frame of full_message itself.
        "ruby" if wanted.is_empty() => return Ok(()),
        _ => {}
    }
    if read_lines == wanted_lines {
        return Ok(());
    }
    let at = read_lines.iter().zip(&wanted_lines).take_while(|(read, wanted)| read == wanted).count();
    Err(format!(
        "{} of {} frames; frame {at} is {:?} instead of {:?}",
        read_lines.len(),
        wanted_lines.len(),
        read_lines.get(at),
        wanted_lines.get(at)
    ))
}

/// What .NET leaves out of the text though the runtime reports it (`StackTraceHidden`, async infrastructure).
const HIDDEN: &[&str] = &[
    "System.Runtime.ExceptionServices.",
    "System.Runtime.CompilerServices.",
    "System.ThrowHelper.",
    "System.Threading.Tasks.AwaitTaskContinuation.",
    "System.Threading.Tasks.Task.ThrowIfExceptional",
];

/// Compares name by name: the text leaves hidden frames out, and names the source method of a state machine.
fn compare_dotnet(read: &[String], wanted: &[String]) -> Result<(), String> {
    let mut read = read.iter().peekable();
    for wanted in wanted {
        let (name, place) = wanted.split_once(' ').unwrap_or_default();
        let machine = name.strip_suffix(".MoveNext").and_then(|name| name.rsplit_once(".<"));
        let source = machine.and_then(|(owner, rest)| Some(format!("{owner}.{}", rest.split_once('>')?.0)));
        let matches = read.peek().is_some_and(|read| {
            let (read_name, read_place) = read.split_once(' ').unwrap_or_default();
            let named = read_name == name || Some(read_name) == source.as_deref() || name == ".-";
            named && (read_place == place || place.starts_with("-:"))
        });
        if matches {
            read.next();
        } else if !HIDDEN.iter().any(|hidden| name.starts_with(hidden)) {
            return Err(format!("frame {:?} instead of {wanted:?}", read.peek()));
        }
    }
    read.next().map_or(Ok(()), |read| Err(format!("frame {read:?} is too many")))
}

fn read_frame(case: &Case, frame: &Frame<'_>) -> String {
    let mut file = frame.file.as_deref().unwrap_or("-").to_owned();
    let mut name = frame.qualified_name(".").unwrap_or("-".into()).into_owned();
    let line = frame.line.map_or("-".to_owned(), |line| line.to_string());
    let mut rest = String::new();
    match case.folder {
        "python" => rest.push_str(frame.code.as_deref().unwrap_or("-")),
        "java" | "jvm" => {
            rest = format!("{:?}", frame.kind == FrameKind::Native);
        }
        "node" if file == "<anonymous>" || file == "native" => file = "-".into(),
        "php" => {
            name = frame.qualified_name("::").unwrap_or("-".into()).into_owned();
            if case.name.ends_with("-otel") {
                name = String::new();
            }
        }
        "go" => name = without_type_arguments(&name),
        "dotnet" => name = without_type_arguments(&name).replace('+', "."),
        _ => {}
    }
    if matches!(case.folder, "node" | "spidermonkey" | "jsc") || case.name.starts_with("js-") {
        rest = frame.column.map_or("-".to_owned(), |column| column.to_string());
        if frame.kind == FrameKind::Async && case.folder == "node" {
            name = format!("async {name}");
        }
    }
    if case.name == "dotnet-framework-german" {
        name = format!("{name}({})", frame.parameters.as_deref().unwrap_or_default());
    }
    if case.folder == "php" && case.name.ends_with("-otel") {
        file = base(&file);
    }
    format!("{name} {file}:{line} {rest}")
}

fn wanted_frame(case: &Case, frame: &Value) -> String {
    let text = |keys: &[&str]| keys.iter().find_map(|key| frame[key].as_str()).map(str::to_owned);
    let mut file = text(&["filename", "file", "script"]).unwrap_or("-".into());
    let mut name = text(&["label", "method", "fn", "function"]).unwrap_or("-".into());
    let number = |keys: &[&str]| keys.iter().find_map(|key| frame[key].as_i64()).filter(|number| *number > 0);
    let line = number(&["lineno", "line"]).map_or("-".to_owned(), |line| line.to_string());
    let mut rest = String::new();
    match case.folder {
        "python" => rest = text(&["code"]).unwrap_or("-".into()),
        "java" | "jvm" => {
            name = format!("{}.{name}", text(&["class_name"]).unwrap_or_default());
            let native = frame["native"].as_bool().unwrap_or_default();
            rest = format!("{native}");
            // The text says "Native Method" in the place of the file.
            if native {
                file = "-".into();
            }
        }
        "php" => {
            if let Some(class) = text(&["class"]) {
                name = format!("{}::{name}", class.split('\0').next().unwrap_or_default());
            }
            if case.name.ends_with("-otel") {
                name = String::new();
                file = base(&file);
            }
        }
        "dotnet" => {
            name = format!("{}.{name}", text(&["declaring_type"]).unwrap_or_default());
            name = without_type_arguments(&name).replace('+', ".");
        }
        "go" => name = without_type_arguments(&name),
        "ruby" if file == "-" => {
            let printed = text(&["text"]).unwrap_or_default();
            file = printed.split(":in ").next().map_or_else(String::new, str::to_owned);
        }
        "node" => {
            // The text of the frame as V8 serialises it, taken apart by its own fields.
            let printed = text(&["text"]).unwrap_or_default();
            let call = printed.strip_prefix("async ").unwrap_or(&printed);
            name = match call.split_once(" (") {
                Some((_, _)) if frame["promiseAll"] == true || call.contains("(index ") => call.to_owned(),
                Some((call, _)) if printed.ends_with(')') => call.to_owned(),
                _ => "-".to_owned(),
            };
            if printed.starts_with("async ") {
                name = format!("async {name}");
            }
        }
        "handwritten" => {
            if let Some(class) = text(&["class_name"]) {
                name = format!("{class}.{name}");
            }
        }
        _ => {}
    }
    if matches!(case.folder, "node" | "spidermonkey" | "jsc") || case.name.starts_with("js-") {
        rest = number(&["col", "colno"]).map_or("-".to_owned(), |column| column.to_string());
    }
    format!("{name} {file}:{line} {rest}")
}

fn base(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

/// The runtime reports the symbol with its type arguments; the dump prints `[...]`.
fn without_type_arguments(name: &str) -> String {
    let mut plain = String::new();
    let mut depth = 0;
    for c in name.chars() {
        match c {
            '[' => depth += 1,
            ']' => depth -= 1,
            _ if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    plain
}

// -- our own fixtures

#[test]
fn every_fixture_reads_as_its_json_says() {
    let update = std::env::var_os("UPDATE").is_some();
    let mut failures = String::new();
    let mut count = 0;
    for (path, text) in fixtures(&fixture_folder()) {
        let expected = path.with_extension("json");
        let given: Value =
            std::fs::read_to_string(&expected).map_or_else(|_| json!({}), |text| serde_json::from_str(&text).unwrap());
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let language = given["language"].as_str().and_then(Language::from_sdk_language);
        let chain = check(&text, language, given["class"].as_str(), given["message"].as_str());
        let read = json!({
            "language": given["language"], "class": given["class"], "message": given["message"],
            "chain": render(&chain),
        });
        if update {
            std::fs::write(&expected, format!("{}\n", serde_json::to_string_pretty(&read).unwrap())).unwrap();
        } else if read != given {
            writeln!(failures, "{name}: {read:#}").unwrap();
        }
        count += 1;
    }
    assert!(count >= 20, "{count} fixtures");
    assert!(failures.is_empty(), "{failures}");
}

fn fixture_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/stacktrace")
}

fn fixtures(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.into_iter().map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

fn render(chain: &Chain<'_>) -> Value {
    let frame = |frame: &Frame<'_>| {
        let mut line = String::new();
        if frame.kind != FrameKind::Call {
            write!(line, "[{:?}] ", frame.kind).unwrap();
        }
        for (name, value) in [
            ("file", &frame.file),
            ("module", &frame.module),
            ("function", &frame.function),
            ("parameters", &frame.parameters),
            ("code", &frame.code),
            ("origin", &frame.origin),
        ] {
            if let Some(value) = value {
                write!(line, "{name}={value} ").unwrap();
            }
        }
        for (name, value) in [("line", frame.line), ("column", frame.column)] {
            if let Some(value) = value {
                write!(line, "{name}={value} ").unwrap();
            }
        }
        line.trim_end().to_owned()
    };
    let exception = |exception: &Exception<'_>| {
        json!({
            "class": exception.class, "message": exception.message, "notes": exception.notes,
            "link": format!("{:?}", exception.link), "parent": exception.parent, "skipped": exception.skipped,
            "frames": exception.frames.iter().map(frame).collect::<Vec<_>>(),
        })
    };
    json!({
        "language": format!("{:?}", chain.language),
        "exceptions": chain.exceptions.iter().map(exception).collect::<Vec<_>>(),
        "skipped": chain.skipped, "lines_unread": chain.lines_unread,
    })
}

// -- rules that hold for every language

const LANGUAGES: &[Language] = &[
    Language::Python,
    Language::Jvm,
    Language::JavaScript,
    Language::Go,
    Language::Ruby,
    Language::DotNet,
    Language::Php,
];

#[test]
fn every_sdk_language_is_found_and_others_are_not() {
    for name in ["python", "java", "nodejs", "webjs", "go", "ruby", "dotnet", "php"] {
        assert!(Language::from_sdk_language(name).is_some(), "{name}");
    }
    assert_eq!(Language::from_sdk_language("rust"), None);
    assert_eq!(Language::Php.naming(), Naming::Called);
    assert_eq!(Language::Php.joint(), "::");
}

#[test]
fn text_that_is_no_stack_gives_the_known_exception_without_frames() {
    for text in ["", "\n", "boom", "custom text only", "ünï\u{0}cödé \u{1f4a5}"] {
        for language in LANGUAGES.iter().copied().map(Some).chain([None]) {
            let chain = check(text, language, Some("acme.Boom"), Some("it broke"));
            assert_eq!(chain.exceptions.len(), 1);
            let root = &chain.exceptions[0];
            assert_eq!((&*root.class, root.frames.len()), ("acme.Boom", 0), "{text:?} {language:?}");
            assert_eq!(root.message, "it broke", "{text:?} {language:?}");
        }
    }
}

#[test]
fn a_language_stamped_by_a_bridge_gives_way_to_the_text() {
    let text = "Traceback (most recent call last):\n  File \"a.py\", line 2, in f\n    g()\nValueError: x\n";
    let chain = check(text, Some(Language::Jvm), None, None);
    assert_eq!(chain.language, Some(Language::Python));
    assert_eq!(chain.exceptions[0].class, "ValueError");
}

#[test]
fn colours_are_removed_and_the_rest_is_read() {
    let text = "\u{1b}[31mError: x\u{1b}[0m\n    at \u{1b}[1mf\u{1b}[22m (/a.js:1:2)\n";
    let chain = check(text, None, None, None);
    assert_eq!(chain.exceptions[0].frames[0].function.as_deref(), Some("f"));
    assert_eq!(chain.exceptions[0].class, "Error");
}

#[test]
fn windows_line_ends_change_nothing() {
    for (path, text) in fixtures(&fixture_folder()) {
        let plain = check(&text, None, None, None);
        let windows = check(&text.replace('\n', "\r\n"), None, None, None);
        let frames = |chain: &Chain<'static>| chain.exceptions.iter().map(|e| e.frames.clone()).collect::<Vec<_>>();
        assert_eq!(frames(&windows), frames(&plain), "{}", path.display());
    }
}

#[test]
fn frames_beyond_the_bound_are_counted_and_both_ends_stay() {
    let mut text = String::from("java.lang.StackOverflowError\n");
    for index in 0..5000 {
        writeln!(text, "\tat a.B.c(B.java:{index})").unwrap();
    }
    let chain = check(&text, Some(Language::Jvm), None, None);
    let root = &chain.exceptions[0];
    assert_eq!((root.frames.len(), root.skipped), (FRAMES_MAX, 5000 - FRAMES_MAX as u32));
    assert_eq!(root.frames[0].line, Some(0));
    assert_eq!(root.frames[FRAMES_MAX - 1].line, Some(4999));
}

#[test]
fn exceptions_beyond_the_bound_are_counted_and_the_recorded_one_stays() {
    let mut text = String::from("a.Root: 0\n\tat a.B.c(B.java:1)\n");
    for index in 1..80 {
        writeln!(text, "Caused by: a.E: {index}\n\t... 1 more").unwrap();
    }
    let chain = check(&text, Some(Language::Jvm), None, None);
    assert_eq!((chain.exceptions.len(), chain.skipped), (EXCEPTIONS_MAX, 80 - EXCEPTIONS_MAX as u32));
    assert_eq!(chain.exceptions[0].class, "a.Root");
}

#[test]
fn no_cut_and_no_mutation_panics() {
    let mut texts: Vec<String> = fixtures(&fixture_folder()).into_iter().map(|(_, text)| text).collect();
    texts.extend(cases().into_iter().step_by(3).map(|case| case.text));
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for text in &texts {
        let message: String = text.chars().skip(3).take(9).collect();
        let step = text.len() / 1500 + 1;
        for end in (0..text.len()).step_by(step).filter(|end| text.is_char_boundary(*end)) {
            check(&text[..end], None, Some("a.B"), Some(&message));
            check(&text[end..], None, None, Some(text.split(": ").nth(1).unwrap_or_default()));
        }
        for _ in 0..60 {
            let mut bytes = text.clone().into_bytes();
            for _ in 0..=random.below(6) {
                random.mutate(&mut bytes);
            }
            let mutated = String::from_utf8_lossy(&bytes);
            let language = LANGUAGES[random.below(LANGUAGES.len())];
            check(&mutated, Some(language), Some("Error"), Some(&message));
            check(&mutated, None, None, None);
        }
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }

    /// Cuts out, doubles or replaces a piece.
    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        const PIECES: &[&str] = &[
            "\n",
            "\t",
            "    at ",
            ": ",
            "(",
            ")",
            "'",
            "Caused by: ",
            " ---> ",
            "<---",
            "  | ",
            "  +-+---------------- 1 ----------------\n",
            "[cause]: ",
            " {",
            "}",
            "@",
            "\u{1f4a5}",
            "\u{0}",
            "\u{1b}[1m",
            "#0 ",
            "\n\nNext ",
            "Stack trace:\n",
            "... 9 more",
            "99999999999",
        ];
        let (from, to) = (self.below(bytes.len() + 1), self.below(bytes.len() + 1));
        let (from, to) = (from.min(to), from.max(to).min(from.min(to) + 40));
        match self.below(3) {
            0 => drop(bytes.drain(from..to)),
            1 => {
                let piece = bytes[from..to].to_vec();
                bytes.splice(to..to, piece);
            }
            _ => {
                let piece = PIECES[self.below(PIECES.len())];
                bytes.splice(from..from, piece.bytes());
            }
        }
    }
}

#[test]
fn long_messages_and_deep_nesting_are_read_in_linear_time() {
    let bound = Duration::from_secs(2);
    let period = "x\nWrapped by: a: ";
    let wrapped = (format!("a: {}", period.repeat(60_000)), format!("{}z", period.repeat(25_000)));
    let members = format!("a{}{}", " ---> a".repeat(70_000), "\n ---> (Inner Exception #1) a<---".repeat(16_000));
    let ends = "\r".repeat(1_000_000) + "\n#0 a(1): b()";
    let headers = ("a: a".repeat(250_000), "a".to_owned());
    for (text, message) in [wrapped, (members, "b".into()), (ends, "b".into()), headers] {
        for language in LANGUAGES {
            let start = Instant::now();
            stacktrace::parse(&text, Some(*language), Known { class: Some("a"), message: Some(&message) });
            assert!(start.elapsed() < bound, "{:?} as {language:?} took {:?}", &text[..20], start.elapsed());
        }
    }
}

/// Texts that punish reading anything twice. Release takes a few milliseconds each; the bound leaves room for a debug build
/// on a busy machine, and reading one of them in quadratic time would take minutes.
#[test]
fn a_mebibyte_of_hostile_text_is_read_in_linear_time() {
    const PIECES: &[&str] = &[
        "a",
        " ",
        "\n",
        "(",
        ")",
        ": a",
        ":1",
        "\t",
        "\tat ",
        "    at ",
        "\tat a.b(c:1)\n",
        "\tat ((((\n",
        "    at f (a:1:2)\n",
        "@",
        "a@b:1\n",
        "Caused by: a: b\n",
        "Caused by: a\n\t... 2000 more\n",
        "\tSuppressed: a\n",
        " ---> ",
        " ---> a: b\n",
        " ---> (Inner Exception #1) a\n",
        "<---\n",
        "   at a.b(c) in d:line 1\n",
        "   --- End of inner exception stack trace ---\n",
        "\n\nNext ",
        "\nStack trace:\n#0 ",
        "#0 a(1): b()\n",
        "): ",
        "(1): ",
        "goroutine 1 [r]:\n",
        "a.b()\n\tc:1\n",
        "\tfrom a:1:in 'b'\n",
        "a:1:in 'b': c (D)\n",
        ":in '",
        " (",
        "': ",
        "Traceback (most recent call last):\n",
        "  File \"a\", line 1, in b\n",
        "  [Previous line repeated 999999 more times]\n",
        "a: b\n\nThe above exception was the direct cause of the following exception:\n\n",
        "  | ",
        "  | a\n",
        "  +-+---------------- 1 ----------------\n",
        "  + Exception Group Traceback (most recent call last):\n",
        "    at a (b:1:2) {\n  [cause]: E: a\n",
        "  [errors]: [\n    E: a\n",
        "[",
        "]",
        " [",
        "    ... 99 lines matching cause stack trace ...\n",
        "\", line 1",
        "\u{1b}[",
        "'",
        "-",
    ];
    let (bytes, bound) = if cfg!(debug_assertions) {
        (stacktrace::TEXT_BYTES_MAX / 16, Duration::from_secs(1))
    } else {
        (stacktrace::TEXT_BYTES_MAX, Duration::from_millis(250))
    };
    let mut slowest = Duration::ZERO;
    for piece in PIECES {
        for head in [
            "",
            "Traceback (most recent call last):\n  File \"a\", line 1, in b\n",
            "  + Exception Group Traceback (most recent call last):\n",
        ] {
            let mut text = head.to_owned();
            text.push_str(&piece.repeat(bytes / piece.len()));
            for language in LANGUAGES {
                let known = Known { class: Some("a"), message: Some("a") };
                let start = Instant::now();
                let chain = stacktrace::parse(&text, Some(*language), known);
                let took = start.elapsed();
                if took > slowest {
                    println!("{took:?}: {piece:?} after {head:?} as {language:?}");
                    slowest = took;
                }
                assert!(took < bound, "{piece:?} after {head:?} as {language:?} took {took:?}");
                assert!(chain.exceptions.len() <= EXCEPTIONS_MAX);
            }
        }
    }
}
