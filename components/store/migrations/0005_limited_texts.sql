-- Texts of jobs, builds and plugins are limited since. What is there is cut to a size that listings can bear; lengths are
-- in characters here. JSON cannot be cut, so it is replaced.

UPDATE deployments SET error = substr(error, 1, 8000) || '[… '
    || CAST(length(error) - 16000 AS TEXT) || ' characters left out …]' || substr(error, length(error) - 7999)
    WHERE length(error) > 32768;
UPDATE deployments SET warnings = substr(warnings, 1, 8000) || '[… '
    || CAST(length(warnings) - 16000 AS TEXT) || ' characters left out …]' || substr(warnings, length(warnings) - 7999)
    WHERE length(warnings) > 32768;
UPDATE deployments SET phase = substr(phase, 1, 1000) WHERE length(phase) > 1024;

UPDATE jobs SET error = substr(error, 1, 2000) || '[… '
    || CAST(length(error) - 4000 AS TEXT) || ' characters left out …]' || substr(error, length(error) - 1999)
    WHERE length(error) > 8192;
UPDATE jobs SET notice = substr(notice, 1, 2000) || '[… '
    || CAST(length(notice) - 4000 AS TEXT) || ' characters left out …]' || substr(notice, length(notice) - 1999)
    WHERE length(notice) > 8192;
UPDATE jobs SET infrastructure_stats = '{"left_out": "' || CAST(length(infrastructure_stats) AS TEXT)
    || ' characters of statistics"}'
    WHERE length(infrastructure_stats) > 65536;

UPDATE audit_events SET properties = '{"left_out": "' || CAST(length(properties) AS TEXT)
    || ' characters of properties"}'
    WHERE length(properties) > 65536;

UPDATE build_logs SET logs = substr(logs, 1, 4000000) || '[… '
    || CAST(length(logs) - 8000000 AS TEXT) || ' characters left out …]' || substr(logs, length(logs) - 3999999)
    WHERE length(logs) > 16777216;
