-- Functions and triggers that came with the doors and locks.

-- Every customer in use has one login, and every customer's own login is a member of it (users.customer_id is
-- unique). Held at commit, so that one transaction may write the three rows in any order. The reversible steps
-- (earlybird.step) and who brings customers whose logins come later (earlybird.logins_later) say so beforehand.
CREATE FUNCTION refuse_customer_without_login() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    lost uuid;
    won uuid;
BEGIN
    IF TG_TABLE_NAME = 'customers' THEN
        lost := NEW.id;
    ELSIF TG_TABLE_NAME = 'users' AND TG_OP <> 'INSERT' THEN
        lost := OLD.customer_id;
    END IF;
    IF EXISTS (SELECT FROM customers c WHERE c.id = lost AND c.archived_at IS NULL)
       AND NOT EXISTS (SELECT FROM users u WHERE u.customer_id = lost) THEN
        RAISE EXCEPTION 'customer % has no login', lost USING ERRCODE = 'check_violation';
    END IF;
    IF TG_TABLE_NAME = 'memberships' THEN
        won := OLD.customer_id;
    ELSIF TG_TABLE_NAME = 'users' AND TG_OP <> 'DELETE' THEN
        won := NEW.customer_id;
    END IF;
    IF EXISTS (SELECT FROM users u WHERE u.customer_id = won)
       AND NOT EXISTS (SELECT FROM users u JOIN memberships m ON m.user_id = u.id AND m.customer_id = u.customer_id
                       WHERE u.customer_id = won AND m.role = 'customer' AND m.ended_at IS NULL) THEN
        RAISE EXCEPTION 'the login of customer % is no member of it', won USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE FUNCTION logins_are_due() RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT coalesce(current_setting('earlybird.step', true), '') = ''
       AND coalesce(current_setting('earlybird.logins_later', true), '') = ''
$$;

CREATE CONSTRAINT TRIGGER customers_have_logins AFTER INSERT OR UPDATE OF archived_at ON customers
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.archived_at IS NULL AND logins_are_due())
    EXECUTE FUNCTION refuse_customer_without_login();
CREATE CONSTRAINT TRIGGER users_are_members AFTER INSERT ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.customer_id IS NOT NULL AND logins_are_due())
    EXECUTE FUNCTION refuse_customer_without_login();
CREATE CONSTRAINT TRIGGER users_stay_logins AFTER UPDATE OF customer_id ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.customer_id IS DISTINCT FROM OLD.customer_id AND logins_are_due())
    EXECUTE FUNCTION refuse_customer_without_login();
CREATE CONSTRAINT TRIGGER users_are_not_lost AFTER DELETE ON users
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.customer_id IS NOT NULL AND logins_are_due())
    EXECUTE FUNCTION refuse_customer_without_login();
CREATE CONSTRAINT TRIGGER memberships_stay AFTER UPDATE OR DELETE ON memberships
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.customer_id IS NOT NULL AND logins_are_due())
    EXECUTE FUNCTION refuse_customer_without_login();

-- Every audit entry waits on a work list until a seal holds it: note and entry are one commit, so sealing needs no
-- cursor, and an entry that came in with the triggers off is known by its missing note.
CREATE FUNCTION note_unsealed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO unsealed_entries (audit_id) SELECT id FROM added;
    RETURN NULL;
END $$;
CREATE TRIGGER audit_entries_unsealed AFTER INSERT ON audit_entries
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION note_unsealed();
INSERT INTO unsealed_entries (audit_id) SELECT id FROM audit_entries;

