-- Takes back what doors_and_locks.sql made.
DROP TRIGGER customers_have_logins ON customers;
DROP TRIGGER users_are_members ON users;
DROP TRIGGER users_stay_logins ON users;
DROP TRIGGER users_are_not_lost ON users;
DROP TRIGGER memberships_stay ON memberships;
DROP FUNCTION refuse_customer_without_login();
DROP FUNCTION logins_are_due();

-- The role stays: other databases of this server may use it.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'earlybird_app') THEN
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I REVOKE ALL ON TABLES FROM earlybird_app', current_schema());
        EXECUTE format('ALTER DEFAULT PRIVILEGES IN SCHEMA %I REVOKE ALL ON SEQUENCES FROM earlybird_app', current_schema());
        EXECUTE format('REVOKE ALL ON ALL TABLES IN SCHEMA %I FROM earlybird_app', current_schema());
        EXECUTE format('REVOKE ALL ON ALL SEQUENCES IN SCHEMA %I FROM earlybird_app', current_schema());
        EXECUTE format('REVOKE ALL ON SCHEMA %I FROM earlybird_app', current_schema());
    END IF;
END $$;
DROP FUNCTION grant_to_application();

DROP TRIGGER audit_seal_rows_only_erased ON audit_seal_rows;
DROP TRIGGER audit_seal_rows_unchanged ON audit_seal_rows;
DROP TRIGGER audit_seal_rows_append_only ON audit_seal_rows;
DROP TRIGGER audit_seals_append_only ON audit_seals;
DROP TRIGGER audit_entries_only_erased ON audit_entries;
DROP TRIGGER audit_entries_unchanged ON audit_entries;
DROP TRIGGER audit_entries_append_only ON audit_entries;
CREATE TRIGGER audit_entries_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
DROP TRIGGER audit_entries_unsealed ON audit_entries;
DROP FUNCTION refuse_all_but_erasing();
DROP FUNCTION refuse_change_unless_erasing();
DROP FUNCTION note_unsealed();
ALTER TABLE sessions DROP CONSTRAINT sessions_kind_check;
ALTER TABLE sessions DROP CONSTRAINT sessions_method_check;
ALTER TABLE sign_in_links DROP CONSTRAINT sign_in_links_purpose_check;
DROP TRIGGER orders_told ON orders;
DROP TRIGGER orders_told_cancelled ON orders;
DROP TRIGGER orders_told_changed ON orders;
DROP TRIGGER order_lines_told ON order_lines;
DROP TRIGGER order_lines_told_changed ON order_lines;
DROP TRIGGER delivery_events_told ON delivery_events;
DROP TRIGGER invoices_told ON invoices;
DROP TRIGGER invoices_told_issued ON invoices;
DROP TRIGGER invoices_told_voided ON invoices;
DROP TRIGGER payments_told ON payments;
DROP TRIGGER payments_told_reversed ON payments;
DROP FUNCTION note_told_lines();
DROP FUNCTION note_told_line();
DROP FUNCTION note_told_issue();
DROP FUNCTION note_told_documents();
DROP FUNCTION note_told_at_the_door();
DROP FUNCTION note_told_many();
DROP FUNCTION note_told();
DROP FUNCTION is_told(text[]);
