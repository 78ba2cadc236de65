//! What statements of `[cleanup.mysql]` may be: one DELETE with a condition, one SELECT.
//!
//! A statement is cut into words the way MySQL does it, as far as needed to see where it ends and what it is. What is
//! doubtful is refused: comments that MySQL would execute, quotes and parentheses that are never closed.

/// A word of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Word {
    /// A keyword or a name without quotes, in capital letters.
    Bare(String),
    /// A name in backquotes.
    Quoted,
    /// A text or a number.
    Literal,
    /// Any other character.
    Mark(char),
}

/// Why a text is no single DELETE with a condition; `Ok` if it is one.
pub(super) fn check_delete(text: &str) -> Result<(), String> {
    let words = words(text)?;
    let starts_with = |keyword: &str| words.first() == Some(&Word::Bare(keyword.to_owned()));
    if !starts_with("DELETE") {
        return Err("is no DELETE".to_owned());
    }
    let mut depth = 0_u32;
    let mut condition = None;
    for (index, word) in words.iter().enumerate() {
        match word {
            Word::Mark('(') => depth += 1,
            Word::Mark(')') => depth = depth.saturating_sub(1),
            Word::Bare(bare) if depth == 0 && bare == "WHERE" => condition = Some(index),
            Word::Bare(_) | Word::Quoted | Word::Literal | Word::Mark(_) => {}
        }
    }
    let Some(at) = condition else {
        return Err("has no WHERE: it would delete every row".to_owned());
    };
    let is_constant = |word: &Word| match word {
        Word::Bare(bare) => [
            "TRUE", "FALSE", "NOT", "AND", "OR", "XOR", "IS", "NULL", "IN", "LIKE", "BETWEEN", "ORDER", "BY",
            "LIMIT",
        ]
        .contains(&bare.as_str()),
        Word::Literal | Word::Mark(_) => true,
        Word::Quoted => false,
    };
    if words[at + 1..].iter().all(is_constant) {
        return Err("has a WHERE that looks at no column: it would delete every row, or none".to_owned());
    }
    Ok(())
}

/// Why a text is no single SELECT that only reads; `Ok` if it is one.
pub(super) fn check_select(text: &str) -> Result<(), String> {
    let words = words(text)?;
    if words.first() != Some(&Word::Bare("SELECT".to_owned())) {
        return Err("is no SELECT".to_owned());
    }
    let has = |keyword: &str| words.contains(&Word::Bare(keyword.to_owned()));
    if has("INTO") {
        return Err("writes its result somewhere (INTO)".to_owned());
    }
    if has("FOR") || has("LOCK") {
        return Err("locks the rows that it reads".to_owned());
    }
    Ok(())
}

/// The words of a single statement; a `;` may stand at its end.
fn words(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut depth = 0_i32;
    let mut ended = false;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        if first.is_whitespace() {
            rest = after;
            continue;
        }
        if first == '#' || rest.starts_with("--") || rest.starts_with("/*") {
            return Err("holds a comment, which MySQL may execute: take it out".to_owned());
        }
        if ended {
            return Err("is more than one statement".to_owned());
        }
        let (word, length) = match first {
            ';' => {
                ended = true;
                rest = after;
                continue;
            }
            '\'' | '"' => (Word::Literal, 1 + quoted(after, first, true)?),
            '`' => (Word::Quoted, 1 + quoted(after, first, false)?),
            c if c.is_ascii_digit() => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '.').unwrap_or(rest.len());
                (Word::Literal, end)
            }
            c if c.is_alphanumeric() || c == '_' || c == '$' || c == '@' => {
                let end = rest[first.len_utf8()..]
                    .find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$' && c != '@');
                let end = end.map_or(rest.len(), |end| first.len_utf8() + end);
                (Word::Bare(rest[..end].to_uppercase()), end)
            }
            mark => {
                depth += i32::from(mark == '(') - i32::from(mark == ')');
                if depth < 0 {
                    return Err("closes a parenthesis that was never opened".to_owned());
                }
                (Word::Mark(mark), mark.len_utf8())
            }
        };
        words.push(word);
        rest = &rest[length..];
    }
    if depth != 0 {
        return Err("has a parenthesis that is never closed".to_owned());
    }
    Ok(words)
}

