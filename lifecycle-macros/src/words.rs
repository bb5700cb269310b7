//! Similar words and lists of words, for messages.

/// Returns the message about an unknown word, with the word that was probably meant and the known
/// ones.
pub fn unknown(what: &str, written: &str, meant: Option<&str>, known: &str) -> String {
    match meant {
        Some(word) => format!("unknown {what} `{written}`, did you mean `{word}`? {known}"),
        None => format!("unknown {what} `{written}`; {known}"),
    }
}

/// Returns a list of words as code: `` `a`, `b` and `c` ``.
pub fn list<'w>(words: impl IntoIterator<Item = &'w str>, last: &str) -> String {
    let mut words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.pop() {
        Some(end) if !words.is_empty() => format!("{} {last} {end}", words.join(", ")),
        only => only.unwrap_or_default(),
    }
}

/// Returns the nearest of these words, if it is near: a few letters away, or the same with a prefix
/// before it.
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

/// Returns the number of letters to insert, remove or replace to turn one word into the other.
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
