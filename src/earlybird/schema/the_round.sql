-- The round: what models cannot say about its tables, and about older ones.

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
