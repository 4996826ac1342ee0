//! Random locks for tests.

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};

use super::{Lock, LockedComponent, LockedPlugin, Toolchain};

/// Locks in which everything fits together.
pub(super) fn lock() -> impl Strategy<Value = Lock> {
    vec(plugin(), 0..6).prop_flat_map(|mut plugins| {
        let mut titles: Vec<String> = Vec::new();
        plugins.retain(|plugin| {
            let is_new = !titles.contains(&plugin.title());
            titles.push(plugin.title());
            is_new
        });
        let titles: Vec<_> = plugins.iter().map(LockedPlugin::title).collect();
        let components = btree_map(any::<String>(), component(titles), 0..3);
        (any::<String>(), Just(plugins), components).prop_map(|(rustc, plugins, components)| {
            let named = components.into_iter().map(|(name, component)| LockedComponent { name, ..component });
            Lock { toolchain: Toolchain { rustc }, plugins, components: named.collect() }
        })
    })
}

/// A lock, and the same with one thing edited, which may change nothing.
pub(super) fn edited() -> impl Strategy<Value = (Lock, Lock)> {
    (lock(), 0..18_usize, any::<Index>(), any::<Index>()).prop_map(|(lock, kind, one, other)| {
        let mut edited = lock.clone();
        edit(&mut edited, kind, one, other);
        (lock, edited)
    })
}

fn edit(lock: &mut Lock, kind: usize, one: Index, other: Index) {
    match kind {
        0 => lock.toolchain.rustc.push('x'),
        2..=11 if lock.plugins.is_empty() => {}
        2 => drop(lock.plugins.remove(one.index(lock.plugins.len()))),
        3 => {
            let count = lock.plugins.len();
            lock.plugins.swap(one.index(count), other.index(count));
        }
        4..=11 => {
            let index = one.index(lock.plugins.len());
            let plugin = &mut lock.plugins[index];
            match kind {
                4 => plugin.version.push('x'),
                5 => plugin.source.push('x'),
                6 => plugin.digest.push('x'),
                7 => plugin.sha256 = None,
                8 => plugin.priority = plugin.priority.wrapping_add(1),
                9 => plugin.components.push("x".to_owned()),
                10 => plugin.hooks.push("x".to_owned()),
                _ => plugin.allow_build_script ^= true,
            }
        }
        _ if lock.components.is_empty() => {}
        12 => drop(lock.components.remove(one.index(lock.components.len()))),
        _ => {
            let index = one.index(lock.components.len());
            let component = &mut lock.components[index];
            match kind {
                13 => component.package.push('x'),
                14 => component.path.push('x'),
                15 => component.plan.push('x'),
                16 => component.plugins.reverse(),
                _ => component.hooks.values_mut().for_each(|titles| drop(titles.pop())),
            }
        }
    }
}

fn plugin() -> impl Strategy<Value = LockedPlugin> {
    let names = (select(vec!["a", "b", "c"]), select(vec!["1.0.0", "2.0.0"]));
    let digests = ("[0-9a-f]{4}", proptest::option::of("[0-9a-f]{4}"));
    let lists = (vec("[a-z]{1,3}", 0..3), vec("[a-z]{1,3}", 0..3));
    (names, any::<String>(), digests, any::<i64>(), lists, any::<bool>()).prop_map(
        |((name, version), source, (digest, sha256), priority, (components, hooks), allow_build_script)| {
            let (name, version) = (name.to_owned(), version.to_owned());
            LockedPlugin {
                name,
                version,
                source,
                digest,
                sha256,
                priority,
                components,
                hooks,
                allow_build_script,
            }
        },
    )
}

/// A component that is called nothing yet.
fn component(titles: Vec<String>) -> impl Strategy<Value = LockedComponent> {
    let some = |titles: Vec<String>| subsequence(titles.clone(), 0..=titles.len()).prop_shuffle();
    let hooks = btree_map(any::<String>(), some(titles.clone()), 0..3);
    (any::<(String, String)>(), "[0-9a-f]{4}", some(titles), hooks).prop_map(
        |((package, path), plan, plugins, hooks): (_, _, _, BTreeMap<_, _>)| LockedComponent {
            name: String::new(),
            package,
            path,
            plan,
            plugins,
            hooks,
        },
    )
}
