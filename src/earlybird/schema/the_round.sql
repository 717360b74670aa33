-- The round: what models cannot say about its tables, and about older ones.

-- Last, when every table and every guard is there.
SELECT grant_to_application();
