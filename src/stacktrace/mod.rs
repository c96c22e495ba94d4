//! Stack traces: the text of `exception.stacktrace`, in any covered language, becomes a chain of exceptions with frames.
//!
//! This is pure reading: nothing is dropped because a vendor does not want it, and nothing is renamed to suit one. X-Ray's
//! `cause` and Rollbar's `trace_chain` are renderings of a [`Chain`], made elsewhere.
//!
//! Promises:
//!
//! - Frames are innermost call first, whatever order the runtime prints.
//! - The known type and message (`exception.type`, `exception.message`) are anchors: what stands inside the known message
//!   is never taken for a frame or a cause.
//! - Any text is read in time linear in its length, with bounds on what is kept; what a bound cost is counted.
//! - No text panics. Text that is no stack gives one exception without frames.
//! - Class, message and frames borrow from the text; they are owned only where the text had to be changed.
//!
//! ```text
//! text ──▶ language (given, else signature) ──▶ one grammar a file ──▶ Tree ──▶ Chain
//!                    LANGUAGES                    python.rs, jvm.rs, …   (text order)   (recorded exception first)
//! ```
//!
//! Another language is one file beside these (`parse` and `signature`), a variant of [`Language`], and a row of the table
//! `LANGUAGES` below. A file named after a language and its lines or frames only keeps its neighbour short.

mod ansi;
mod at_sign;
mod dotnet;
mod dotnet_frame;
mod go;
mod javascript;
mod jvm;
mod jvm_frame;
mod lines;
mod node_inspect;
mod owned;
mod php;
mod php_otel;
mod python;
mod python_lines;
mod ruby;
mod tree;

use std::borrow::Cow;

use tree::Tree;

/// How much of a text is read; the rest is ignored. Above the attribute size limits of every SDK.
pub const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// How many exceptions of one text are kept; [`Chain::skipped`] counts the others.
pub const EXCEPTIONS_MAX: usize = 50;

/// How many frames of one exception are kept: the innermost half and the outermost half. Java and Python stop at about
/// 1,000 frames by themselves, so that only hostile or endless traces are shortened.
pub const FRAMES_MAX: usize = 2048;

/// How many lines of a text are looked at to find out its language.
const SIGNATURE_LINES_MAX: usize = 4096;

/// A language (rather: a runtime) whose stack text is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// `CPython` and `PyPy`.
    Python,
    /// Java, Kotlin, Scala, Groovy, Clojure, Android.
    Jvm,
    /// V8, SpiderMonkey, JavaScriptCore, Hermes.
    JavaScript,
    /// `debug.Stack`, crashes, and `%+v` of `github.com/pkg/errors`.
    Go,
    /// CRuby's `full_message`.
    Ruby,
    /// .NET, .NET Framework, mono.
    DotNet,
    /// PHP's own two texts and the one of the OpenTelemetry SDK.
    Php,
}

/// One covered language: how it is called, how its text is recognised, how it is read.
struct Row {
    language: Language,
    /// Values of `telemetry.sdk.language`, and the names people use for the same runtime
    /// (<https://opentelemetry.io/docs/specs/semconv/registry/attributes/telemetry/>, read 2026-11).
    names: &'static [&'static str],
    /// What stands between the owner and the function in a qualified name.
    joint: &'static str,
    /// Whether one line can only be a frame of this language.
    signature: fn(&str) -> bool,
    parse: for<'a> fn(&'a str, Known<'a>) -> Tree<'a>,
}

/// Every covered language; where two signatures could match one text, the narrower one stands first.
#[rustfmt::skip]
const LANGUAGES: &[Row] = &[
    Row { language: Language::Python,     names: &["python"],                                        joint: ".",  signature: python::signature,     parse: python::parse },
    Row { language: Language::Php,        names: &["php"],                                           joint: "::", signature: php::signature,        parse: php::parse },
    Row { language: Language::Jvm,        names: &["java", "kotlin", "scala", "groovy", "clojure"],  joint: ".",  signature: jvm::signature,        parse: jvm::parse },
    Row { language: Language::Go,         names: &["go"],                                            joint: ".",  signature: go::signature,         parse: go::parse },
    Row { language: Language::Ruby,       names: &["ruby"],                                          joint: "#",  signature: ruby::signature,       parse: ruby::parse },
    Row { language: Language::DotNet,     names: &["dotnet"],                                        joint: ".",  signature: dotnet::signature,     parse: dotnet::parse },
    Row { language: Language::JavaScript, names: &["nodejs", "webjs", "javascript"],                 joint: ".",  signature: javascript::signature, parse: javascript::parse },
];

