//! Decimal numbers: cutting them off a text, scaling them without loss, showing them.

/// Cuts the decimal number off the front: `12`, `1.5`, `.5` (digits and one point, nothing else).
pub(super) fn digits(text: &str) -> (&str, &str) {
    let mut point = false;
    let end = text
        .char_indices()
        .find(|&(_, c)| match c {
            '0'..='9' => false,
            '.' if !point => {
                point = true;
                false
            }
            _ => true,
        })
        .map_or(text.len(), |(at, _)| at);
    text.split_at(end)
}

/// The number times `scale`, exactly; `None` where the result is no whole number, too large, or the number is none.
pub(super) fn exact(number: &str, scale: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let fraction = fraction.trim_end_matches('0');
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let below: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let parts = below * u128::from(scale);
    let divisor = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    parts.is_multiple_of(divisor).then(|| u128::from(whole) * u128::from(scale) + parts / divisor)
}

/// The shortest text that is read back as this value times ten to the power of `by`, without an exponent.
pub(super) fn shifted(value: f64, by: i32) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let figures: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    // How many figures stand before the point.
    let point = exponent.parse::<i32>().unwrap_or(0) + by + 1;
    let before = usize::try_from(point).unwrap_or(0);
    if point <= 0 {
        format!("0.{}{figures}", "0".repeat(point.unsigned_abs() as usize))
    } else if before >= figures.len() {
        format!("{figures}{}", "0".repeat(before - figures.len()))
    } else {
        format!("{}.{}", &figures[..before], &figures[before..])
    }
}

/// A plain number for reports: `6543`, `31.1`, `0.17`, `0`.
pub fn human_number(value: f64) -> String {
    let size = value.abs();
    if value.fract() == 0.0 && size < 1e15 || (99.95..1e15).contains(&size) {
        format!("{value:.0}")
    } else if !(0.005..1e15).contains(&size) {
        format!("{value:.1e}")
    } else if size < 0.995 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_scaled_without_loss() {
        assert_eq!(exact("1.5", 10), Some(15));
        assert_eq!(exact("0.30", 10), Some(3));
        assert_eq!(exact("0.25", 10), None, "would need rounding");
        assert_eq!(exact(".", 10), None);
        assert_eq!(exact("99999999999999999999", 10), None);
    }

    #[test]
    fn a_point_is_shifted_without_rounding() {
        for (value, text) in [
            (0.999, "99.9"),
            (0.1, "10"),
            (1.0, "100"),
            (0.07, "7"),
            (0.0012, "0.12"),
            (0.29, "29"),
            (12.5, "1250"),
            (0.0, "0"),
        ] {
            assert_eq!(shifted(value, 2), text);
        }
    }

    #[test]
    fn human_numbers_have_the_digits_that_matter() {
        for (value, human) in [
            (0.0, "0"),
            (2.0, "2"),
            (6543.2, "6543"),
            (31.13, "31.1"),
            (99.96, "100"),
            (0.166, "0.17"),
            (0.00012, "1.2e-4"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(human_number(value), human);
        }
    }
}
