-- The round: what models cannot say about its tables, and about older ones.

-- What was said of cash and photos at the door, and what was counted at the depot, is only added to.
CREATE TRIGGER delivery_cash_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_cash
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_event_photos_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_event_photos
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER cash_settlements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON cash_settlements
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The work list of cash the books do not know yet: filled in the commit of the word, emptied by billing.
CREATE FUNCTION note_unbooked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unbooked_cash (cash_id) SELECT id FROM added;
    RETURN NULL;
END $$;

CREATE TRIGGER delivery_cash_unbooked AFTER INSERT ON delivery_cash
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_unbooked();

-- The transaction that wrote a row last, as a number that does not wrap around: `newest` is any recent one.
-- A row whose number is below the xmin of an earlier snapshot had been committed when that snapshot was taken.
CREATE FUNCTION written_by(row_xmin xid, newest xid8) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT n + ((row_xmin::text::bigint - n) % 4294967296 + 6442450944) % 4294967296 - 2147483648
    FROM (SELECT newest::text::bigint AS n) AS near
$$;

-- Last, when every table and every guard is there.
SELECT grant_to_application();