impl Language {
    /// Finds the language that a value of `telemetry.sdk.language` names; `None` for one that is not covered.
    pub fn from_sdk_language(name: &str) -> Option<Self> {
        LANGUAGES.iter().find(|row| row.names.contains(&name)).map(|row| row.language)
    }

    /// Returns what joins [`Frame::module`] and [`Frame::function`] in this language (`.` or `::`).
    pub fn joint(self) -> &'static str {
        self.row().map_or(".", |row| row.joint)
    }

    /// Returns what [`Frame::function`] names in this language.
    pub fn naming(self) -> Naming {
        if self == Self::Php { Naming::Called } else { Naming::Enclosing }
    }

    fn row(self) -> Option<&'static Row> {
        LANGUAGES.iter().find(|row| row.language == self)
    }
}

/// What the function of a frame names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Naming {
    /// The function that the line stands in.
    Enclosing,
    /// The function that is called at the line, as PHP's `getTrace()` tells it: the innermost frame has none.
    Called,
}

/// What the telemetry says about the recorded exception beside the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Known<'a> {
    /// `exception.type`.
    pub class: Option<&'a str>,
    /// `exception.message`.
    pub message: Option<&'a str>,
}

/// The exceptions of one text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain<'a> {
    /// The language whose grammar read the text; `None` if no covered language's text was recognised.
    pub language: Option<Language>,
    /// The recorded exception, then its causes, each followed by what caused it; then the side branches (suppressed,
    /// group members, each followed by its causes). Never empty. A parent always stands before its children.
    pub exceptions: Vec<Exception<'a>>,
    /// Exceptions that are not in the list: beyond [`EXCEPTIONS_MAX`], or left out by the runtime ("and 5 more exceptions").
    pub skipped: u32,
    /// Lines among the frames that no rule could read. Zero means that the text was understood to the end.
    pub lines_unread: u32,
}

/// One exception.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception<'a> {
    /// The class as the text names it, else the known one; empty if neither says.
    pub class: Cow<'a, str>,
    /// The message; empty if there is none.
    pub message: Cow<'a, str>,
    /// What the runtime prints after the message that is not part of it: notes (PEP 678), suggestions, `File name:` lines.
    pub notes: Option<Cow<'a, str>>,
    /// The calls, innermost first.
    pub frames: Vec<Frame<'a>>,
    /// How it hangs on its parent.
    pub link: Link,
    /// The index in [`Chain::exceptions`] of the exception that it hangs on; `None` for the recorded one.
    pub parent: Option<usize>,
    /// Frames that are not in the list: beyond [`FRAMES_MAX`], or left out by the runtime (" ... 10067 levels...").
    pub skipped: u32,
}

/// How an exception hangs on its parent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The recorded exception itself.
    Root,
    /// It caused the parent, and the program said so.
    Cause,
    /// The parent was raised while it was being handled (Python).
    Context,
    /// It was suppressed in favour of the parent (Java).
    Suppressed,
    /// The parent is a group and this is a member. The first member of a .NET `AggregateException` is its `Cause`.
    Group,
}

/// One call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The file as printed (absolute, relative, URL, or a bare name on the JVM).
    pub file: Option<Cow<'a, str>>,
    /// The class, package or type that owns the function, where the text says so apart from the name.
    pub module: Option<Cow<'a, str>>,
    /// The function; see [`Language::naming`] for whether the line stands in it or calls it.
    pub function: Option<Cow<'a, str>>,
    /// The parameter list of a .NET signature, without the parentheses. Types, never values.
    pub parameters: Option<Cow<'a, str>>,
    /// The line, counted from 1.
    pub line: Option<u32>,
    /// The column, counted from 1.
    pub column: Option<u32>,
    /// The source line, without its indentation.
    pub code: Option<Cow<'a, str>>,
    /// Where the code came from: class loader and module (JVM), the place of the `eval` (V8), what scheduled it (Firefox).
    pub origin: Option<Cow<'a, str>>,
    /// What kind of call it is.
    pub kind: FrameKind,
    /// Whether the text only points at it: as one of the exception beside ("... 12 more"), or as the one before once more
    /// ("[Previous line repeated 12 more times]").
    pub implied: bool,
}

/// What kind of call a frame is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FrameKind {
    /// A call.
    #[default]
    Call,
    /// A call of code that is not in the language itself: `Native Method`, `native`, `[native code]`, `[internal function]`.
    Native,
    /// A call that was resumed: `async f` of V8, `async*f` of Firefox.
    Async,
    /// The statement that started the goroutine: not a call, and the outermost frame.
    CreatedBy,
}

