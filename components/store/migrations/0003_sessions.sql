-- Whether the token was made for a session of a user who logged in: it is listed, and ends when the user logs out.
ALTER TABLE tokens ADD COLUMN is_session BIGINT NOT NULL DEFAULT 0;

-- The jobs of a family have a token for as long as there are any. From now on it goes with the last of them.
DELETE FROM tokens WHERE subject_id IN
    (SELECT id FROM subjects WHERE job_family IS NOT NULL AND job_family NOT IN (SELECT name FROM jobs));
