-- What people who sign in with a password are known by; a session is a personal token that ends.

CREATE TABLE person_password (
  person_id {text} NOT NULL PRIMARY KEY,
  hash {text} NOT NULL,
  set_at {bigint} NOT NULL
){end_keyed};
