-- The round: what models cannot say about its tables, and about older ones.

-- Which pictures belong to a delivery is only ever added; of a picture's record nothing changes but that it was
-- withdrawn, once.
CREATE TRIGGER delivery_photos_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_photos
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER files_are_kept BEFORE DELETE OR TRUNCATE ON files
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_all_but_archiving() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.archived_at IS NULL AND to_jsonb(NEW) - 'archived_at' = to_jsonb(OLD) - 'archived_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER files_unchanged BEFORE UPDATE ON files
    FOR EACH ROW EXECUTE FUNCTION refuse_all_but_archiving();
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
