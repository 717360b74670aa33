-- Takes back what the_round.sql put on older tables; what is on its own tables goes with them.
DELETE FROM sign_in_throttles WHERE kind = 'link';
ALTER TABLE sign_in_throttles DROP CONSTRAINT sign_in_throttles_kind_check;
ALTER TABLE sign_in_throttles ADD CONSTRAINT sign_in_throttles_kind_check
    CHECK (kind IN ('known', 'place', 'account', 'address', 'sending'));

DROP FUNCTION refuse_all_but_archiving() CASCADE;
DROP TRIGGER delivery_cash_unbooked ON delivery_cash;
DROP FUNCTION note_unbooked();
DROP FUNCTION written_by(xid, xid8);
DROP TRIGGER delivery_events_to_tell ON delivery_events;
DROP TRIGGER orders_to_tell ON orders;
DROP TRIGGER invoices_to_tell ON invoices;
DROP TRIGGER invoices_to_tell_issued ON invoices;
DROP TRIGGER payments_to_tell ON payments;
DROP TRIGGER subscription_pauses_to_tell ON subscription_pauses;
DROP TRIGGER subscription_pauses_to_tell_changed ON subscription_pauses;
DROP TRIGGER customers_to_tell_paused ON customers;
DROP TRIGGER rounds_to_tell_out ON rounds;
DROP FUNCTION note_message_facts();
DROP FUNCTION note_message_fact();
DROP FUNCTION customers_are_told();
DELETE FROM messages WHERE about IS NOT NULL OR channel = 'whatsapp';
ALTER TABLE messages DROP CONSTRAINT messages_kind_check, DROP CONSTRAINT messages_channel_check,
    ADD CONSTRAINT messages_kind_check CHECK (kind IN ('one_time_code', 'invitation', 'sign_in_link', 'password_reset',
        'password_changed')),
    ADD CONSTRAINT messages_channel_check CHECK (channel IN ('email', 'sms'));