/// The length of a quoted text, its closing quote included. A doubled quote stands for itself, and so does one after a
/// backslash.
fn quoted(rest: &str, quote: char, escapes: bool) -> Result<usize, String> {
    let mut chars = rest.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && escapes {
            // With NO_BACKSLASH_ESCAPES it would mean something else, so that the text could end elsewhere.
            return Err(
                "has a backslash in a text, which MySQL reads in two ways: write a quote as two quotes"
                    .to_owned(),
            );
        }
        if c == quote {
            if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                continue;
            }
            return Ok(at + c.len_utf8());
        }
    }
    Err("has a quote that is never closed".to_owned())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_delete_with_a_condition_is_taken() {
        for text in [
            "DELETE FROM employees WHERE name LIKE 'LoadTest User {{run}}-%'",
            "delete from `employees` where `name` = \"a\" ;",
            "DELETE e FROM employees e JOIN teams t ON t.id = e.team WHERE t.name = 'it''s; -- no comment'",
            "DELETE FROM employees WHERE id IN (SELECT id FROM other WHERE x = 1) LIMIT 10",
        ] {
            assert_eq!(check_delete(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn all_else_is_not() {
        for (text, why) in [
            ("", "is no DELETE"),
            ("UPDATE employees SET name = 'x' WHERE id = 1", "is no DELETE"),
            ("TRUNCATE employees", "is no DELETE"),
            ("DELETE FROM employees", "has no WHERE: it would delete every row"),
            (
                "DELETE FROM employees USING employees JOIN (SELECT 1 WHERE a = b) x",
                "has no WHERE: it would delete every row",
            ),
            (
                "DELETE FROM employees WHERE 1 = 1 OR NOT FALSE",
                "has a WHERE that looks at no column: it would delete every row, or none",
            ),
            ("DELETE FROM a WHERE b = 1; DROP TABLE a", "is more than one statement"),
            (
                "DELETE FROM a WHERE b = 1 /*! OR 1 */",
                "holds a comment, which MySQL may execute: take it out",
            ),
            ("DELETE FROM a -- WHERE b = 1", "holds a comment, which MySQL may execute: take it out"),
            ("DELETE FROM a WHERE b = 'x", "has a quote that is never closed"),
            ("DELETE FROM a WHERE (b = 1", "has a parenthesis that is never closed"),
            (
                "DELETE FROM a WHERE b = '\\' OR 1=1 -- '",
                "has a backslash in a text, which MySQL reads in two ways: write a quote as two quotes",
            ),
        ] {
            assert_eq!(check_delete(text), Err(why.to_owned()), "{text}");
        }
    }

    #[test]
    fn a_select_may_only_read() {
        assert_eq!(check_select("SELECT COUNT(*) FROM employees;"), Ok(()));
        assert_eq!(
            check_select("SELECT COUNT(*) FROM a INTO OUTFILE '/x'"),
            Err("writes its result somewhere (INTO)".into())
        );
        assert_eq!(check_select("SELECT 1 FROM a FOR UPDATE"), Err("locks the rows that it reads".into()));
        assert_eq!(check_select("DELETE FROM a WHERE b = 1"), Err("is no SELECT".into()));
        assert_eq!(check_select("SELECT 1; SELECT 2"), Err("is more than one statement".into()));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*", near in "(DELETE|FROM|WHERE|a| |'|`|\"|\\\\|;|--|/[*]|[(]|[)]|é|1){0,16}") {
            for text in [text, near] {
                let _ = (check_delete(&text), check_select(&text));
            }
        }

        /// Whatever stands in a text, it ends nothing.
        #[test]
        fn a_text_is_a_text(inside in "[^'\\\\]{0,20}") {
            let statement = format!("DELETE FROM a WHERE b = '{inside}'");
            prop_assert_eq!(check_delete(&statement), Ok(()));
        }
    }
}
