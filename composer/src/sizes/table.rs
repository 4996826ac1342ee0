//! Sizes as people read them.

use std::fmt::Write as _;

use super::{Bytes, ComponentSizes, PluginSize};

/// A line: its title, its bytes, and what they were in the saved run.
struct Row {
    title: String,
    now: Option<Bytes>,
    before: Option<Bytes>,
}

/// The sizes of a component; with those of an earlier run, how much each has changed since.
pub fn table(component: &str, now: &ComponentSizes, before: Option<&ComponentSizes>) -> String {
    let mut header = ["PLUGIN", "CODE", "DATA", "TOTAL"].map(str::to_owned).to_vec();
    header.extend(before.map(|_| "CHANGE".to_owned()));
    let cells = rows(now, before).into_iter().map(|row| row.cells(before.is_some()));
    let lines: Vec<_> = [header].into_iter().chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or_default();
    let widths: Vec<_> = (0..lines[0].len()).map(width).collect();
    let mut text =
        format!("{component}: {} bytes in the file\n", grouped(i64::try_from(now.file).unwrap_or(i64::MAX)));
    for line in &lines {
        write!(text, "  {:width$}", line[0], width = widths[0]).expect("a String takes any text");
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            write!(text, "  {cell:>width$}").expect("a String takes any text");
        }
        text.push('\n');
    }
    text
}

/// The plugins in hook order, those that have gone, and the rest.
fn rows(now: &ComponentSizes, before: Option<&ComponentSizes>) -> Vec<Row> {
    let earlier = before.map_or(&[][..], |before| &before.plugins);
    let pairs = pairs(&now.plugins, earlier);
    let title = |plugin: &PluginSize| format!("{} {}", plugin.name, plugin.version);
    let present = now.plugins.iter().zip(&pairs).map(|(plugin, pair)| Row {
        title: title(plugin),
        now: Some(plugin.bytes),
        before: pair.map(|earlier| earlier.bytes),
    });
    let is_gone = |plugin: &&PluginSize| !pairs.iter().flatten().any(|paired| std::ptr::eq(*paired, *plugin));
    let gone = earlier.iter().filter(is_gone).map(|plugin| Row {
        title: title(plugin),
        now: None,
        before: Some(plugin.bytes),
    });
    let rest = [
        ("(several plugins at once)", now.shared, before.map(|before| before.shared)),
        ("(without plugins)", now.alone, before.map(|before| before.alone)),
        ("(all)", now.loaded, before.map(|before| before.loaded)),
    ];
    let rest = rest.map(|(title, now, before)| Row { title: title.to_owned(), now: Some(now), before });
    present.chain(gone).chain(rest).collect()
}

/// For each plugin what it was before: the same version, or else a version that is no longer there.
fn pairs<'a>(now: &[PluginSize], before: &'a [PluginSize]) -> Vec<Option<&'a PluginSize>> {
    let is_same =
        |one: &PluginSize, other: &PluginSize| (&one.name, &one.version) == (&other.name, &other.version);
    let mut replaced: Vec<_> =
        before.iter().filter(|earlier| !now.iter().any(|plugin| is_same(plugin, earlier))).collect();
    let pair = |plugin: &PluginSize| {
        before.iter().find(|earlier| is_same(plugin, earlier)).or_else(|| {
            let place = replaced.iter().position(|earlier| earlier.name == plugin.name)?;
            Some(replaced.remove(place))
        })
    };
    now.iter().map(pair).collect()
}

impl Row {
    fn cells(self, is_compared: bool) -> Vec<String> {
        let shown =
            |figure: fn(Bytes) -> i64| self.now.map_or_else(|| "-".to_owned(), |now| grouped(figure(now)));
        let figures = [shown(|now| now.code), shown(|now| now.data), shown(Bytes::total)];
        let change = is_compared.then(|| match (self.now, self.before) {
            (Some(_), None) => "new".to_owned(),
            (now, before) => signed((now.unwrap_or_default() - before.unwrap_or_default()).total()),
        });
        [self.title].into_iter().chain(figures).chain(change).collect()
    }
}

fn signed(change: i64) -> String {
    if change > 0 { format!("+{}", grouped(change)) } else { grouped(change) }
}

/// `1,234,567`.
fn grouped(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bytes, sizes};
    use super::*;

    #[test]
    fn every_row_adds_up_to_the_last() {
        insta::assert_snapshot!(table("lifecycle", &sizes(), None), @r"
        lifecycle: 4,096 bytes in the file
          PLUGIN                      CODE  DATA  TOTAL
          beta 1.0.0                   100   100    200
          alpha 1.0.0                  150     0    150
          (several plugins at once)    150   100    250
          (without plugins)          1,000   500  1,500
          (all)                      1,400   700  2,100
        ");
    }

    #[test]
    fn changes_are_shown_by_plugin_whatever_its_version() {
        let (mut now, before) = (sizes(), sizes());
        now.plugins[1].version = "1.1.0".to_owned();
        now.plugins[1].bytes = now.plugins[1].bytes + bytes(1_000_000, -20);
        now.plugins[0].name = "gamma".to_owned();
        now.loaded = now.loaded + bytes(999_999, -20);
        now.alone = now.alone - bytes(1, 0);
        insta::assert_snapshot!(table("lifecycle", &now, Some(&before)), @r"
        lifecycle: 4,096 bytes in the file
          PLUGIN                          CODE  DATA      TOTAL    CHANGE
          gamma 1.0.0                      100   100        200       new
          alpha 1.1.0                1,000,150   -20  1,000,130  +999,980
          beta 1.0.0                         -     -          -      -200
          (several plugins at once)        150   100        250         0
          (without plugins)                999   500      1,499        -1
          (all)                      1,001,399   680  1,002,079  +999,979
        ");
    }

    #[test]
    fn two_versions_of_one_plugin_are_told_apart() {
        let plugin = |version: &str, code| PluginSize {
            name: "twin".to_owned(),
            version: version.to_owned(),
            bytes: bytes(code, 0),
        };
        let before = [plugin("1.0.0", 1), plugin("2.0.0", 2)];
        let now = [plugin("3.0.0", 3), plugin("2.0.0", 4), plugin("4.0.0", 5)];
        let codes: Vec<_> =
            pairs(&now, &before).into_iter().map(|pair| pair.map(|plugin| plugin.bytes.code)).collect();
        assert_eq!(codes, [Some(1), Some(2), None]);
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, -1000, 1_234_567].map(grouped), ["0", "999", "-1,000", "1,234,567"]);
        assert_eq!([-5, 0, 5000].map(signed), ["-5", "0", "+5,000"]);
    }
}
