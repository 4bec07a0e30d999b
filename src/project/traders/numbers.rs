//! The numbers by which the state knows a business.

/// Divisions that the Standard Industrial Classification leaves out (UK SIC
/// 2007, Office for National Statistics).
const NO_DIVISION: [u32; 12] = [0, 4, 34, 40, 44, 48, 54, 57, 67, 76, 83, 89];

/// Without the spaces that people write, in capitals.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_ascii_uppercase()
}

/// The digits of a text that has nothing else; none if it has, or has another
/// number of them.
fn digits<const N: usize>(text: &str) -> Option<[u32; N]> {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    digits?.try_into().ok()
}

/// What is wrong with a GB EORI number; none: nothing.
///
/// `GB` and 12 digits (GOV.UK, EORI numbers).
pub(super) fn eori(text: &str) -> Option<&'static str> {
    let text = plain(text);
    match text.get(..2) {
        Some("GB") => match text.get(2..).and_then(digits::<12>) {
            Some(_) => None,
            None => Some("must be `GB` and 12 digits"),
        },
        Some("XI") => Some(
            "begins with `XI`: HMRC asks for the GB number, which who has an XI number has as well",
        ),
        _ => Some("must be `GB` and 12 digits"),
    }
}

/// What is wrong with a VAT registration number; none: nothing.
///
/// `GB` (or nothing) and 9 digits, or 12 for a branch. The first seven are
/// weighed 8 to 2; with the two check digits they come to nought modulo 97, in
/// the newer series after 55 is added (HMRC, VAT number validation).
pub(super) fn vat(text: &str) -> Option<&'static str> {
    let text = plain(text);
    let number = text.strip_prefix("GB").unwrap_or(&text);
    let main = if number.len() == 12 && digits::<12>(number).is_some() {
        number.get(..9).unwrap_or(number)
    } else {
        number
    };
    let Some(digits) = digits::<9>(main) else { return Some("must be `GB` and 9 digits") };
    let weighed: u32 = digits.iter().zip((2..=8).rev()).map(|(digit, weight)| digit * weight).sum();
    let sum = weighed + digits[7] * 10 + digits[8];
    if sum.is_multiple_of(97) || (sum + 55).is_multiple_of(97) {
        None
    } else {
        Some("has check digits that do not fit: is there a slip in it?")
    }
}

/// Whether an EORI number is made of a VAT number, as it is for businesses
/// that are registered for VAT: `GB`, its nine digits, `000`.
pub(super) fn eori_of_vat(eori: &str, vat: &str) -> bool {
    let (eori, vat) = (plain(eori), plain(vat));
    let number = vat.strip_prefix("GB").unwrap_or(&vat);
    match (eori.get(2..11), number.get(..9)) {
        (Some(of_eori), Some(of_vat)) => of_eori == of_vat,
        _ => false,
    }
}

/// What is wrong with a unique taxpayer reference; none: nothing.
///
/// Ten digits, perhaps a `K` after them. The first is a check digit: the
/// others, weighed 6, 7, 8, 9, 10, 5, 4, 3, 2, modulo 11, name it in
/// `21987654321` (HMRC, UTR check digit).
pub(super) fn utr(text: &str) -> Option<&'static str> {
    const WEIGHTS: [u32; 9] = [6, 7, 8, 9, 10, 5, 4, 3, 2];
    const CHECK: [u32; 11] = [2, 1, 9, 8, 7, 6, 5, 4, 3, 2, 1];
    let text = plain(text);
    let number = text.strip_suffix('K').unwrap_or(&text);
    let Some([check, rest @ ..]) = digits::<10>(number) else { return Some("must have 10 digits") };
    let sum: u32 = rest.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    match CHECK.get((sum % 11) as usize) {
        Some(right) if *right == check => None,
        _ => Some("has a check digit that does not fit: is there a slip in it?"),
    }
}

/// What is wrong with a code of the Standard Industrial Classification; none:
/// nothing. Five digits, in a division that exists (UK SIC 2007).
pub(super) fn sic(text: &str) -> Option<&'static str> {
    let Some([a, b, ..]) = digits::<5>(text.trim()) else { return Some("must have 5 digits") };
    if NO_DIVISION.contains(&(a * 10 + b)) {
        return Some("begins with a division that the classification does not have");
    }
    None
}

