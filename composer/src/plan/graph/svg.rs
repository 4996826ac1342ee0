//! The plan as a picture, without any program for pictures.
//!
//! Each component is a panel. Its plugins are rows in hook order; its hooks are columns whose names form stairs, so that
//! none lies over another however long they are. Down a column, each plugin that the hook reaches has its number.

use std::fmt::{self, Write as _};

use racetrack_core::Hook;

use crate::plan::{BuildPlan, PlannedComponent, PlannedPlugin};

/// All figures are in pixels. The width of a character of the font, a little generous, because every machine has
/// another font.
const CHARACTER: usize = 8;
const MARGIN: usize = 24;
const GAP: usize = 20;
const TITLE: usize = 48;
const STAIR: usize = 22;
const ROW: usize = 34;
const COLUMN: usize = 34;
const BADGE: usize = 22;

/// Colours that carry white figures, one per hook; they repeat after the last.
const COLOURS: [&str; 8] =
    ["#3568c9", "#a8501b", "#27794f", "#8348b8", "#b02f64", "#0d7280", "#766518", "#59636f"];

const STYLE: &str = "\
  text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace; fill: #1f2328; }
  .panel { fill: #ffffff; stroke: #d0d7de; }
  .row { fill: #f3f5f8; }
  .title { font-size: 17px; font-weight: bold; }
  .dim { fill: #656d76; }
  .number { fill: #ffffff; font-size: 12px; font-weight: bold; text-anchor: middle; }
  .end { text-anchor: end; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .panel { fill: #151b23; stroke: #3d444d; }
    .row { fill: #1f2630; }
    .dim { fill: #9198a1; }
    .number { fill: #ffffff; }
  }
";

/// The picture of a plan. It fits light and dark surroundings.
pub fn svg(plan: &BuildPlan) -> String {
    let panels: Vec<_> = plan.components.iter().map(Panel::new).collect();
    let width = panels.iter().map(Panel::width).max().unwrap_or_default();
    let height: usize = panels.iter().map(|panel| panel.height() + GAP).sum();
    let (full_width, full_height) = (width + 2, (height + 2).saturating_sub(GAP));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{full_width}\" height=\"{full_height}\" \
         viewBox=\"-1 -1 {full_width} {full_height}\">\n\
         <title>The plugins of each component in hook order, and the order in which each hook reaches them</title>\n\
         <style>\n{STYLE}</style>\n"
    );
    let mut top = 0;
    for panel in &panels {
        panel.write(top, width, &mut text).expect("a String takes any text");
        top += panel.height() + GAP;
    }
    text + "</svg>\n"
}

/// A component with the measures of its panel.
struct Panel<'a> {
    component: &'a PlannedComponent,
    hooks: Vec<(&'static str, Vec<&'a PlannedPlugin>)>,
    /// Where the columns of the hooks begin.
    columns: usize,
    /// Where the rows of the plugins begin, from the top of the panel.
    rows: usize,
}

impl<'a> Panel<'a> {
    fn new(component: &'a PlannedComponent) -> Self {
        let hooks: Vec<_> = component.hooks().into_iter().collect();
        let widest = |texts: &mut dyn Iterator<Item = String>| {
            texts.map(|text| text.chars().count()).max().unwrap_or_default() * CHARACTER
        };
        let titles = widest(&mut component.plugins.iter().map(|plugin| title(plugin)));
        let priorities = widest(&mut component.plugins.iter().map(|plugin| priority(plugin)));
        Self {
            component,
            columns: MARGIN + titles + GAP + priorities + GAP,
            rows: TITLE + hooks.len() * STAIR + GAP / 2,
            hooks,
        }
    }

    fn width(&self) -> usize {
        let stairs = self.hooks.iter().enumerate();
        let stairs = stairs.map(|(index, (hook, _))| self.column(index) + GAP + hook.len() * CHARACTER).max();
        let head = self.heading().chars().count() * CHARACTER * 4 / 3 + MARGIN;
        stairs.unwrap_or(self.columns).max(head) + MARGIN
    }

    fn height(&self) -> usize {
        let rows = self.component.plugins.len().max(1) * ROW;
        self.rows + rows + MARGIN / 2
    }

    /// The middle of a column.
    fn column(&self, index: usize) -> usize {
        self.columns + index * COLUMN + COLUMN / 2
    }

    /// The middle of a row.
    fn row(&self, turn: usize) -> usize {
        self.rows + turn * ROW + ROW / 2
    }

    fn heading(&self) -> String {
        format!("{}  {}", self.component.declaration.name, self.component.declaration.package)
    }

    fn write(&self, top: usize, width: usize, text: &mut String) -> fmt::Result {
        let (height, declaration) = (self.height(), &self.component.declaration);
        writeln!(text, "<g transform=\"translate(0 {top})\">")?;
        writeln!(text, "<rect class=\"panel\" width=\"{width}\" height=\"{height}\" rx=\"8\"/>")?;
        writeln!(
            text,
            "<text class=\"title\" x=\"{MARGIN}\" y=\"32\">{}<tspan class=\"dim\" font-weight=\"normal\" font-size=\"13\" dx=\"12\">{}</tspan></text>",
            escaped(&declaration.name),
            escaped(&declaration.package)
        )?;
        self.write_rows(width, text)?;
        for (index, (hook, plugins)) in self.hooks.iter().enumerate() {
            self.write_hook(index, hook, plugins, text)?;
        }
        writeln!(text, "</g>")
    }

    fn write_rows(&self, width: usize, text: &mut String) -> fmt::Result {
        if self.component.plugins.is_empty() {
            let y = self.row(0) + 5;
            return writeln!(text, "<text class=\"dim\" x=\"{MARGIN}\" y=\"{y}\">no plugins</text>");
        }
        for (turn, plugin) in self.component.plugins.iter().enumerate() {
            let (y, baseline) = (self.rows + turn * ROW, self.row(turn) + 5);
            if turn % 2 == 0 {
                let inner = width - MARGIN;
                let x = MARGIN / 2;
                writeln!(
                    text,
                    "<rect class=\"row\" x=\"{x}\" y=\"{y}\" width=\"{inner}\" height=\"{ROW}\" rx=\"4\"/>"
                )?;
            }
            writeln!(
                text,
                "<text x=\"{MARGIN}\" y=\"{baseline}\">{}<tspan class=\"dim\" dx=\"{CHARACTER}\">{}</tspan></text>",
                escaped(plugin.manifest.name.as_str()),
                escaped(plugin.manifest.version.as_str())
            )?;
            let (x, priority) = (self.columns - GAP, priority(plugin));
            writeln!(text, "<text class=\"dim end\" x=\"{x}\" y=\"{baseline}\">{priority}</text>")?;
        }
        Ok(())
    }

    /// The name on its stair, the line down to the last plugin, and the numbers on the way.
    fn write_hook(
        &self,
        index: usize,
        hook: &str,
        plugins: &[&PlannedPlugin],
        text: &mut String,
    ) -> fmt::Result {
        // A hook has the same colour in all components.
        let place = Hook::catalogue().iter().position(|known| known.hook.name() == hook).unwrap_or(index);
        let colour = COLOURS[place % COLOURS.len()];
        let (x, y) = (self.column(index), TITLE + index * STAIR + STAIR / 2);
        let turn = |called: &PlannedPlugin| {
            self.component.plugins.iter().position(|plugin| plugin.position == called.position)
        };
        let turns: Vec<_> = plugins.iter().filter_map(|plugin| turn(plugin)).collect();
        let bottom = turns.last().map_or(y, |turn| self.row(*turn));
        let label = x + 12;
        writeln!(
            text,
            "<path d=\"M{} {y}H{x}V{bottom}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            label - 4
        )?;
        writeln!(text, "<text x=\"{label}\" y=\"{}\">{hook}</text>", y + 5)?;
        for (call, turn) in turns.iter().enumerate() {
            let number = (call + 1).to_string();
            let (badge, y) = (BADGE.max(number.len() * CHARACTER + 6), self.row(*turn));
            let (left, above) = (x - badge / 2, y - BADGE / 2);
            writeln!(
                text,
                "<rect x=\"{left}\" y=\"{above}\" width=\"{badge}\" height=\"{BADGE}\" rx=\"{}\" fill=\"{colour}\"/>",
                BADGE / 2
            )?;
            writeln!(text, "<text class=\"number\" x=\"{x}\" y=\"{}\">{number}</text>", y + 4)?;
        }
        Ok(())
    }
}

fn title(plugin: &PlannedPlugin) -> String {
    format!("{} {}", plugin.manifest.name, plugin.manifest.version)
}

fn priority(plugin: &PlannedPlugin) -> String {
    format!("priority {}", plugin.manifest.priority)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
