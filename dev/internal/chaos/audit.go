// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// The audit is a trigger that notes every change of a partition's claim, in the
// order of commits on its row. It is the witness against zombies: an offset that
// moves under an epoch older than one seen before was written by a consumer that
// had lost the partition.
const auditSQL = `
CREATE SCHEMA IF NOT EXISTS chaos;
CREATE TABLE IF NOT EXISTS chaos.claims (
	id bigint GENERATED ALWAYS AS IDENTITY, topic text, partition int, epoch bigint, next_offset bigint);
CREATE OR REPLACE FUNCTION chaos.note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO chaos.claims (topic, partition, epoch, next_offset) VALUES (NEW.topic, NEW.partition, NEW.epoch, NEW.next_offset);
	RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER chaos_note AFTER INSERT OR UPDATE ON hookstream.consumer_offsets
	FOR EACH ROW EXECUTE FUNCTION chaos.note();`

func installAudit(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, auditSQL); err != nil {
		return fmt.Errorf("install the audit: %w", err)
	}
	return nil
}

// zombieWrites counts changes that went back: to an older epoch, or to an older
// offset.
func zombieWrites(ctx context.Context, url string) (n int, err error) {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return 0, err
	}
	defer conn.Close(ctx)
	err = conn.QueryRow(ctx, `
		SELECT count(*) FROM (
			SELECT epoch, next_offset,
				lag(epoch) OVER w AS last_epoch, lag(next_offset) OVER w AS last_offset
			FROM chaos.claims WINDOW w AS (PARTITION BY topic, partition ORDER BY id)) c
		WHERE epoch < last_epoch OR next_offset < last_offset`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("read the audit: %w", err)
	}
	return n, nil
}
