//! The audit trail and the settings.

use racetrack_store::{
    AuditEventType, AuditFilter, NewAuditEvent, OwnDoings, Permission, ReadableJobs, Scope, Store, Visibility,
};
use serde_json::json;

fn event(executor: &str, subject: Option<&str>, job: Option<(&str, &str)>) -> NewAuditEvent {
    NewAuditEvent {
        username_executor: Some(executor.to_owned()),
        username_subject: subject.map(str::to_owned),
        job_name: job.map(|(name, _)| name.to_owned()),
        job_version: job.map(|(_, version)| version.to_owned()),
        ..NewAuditEvent::new(AuditEventType::JobDeployed)
    }
}

pub(crate) async fn events_are_found_newest_first(store: Store) {
    let mut installed = NewAuditEvent::new(AuditEventType::PluginInstalled);
    installed.properties.insert("plugin_name".to_owned(), json!("nul \0"));
    store.add_audit_event(&installed).await.unwrap();
    store.add_audit_event(&event("bob", None, Some(("adder", "1.0.0")))).await.unwrap();
    store.add_audit_event(&event("alice", Some("bob"), Some(("adder", "2.0.0")))).await.unwrap();
    store.add_audit_event(&event("alice", None, Some(("primer", "1.0.0")))).await.unwrap();

    let some = |text: &str| Some(text.to_owned());
    let all = AuditFilter::default();
    let cases = [
        (all.clone(), 100, vec!["primer 1.0.0", "adder 2.0.0", "adder 1.0.0", "- -"]),
        (all.clone(), 2, vec!["primer 1.0.0", "adder 2.0.0"]),
        (AuditFilter { job_name: some("adder"), ..all.clone() }, 100, vec!["adder 2.0.0", "adder 1.0.0"]),
        (
            AuditFilter { job_name: some("adder"), job_version: some("1.0.0"), ..all.clone() },
            9,
            vec!["adder 1.0.0"],
        ),
        (AuditFilter { related_to: some("bob"), ..all.clone() }, 100, vec!["adder 2.0.0", "adder 1.0.0"]),
        (AuditFilter { related_to: some("nobody"), ..all.clone() }, 100, vec![]),
    ];
    for (filter, limit, expected) in cases {
        let found = store.audit_events(&filter, &Visibility::ALL, limit).await.unwrap();
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        let found: Vec<String> =
            found.iter().map(|row| format!("{} {}", shown(&row.job_name), shown(&row.job_version))).collect();
        assert_eq!(found, expected, "{filter:?}");
    }
    let oldest = store.audit_events(&all, &Visibility::ALL, 100).await.unwrap().pop().unwrap();
    assert!(oldest.timestamp > 1_700_000_000);
    let mut shown = serde_json::to_value(&oldest).unwrap();
    shown["id"].take();
    shown["timestamp"].take();
    let expected = json!({
        "id": null, "version": 1, "timestamp": null, "event_type": "plugin_installed",
        "properties": {"plugin_name": "nul \0"}, "username_executor": null, "username_subject": null,
        "job_name": null, "job_version": null,
    });
    assert_eq!(shown, expected);
}

pub(crate) async fn events_are_shown_to_those_who_may_read_the_job_or_did_it(store: Store) {
    store.add_audit_event(&NewAuditEvent::new(AuditEventType::PluginInstalled)).await.unwrap();
    for (executor, subject, job) in [
        ("bob", None, ("adder", "1.0.0")),
        ("alice", None, ("adder", "2.0.0")),
        ("alice", Some("bob"), ("a_der", "1.0.0")),
        ("alice", None, ("%", "1.0.0")),
    ] {
        store.add_audit_event(&event(executor, subject, Some(job))).await.unwrap();
    }
    let bob = |since| Some(OwnDoings { name: "bob".to_owned(), since });
    let shown = async |permissions: &[Permission], own| {
        let visibility = Visibility { jobs: ReadableJobs::of(permissions), own };
        let events = store.audit_events(&AuditFilter::default(), &visibility, 100).await.unwrap();
        let jobs =
            events.iter().filter_map(|event| Some((event.job_name.clone()?, event.job_version.clone()?)));
        let jobs: Vec<_> = jobs.map(|(name, version)| format!("{name} {version}")).collect();
        assert_eq!(events.len(), jobs.len() + 1, "what is about no job is shown to all");
        jobs
    };
    assert_eq!(shown(&[Permission::everywhere(Scope::ReadJob)], None).await.len(), 4);
    assert_eq!(shown(&[Permission::everywhere(Scope::CallJob)], None).await, [""; 0]);
    assert_eq!(
        shown(&[Permission::for_family(Scope::ReadJob, "adder")], None).await,
        ["adder 2.0.0", "adder 1.0.0"]
    );
    assert_eq!(shown(&[Permission::for_family(Scope::ReadJob, "a_der")], None).await, ["a_der 1.0.0"]);
    assert_eq!(shown(&[Permission::for_job(Scope::ReadJob, "%", "1.0.0")], None).await, ["% 1.0.0"]);
    assert_eq!(shown(&[], bob(0)).await, ["a_der 1.0.0", "adder 1.0.0"]);
    assert_eq!(shown(&[], bob(32_503_680_000)).await, [""; 0], "somebody else had the name");
}

pub(crate) async fn settings_are_kept(store: Store) {
    assert_eq!(store.setting("answer").await.unwrap(), None);
    for value in [json!(42), json!({"a": [1, null, "\0"]}), json!(null)] {
        store.set_setting("answer", &value).await.unwrap();
        assert_eq!(store.setting("answer").await.unwrap(), Some(value));
    }
    assert!(!store.is_in_maintenance().await.unwrap());
    store.set_maintenance(true).await.unwrap();
    assert!(store.is_in_maintenance().await.unwrap());
    store.set_maintenance(false).await.unwrap();
    assert!(!store.is_in_maintenance().await.unwrap());
}

pub(crate) async fn long_properties_of_events_are_kept_in_part(store: Store) {
    let mut event = NewAuditEvent::new(AuditEventType::DeploymentFailed);
    event.properties.insert("error".to_owned(), "é".repeat(2_000_000).into());
    store.add_audit_event(&event).await.unwrap();
    event.properties.insert("warnings".to_owned(), vec!["w".repeat(1000); 1000].into());
    store.add_audit_event(&event).await.unwrap();
    let events = store.audit_events(&AuditFilter::default(), &Visibility::ALL, 10).await.unwrap();
    let error = events[1].properties["error"].as_str().unwrap();
    assert!(error.len() <= 8192 && error.contains(" bytes left out …]"));
    let note = events[0].properties["left_out"].as_str().unwrap();
    assert!(note.ends_with("bytes of properties, more than 32768"), "{note}");
}
