//! Who may call which jobs, as a graph.

use std::collections::BTreeSet;

use racetrack_store::{AccessTable, Esc, JobFamily, Permission, Scope, SubjectKind};
use serde::Serialize;
use utoipa::ToSchema;

/// ESCs and job families, and which of them may call which job families.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct JobGraph {
    nodes: Vec<Node>,
    edges: BTreeSet<Edge>,
}

#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
struct Node {
    id: String,
    #[serde(rename = "type")]
    kind: NodeKind,
    title: String,
    subtitle: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
enum NodeKind {
    Esc,
    JobFamily,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
struct Edge {
    from_id: String,
    to_id: String,
}

/// The graph of the families that are given, which are those that the caller may read. ESCs are in it that may call one of them,
/// or all where the caller reads everything.
pub(crate) fn job_graph(
    escs: &[Esc],
    families: &[JobFamily],
    access: &AccessTable,
    is_whole: bool,
) -> JobGraph {
    let edges = edges(families, access);
    let is_shown = |esc: &&Esc| is_whole || edges.iter().any(|edge| edge.from_id == esc_node(&esc.id));
    let escs = escs.iter().filter(is_shown).map(|esc| Node {
        id: esc_node(&esc.id),
        kind: NodeKind::Esc,
        title: esc.name.clone(),
        subtitle: Some(esc.id.clone()),
    });
    let family_nodes = families.iter().map(|family| Node {
        id: family_node(&family.name),
        kind: NodeKind::JobFamily,
        title: family.name.clone(),
        subtitle: None,
    });
    JobGraph { nodes: escs.chain(family_nodes).collect(), edges }
}

/// Who may call the families: ESCs, and families among those that are given.
fn edges(families: &[JobFamily], access: &AccessTable) -> BTreeSet<Edge> {
    let is_given = |name: &str| families.iter().any(|family| family.name == name);
    let callers = access.permissions().filter_map(|(subject, permissions)| {
        let id = match subject.kind {
            SubjectKind::Esc => esc_node(&subject.name),
            SubjectKind::JobFamily if is_given(&subject.name) => family_node(&subject.name),
            SubjectKind::JobFamily | SubjectKind::User | SubjectKind::Internal => return None,
        };
        Some((id, permissions))
    });
    let edges = callers.flat_map(|(from_id, permissions)| {
        let called = families.iter().filter(|family| permissions.iter().any(|own| is_for(own, &family.name)));
        let edge =
            move |family: &JobFamily| Edge { from_id: from_id.clone(), to_id: family_node(&family.name) };
        called.map(edge).collect::<Vec<_>>()
    });
    edges.collect()
}

fn is_for(permission: &Permission, family: &str) -> bool {
    let of_family = permission.job_family.as_deref().is_none_or(|only| only == family);
    let of_job = permission.job.as_ref().is_none_or(|only| only.name == family);
    permission.scope.implies(Scope::CallJob) && of_family && of_job
}

fn esc_node(id: &str) -> String {
    format!("esc-{id}")
}

fn family_node(name: &str) -> String {
    format!("job-family-{name}")
}

#[cfg(test)]
mod tests {
    use racetrack_store::{DatabaseUrl, Store, Subject};

    use super::*;

    #[tokio::test]
    async fn edges_are_permissions_to_call() {
        let store = Store::open(&DatabaseUrl::memory()).await.expect("opens");
        for family in ["adder", "primer"] {
            store.ensure_job_family(family).await.expect("is made");
        }
        store.create_esc("Bob", Some("bob")).await.expect("is made");
        store.create_esc("Alice", Some("alice")).await.expect("is made");
        let grant = async |subject: Subject, permission| {
            store.grant(&subject, &[permission]).await.expect("is granted");
        };
        grant(Subject::esc("bob"), Permission::for_family(Scope::CallJob, "adder")).await;
        grant(Subject::esc("alice"), Permission::everywhere(Scope::ReadJob)).await;
        grant(Subject::job_family("primer"), Permission::everywhere(Scope::FullAccess)).await;
        let escs = store.escs().await.expect("are there");
        let families = store.job_families().await.expect("are there");
        let graph = job_graph(&escs, &families, &store.access().await.expect("is there"), true);
        let edges: Vec<_> =
            graph.edges.iter().map(|edge| (edge.from_id.as_str(), edge.to_id.as_str())).collect();
        assert_eq!(
            edges,
            [
                ("esc-bob", "job-family-adder"),
                ("job-family-primer", "job-family-adder"),
                ("job-family-primer", "job-family-primer"),
            ]
        );
        let titles: Vec<_> = graph.nodes.iter().map(|node| node.title.as_str()).collect();
        assert_eq!(titles, ["Alice", "Bob", "adder", "primer"]);

        // Whoever reads one family alone sees neither the other one nor ESCs that do not call it.
        let readable = &families[..1];
        let graph = job_graph(&escs, readable, &store.access().await.expect("is there"), false);
        let titles: Vec<_> = graph.nodes.iter().map(|node| node.title.as_str()).collect();
        let edges: Vec<_> = graph.edges.iter().map(|edge| edge.from_id.as_str()).collect();
        assert_eq!((titles, edges), (vec!["Bob", "adder"], vec!["esc-bob"]));
    }
}
