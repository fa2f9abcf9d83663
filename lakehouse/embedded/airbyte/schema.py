"""The tables of the server's database."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS workspaces (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS actors (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('source', 'destination')),
    workspace_id TEXT NOT NULL REFERENCES workspaces(id),
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    configuration TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (workspace_id, kind, name));

CREATE TABLE IF NOT EXISTS connections (
    id TEXT PRIMARY KEY,
    workspace_id TEXT NOT NULL REFERENCES workspaces(id),
    name TEXT NOT NULL,
    source_id TEXT NOT NULL REFERENCES actors(id),
    destination_id TEXT NOT NULL REFERENCES actors(id),
    status TEXT NOT NULL,
    namespace_definition TEXT NOT NULL,
    namespace_format TEXT NOT NULL,
    prefix TEXT NOT NULL,
    schema_updates TEXT NOT NULL,
    catalog TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (workspace_id, name));

CREATE TABLE IF NOT EXISTS streams (
    connection_id TEXT NOT NULL REFERENCES connections(id) ON DELETE CASCADE,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    generation_id INTEGER NOT NULL DEFAULT 0,
    state TEXT,
    PRIMARY KEY (connection_id, namespace, name));

CREATE TABLE IF NOT EXISTS log_states (
    connection_id TEXT PRIMARY KEY REFERENCES connections(id) ON DELETE CASCADE,
    state TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id TEXT NOT NULL,
    workspace_id TEXT NOT NULL,
    destination_id TEXT NOT NULL,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    updated_at INTEGER NOT NULL,
    ended_at INTEGER,
    pid INTEGER,
    pid_started REAL,
    failure TEXT,
    files_discarded INTEGER NOT NULL DEFAULT 0);
DROP INDEX IF EXISTS one_active_job;  -- of homes that knew no incomplete jobs
CREATE UNIQUE INDEX IF NOT EXISTS one_open_job ON jobs(connection_id)
    WHERE status IN ('pending', 'running', 'incomplete');
CREATE INDEX IF NOT EXISTS jobs_of_connection ON jobs(connection_id, created_at);

CREATE TABLE IF NOT EXISTS job_streams (
    job_id INTEGER NOT NULL REFERENCES jobs(id),
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    records_emitted INTEGER NOT NULL DEFAULT 0,
    bytes_emitted INTEGER NOT NULL DEFAULT 0,
    records_committed INTEGER NOT NULL DEFAULT 0,
    bytes_committed INTEGER NOT NULL DEFAULT 0,
    states INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (job_id, namespace, name));

CREATE TABLE IF NOT EXISTS landing_files (
    destination_id TEXT NOT NULL,
    key TEXT NOT NULL,
    job_id INTEGER NOT NULL,
    namespace TEXT NOT NULL,
    stream TEXT NOT NULL,
    rows INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    committed INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (destination_id, key));
CREATE INDEX IF NOT EXISTS files_of_job ON landing_files(job_id);

CREATE TABLE IF NOT EXISTS cleanups (
    id INTEGER PRIMARY KEY,
    destination_id TEXT NOT NULL,
    prefix TEXT NOT NULL,
    pattern TEXT NOT NULL,
    minimum_generation_id INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS schedules (
    connection_id TEXT PRIMARY KEY REFERENCES connections(id) ON DELETE CASCADE,
    time_unit TEXT NOT NULL,
    units INTEGER NOT NULL,
    cron_expression TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    next_at INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS failed_attempts (
    job_id INTEGER NOT NULL REFERENCES jobs(id),
    number INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    ended_at INTEGER NOT NULL,
    retry_at INTEGER NOT NULL,
    failure TEXT NOT NULL,
    streams TEXT NOT NULL,
    PRIMARY KEY (job_id, number));

CREATE TABLE IF NOT EXISTS finished_streams (
    job_id INTEGER NOT NULL REFERENCES jobs(id),
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (job_id, namespace, name));

CREATE TABLE IF NOT EXISTS refreshes (
    job_id INTEGER PRIMARY KEY REFERENCES jobs(id),
    mode TEXT NOT NULL,
    places TEXT NOT NULL);

CREATE TABLE IF NOT EXISTS minimum_generations (
    connection_id TEXT NOT NULL REFERENCES connections(id) ON DELETE CASCADE,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    generation_id INTEGER NOT NULL,
    PRIMARY KEY (connection_id, namespace, name));

CREATE TABLE IF NOT EXISTS schema_changes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    connection_id TEXT NOT NULL REFERENCES connections(id) ON DELETE CASCADE,
    job_id INTEGER NOT NULL REFERENCES jobs(id),
    namespace TEXT NOT NULL,
    stream TEXT NOT NULL,
    column_name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('added', 'removed', 'retyped')),
    before TEXT,
    after TEXT,
    changed_at INTEGER NOT NULL);

CREATE TABLE IF NOT EXISTS discoveries (
    key TEXT PRIMARY KEY,
    catalog TEXT NOT NULL,
    discovered_at INTEGER NOT NULL);
"""
