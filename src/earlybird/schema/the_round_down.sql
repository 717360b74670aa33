-- Takes back what the_round.sql put on older tables; what is on its own tables goes with them.
DROP FUNCTION refuse_all_but_archiving() CASCADE;
DROP TRIGGER delivery_cash_unbooked ON delivery_cash;
DROP FUNCTION note_unbooked();
DROP FUNCTION written_by(xid, xid8);
