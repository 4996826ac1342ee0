-- What a check writes, to see whether writes succeed. One row.
CREATE TABLE write_checks (
    id BIGINT NOT NULL PRIMARY KEY,
    filler TEXT NOT NULL
);

-- Who alone may write, on PostgreSQL. The epoch goes up whenever another holder takes over, and a row is never deleted, so no two
-- holders ever had the same epoch.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    description TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL
);
