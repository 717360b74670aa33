-- Functions and triggers that came with the doors and locks.

ALTER TABLE sign_in_links ADD CONSTRAINT sign_in_links_purpose_check
    CHECK (purpose IN ('sign_in', 'invitation', 'reset'));
ALTER TABLE sessions ADD CONSTRAINT sessions_method_check
    CHECK (method IN ('password', 'code', 'link', 'oidc', 'script'));
ALTER TABLE sessions ADD CONSTRAINT sessions_kind_check CHECK (kind IN ('browser', 'app', 'script'));
