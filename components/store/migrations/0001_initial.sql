-- Read by SQLite and PostgreSQL alike, so only what both understand in the same way: TEXT and BIGINT, flags as 0 or 1,
-- JSON as TEXT. Columns ending in _time hold seconds since 1970 in UTC, columns ending in _ms milliseconds.

CREATE TABLE job_families (
    name TEXT NOT NULL PRIMARY KEY,
    id TEXT NOT NULL UNIQUE
);

CREATE TABLE jobs (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL REFERENCES job_families (name),
    version TEXT NOT NULL,
    status TEXT NOT NULL,
    create_time BIGINT NOT NULL,
    update_time BIGINT NOT NULL,
    manifest_yaml TEXT,
    internal_name TEXT,
    pub_url TEXT,
    error TEXT,
    notice TEXT,
    image_tag TEXT,
    deployed_by TEXT,
    last_call_time BIGINT,
    infrastructure_target TEXT,
    replica_internal_names TEXT NOT NULL,
    job_type_version TEXT,
    infrastructure_stats TEXT NOT NULL,
    image_names TEXT NOT NULL,
    is_stale BIGINT NOT NULL,
    -- The deployment that made this row what it is.
    deployment_id TEXT,
    UNIQUE (name, version)
);

-- The versions that were taken once: a deleted job's name and version are not to be reused without saying so.
CREATE TABLE deleted_jobs (
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    deleted_by TEXT,
    delete_time BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

CREATE TABLE deployments (
    id TEXT NOT NULL PRIMARY KEY,
    status TEXT NOT NULL,
    create_ms BIGINT NOT NULL,
    update_ms BIGINT NOT NULL,
    job_name TEXT NOT NULL,
    job_version TEXT NOT NULL,
    manifest_yaml TEXT NOT NULL,
    infrastructure_target TEXT,
    deployed_by TEXT,
    phase TEXT,
    image_name TEXT,
    error TEXT,
    warnings TEXT
);

CREATE INDEX deployments_by_update ON deployments (update_ms);
CREATE INDEX deployments_by_job ON deployments (job_name, job_version, update_ms);
-- What makes a claim of a version atomic.
CREATE UNIQUE INDEX deployments_in_progress ON deployments (job_name, job_version) WHERE status = 'in_progress';

-- Apart from deployments, for they are long and seldom read.
CREATE TABLE build_logs (
    deployment_id TEXT NOT NULL PRIMARY KEY REFERENCES deployments (id) ON DELETE CASCADE,
    logs TEXT NOT NULL
);

CREATE TABLE users (
    username TEXT NOT NULL PRIMARY KEY,
    password_hash TEXT NOT NULL,
    is_active BIGINT NOT NULL,
    is_staff BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    last_login_time BIGINT
);

CREATE TABLE escs (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL
);

-- Exactly one of the four references is set, as the kind says.
CREATE TABLE subjects (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    username TEXT UNIQUE REFERENCES users (username) ON DELETE CASCADE,
    esc_id TEXT UNIQUE REFERENCES escs (id) ON DELETE CASCADE,
    job_family TEXT UNIQUE REFERENCES job_families (name) ON DELETE CASCADE,
    service_name TEXT UNIQUE
);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    subject_id TEXT NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    seed TEXT NOT NULL UNIQUE,
    is_active BIGINT NOT NULL,
    create_time BIGINT NOT NULL,
    expiry_time BIGINT,
    last_use_time BIGINT
);

CREATE INDEX tokens_by_subject ON tokens (subject_id);

CREATE TABLE permissions (
    id TEXT NOT NULL PRIMARY KEY,
    subject_id TEXT NOT NULL REFERENCES subjects (id) ON DELETE CASCADE,
    scope TEXT NOT NULL,
    job_family TEXT REFERENCES job_families (name) ON DELETE CASCADE,
    job_id TEXT REFERENCES jobs (id) ON DELETE CASCADE,
    endpoint TEXT
);

CREATE UNIQUE INDEX permissions_once ON permissions
    (subject_id, scope, COALESCE(job_family, ''), COALESCE(job_id, ''), COALESCE(endpoint, ''));
CREATE INDEX permissions_by_job ON permissions (job_id);

CREATE TABLE public_endpoints (
    job_id TEXT NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
    endpoint TEXT NOT NULL,
    is_active BIGINT NOT NULL,
    PRIMARY KEY (job_id, endpoint)
);

CREATE TABLE audit_events (
    id TEXT NOT NULL PRIMARY KEY,
    create_ms BIGINT NOT NULL,
    event_type TEXT NOT NULL,
    properties TEXT NOT NULL,
    username_executor TEXT,
    username_subject TEXT,
    job_name TEXT,
    job_version TEXT
);

CREATE INDEX audit_events_by_time ON audit_events (create_ms);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
