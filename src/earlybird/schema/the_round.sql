-- The round: what models cannot say about its tables, and about older ones.

ALTER TABLE sign_in_throttles DROP CONSTRAINT sign_in_throttles_kind_check;
ALTER TABLE sign_in_throttles ADD CONSTRAINT sign_in_throttles_kind_check
    CHECK (kind IN ('known', 'place', 'account', 'address', 'sending', 'link'));

-- Last, when every table and every guard is there.
SELECT grant_to_application();
