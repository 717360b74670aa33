-- The round: what models cannot say about its tables, and about older ones.

ALTER TABLE sign_in_throttles DROP CONSTRAINT sign_in_throttles_kind_check;
ALTER TABLE sign_in_throttles ADD CONSTRAINT sign_in_throttles_kind_check
    CHECK (kind IN ('known', 'place', 'account', 'address', 'sending', 'link'));

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

-- Last, when every table and every guard is there.
SELECT grant_to_application();
