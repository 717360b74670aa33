-- Functions and triggers that came with the doors and locks.

-- Every customer in use has one login, and every customer's own login is a member of it (users.customer_id is
-- unique). Held at commit, so that one transaction may write the three rows in any order. The reversible steps
-- (earlybird.step) and who brings customers whose logins come later (earlybird.logins_later) say so beforehand.
CREATE FUNCTION refuse_customer_without_login() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    wanted uuid;
BEGIN
    IF TG_TABLE_NAME = 'customers' THEN
        wanted := NEW.id;
    ELSIF TG_OP = 'INSERT' THEN
        wanted := NEW.customer_id;
    ELSE
        wanted := OLD.customer_id;
    END IF;
    IF EXISTS (SELECT FROM customers c WHERE c.id = wanted AND c.archived_at IS NULL)
       AND NOT EXISTS (SELECT FROM users u WHERE u.customer_id = wanted) THEN
        RAISE EXCEPTION 'customer % has no login', wanted USING ERRCODE = 'check_violation';
    END IF;
    IF TG_TABLE_NAME = 'users' AND TG_OP = 'UPDATE' THEN
        wanted := NEW.customer_id;
    END IF;
    IF EXISTS (SELECT FROM users u WHERE u.customer_id = wanted)
       AND NOT EXISTS (SELECT FROM users u JOIN memberships m ON m.user_id = u.id AND m.customer_id = u.customer_id
                       WHERE u.customer_id = wanted AND m.role = 'customer' AND m.ended_at IS NULL) THEN
        RAISE EXCEPTION 'the login of customer % is no member of it', wanted USING ERRCODE = 'check_violation';
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
