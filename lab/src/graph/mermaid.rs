//! A Mermaid flowchart. Names become labels in quotes, so that nothing in them is read as its syntax.

use std::fmt::Write as _;

use crate::report::Plan;

/// Started tasks that are named in a box; a diagram of hundreds helps nobody.
const TASKS: usize = 8;

pub(super) fn draw(plan: &Plan) -> String {
    let mut text = String::from("flowchart TB\n");
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "  {words}");
    };
    for (index, (name, address)) in plan.workstations.iter().enumerate() {
        line(format_args!("ws{index}([\"{}<br/>{}\"]) --- lan", label(name), label(address)));
    }
    line(format_args!("lan[[\"LAN {}\"]]", label(&plan.lan)));
    for (index, lpar) in plan.lpars.iter().enumerate() {
        let tasks = lpar.tasks.iter().take(TASKS).map(|(task, ports)| format!("<br/>{} {}", label(task), label(ports)));
        let more = lpar.tasks.len().saturating_sub(TASKS);
        let more = if more > 0 { format!("<br/>and {more} more") } else { String::new() };
        let tasks: String = tasks.map(|task| task.trim_end().to_owned()).collect();
        let down = if lpar.is_down { "<br/>is down" } else { "" };
        line(format_args!(
            "lpar{index}[\"<b>{}</b><br/>{}{down}{tasks}{more}\"]",
            label(&lpar.name),
            label(&lpar.home)
        ));
        line(format_args!("lan --- lpar{index}"));
        line(format_args!("lpar{index} -.-|\"{}\"| xcf", label(&lpar.xcf)));
    }
    line(format_args!("xcf[[\"XCF {}\"]]", label(&plan.xcf)));
    for (index, dvipa) in plan.dvipas.iter().enumerate() {
        let place = |name: &str| plan.lpars.iter().position(|lpar| lpar.name == name);
        let ports =
            if dvipa.ports.is_empty() { String::new() } else { format!("<br/>{}", label(&dvipa.ports.join("; "))) };
        line(format_args!("dvipa{index}{{{{\"DVIPA {}{ports}\"}}}}", label(&dvipa.address)));
        line(format_args!("lan === dvipa{index}"));
        if let Some(owner) = place(&dvipa.owner) {
            line(format_args!("dvipa{index} ==>|owned by| lpar{owner}"));
        }
        for target in dvipa.targets.iter().filter_map(|name| place(name)) {
            line(format_args!("dvipa{index} -->|distributes to| lpar{target}"));
        }
    }
    text
}

/// Within quotes only these mean something to Mermaid.
fn label(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '"' => "#quot;".to_owned(),
            '#' => "#35;".to_owned(),
            '<' => "#lt;".to_owned(),
            '>' => "#gt;".to_owned(),
            '&' => "#amp;".to_owned(),
            '`' => "#96;".to_owned(),
            c if c.is_control() => " ".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use sysplex::Sysplex;

    use super::*;

    #[test]
    fn two_lpars_behind_one_address() {
        let mut plan = Plan::of(&Sysplex::uniform(2));
        plan.lpars[1].is_down = true;
        let text = draw(&plan);
        assert!(text.starts_with("flowchart TB\n"), "{text}");
        for wanted in ["lan --- lpar0", "lpar1 -.-|", "dvipa0 ==>|owned by| lpar0", "dvipa0 -->|distributes to| lpar1"]
        {
            assert!(text.contains(wanted), "{wanted} is missing:\n{text}");
        }
        let down: Vec<&str> = text.lines().filter(|line| line.contains("is down")).collect();
        assert_eq!(down.len(), 1, "{text}");
        assert!(down[0].contains(&plan.lpars[1].name), "{text}");
    }

    #[test]
    fn nothing_in_a_name_is_read_as_syntax() {
        assert_eq!(label("a\"]-->b\n#<i>"), "a#quot;]--#gt;b #35;#lt;i#gt;");
    }
}
