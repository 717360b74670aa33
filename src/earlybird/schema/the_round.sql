-- The round: what models cannot say about its tables, and about older ones.

ALTER TABLE sign_in_throttles DROP CONSTRAINT sign_in_throttles_kind_check;
ALTER TABLE sign_in_throttles ADD CONSTRAINT sign_in_throttles_kind_check
    CHECK (kind IN ('known', 'place', 'account', 'address', 'sending', 'link'));

-- Which pictures belong to a delivery is only ever added; of a picture's record nothing changes but that it was
-- withdrawn, once.
CREATE TRIGGER delivery_photos_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_photos
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER files_are_kept BEFORE DELETE ON files FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER files_are_not_emptied BEFORE TRUNCATE ON files
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
-- What was said of cash at the door, and what was counted at the depot, is only added to.
CREATE TRIGGER delivery_cash_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_cash
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
-- What customers are told: noted in the commit of the fact itself, so that no cursor has to follow commits that come out
-- of order. Nothing is noted by a data step or a take-over (earlybird.step, earlybird.history), nor where the business
-- tells its customers nothing.
ALTER TABLE messages DROP CONSTRAINT messages_kind_check, DROP CONSTRAINT messages_channel_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN ('one_time_code', 'invitation', 'sign_in_link', 'password_reset',
        'password_changed', 'order_confirmed', 'out_for_delivery', 'delivered', 'partially_delivered', 'not_delivered',
        'pause_set', 'pause_open', 'pause_ended', 'bill_issued', 'payment_received', 'payment_reminder')),
    ADD CONSTRAINT messages_channel_check CHECK (channel IN ('email', 'sms', 'whatsapp'));

CREATE FUNCTION customers_are_told() RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN coalesce(current_setting('earlybird.step', true), '') = ''
        AND coalesce(current_setting('earlybird.history', true), '') = ''
        AND NOT EXISTS (SELECT FROM policies WHERE name = 'tell_customers' AND value = 'false'::jsonb);
END $$;

CREATE FUNCTION note_message_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF customers_are_told() THEN
        INSERT INTO message_facts (kind, subject_id) VALUES (TG_ARGV[0], NEW.id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_message_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT customers_are_told() THEN
        RETURN NULL;
    END IF;
    IF TG_TABLE_NAME = 'delivery_events' THEN
        INSERT INTO message_facts (kind, subject_id) SELECT DISTINCT 'delivery', delivery_id FROM added
        ON CONFLICT DO NOTHING;
    ELSIF TG_TABLE_NAME = 'orders' THEN
        INSERT INTO message_facts (kind, subject_id) SELECT 'order', id FROM added WHERE source = 'one_time'
        ON CONFLICT DO NOTHING;
    ELSIF TG_TABLE_NAME = 'invoices' THEN
        INSERT INTO message_facts (kind, subject_id)
        SELECT 'invoice', id FROM added WHERE kind = 'invoice' AND state = 'issued' ON CONFLICT DO NOTHING;
    ELSIF TG_TABLE_NAME = 'payments' THEN
        INSERT INTO message_facts (kind, subject_id) SELECT 'payment', id FROM added WHERE customer_id IS NOT NULL
        ON CONFLICT DO NOTHING;
    ELSE
        INSERT INTO message_facts (kind, subject_id) SELECT 'pause', id FROM added ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER delivery_events_to_tell AFTER INSERT ON delivery_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_message_facts();
CREATE TRIGGER orders_to_tell AFTER INSERT ON orders
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_message_facts();
CREATE TRIGGER invoices_to_tell AFTER INSERT ON invoices
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_message_facts();
CREATE TRIGGER invoices_to_tell_issued AFTER UPDATE OF state ON invoices
    FOR EACH ROW WHEN (OLD.state = 'draft' AND NEW.state = 'issued' AND NEW.kind = 'invoice')
    EXECUTE FUNCTION note_message_fact('invoice');
CREATE TRIGGER payments_to_tell AFTER INSERT ON payments
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_message_facts();
CREATE TRIGGER subscription_pauses_to_tell AFTER INSERT ON subscription_pauses
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_message_facts();
CREATE TRIGGER subscription_pauses_to_tell_changed AFTER UPDATE ON subscription_pauses
    FOR EACH ROW WHEN (OLD.ends_on IS DISTINCT FROM NEW.ends_on OR OLD.cancelled_at IS DISTINCT FROM NEW.cancelled_at)
    EXECUTE FUNCTION note_message_fact('pause_changed');
CREATE TRIGGER customers_to_tell_paused AFTER UPDATE OF state ON customers
    FOR EACH ROW WHEN ((NEW.state = 'paused') <> (OLD.state = 'paused') AND NEW.state IN ('paused', 'active'))
    EXECUTE FUNCTION note_message_fact('customer');
CREATE TRIGGER rounds_to_tell_out AFTER UPDATE OF state ON rounds
    FOR EACH ROW WHEN (NEW.state = 'out' AND OLD.state = 'planned') EXECUTE FUNCTION note_message_fact('round');

-- From here on every job's due instants are expected.
INSERT INTO job_clocks (job, covered_until_at) VALUES ('installation', now());

-- Last, when every table and every guard is there.
SELECT grant_to_application();
