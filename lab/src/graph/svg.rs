//! A file of its own: the report's figure, with its colours.

use maud::{Markup, PreEscaped, html};

use crate::report::{Plan, figure};

const COLOURS: &str = include_str!("../report/assets/colours.css");
const FIGURE: &str = include_str!("../report/assets/topology.css");

pub(super) fn draw(plan: &Plan) -> String {
    let paper: Markup = html! {
        style { (PreEscaped(COLOURS)) (PreEscaped(FIGURE)) }
        rect.paper width="100%" height="100%" {}
    };
    format!("{}\n", figure(plan, Some(&paper)).into_string())
}

#[cfg(test)]
mod tests {
    use sysplex::Sysplex;

    use super::*;

    #[test]
    fn it_is_xml_with_all_that_the_topology_has() {
        let mut sysplex = Sysplex::uniform(3);
        sysplex.name = "A<B&\"C\"".to_owned();
        let plan = Plan::of(&sysplex);
        let text = draw(&plan);
        let root = scraper::Html::parse_document(&text);
        let words: String = root.root_element().text().collect();
        for name in plan.hosts().chain(plan.dvipas.iter().map(|dvipa| dvipa.address.as_str())) {
            assert!(words.contains(name), "{name} is missing: {words}");
        }
        assert!(text.starts_with("<svg ") && text.contains("xmlns=\"http://www.w3.org/2000/svg\""), "{text}");
        assert!(text.contains("A&lt;B&amp;") && !text.contains("A<B"), "{text}");
    }
}
