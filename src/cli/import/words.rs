//! A shell's words, as far as commands that are copied from a browser or a document need them (POSIX 2.2, and bash's
//! `$'…'`).

use std::iter::Peekable;
use std::str::Chars;

/// A command: its words, and the line it begins in, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Command {
    pub(super) words: Vec<String>,
    pub(super) line: usize,
}

/// The commands of a text. Quotes that are never closed end with the text.
pub(super) fn commands(text: &str) -> Vec<Command> {
    let mut reader = Reader { commands: Vec::new(), words: Vec::new(), word: None, line: 1, start: 1 };
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('\n') => reader.line += 1,
                // A line that Windows ended.
                Some('\r') if characters.peek() == Some(&'\n') => {
                    characters.next();
                    reader.line += 1;
                }
                Some(escaped) => reader.push(escaped),
                None => {}
            },
            '\'' => {
                reader.open();
                for inner in characters.by_ref().take_while(|it| *it != '\'') {
                    reader.push(inner);
                }
            }
            '"' => {
                reader.open();
                while let Some(inner) = characters.next() {
                    match (inner, characters.peek()) {
                        ('"', _) => break,
                        ('\\', Some('"' | '\\' | '$' | '`')) => {
                            reader.push(characters.next().unwrap_or_default());
                        }
                        ('\\', Some('\n')) => {
                            characters.next();
                            reader.line += 1;
                        }
                        (inner, _) => reader.push(inner),
                    }
                }
            }
            '$' if characters.peek() == Some(&'\'') => {
                characters.next();
                reader.open();
                while let Some(inner) = characters.next() {
                    match inner {
                        '\'' => break,
                        '\\' => escape(&mut characters, &mut reader),
                        inner => reader.push(inner),
                    }
                }
            }
            '#' if reader.word.is_none() => {
                while characters.peek().is_some_and(|it| *it != '\n') {
                    characters.next();
                }
            }
            '\n' => {
                reader.end_command();
                reader.line += 1;
                reader.start = reader.line;
            }
            ';' | '|' | '&' => reader.end_command(),
            blank if blank.is_whitespace() => reader.end_word(),
            other => reader.push(other),
        }
    }
    reader.end_command();
    reader.commands
}

/// `\n`, `\'`, `\x41`, `\u0041` within `$'…'`.
fn escape(characters: &mut Peekable<Chars<'_>>, reader: &mut Reader) {
    match characters.next() {
        Some('n') => reader.push('\n'),
        Some('r') => reader.push('\r'),
        Some('t') => reader.push('\t'),
        Some('x') => reader.push(digits(characters, 2)),
        Some('u') => reader.push(digits(characters, 4)),
        Some('U') => reader.push(digits(characters, 8)),
        Some(other) => reader.push(other),
        None => {}
    }
}

/// A character by its number, of so many hexadecimal digits at most.
fn digits(characters: &mut Peekable<Chars<'_>>, most: usize) -> char {
    let mut number = 0_u32;
    for _ in 0..most {
        let Some(digit) = characters.peek().and_then(|it| it.to_digit(16)) else { break };
        characters.next();
        number = number.wrapping_mul(16).wrapping_add(digit);
    }
    char::from_u32(number).unwrap_or('\u{fffd}')
}

struct Reader {
    commands: Vec<Command>,
    words: Vec<String>,
    word: Option<String>,
    line: usize,
    start: usize,
}

impl Reader {
    /// A word has begun, even if nothing comes of it: `''` is one.
    fn open(&mut self) {
        if self.words.is_empty() && self.word.is_none() {
            self.start = self.line;
        }
        self.word.get_or_insert_default();
    }

    fn push(&mut self, character: char) {
        self.open();
        self.word.get_or_insert_default().push(character);
        if character == '\n' {
            self.line += 1;
        }
    }

    fn end_word(&mut self) {
        self.words.extend(self.word.take());
    }

    fn end_command(&mut self) {
        self.end_word();
        if !self.words.is_empty() {
            self.commands.push(Command { words: std::mem::take(&mut self.words), line: self.start });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&[&str]]) {
        let found: Vec<Vec<String>> = commands(text).into_iter().map(|it| it.words).collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn words_are_those_of_a_shell() {
        check("curl -H 'a: b' \"c d\" e\\ f ''", &[&["curl", "-H", "a: b", "c d", "e f", ""]]);
        check(
            "curl \\\n  --data-raw $'it\\'s \\u0041\\n' \\\r\n x",
            &[&["curl", "--data-raw", "it's A\n", "x"]],
        );
        check(
            "# first\ncurl a # b\ncurl c; curl d | jq .",
            &[&["curl", "a"], &["curl", "c"], &["curl", "d"], &["jq", "."]],
        );
        check("curl \"\\\"x\\\" \\n $y\"", &[&["curl", "\"x\" \\n $y"]]);
        check("curl 'never closed", &[&["curl", "never closed"]]);
        assert_eq!(commands("\n\ncurl a\ncurl b").iter().map(|it| it.line).collect::<Vec<_>>(), [3, 4]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text: String) {
            let _ = commands(&text);
        }
    }
}
