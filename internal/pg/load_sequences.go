package pg

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// setValue is the statement of the schema that sets a sequence.
var setValue = regexp.MustCompile(`(?is)^SELECT (?:pg_catalog\.)?setval\('((?:[^']|'')+)'(?:::(?:pg_catalog\.)?regclass)?, *(-?\d+)(?:, *(true|false))?\);?$`)

// sequences compares the sequences that the schema sets.
func (v *loadVerifier) sequences(ctx context.Context, conn *pgx.Conn) error {
	for _, sql := range v.plan.After {
		m := setValue.FindStringSubmatch(sql)
		if m == nil {
			continue
		}
		name := strings.ReplaceAll(m[1], "''", "'")
		last, err := strconv.ParseInt(m[2], 10, 64)
		if err != nil {
			return fmt.Errorf("read sequence %s: %w", name, err)
		}
		if err := v.sequence(ctx, conn, name, last, !strings.EqualFold(m[3], "false")); err != nil {
			return fmt.Errorf("compare sequence %s: %w", name, err)
		}
	}
	return nil
}

func (v *loadVerifier) sequence(ctx context.Context, conn *pgx.Conn, name string, last int64, called bool) error {
	d := Difference{Class: ClassSequence, Table: name, Kind: Different}
	var haveLast int64
	var haveCalled bool
	err := conn.QueryRow(ctx, "select last_value, is_called from "+name).Scan(&haveLast, &haveCalled)
	var server *pgconn.PgError
	switch {
	case errors.As(err, &server) && slices.Contains([]string{"42P01", "3F000"}, server.Code): // no such sequence, no such schema
		d.Kind = Missing
	case err != nil:
		return err
	case haveLast == last && haveCalled == called:
		return nil
	default:
		d.Source, d.Target = sequenceValues(last, called), sequenceValues(haveLast, haveCalled)
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.result.Sequences++
	if len(v.result.Differences) < v.MaxDifferences {
		v.result.Differences = append(v.result.Differences, d)
	}
	return nil
}

func sequenceValues(last int64, called bool) map[string]*string {
	l, c := strconv.FormatInt(last, 10), strconv.FormatBool(called)
	return map[string]*string{"last_value": &l, "is_called": &c}
}
