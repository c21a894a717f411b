package pg

import (
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
)

// diskFull is the SQLSTATE of a server that finds no room.
const diskFull = "53100"

// roomHint is what to do then.
const roomHint = "free space on the disk of that server, then go on: what is copied stays"

// roomFault says what to do where a server found no room.
func roomFault(err error) error {
	var server *pgconn.PgError
	if errors.As(err, &server) && server.Code == diskFull {
		return fault.Wrap(fault.KindOf(err), "", err, roomHint)
	}
	return err
}
