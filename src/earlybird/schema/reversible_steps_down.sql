DELETE FROM step_residue WHERE ids IS NULL;
DROP TRIGGER journals_append_only ON journals;
CREATE TRIGGER journals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER postings_append_only ON postings;
CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER payment_allocations_append_only ON payment_allocations;
CREATE TRIGGER payment_allocations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_allocations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER invoice_lines_append_only ON invoice_lines;
CREATE TRIGGER invoice_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE OR REPLACE FUNCTION refuse_change_unless_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('earlybird.step', true), '') <> '' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
CREATE OR REPLACE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'issued' AND NEW.state = 'void'
       AND to_jsonb(OLD) - 'state' - 'state_at' = to_jsonb(NEW) - 'state' - 'state_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'invoice % is issued: % refused', OLD.id, TG_OP USING ERRCODE = 'restrict_violation';
END $$;
DROP FUNCTION refuse_unfit() CASCADE;
DROP FUNCTION refuse_other_customer() CASCADE;
DROP FUNCTION takes_back();
