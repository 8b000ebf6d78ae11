//! Keywords and their abbreviations, written as IBM's syntax diagrams write them: `VIPADISTribute` can be shortened to
//! `VIPADIST`, and every spelling between the two is right.

/// Is the word this keyword or an abbreviation of it? Case does not matter.
pub(crate) fn is(word: &str, keyword: &str) -> bool {
    word.len() <= keyword.len() && word.len() >= shortest(keyword) && {
        let start = &keyword.as_bytes()[..word.len()];
        word.as_bytes().eq_ignore_ascii_case(start)
    }
}

/// The keyword that this word stands for.
pub(crate) fn find<'k>(word: &str, keywords: &[&'k str]) -> Option<&'k str> {
    // Most words are no keyword; the first letter says so for nearly all of them.
    let first = word.as_bytes().first()?.to_ascii_uppercase();
    keywords.iter().copied().filter(|keyword| keyword.as_bytes()[0] == first).find(|keyword| is(word, keyword))
}

fn shortest(keyword: &str) -> usize {
    keyword.bytes().position(|b| b.is_ascii_lowercase()).unwrap_or(keyword.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_between_the_shortest_and_the_full_one() {
        for right in ["VIPADIST", "vipadistr", "VipaDistribute", "VIPADISTRIBUTE"] {
            assert!(is(right, "VIPADISTribute"), "{right}");
        }
        for wrong in ["VIPADIS", "VIPADISTRIBUTES", "VIPADISTX", "", "VIPADIST\u{e9}"] {
            assert!(!is(wrong, "VIPADISTribute"), "{wrong}");
        }
        assert_eq!(find("distm", &["DEFINE", "DISTMethod"]), Some("DISTMethod"));
        assert_eq!(find("", &["DEFINE"]), None);
    }
}
