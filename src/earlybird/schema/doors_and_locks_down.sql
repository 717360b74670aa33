-- Takes back what doors_and_locks.sql made.

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
