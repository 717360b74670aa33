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

-- Work lists of the money side. They are filled and emptied in the commit of the fact itself, so they
-- need no cursor; a sweep can rebuild them from the facts at any time (billing).
-- Nested loops on purpose: a plan made for one row and one made for a million must both stay flat.
CREATE FUNCTION note_uncharged() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO uncharged_lines (event_line_id) SELECT id FROM added;
    RETURN NULL;
END $$;

CREATE FUNCTION note_unbilled() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unbilled_charges (customer_id, service_on, charge_id)
    SELECT customer_id, service_on, id FROM added WHERE quantity <> 0 OR amount_minor <> 0;
    RETURN NULL;
END $$;

CREATE FUNCTION forget_unbilled() RETURNS trigger LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    WITH c AS MATERIALIZED (
        SELECT c.customer_id, c.service_on, c.id FROM added a JOIN charges c ON c.id = a.charge_id
    )
    DELETE FROM unbilled_charges u USING c
    WHERE u.customer_id = c.customer_id AND u.service_on = c.service_on AND u.charge_id = c.id;
    RETURN NULL;
END $$;

CREATE FUNCTION forget_charge() RETURNS trigger LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off AS $$
BEGIN
    DELETE FROM unbilled_charges u USING gone c
    WHERE u.customer_id = c.customer_id AND u.service_on = c.service_on AND u.charge_id = c.id;
    RETURN NULL;
END $$;

CREATE TRIGGER delivery_event_lines_uncharged AFTER INSERT ON delivery_event_lines
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_uncharged();
CREATE TRIGGER charges_unbilled AFTER INSERT ON charges
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_unbilled();
CREATE TRIGGER charges_taken_back AFTER DELETE ON charges
    REFERENCING OLD TABLE AS gone FOR EACH STATEMENT EXECUTE FUNCTION forget_charge();
CREATE TRIGGER invoice_lines_billed AFTER INSERT ON invoice_lines
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION forget_unbilled();
CREATE TRIGGER waivers_unbilled AFTER INSERT ON waivers
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION forget_unbilled();
