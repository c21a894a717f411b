package pg

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/testenv"
)

// errand is what a child process is told to do.
type errand struct {
	From, To, PgDump, StateFile string
	Undo                        bool
	// LoadDir is the folder of a load in place of a copy.
	LoadDir string
}

// errandVariable names the file with the errand.
const errandVariable = "EVAC_TEST_COPY_ERRAND"

// TestCopyErrand is not a test by itself: it is the process that gets killed.
func TestCopyErrand(t *testing.T) {
	if os.Getenv(errandVariable) == "" {
		return
	}
	var e errand
	readJSON(t, os.Getenv(errandVariable), &e)
	o := CopyOptions{
		From: secret.NewDSN(e.From), To: secret.NewDSN(e.To), Jobs: 2, PgDump: e.PgDump, Token: "token", ChunkBytes: 64 << 10, Progress: &noted{},
		Save: func(_ context.Context, s CopyState) error { return writeJSON(e.StateFile, s) },
	}
	if _, err := os.Stat(e.StateFile); err == nil {
		readJSON(t, e.StateFile, &o.State)
	}
	if e.LoadDir != "" {
		loadErrand(t, e, o)
		return
	}
	var err error
	if e.Undo {
		err = UndoCopy(t.Context(), o)
	} else {
		_, err = Copy(t.Context(), o)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func readJSON(t testing.TB, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil {
		err = json.Unmarshal(text, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// writeJSON leaves the old file or the new one, however it ends.
func writeJSON(file string, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// killer runs errands against a target behind a proxy and kills them.
type killer struct {
	t      *testing.T
	errand errand
	proxy  *commitProxy
	kills  int
}

func newKiller(t *testing.T, tr *trip) *killer {
	proxy := newCommitProxy(t, tr.To)
	return &killer{t: t, proxy: proxy, errand: errand{
		From: tr.From.Reveal(), To: proxy.dsn.Reveal(), PgDump: tr.PgDump, StateFile: filepath.Join(t.TempDir(), "state.json"),
	}}
}

// until runs the errand again and again: next arms the kill of each attempt.
// It ends when an attempt is through before its kill.
func (k *killer) until(undo bool, next func(kill func())) {
	k.t.Helper()
	k.errand.Undo = undo
	file := filepath.Join(k.t.TempDir(), "errand.json")
	if err := writeJSON(file, k.errand); err != nil {
		k.t.Fatal(err)
	}
	for {
		cmd := exec.CommandContext(k.t.Context(), os.Args[0], "-test.run=^TestCopyErrand$")
		cmd.Env = append(os.Environ(), errandVariable+"="+file)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		var killed atomic.Bool
		start := make(chan struct{})
		next(func() {
			<-start
			killed.Store(true)
			_ = cmd.Process.Kill() // one that has ended needs none
		})
		if err := cmd.Start(); err != nil {
			k.t.Fatal(err)
		}
		close(start)
		err := cmd.Wait()
		k.proxy.disarm()
		if err == nil {
			return
		}
		if !killed.Load() || strings.Contains(said.String(), "FAIL") {
			k.t.Fatalf("after %d kills: %v\n%s", k.kills, err, said.String())
		}
		k.kills++
		if k.kills > 200 {
			k.t.Fatalf("%d kills and no end", k.kills)
		}
	}
}

// atCommit kills at the n-th commit of an attempt: the server has it, the
// child does not know.
func (k *killer) atCommit(n int) func(kill func()) {
	return func(kill func()) { k.proxy.arm(n, kill) }
}

// small has one of each kind of transaction.
const small = `
create role evac_small;
create table t (id int primary key, v text);
insert into t select g, repeat('x', 100) from generate_series(1, 2500) g;
create index on t (v); alter table t owner to evac_small;
create unlogged table u (a int); insert into u values (1);
create table f (a int references t); insert into f values (7);
select lo_from_bytea(900001, 'abc'); create sequence s; select nextval('s');
create function e() returns event_trigger language plpgsql as 'begin raise exception ''fired''; end';
create event trigger e on ddl_command_start when tag in ('CREATE INDEX', 'DROP SCHEMA') execute function e();
`

func TestCopyKilledAtEveryCommit(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, small)
	empty := outside(t, tr.To)
	k := newKiller(t, tr)
	k.until(false, k.atCommit(1))
	tr.same(t)
	if k.kills < 15 {
		t.Errorf("only %d kills: the copy was through before", k.kills)
	}
	copied := k.kills
	k.until(true, k.atCommit(1))
	if diff := cmp.Diff(empty, outside(t, tr.To)); diff != "" {
		t.Fatalf("undo left another target:\n%s", diff)
	}
	if k.kills-copied < 4 {
		t.Errorf("only %d kills: the undo was through before", k.kills-copied)
	}
}

func TestCopyKilledAtRandom(t *testing.T) {
	t.Parallel()
	tr := newTrip(t, testenv.Older, testenv.Newer, everything)
	empty := outside(t, tr.To)
	k := newKiller(t, tr)
	dice := rand.New(rand.NewPCG(1, 2))
	kills := 0
	random := func(kill func()) {
		if kills++; kills%2 == 0 {
			k.proxy.arm(1+dice.IntN(20), kill)
		} else {
			time.AfterFunc(time.Duration(200+dice.IntN(1500))*time.Millisecond, kill)
		}
	}
	k.until(false, random)
	tr.same(t)
	k.until(true, k.atCommit(2))
	if diff := cmp.Diff(empty, outside(t, tr.To)); diff != "" {
		t.Fatalf("undo left another target:\n%s", diff)
	}
	t.Logf("%d kills", k.kills)
}

// commitProxy stands before a server and can act the moment that the server
// has committed and before the client hears of it.
type commitProxy struct {
	dsn    secret.DSN
	server string

	mu    sync.Mutex
	after int
	act   func()
}

// committed is the server's message that a COMMIT is done (CommandComplete).
var committed = []byte("C\x00\x00\x00\x0bCOMMIT\x00")

func newCommitProxy(t *testing.T, to secret.DSN) *commitProxy {
	u, err := url.Parse(to.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	p := &commitProxy{server: u.Host}
	u.Host = l.Addr().String()
	p.dsn = secret.NewDSN(u.String())
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(client)
		}
	}()
	return p
}

func (p *commitProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("tcp", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	go func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	}()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if n > 0 {
			if bytes.Contains(buffer[:n], committed) && p.count() {
				return
			}
			if _, err := client.Write(buffer[:n]); err != nil {
				return
			}
		}
		if errors.Is(err, io.EOF) || err != nil {
			return
		}
	}
}

// count tells whether this commit was the one; then it has acted.
func (p *commitProxy) count() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.act == nil {
		return false
	}
	if p.after--; p.after > 0 {
		return false
	}
	p.act()
	p.act = nil
	return true
}

func (p *commitProxy) arm(after int, act func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.after, p.act = after, act
}

func (p *commitProxy) disarm() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.act = nil
}
