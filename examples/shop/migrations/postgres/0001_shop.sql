-- Times are milliseconds since 1970, prices are cents.

CREATE TABLE users (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email TEXT NOT NULL UNIQUE,
    password TEXT NOT NULL, -- argon2id, as a PHC string
    scopes TEXT NOT NULL    -- what its tokens may have, separated by spaces
);

CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY,  -- SHA-256: whoever reads the table can't use what stands in it
    family TEXT NOT NULL,   -- one sign-in, and all that was refreshed from it
    user_id BIGINT NOT NULL REFERENCES users (id),
    scopes TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX refresh_tokens_of_family ON refresh_tokens (family);

CREATE TABLE products (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    price BIGINT NOT NULL CHECK (price >= 0)
);
INSERT INTO products (name, price) VALUES ('tea', 450), ('coffee', 620), ('cup', 1290);

CREATE TABLE orders (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id BIGINT NOT NULL REFERENCES users (id),
    note TEXT NOT NULL,
    total BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX orders_of_user ON orders (user_id, id);

CREATE TABLE order_items (
    order_id BIGINT NOT NULL REFERENCES orders (id),
    position BIGINT NOT NULL,
    product_id BIGINT NOT NULL REFERENCES products (id),
    quantity BIGINT NOT NULL CHECK (quantity > 0),
    price BIGINT NOT NULL,  -- of one, when it was ordered
    PRIMARY KEY (order_id, position)
);

-- What has happened, in the order in which it was committed. A row is written in the transaction of what it tells of: there
-- is no order without its event, and no event without its order.
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    key TEXT NOT NULL UNIQUE, -- by which a receiver knows that it has seen this one
    user_id BIGINT NOT NULL,  -- who may see it in the feed
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX events_of_user ON events (user_id, seq);

-- The outbox: what has not reached its receiver yet. Written with the event, removed once the receiver has said that it has it.
CREATE TABLE deliveries (
    seq BIGINT NOT NULL REFERENCES events (seq),
    target TEXT NOT NULL,   -- 'webhook' or 'mail'
    attempts BIGINT NOT NULL DEFAULT 0,
    due_at BIGINT NOT NULL, -- when to try, or to try again
    PRIMARY KEY (seq, target)
);
CREATE INDEX deliveries_by_time ON deliveries (target, due_at);

-- The last number of an event. A transaction that takes the next one holds this row until it commits, so numbers become
-- visible in their order, and a reader who has seen 7 has not missed 6.
CREATE TABLE last_event (seq BIGINT NOT NULL);
INSERT INTO last_event (seq) VALUES (0);

-- What the health check writes to: to find out whether anything can be written, something has to change.
CREATE TABLE heartbeat (beats BIGINT NOT NULL);
INSERT INTO heartbeat (beats) VALUES (0);
