-- Takes back what the_round.sql put on older tables; what is on its own tables goes with them.
DELETE FROM sign_in_throttles WHERE kind = 'link';
ALTER TABLE sign_in_throttles DROP CONSTRAINT sign_in_throttles_kind_check;
ALTER TABLE sign_in_throttles ADD CONSTRAINT sign_in_throttles_kind_check
    CHECK (kind IN ('known', 'place', 'account', 'address', 'sending'));

DROP FUNCTION refuse_all_but_archiving() CASCADE;
DROP TRIGGER delivery_cash_unbooked ON delivery_cash;
DROP FUNCTION note_unbooked();
DROP FUNCTION written_by(xid, xid8);
