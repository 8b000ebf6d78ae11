//! The topology as a figure: SVG that stands alone, or a Mermaid diagram for a page of Markdown. Pure, from a [`Plan`].

mod mermaid;
mod svg;

use clap::ValueEnum;

use crate::report::Plan;

/// What a figure is written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A drawing that stands alone, light or dark as its reader prefers
    Svg,
    /// A diagram for Markdown that is shown where Mermaid is understood, such as in an issue
    Mermaid,
}

/// The figure of this topology.
pub(crate) fn draw(plan: &Plan, format: Format) -> String {
    match format {
        Format::Svg => svg::draw(plan),
        Format::Mermaid => mermaid::draw(plan),
    }
}
