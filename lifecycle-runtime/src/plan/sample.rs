//! Plans written as text, for tests: `start db; start cache after db; stop close_db of db timeout 5000`.
//!
//! A hook is `start NAME` or `stop NAME`, then any of `order N`, `timeout MILLIS`, `of NAME`, `needs NAME…` (as an
//! argument), `after NAME…`, `before NAME…`. Hooks may be named before they are written.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::{Plan, PlanError};
use crate::hook::{HookMeta, Kind};
use crate::id::HookId;
use crate::task::{Task, Value};

/// The plan of a text.
pub(crate) fn plan(text: &str) -> Result<Plan, PlanError> {
    Plan::new(hooks(text))
}

/// The hooks of a text, in its order. Hooks that need each other in a circle can't be written: constants can't either.
pub(crate) fn hooks(text: &str) -> Vec<&'static HookMeta> {
    let lines: Vec<Vec<&str>> = text.split(';').map(|line| line.split_whitespace().collect()).collect();
    let lines: Vec<_> = lines.into_iter().filter(|words| !words.is_empty()).collect();
    let mut made = HashMap::new();
    LATER.with_borrow_mut(Vec::clear);
    let hooks = lines.iter().map(|words| make(words[1], &lines, &mut made, &mut HashSet::new())).collect();
    LATER.with_borrow_mut(|later| later.iter_mut().for_each(|(name, hook)| *hook = made.get(name).copied()));
    hooks
}

fn make(
    name: &str,
    lines: &[Vec<&str>],
    made: &mut HashMap<String, &'static HookMeta>,
    open: &mut HashSet<String>,
) -> &'static HookMeta {
    if let Some(hook) = made.get(name) {
        return hook;
    }
    assert!(open.insert(name.to_owned()), "{name} needs itself");
    let number = lines.iter().position(|words| words[1] == name).unwrap_or_else(|| panic!("no hook {name}"));
    let words = &lines[number];
    let kind = match words[0] {
        "start" => Kind::Startup,
        "stop" => Kind::Shutdown,
        other => panic!("{other} {name}: expected start or stop"),
    };
    let id = HookId::number(number as u64);
    let mut hook = HookMeta::new(id, kind, leak(name.to_owned().into_boxed_str()), "app", |_| {
        Task::future(async { Ok(Value::new(())) })
    });
    hook.file = "app.rs";
    hook.line = u32::try_from(number + 1).expect("a short text");

    let (mut needs, mut after, mut before) = (Vec::new(), Vec::new(), Vec::new());
    let mut key = "";
    for word in &words[2..] {
        match (key, *word) {
            (_, "order" | "timeout" | "of" | "needs" | "after" | "before") => key = word,
            ("order", number) => hook.order = Some(number.parse().expect("a number")),
            ("timeout", millis) => hook.timeout = Some(Duration::from_millis(millis.parse().expect("a number"))),
            ("of", name) => hook.of = Some(make(name, lines, made, open)),
            ("needs", name) => needs.push(make(name, lines, made, open)),
            ("after", name) => after.push(make(name, lines, made, open)),
            ("before", name) => before.push(later(name)),
            _ => panic!("{name}: unexpected {word}"),
        }
    }
    hook.arguments = leak(Box::new([leak(needs.into_boxed_slice())]));
    hook.after = leak(after.into_boxed_slice());
    hook.before = leak(before.into_boxed_slice());
    let hook: &'static HookMeta = leak(Box::new(hook));
    made.insert(name.to_owned(), hook);
    hook
}

fn leak<T: ?Sized>(value: Box<T>) -> &'static T {
    Box::leak(value)
}

thread_local! {
    /// What `before` names. It is given as functions, and a function can't know which plan it is called for.
    static LATER: RefCell<Vec<(String, Option<&'static HookMeta>)>> = const { RefCell::new(Vec::new()) };
}

fn later(name: &str) -> fn() -> &'static HookMeta {
    fn at<const N: usize>() -> &'static HookMeta {
        LATER.with_borrow(|later| later[N].1.expect("the hook is made"))
    }
    const FUNCTIONS: [fn() -> &'static HookMeta; 16] = [
        at::<0>, at::<1>, at::<2>, at::<3>, at::<4>, at::<5>, at::<6>, at::<7>, at::<8>, at::<9>, at::<10>, at::<11>,
        at::<12>, at::<13>, at::<14>, at::<15>,
    ];
    LATER.with_borrow_mut(|later| {
        later.push((name.to_owned(), None));
        FUNCTIONS[later.len() - 1]
    })
}
