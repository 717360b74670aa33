ALTER TABLE steps ADD CONSTRAINT steps_wish_check CHECK (wish IN ('pause', 'cancel'));

-- A reversible step takes back the money it wrote itself, and puts it there again: the owner of the tables alone, in a
-- transaction that says so (earlybird.step). Whoever serves the web may say so as often as he likes.
CREATE FUNCTION takes_back() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('earlybird.step', true), '') <> '' AND current_user <> 'earlybird_app'
$$;
CREATE OR REPLACE FUNCTION refuse_change_unless_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF takes_back() AND TG_OP <> 'TRUNCATE' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER journals_append_only ON journals;
CREATE TRIGGER journals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();
DROP TRIGGER postings_append_only ON postings;
CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();
DROP TRIGGER payment_allocations_append_only ON payment_allocations;
CREATE TRIGGER payment_allocations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_allocations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();
DROP TRIGGER invoice_lines_append_only ON invoice_lines;
CREATE TRIGGER invoice_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();
CREATE OR REPLACE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'issued' AND NEW.state = 'void'
       AND to_jsonb(OLD) - 'state' - 'state_at' = to_jsonb(NEW) - 'state' - 'state_at' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'DELETE' AND OLD.kind = 'legacy' AND takes_back() THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'invoice % is issued: % refused', OLD.id, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

-- A field that is held while rows of before break its bound (step fields_held): the trigger asks only of what is new or
-- changed. What was taken over from elsewhere, and what a step puts back, is as it was there.
CREATE FUNCTION refuse_unfit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF takes_back() OR coalesce(current_setting('earlybird.history', true), '') = 'yes' THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND to_jsonb(NEW) -> TG_ARGV[0] IS NOT DISTINCT FROM to_jsonb(OLD) -> TG_ARGV[0] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% of % is out of its bounds', TG_ARGV[0], TG_TABLE_NAME
        USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME, COLUMN = TG_ARGV[0];
END $$;

-- A customer carried on a row is the one of what the row belongs to (step references_held): asked where it is changed.
-- Arguments: the table the row belongs to, and the column that names it.
CREATE FUNCTION refuse_other_customer() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    theirs uuid;
BEGIN
    IF takes_back() THEN
        RETURN NULL;
    END IF;
    EXECUTE format('SELECT customer_id FROM %I WHERE id = $1', TG_ARGV[0])
        INTO theirs USING (to_jsonb(NEW) ->> TG_ARGV[1])::uuid;
    IF theirs IS DISTINCT FROM NEW.customer_id THEN
        RAISE EXCEPTION 'a row of % names another customer than what it belongs to', TG_TABLE_NAME
            USING ERRCODE = 'check_violation', CONSTRAINT = TG_NAME, TABLE = TG_TABLE_NAME, COLUMN = 'customer_id';
    END IF;
    RETURN NULL;
END $$;

-- Last, when every table and every guard is there.
SELECT grant_to_application();