-- Entries and seals are only added. Personal details alone may be erased, inside a transaction that says so
-- (SET LOCAL earlybird.erasing = 'on'), which is the operator's to open: the application's role may not UPDATE.
CREATE FUNCTION refuse_change_unless_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF coalesce(current_setting('earlybird.erasing', true), '') = 'on' THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION refuse_all_but_erasing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_TABLE_NAME = 'audit_entries' THEN
        IF to_jsonb(NEW) - 'before' - 'after' - 'actor_name' - 'address' - 'device' - 'reason'
           = to_jsonb(OLD) - 'before' - 'after' - 'actor_name' - 'address' - 'device' - 'reason'
           AND NEW.actor_name = '' AND num_nonnulls(NEW.before, NEW.after, NEW.address, NEW.device, NEW.reason) = 0 THEN
            RETURN NEW;
        END IF;
    ELSIF to_jsonb(NEW) - 'salt' - 'personal' - 'erased_by_id' = to_jsonb(OLD) - 'salt' - 'personal' - 'erased_by_id'
        AND OLD.salt IS NOT NULL AND NEW.salt IS NULL AND num_nonnulls(NEW.personal, NEW.erased_by_id) = 2 THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION '% is append-only: % refused', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER audit_entries_append_only ON audit_entries;
CREATE TRIGGER audit_entries_append_only BEFORE DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_entries_unchanged BEFORE UPDATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_erasing();
CREATE TRIGGER audit_entries_only_erased BEFORE UPDATE ON audit_entries
    FOR EACH ROW EXECUTE FUNCTION refuse_all_but_erasing();
CREATE TRIGGER audit_seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_seals
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_seal_rows_append_only BEFORE DELETE OR TRUNCATE ON audit_seal_rows
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER audit_seal_rows_unchanged BEFORE UPDATE ON audit_seal_rows
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change_unless_erasing();
CREATE TRIGGER audit_seal_rows_only_erased BEFORE UPDATE ON audit_seal_rows
    FOR EACH ROW EXECUTE FUNCTION refuse_all_but_erasing();

-- What the web and the worker may do: everything but change what is append-only, and none of it as an owner, so that
-- no trigger can be switched off. Roles belong to the whole server: whoever comes first makes it, nobody drops it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'earlybird_app') THEN
        CREATE ROLE earlybird_app NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'earlybird_app',
                       CASE WHEN current_setting('server_version_num')::int >= 160000 THEN 'SET' ELSE 'MEMBER' END) THEN
        EXECUTE format('GRANT earlybird_app TO %I', current_user);
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE WARNING 'the role earlybird_app could not be made: %', SQLERRM;
    WHEN duplicate_object OR unique_violation OR internal_error THEN
        NULL;  -- another database of this server did it at the same moment
END $$;

CREATE FUNCTION grant_to_application() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    guarded text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'earlybird_app') THEN
        RETURN false;
    END IF;
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO earlybird_app', current_schema());
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %I TO earlybird_app', current_schema());
    EXECUTE format('GRANT USAGE, SELECT, UPDATE ON ALL SEQUENCES IN SCHEMA %I TO earlybird_app', current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO earlybird_app',
                   current_schema());
    EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I GRANT USAGE, SELECT, UPDATE ON SEQUENCES TO earlybird_app',
                   current_schema());
    FOR guarded IN
        SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE tgname LIKE '%\_append\_only' AND c.relnamespace = current_schema()::regnamespace
    LOOP
        EXECUTE format('REVOKE UPDATE, DELETE, TRUNCATE ON %s FROM earlybird_app', guarded);
    END LOOP;
    REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM earlybird_app;
    RETURN true;
END $$;
COMMENT ON FUNCTION grant_to_application() IS
    'Give the role earlybird_app its rights on every table that is there; call it again after a table was added.';
ALTER TABLE sign_in_links ADD CONSTRAINT sign_in_links_purpose_check
    CHECK (purpose IN ('sign_in', 'invitation', 'reset'));
ALTER TABLE sessions ADD CONSTRAINT sessions_method_check
    CHECK (method IN ('password', 'code', 'link', 'oidc', 'script'));
ALTER TABLE sessions ADD CONSTRAINT sessions_kind_check CHECK (kind IN ('browser', 'app', 'script'));
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

-- Last, when every table and every guard is there.
SELECT grant_to_application();
