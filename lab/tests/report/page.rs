//! A report, as a browser reads it, and what must be true of each.

use std::path::Path;
use std::process::{Command, Output};

use scraper::{Html, Selector};

/// Writes a file of a directory.
pub(crate) fn write(directory: &Path, name: &str, text: &str) {
    std::fs::write(directory.join(name), text).expect("written");
}

/// Runs `lab`.
pub(crate) fn lab(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_lab")).args(arguments).output().expect("lab starts")
}

/// The report of a directory: its text, and as a browser reads it.
pub(crate) fn report(directory: &Path) -> (String, Html) {
    let output = lab(&["report", directory.to_str().expect("a path"), "-o", "-"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let page = Html::parse_document(&text);
    assert!(page.errors.is_empty(), "{:?}", page.errors);
    (text, page)
}

/// All elements.
pub(crate) fn all<'a>(page: &'a Html, selector: &str) -> Vec<scraper::ElementRef<'a>> {
    page.select(&Selector::parse(selector).expect("a selector")).collect()
}

/// The text of all elements.
pub(crate) fn text_of(page: &Html, selector: &str) -> String {
    all(page, selector).iter().flat_map(scraper::ElementRef::text).collect()
}

/// Every reference leads to an element, of which there is one; how many there are.
pub(crate) fn references_lead_somewhere(page: &Html) -> usize {
    let ids: Vec<&str> = all(page, "[id]").iter().filter_map(|element| element.attr("id")).collect();
    let unique: std::collections::BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(unique.len(), ids.len(), "an id is there twice: {ids:?}");
    let mut references = 0;
    for attribute in ["href", "for", "aria-labelledby", "aria-describedby", "marker-end", "fill"] {
        for element in all(page, &format!("[{attribute}]")) {
            let value = element.attr(attribute).unwrap_or_default();
            let value = value.strip_prefix("url(").map_or(value, |url| url.trim_end_matches(')'));
            for id in value.split_whitespace().map(|word| word.trim_start_matches('#')) {
                references += 1;
                assert!(ids.contains(&id), "{attribute}={value} leads nowhere");
            }
        }
    }
    references
}

/// The page is all there is.
pub(crate) fn nothing_leads_outside(text: &str, page: &Html) {
    for selector in ["link", "img", "iframe", "object", "script[src]", "[srcset]", "[style]", "[onclick]", "base"] {
        assert!(all(page, selector).is_empty(), "{selector} is there");
    }
    assert!(!text.contains("http:") && !text.contains("https:"), "an address of the network");
    assert!(text.contains("default-src 'none'"));
}

/// Landmarks, headings, captions, names of figures; and nothing that does nothing without scripts.
pub(crate) fn a_screen_reader_finds_its_way(page: &Html) {
    for landmark in ["main", "nav[aria-label]", "header", "footer", "a.skip", "html[lang]", "head > title"] {
        assert_eq!(all(page, landmark).len(), 1, "{landmark}");
    }
    assert_eq!(all(page, "h1").len(), 1);
    assert_eq!(all(page, "main section").len(), all(page, "main section[aria-labelledby] > h2[id]").len());
    assert_eq!(all(page, "table").len(), all(page, "table > caption").len());
    for figure in all(page, "svg") {
        let named = figure.attr("aria-labelledby").or(figure.attr("aria-label"));
        assert!(named.is_some_and(|name| !name.is_empty()), "a figure without a name");
    }
    assert_eq!(all(page, ".scroll").len(), all(page, ".scroll[tabindex='0'][role=region][aria-label]").len());
    // Without scripts there is no button that does nothing.
    assert_eq!(all(page, "button").len(), all(page, "button[hidden]").len());
    assert_eq!(all(page, "form").len(), all(page, "form[hidden]").len());
}
