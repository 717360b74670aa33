-- Functions and triggers that hold the rules no constraint can say.

-- The short code people see for a key: the twin of kernel/ids.py code().
CREATE FUNCTION short_code(prefix text, key uuid) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT prefix || '-' || string_agg(
        substr('23456789ABCDEFGHJKLMNPQRSTUVWXYZ', ((bits >> (5 * n)) & 31)::int + 1, 1), '' ORDER BY n)
    FROM generate_series(0, 7) AS n,
         (SELECT ('x' || right(replace(key::text, '-', ''), 10))::bit(40)::bigint AS bits) AS v
$$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

-- Facts and money are only added. A reversible step may take back rows it wrote itself,
-- inside a transaction that says so (SET LOCAL earlybird.step = '<number>').
CREATE FUNCTION refuse_change_unless_step() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('earlybird.step', true), '') <> '' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER journals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER payment_allocations_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_allocations
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER invoice_taxes_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON invoice_taxes
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_events
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();
CREATE TRIGGER delivery_event_lines_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_event_lines
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();
CREATE TRIGGER charges_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON charges
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_step();

-- The postings of a journal come in one statement and sum to zero in each currency.
CREATE FUNCTION refuse_unbalanced() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    bad uuid;
BEGIN
    SELECT journal_id INTO bad FROM added GROUP BY journal_id, currency HAVING sum(amount_minor) <> 0 LIMIT 1;
    IF bad IS NOT NULL THEN
        RAISE EXCEPTION 'postings of journal % do not sum to zero', bad USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER postings_balance AFTER INSERT ON postings
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_unbalanced();

-- An issued document never changes; it may only become void, and that needs a full credit note (billing).
CREATE FUNCTION refuse_issued_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.state = 'issued' AND NEW.state = 'void'
       AND to_jsonb(OLD) - 'state' - 'state_at' = to_jsonb(NEW) - 'state' - 'state_at' THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'invoice % is issued: % refused', OLD.id, TG_OP USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER invoices_immutable BEFORE UPDATE OR DELETE ON invoices
    FOR EACH ROW WHEN (OLD.state <> 'draft') EXECUTE FUNCTION refuse_issued_change();

CREATE TRIGGER invoices_no_truncate BEFORE TRUNCATE ON invoices
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