/// Whether a text looks like a postcode of the United Kingdom (BS 7666).
pub(super) fn is_postcode(text: &str) -> bool {
    let text = plain(text);
    let Some(at) = text.len().checked_sub(3).filter(|_| text.is_ascii()) else { return false };
    let (outward, inward) = text.split_at(at);
    let inward = inward.as_bytes();
    let inward_fits = inward.first().is_some_and(u8::is_ascii_digit)
        && inward.iter().skip(1).all(u8::is_ascii_uppercase);
    let letters = outward.bytes().take_while(u8::is_ascii_uppercase).count();
    let rest = outward.as_bytes().get(letters..).unwrap_or_default();
    let outward_fits = matches!(letters, 1 | 2)
        && match rest {
            [d] => d.is_ascii_digit(),
            [d, e] => d.is_ascii_digit() && e.is_ascii_alphanumeric(),
            _ => false,
        };
    inward_fits && outward_fits
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Weighs as the published method does, written out another way.
    fn utr_of(rest: [u32; 9]) -> String {
        let sum = rest[0] * 6 + rest[1] * 7 + rest[2] * 8 + rest[3] * 9 + rest[4] * 10;
        let sum = sum + rest[5] * 5 + rest[6] * 4 + rest[7] * 3 + rest[8] * 2;
        let check = match sum % 11 {
            0 => 2,
            1 => 1,
            remainder => 11 - remainder,
        };
        let rest: String = rest.iter().map(ToString::to_string).collect();
        format!("{check}{rest}")
    }

    #[test]
    fn the_check_digit_of_a_utr_finds_every_single_slip() {
        let right = utr_of([1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(utr(&right), None);
        assert_eq!(utr(&format!("{} {}K", &right[..5], &right[5..])), None);
        let mut missed = 0;
        for place in 0..10 {
            for digit in '0'..='9' {
                let mut slip: Vec<char> = right.chars().collect();
                if slip[place] != digit {
                    slip[place] = digit;
                    missed += usize::from(utr(&slip.iter().collect::<String>()).is_none());
                }
            }
        }
        // Modulo 11 with ten digits: remainders 0 and 9, and 1 and 10, share a
        // check digit, so a few slips cannot be seen.
        assert!(missed <= 18, "{missed} of 90 slips were not found");
        assert!(utr("12345").is_some() && utr("").is_some() && utr("12345678901").is_some());
        assert!(utr("١٢٣٤٥٦٧٨٩٠").is_some(), "digits of other scripts are none here");
    }

    #[test]
    fn vat_numbers_of_both_series_hold() {
        // 97 - (weighed sum mod 97), and the same 55 less.
        for main in ["1234567", "9876543", "0000001"] {
            let weighed: u32 = main
                .chars()
                .zip([8, 7, 6, 5, 4, 3, 2])
                .map(|(digit, weight)| digit.to_digit(10).unwrap() * weight)
                .sum();
            let old = 97 - weighed % 97;
            let new = 97 - (weighed + 55) % 97;
            for check in [old, new] {
                assert_eq!(vat(&format!("GB{main}{check:02}")), None);
                assert_eq!(vat(&format!("{main}{check:02}")), None);
                assert_eq!(vat(&format!("GB {main}{check:02} 001")), None, "a branch");
                assert!(vat(&format!("GB{main}{:02}", (check + 1) % 97)).is_some());
            }
        }
        assert!(vat("GB12").is_some() && vat("").is_some() && vat("FR123456789").is_some());
    }

    #[test]
    fn eori_numbers() {
        assert_eq!(eori("GB123456789000"), None);
        assert_eq!(eori("gb 123 456 789 000"), None);
        for wrong in ["", "GB", "GB12345678900", "GB1234567890000", "123456789000", "GBé"] {
            assert!(eori(wrong).is_some(), "{wrong}");
        }
        assert!(eori("XI123456789000").is_some_and(|told| told.contains("GB number")));
        assert!(eori_of_vat("GB123456789000", "GB 123456789"));
        assert!(!eori_of_vat("GB123456789000", "GB123456780"));
        assert!(!eori_of_vat("GB", ""));
    }

    #[test]
    fn sic_codes() {
        for right in ["52290", "01110", "99999", " 49410 "] {
            assert_eq!(sic(right), None, "{right}");
        }
        for wrong in ["5229", "522900", "52.29", "04000", "00000", "34100", ""] {
            assert!(sic(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn postcodes() {
        for right in ["CT16 1AA", "M1 1AA", "W1A0AX", "ec1a 1bb", "BT1 5GS", "DN55 1PT"] {
            assert!(is_postcode(right), "{right}");
        }
        for wrong in ["", "CT16", "CT161A", "1CT 1AA", "CTX16 1AA", "CT16 AAA", "ДТ16 1AA"] {
            assert!(!is_postcode(wrong), "{wrong}");
        }
    }
}
