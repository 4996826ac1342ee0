//! One suite of cases, run against SQLite in memory, SQLite in a file, and PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a case is called by tests, and what fails in it should stop it")]

mod access;
mod alone;
mod deployments;
mod full_disk;
mod hostile;
mod jobs;
mod memory_tables;
mod postgres;
mod postgres_server;
mod random_writes;
mod reopening;
mod retention;
mod settings_and_audit;
mod silence;
mod sqlite;
mod users;

/// Calls a macro with every case that wants an empty store.
macro_rules! with_cases {
    ($apply:ident) => {
        $apply! {
            access::permissions_are_granted_once_and_revoked,
            access::permissions_need_what_they_refer_to,
            access::public_endpoints_open_when_an_administrator_says_so,
            access::sessions_are_tokens_that_are_listed_and_ended,
            access::the_tokens_of_a_family_go_with_its_last_job,
            access::tokens_are_found_by_seed_until_revoked,
            access::tokens_are_forgotten_long_after_they_expired,
            access::tokens_are_replaced,
            access::uses_of_tokens_are_noted,
            deployments::a_deployment_goes_its_way,
            deployments::a_finished_deployment_frees_its_version,
            deployments::build_logs_are_kept_also_of_failures,
            deployments::deployments_are_shown_to_those_who_may_read_the_job_or_asked_for_it,
            deployments::fifty_claims_have_one_winner,
            deployments::lists_show_the_latest_progress_first,
            deployments::texts_of_any_length_are_kept_in_part,
            deployments::unknown_deployments_are_not_found,
            deployments::what_comes_late_changes_nothing,
            jobs::a_job_that_never_came_up_leaves_its_version_free,
            jobs::deleting_takes_permissions_and_endpoints_along,
            jobs::every_field_comes_back,
            jobs::families_outlive_their_jobs,
            jobs::hostile_texts_come_back,
            jobs::many_jobs_change_at_once,
            jobs::saving_again_keeps_id_and_create_time,
            jobs::updates_are_not_lost,
            jobs::what_a_target_says_of_a_job_is_kept_in_part,
            memory_tables::a_change_is_seen_by_the_next_reader,
            memory_tables::changes_are_counted_for_watchers,
            memory_tables::a_dropped_write_leaves_memory_and_database_in_step,
            retention::build_logs_go_that_nobody_is_shown,
            retention::deployments_that_are_over_are_told_from_others,
            settings_and_audit::events_are_shown_to_those_who_may_read_the_job_or_did_it,
            settings_and_audit::events_are_found_newest_first,
            settings_and_audit::long_properties_of_events_are_kept_in_part,
            settings_and_audit::settings_are_kept,
            users::a_new_password_ends_every_token,
            users::a_user_comes_with_permissions_and_a_token,
            users::an_inactive_user_is_not_let_in,
            users::escs_come_and_go,
            users::the_last_active_administrator_stays,
            users::two_users_of_one_name_conflict,
        }
    };
}

/// Calls a macro with every case that opens its store, which is empty and outlives a connection, again or twice.
macro_rules! with_reopening_cases {
    ($apply:ident) => {
        $apply! {
            memory_tables::a_job_deleted_by_somebody_else_is_noticed,
            memory_tables::uses_of_tokens_make_nothing_be_read_again,
            memory_tables::writers_at_once_lose_nothing,
            random_writes::memory_has_what_the_database_has,
            reopening::a_store_that_was_never_closed_opens_again,
            reopening::claims_of_two_stores_have_one_winner,
            reopening::opening_again_keeps_everything,
            retention::a_platform_keeps_its_id,
        }
    };
}

pub(crate) use with_cases;
pub(crate) use with_reopening_cases;
