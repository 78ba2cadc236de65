//! What journals of earlier runs hold, in words.

use crate::journal::{Found, Journal, Thing};

/// What a run says that finds journals with leftovers where its own belongs.
pub(super) fn notice(found: &[Found], folder: &str) -> Option<String> {
    let mut lines = Vec::new();
    for Found { path, journal } in found {
        let path = path.display();
        lines.push(match journal {
            Ok(journal) => {
                format!("an earlier run left something behind: {} ({path})", count(journal))
            }
            Err(error) => format!("`{path}` cannot be read: {error}"),
        });
    }
    (!lines.is_empty()).then(|| {
        let folder = if folder.contains(' ') { format!("'{folder}'") } else { folder.to_owned() };
        format!("note: {}\n  `palier sweep {folder}` undoes it", lines.join("\n  "))
    })
}

/// `3 things in http://localhost:5000, 1 request without an answer, 2 lines that cannot be read`
fn count(journal: &Journal) -> String {
    let (left, unanswered) = (journal.left().count(), journal.unanswered().count());
    let mut parts = Vec::new();
    if left > 0 {
        parts.push(format!("{} in {}", plural(left, "thing"), journal.target));
    }
    if unanswered > 0 {
        parts.push(format!("{} without an answer", plural(unanswered, "request")));
    }
    if !journal.corrupt.is_empty() {
        parts.push(format!("{} that cannot be read", plural(journal.corrupt.len(), "line")));
    }
    parts.join(", ")
}

/// `1 thing`, `2 things`
pub(super) fn plural(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// A request that may have created something, for whoever has to look for that: `POST /employees {"name":…}`
pub(super) fn request(journal: &Journal, thing: &Thing) -> String {
    let method = journal.method(thing);
    match &thing.sent {
        Some((path, Some(body))) => format!("{method} {path} {body}"),
        Some((path, None)) => format!("{method} {path}"),
        None => method.to_owned(),
    }
}
