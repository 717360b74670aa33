-- Takes back what doors_and_locks.sql made.

ALTER TABLE sessions DROP CONSTRAINT sessions_kind_check;
ALTER TABLE sessions DROP CONSTRAINT sessions_method_check;
ALTER TABLE sign_in_links DROP CONSTRAINT sign_in_links_purpose_check;
