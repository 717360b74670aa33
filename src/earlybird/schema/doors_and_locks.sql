-- Functions and triggers that came with the doors and locks.

-- What is to be told outside: noted in the commit of the fact itself, so that a feed needs no cursor. Nothing is
-- noted while no active endpoint asks for it, nor by a data step or a take-over (earlybird.step, earlybird.history).
CREATE FUNCTION is_told(VARIADIC wanted text[]) RETURNS boolean LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM webhook_endpoints WHERE state = 'active' AND events && wanted)
        AND coalesce(current_setting('earlybird.step', true), '') = ''
        AND coalesce(current_setting('earlybird.history', true), '') = '';
END $$;

CREATE FUNCTION note_told() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told(TG_ARGV[0]) THEN
        INSERT INTO webhook_changes (kind, subject_id) VALUES (TG_ARGV[0], NEW.id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_told_many() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told(TG_ARGV[0]) THEN
        INSERT INTO webhook_changes (kind, subject_id) SELECT TG_ARGV[0], id FROM added ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_told_at_the_door() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told('delivery.confirmed', 'delivery.corrected', 'delivery.returned') THEN
        INSERT INTO webhook_changes (kind, subject_id)
        SELECT CASE kind WHEN 'confirm' THEN 'delivery.confirmed' WHEN 'correct' THEN 'delivery.corrected'
                         ELSE 'delivery.returned' END, id FROM added
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_told_documents() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told('invoice.issued', 'credit_note.issued') THEN
        INSERT INTO webhook_changes (kind, subject_id)
        SELECT kind || '.issued', id FROM added WHERE kind IN ('invoice', 'credit_note') AND state = 'issued'
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_told_issue() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told(NEW.kind || '.issued') THEN
        INSERT INTO webhook_changes (kind, subject_id) VALUES (NEW.kind || '.issued', NEW.id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_told_line() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told('order.changed') THEN
        INSERT INTO webhook_changes (kind, subject_id) VALUES ('order.changed', NEW.order_id) ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION note_told_lines() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF is_told('order.changed') THEN
        INSERT INTO webhook_changes (kind, subject_id) SELECT DISTINCT 'order.changed', order_id FROM added
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER orders_told AFTER INSERT ON orders
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_told_many('order.placed');
CREATE TRIGGER orders_told_cancelled AFTER UPDATE OF state ON orders
    FOR EACH ROW WHEN (NEW.state = 'cancelled' AND OLD.state <> 'cancelled')
    EXECUTE FUNCTION note_told('order.cancelled');
CREATE TRIGGER orders_told_changed AFTER UPDATE ON orders
    FOR EACH ROW WHEN (OLD.address IS DISTINCT FROM NEW.address OR OLD.note IS DISTINCT FROM NEW.note
        OR OLD.service_on IS DISTINCT FROM NEW.service_on OR OLD.shift IS DISTINCT FROM NEW.shift
        OR (OLD.state = 'cancelled' AND NEW.state <> 'cancelled'))
    EXECUTE FUNCTION note_told('order.changed');
CREATE TRIGGER order_lines_told AFTER INSERT ON order_lines
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_told_lines();
CREATE TRIGGER order_lines_told_changed AFTER UPDATE ON order_lines
    FOR EACH ROW WHEN (OLD.quantity <> NEW.quantity OR OLD.order_id <> NEW.order_id
        OR OLD.product_id <> NEW.product_id OR OLD.amount_minor <> NEW.amount_minor
        OR (OLD.cancelled_at IS NULL) <> (NEW.cancelled_at IS NULL))
    EXECUTE FUNCTION note_told_line();
CREATE TRIGGER delivery_events_told AFTER INSERT ON delivery_events
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_told_at_the_door();
CREATE TRIGGER invoices_told AFTER INSERT ON invoices
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_told_documents();
CREATE TRIGGER invoices_told_issued AFTER UPDATE OF state ON invoices
    FOR EACH ROW WHEN (OLD.state = 'draft' AND NEW.state = 'issued' AND NEW.kind IN ('invoice', 'credit_note'))
    EXECUTE FUNCTION note_told_issue();
CREATE TRIGGER invoices_told_voided AFTER UPDATE OF state ON invoices
    FOR EACH ROW WHEN (OLD.state <> 'void' AND NEW.state = 'void') EXECUTE FUNCTION note_told('invoice.voided');
CREATE TRIGGER payments_told AFTER INSERT ON payments
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_told_many('payment.recorded');
CREATE TRIGGER payments_told_reversed AFTER UPDATE OF state ON payments
    FOR EACH ROW WHEN (OLD.state <> 'reversed' AND NEW.state = 'reversed')
    EXECUTE FUNCTION note_told('payment.reversed');
