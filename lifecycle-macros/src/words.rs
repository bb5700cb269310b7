//! Words that are close to others, and lists of words, for messages.

/// What to say of a word that isn't known: which one was meant, if there is one, and which there
/// are.
pub fn unknown(what: &str, written: &str, meant: Option<&str>, known: &str) -> String {
    match meant {
        Some(word) => format!("unknown {what} `{written}`, did you mean `{word}`? {known}"),
        None => format!("unknown {what} `{written}`; {known}"),
    }
}

/// Words as code: `` `a`, `b` and `c` ``.
pub fn list<'w>(words: impl IntoIterator<Item = &'w str>, last: &str) -> String {
    let mut words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.pop() {
        Some(end) if !words.is_empty() => format!("{} {last} {end}", words.join(", ")),
        only => only.unwrap_or_default(),
    }
}

/// The nearest of these words, if it is near: a few letters away, or the same with something before
/// it.
pub fn meant<'w>(written: &str, words: impl IntoIterator<Item = &'w str>) -> Option<&'w str> {
    let written = written.to_lowercase();
    let distances = words.into_iter().map(|word| match word.to_lowercase() {
        longer if longer.ends_with(&format!("_{written}")) => (1, word),
        other => (distance(&other, &written), word),
    });
    let (_, nearest) =
        distances.filter(|(distance, _)| *distance <= 2).min_by_key(|(distance, _)| *distance)?;
    Some(nearest)
}

/// How many letters have to be inserted, removed or replaced to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, right) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(left != right);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
