package pg

import (
	"bytes"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// TestConnectTriesAgain: a server that takes no clients yet is waited for, and
// one that takes not every setting with the login is connected to without.
func TestConnectTriesAgain(t *testing.T) {
	t.Parallel()
	server := testenv.Database(t, testenv.Postgres(t, testenv.Newer)).Default(aliveSent, "7000")
	starts := 0
	for name, refuse := range map[string]func(login []byte) *pgproto3.ErrorResponse{
		"starting": func([]byte) *pgproto3.ErrorResponse {
			if starts++; starts > 2 {
				return nil
			}
			return &pgproto3.ErrorResponse{Severity: "FATAL", Code: cannotConnectNow, Message: "the database system is starting up"}
		},
		"pooler": func(login []byte) *pgproto3.ErrorResponse {
			if !bytes.Contains(login, []byte("tcp_keepalives_")) {
				return nil
			}
			return &pgproto3.ErrorResponse{Severity: "FATAL", Code: "08P01", Message: "unsupported startup parameter: tcp_keepalives_idle"}
		},
		"old": func(login []byte) *pgproto3.ErrorResponse {
			if !bytes.Contains(login, []byte(aliveSent)) {
				return nil
			}
			return &pgproto3.ErrorResponse{Severity: "FATAL", Code: unknownObject, Message: `unrecognized configuration parameter "tcp_user_timeout"`}
		},
	} {
		t.Run(name, func(t *testing.T) {
			conn := connectAs(t, refusing(t, server, refuse), "again")
			var got string
			if err := conn.QueryRow(t.Context(), "select concat_ws(' ', current_setting('tcp_keepalives_idle'), current_setting('tcp_user_timeout'))").Scan(&got); err != nil || got != "30 7000" {
				t.Errorf("the session's limits are %q, want 30 7000 (%v)", got, err)
			}
		})
	}
}

// refusing stands before a server, and answers logins itself that it refuses.
func refusing(t *testing.T, server secret.DSN, refuse func(login []byte) *pgproto3.ErrorResponse) secret.DSN {
	t.Helper()
	listen, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listen.Close() }) // nobody comes any more
	at, err := url.Parse(server.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	to := at.Host
	go func() {
		for {
			client, err := listen.Accept()
			if err != nil {
				return
			}
			login := make([]byte, 4096)
			n, err := client.Read(login)
			if err != nil {
				_ = client.Close() // it has gone
				continue
			}
			go pool(client, to, login[:n], refuse(login[:n]))
		}
	}()
	at.Host = listen.Addr().String()
	return secret.NewDSN(at.String())
}

// pool passes one connection on, unless it is refused.
func pool(client net.Conn, to string, login []byte, refusal *pgproto3.ErrorResponse) {
	defer client.Close()
	if refusal != nil {
		if text, err := refusal.Encode(nil); err == nil {
			_, _ = client.Write(text) // else it sees a connection that ends
		}
		return
	}
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	if _, err := server.Write(login); err != nil {
		return
	}
	go func() { _, _ = io.Copy(server, client); _ = server.Close() }() // either end may go first
	_, _ = io.Copy(client, server)
}
