-- Takes back what doors_and_locks.sql made.
DROP TRIGGER customers_have_logins ON customers;
DROP TRIGGER users_are_members ON users;
DROP TRIGGER users_stay_logins ON users;
DROP TRIGGER users_are_not_lost ON users;
DROP TRIGGER memberships_stay ON memberships;
DROP FUNCTION refuse_customer_without_login();
DROP FUNCTION logins_are_due();