impl<'a> Frame<'a> {
    /// The same frame, pointed at from elsewhere.
    fn implied(&self) -> Self {
        Frame { implied: true, ..self.clone() }
    }

    /// Returns the function with its owner, joined as the language does: `com.acme.Cart.load`, `Acme\Cart::load`.
    pub fn qualified_name(&self, joint: &str) -> Option<Cow<'a, str>> {
        match (&self.module, &self.function) {
            (Some(module), Some(function)) => Some(Cow::Owned(format!("{module}{joint}{function}"))),
            (None, function) => function.clone(),
            (Some(_), None) => None,
        }
    }
}

impl<'a> Exception<'a> {
    /// Returns the frame whose `function` names what the line of frame `index` stands in: itself, or with
    /// [`Naming::Called`] the next older one.
    pub fn enclosing(&self, index: usize, naming: Naming) -> Option<&Frame<'a>> {
        match naming {
            Naming::Enclosing => self.frames.get(index),
            Naming::Called => self.frames.get(index + 1),
        }
    }
}

impl Chain<'_> {
    fn has_frames(&self) -> bool {
        self.exceptions.iter().any(|exception| !exception.frames.is_empty())
    }
}

/// Reads a stack text.
///
/// `language` is what the telemetry says. It is tried first; if it finds no frames (collectors and bridges stamp wrong
/// languages) or is not given, the text's own signature decides.
pub fn parse<'a>(text: &'a str, language: Option<Language>, known: Known<'a>) -> Chain<'a> {
    let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
    if let Some(plain) = ansi::strip(text) {
        return parse_plain(&plain, language, known).into_owned();
    }
    parse_plain(text, language, known)
}

fn parse_plain<'a>(text: &'a str, language: Option<Language>, known: Known<'a>) -> Chain<'a> {
    let given = language.and_then(Language::row).map(|row| read(row, text, known));
    if given.as_ref().is_some_and(Chain::has_frames) {
        return given.unwrap_or_else(|| no_stack(known));
    }
    let sniffed = sniff(text).filter(|row| Some(row.language) != language);
    if let Some(chain) = sniffed.map(|row| read(row, text, known))
        && chain.has_frames()
    {
        return chain;
    }
    given.unwrap_or_else(|| no_stack(known))
}

fn read<'a>(row: &Row, text: &'a str, known: Known<'a>) -> Chain<'a> {
    if row.language == Language::Php && text.contains("\r\n") {
        // PHP writes line feeds only, and its grammar is about them; something on the way has changed them.
        return read_lines(row, &text.replace("\r\n", "\n"), known).into_owned();
    }
    read_lines(row, text, known)
}

fn read_lines<'a>(row: &Row, text: &'a str, known: Known<'a>) -> Chain<'a> {
    let mut chain = (row.parse)(text, known).into_chain();
    chain.language = Some(row.language);
    let framed = chain.has_frames();
    if let Some(root) = chain.exceptions.first_mut() {
        let stranger = known.class.is_some_and(|class| lines::last_segment(class) != lines::last_segment(&root.class))
            && known.message != Some(&*root.message);
        if !framed && stranger {
            // Without a frame there is no proof that the text is a stack at all.
            root.class = Cow::Borrowed("");
            root.message = Cow::Borrowed("");
        }
        if root.class.is_empty() {
            root.class = Cow::Borrowed(known.class.unwrap_or_default());
        }
        if root.message.is_empty() {
            root.message = Cow::Borrowed(known.message.unwrap_or_default());
        }
    } else {
        chain.exceptions.extend(no_stack(known).exceptions);
    }
    chain
}

fn no_stack(known: Known<'_>) -> Chain<'_> {
    let exception = Exception {
        class: Cow::Borrowed(known.class.unwrap_or_default()),
        message: Cow::Borrowed(known.message.unwrap_or_default()),
        notes: None,
        frames: Vec::new(),
        link: Link::Root,
        parent: None,
        skipped: 0,
    };
    Chain { language: None, exceptions: vec![exception], skipped: 0, lines_unread: 0 }
}

fn sniff(text: &str) -> Option<&'static Row> {
    let mut best = LANGUAGES.len();
    for line in lines::Lines::new(text).take(SIGNATURE_LINES_MAX) {
        let found = LANGUAGES[..best].iter().position(|row| (row.signature)(line.text));
        best = found.unwrap_or(best);
        if best == 0 {
            break;
        }
    }
    LANGUAGES.get(best)
}
