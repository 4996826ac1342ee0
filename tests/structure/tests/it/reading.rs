//! Arrows, circles and floors of small packages that the tests write.

use std::path::Path;

use racetrack_structure::circles::circles;
use racetrack_structure::floors::{Floors, TableError, drawn};
use racetrack_structure::{Arrows, Sources};
use tempfile::TempDir;

fn arrows(files: &[(&str, &str)]) -> Arrows {
    let folder = TempDir::new().expect("a folder can be created");
    for (path, text) in files {
        let path = folder.path().join(path);
        fs_err::create_dir_all(path.parent().expect("a file is in a folder"))
            .expect("a folder can be created");
        fs_err::write(path, text).expect("a file can be written");
    }
    let roots = vec![folder.path().join("lib.rs")];
    Arrows::read(&Sources { package: "p".to_owned(), roots }).expect("the package can be read")
}

fn shown(arrows: &Arrows) -> Vec<String> {
    let names = arrows.names.iter();
    let shown = names.map(|(arrow, names)| {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        format!("{} -> {}: {}", arrow.from.display(), arrow.to.display(), names.join(" "))
    });
    shown.collect()
}

#[test]
fn an_arrow_points_at_the_file_that_defines_the_item() {
    let arrows = arrows(&[
        ("lib.rs", "mod a; mod b; pub mod c;"),
        ("a.rs", "use crate::b::Shown; use crate::c as other; fn f(_: Shown) { other::g(); }"),
        ("b/mod.rs", "mod inner; pub use inner::Item as Shown;"),
        ("b/inner.rs", "pub struct Item; impl Item { fn f() { println!(\"{}\", super::super::c::LIMIT); } }"),
        ("c.rs", "pub const LIMIT: usize = 1; pub fn g() {} "),
    ]);
    assert_eq!(shown(&arrows), ["a.rs -> b/inner.rs: Shown", "a.rs -> c.rs: g", "b/inner.rs -> c.rs: LIMIT"]);
    assert_eq!(drawn(&arrows), [vec!["a"], vec!["b"], vec!["c", "lib"]]);
}

#[test]
fn what_only_tests_use_does_not_count_and_a_glob_does() {
    let arrows = arrows(&[
        ("lib.rs", "mod a; mod b;"),
        ("a.rs", "use crate::b::*; fn f(_: Item) {} "),
        ("b.rs", "pub struct Item; #[cfg(test)] mod tests { use crate::a::f; fn t() { f() } }"),
    ]);
    assert_eq!(shown(&arrows), ["a.rs -> b.rs: Item"]);
}

#[test]
fn files_that_use_each_other_are_a_circle() {
    let arrows = arrows(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        ("b.rs", "pub struct B; fn f() { crate::c::f(); }"),
        ("c.rs", "pub fn f() { let _: Option<super::a::A> = None; }"),
        ("d.rs", "fn f() { crate::a::A::new(); }"),
    ]);
    let circle: Vec<&Path> = vec![Path::new("a.rs"), Path::new("b.rs"), Path::new("c.rs")];
    assert_eq!(circles(&arrows), [circle]);
    assert_eq!(drawn(&arrows), [vec!["d"], vec!["a", "b", "c", "lib"]]);
}

#[test]
fn every_way_to_break_the_table_has_a_sentence_with_the_files_and_the_lines() {
    let arrows = arrows(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "pub struct A(crate::b::B);"),
        ("b.rs", "pub struct B(Box<crate::a::A>);"),
        ("c.rs", "pub struct C(crate::d::D);"),
        ("d.rs", "pub struct D;"),
    ]);
    let floors =
        Floors::parse("# top first\np\n    lib\n    a\n    b\n    d c\n    e\n").expect("it is a table");
    assert_eq!(
        floors.violations("p", &arrows),
        [
            "p: line 7 of the table names `e`, which does not exist",
            "p: b.rs uses A of a.rs, and `b` (line 5 of the table) is not above `a` (line 4)",
            "p: c.rs uses D of d.rs, and `c` (line 6 of the table) is not above `d` (line 6)",
            "p: these files use each other: a.rs, b.rs",
        ]
    );
    let floors = Floors::parse("p\n    a\n    b c d\n").expect("it is a table");
    assert!(floors.violations("p", &arrows).contains(&"p: lib.rs is in no room of the table".to_owned()));
    assert_eq!(floors.violations("q", &arrows), ["q has no floors in the table"]);
}

#[test]
fn a_table_that_says_a_thing_twice_is_refused() {
    let refused = |table| Floors::parse(table).err();
    assert_eq!(refused("p\n    a\n    a\n"), Some(TableError::Twice { line: 3, name: "a".to_owned() }));
    assert_eq!(refused("p\np\n"), Some(TableError::Twice { line: 2, name: "p".to_owned() }));
    assert_eq!(refused("    a\n"), Some(TableError::NoPackage(1)));
}
