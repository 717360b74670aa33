-- Takes back what the_round.sql put on older tables; what is on its own tables goes with them.
DROP FUNCTION refuse_all_but_archiving() CASCADE;
