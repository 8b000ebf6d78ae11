//! Rules for names, and the nearest right word for a wrong one.

/// Is it an MVS name as SYSNAME takes it: 1 to 8 of A-Z, 0-9, @, #, $?
pub(crate) fn is_mvs_name(text: &str) -> bool {
    (1..=8).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || matches!(b, b'@' | b'#' | b'$'))
}

/// Is it a host name for a workstation? Linux takes 64 characters at most.
pub(crate) fn is_host_name(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'@' | b'#' | b'$'))
}

/// The candidate that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let far = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|&(distance, _)| distance <= far)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// "did you mean ..?", when there is something near.
pub fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest(word, candidates).map(|right| format!("did you mean `{right}`?"))
}

/// A text from a file, cut so that a message stays a message.
pub(crate) fn cut(text: &str) -> String {
    const LONGEST: usize = 60;
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    text.chars().take(LONGEST).chain("...".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        assert_eq!(nearest("prots", ["name", "ports"]), Some("ports"));
        assert_eq!(nearest("roundrobin", ["BASEWLM", "ROUNDROBIN"]), Some("ROUNDROBIN"));
        assert_eq!(nearest("LPAR9", ["LPAR1", "LPAR2"]), Some("LPAR1"));
        assert_eq!(nearest("colour", ["name", "ports"]), None);
        assert_eq!(nearest("", ["a"]), Some("a"));
    }

    #[test]
    fn mvs_names() {
        for good in ["LPAR1", "A", "$X@#1234", "1SYS"] {
            assert!(is_mvs_name(good), "{good}");
        }
        for bad in ["", "lpar1", "TOOLONG99", "A B", "Ä"] {
            assert!(!is_mvs_name(bad), "{bad}");
        }
    }
}
