package pg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/secret"
)

// A network that is cut tells nobody. Left alone, a session waits for its
// answer for ever, or a quarter of an hour if it has sent something, and the
// server keeps its end, with snapshot and locks, for two hours. So both ends
// ask now and then whether the other is there: the parameters are libpq's, and
// what a connection string says of them counts.
//
// Linux counts sent data as unacknowledged also while the other end has no room
// for it, though it answers (tcp_probe_timer in net/ipv4/tcp_timer.c). A server
// may have to wait long for evac, which compares two streams or keeps to a rate,
// so it gets no limit for what it sends but the one that is asked for.
const (
	aliveIdle     = "keepalives_idle"     // seconds of silence before the first question
	aliveInterval = "keepalives_interval" // seconds between questions
	aliveCount    = "keepalives_count"    // questions that may stay unanswered
	aliveSent     = "tcp_user_timeout"    // milliseconds that sent data may stay unacknowledged
)

// clientCheck is the setting of servers from version 14 on that ends work
// whose client has gone.
const clientCheck = "client_connection_check_interval"

// aliveLimits let a connection count as lost after a minute; after five if
// something was sent, for a server with a slow disk may not take it sooner.
func aliveLimits() map[string]int {
	return map[string]int{aliveIdle: 30, aliveInterval: 10, aliveCount: 3, aliveSent: 300_000}
}

// alive makes connections notice that the other end is gone, and gives the
// session settings by which the server does the same.
func alive(config *pgconn.Config) (map[string]string, error) {
	limits := aliveLimits()
	_, sentGiven := config.RuntimeParams[aliveSent]
	for name := range limits {
		text, given := config.RuntimeParams[name]
		if !given {
			continue
		}
		delete(config.RuntimeParams, name) // the others are sent to the server
		value, err := strconv.ParseUint(text, 10, 31)
		if err != nil {
			return nil, fault.New(fault.Invalid, fmt.Sprintf("%s in the connection string is %q", name, text), "write a whole number, or leave it out")
		}
		limits[name] = int(value)
	}
	asked := config.RuntimeParams["keepalives"] != "0"
	delete(config.RuntimeParams, "keepalives")
	config.DialFunc = (&net.Dialer{
		KeepAlive: -1, // where it is not asked for, there is none
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: asked, Count: limits[aliveCount],
			Idle: time.Duration(limits[aliveIdle]) * time.Second, Interval: time.Duration(limits[aliveInterval]) * time.Second,
		},
		Control: limitSent(limits[aliveSent]),
	}).DialContext
	// A server that works looks at its connection only if it is told to.
	settings := map[string]string{clientCheck: strconv.Itoa(limits[aliveInterval]) + "s"}
	if sentGiven {
		settings[aliveSent] = strconv.Itoa(limits[aliveSent])
	}
	for _, name := range []string{aliveIdle, aliveInterval, aliveCount} {
		settings["tcp_"+name] = strconv.Itoa(limits[name])
	}
	return settings, nil
}

// connectAlive connects, and lets the server ask from the login on: a session
// that is cut off before its first statement would else stay for hours, or for
// a quarter of an hour while the answer to its login is under way. An old server
// may not know a limit for what it sends, and a pooler may pass nothing on; then
// the session is told alone.
func connectAlive(ctx context.Context, config *pgx.ConnConfig, settings map[string]string) (*pgx.Conn, error) {
	asks, all := config.Copy(), config.Copy()
	withLogin(&asks.Config, settings)
	withLogin(&all.Config, settings)
	if sent, asked := settings[aliveSent]; asked {
		all.RuntimeParams[aliveSent] = sent
	}
	conn, err := pgx.ConnectConfig(ctx, all)
	if sqlState(err) == unknownObject {
		conn, err = pgx.ConnectConfig(ctx, asks)
	}
	if err != nil && strings.Contains(err.Error(), "unsupported startup parameter") {
		return pgx.ConnectConfig(ctx, config)
	}
	return conn, err
}

// aliveReplication is alive for a session that speaks the replication protocol
// and can set nothing later.
func aliveReplication(config *pgconn.Config) error {
	settings, err := alive(config)
	withLogin(config, settings)
	return err
}

// withLogin sends what every server knows of the settings with the login.
func withLogin(config *pgconn.Config, settings map[string]string) {
	for name, value := range settings {
		if strings.HasPrefix(name, "tcp_keepalives_") {
			config.RuntimeParams[name] = value
		}
	}
}

// unknownObject is what a server says of a setting that it does not know.
const unknownObject = "42704"

// firstSentLimit is the first version that knows tcp_user_timeout.
const firstSentLimit = 12_00_00

// keptAlive is a connection string for a program that connects by itself to a
// server of that version; one of an old version knows no limit for what was
// sent. The server is told with the login, for the program tells it nothing: a
// program that is cut off must not leave a snapshot and locks behind.
func keptAlive(dsn secret.DSN, version int) (secret.DSN, error) {
	config, err := pgconn.ParseConfig(dsn.Reveal())
	if err != nil {
		return dsn, errors.New("the connection string cannot be read") // the parser's text repeats it
	}
	settings, err := alive(config)
	if err != nil {
		return dsn, err
	}
	options := config.RuntimeParams["options"] // those of PGOPTIONS, too
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if strings.HasPrefix(name, "tcp_keepalives_") || name == aliveSent && version >= firstSentLimit {
			options += " -c " + name + "=" + settings[name]
		}
	}
	for name, value := range aliveLimits() {
		if name != aliveSent {
			dsn = dsn.Default(name, strconv.Itoa(value))
		}
	}
	return dsn.With("options", strings.TrimSpace(options)), nil
}
