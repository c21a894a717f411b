package kinds_test

import (
	"bytes"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/evac-io/evac/internal/kinds/announce"
	"github.com/evac-io/evac/internal/kinds/page"
	"github.com/evac-io/evac/internal/kinds/probe"
	"github.com/evac-io/evac/internal/kinds/shell"
	"github.com/evac-io/evac/internal/kinds/wait"
	"github.com/evac-io/evac/internal/secret"
	"github.com/evac-io/evac/internal/step"
	"github.com/evac-io/evac/internal/testenv"
)

// shellCases try shell with each of its effects. The command is not idempotent:
// the probe sees how often it ran.
func shellCases() []testenv.Case {
	world := func(change func(*shell.Shell)) func(testing.TB) testenv.Subject {
		return func(t testing.TB) testenv.Subject {
			dir := t.TempDir()
			return testenv.Subject{
				Step: func() step.Step {
					s := &shell.Shell{Command: "echo moved >> jobs", Dir: dir, Grace: time.Second}
					change(s)
					return s
				},
				Probe: func(t testing.TB) any { return listing(t, dir) },
			}
		}
	}
	return []testenv.Case{
		{Kind: "shell", Name: "passing", New: world(func(*shell.Shell) {})},
		{Kind: "shell", Name: "lasting", New: world(func(s *shell.Shell) { s.Irreversible = true })},
		{Kind: "shell", Name: "undoable", New: world(func(s *shell.Shell) {
			s.VerifyCommand = "grep -qx moved jobs"
			s.UndoCommand = "rm -f jobs"
		})},
	}
}

// listing is a directory as find and tail show it.
func listing(t testing.TB, dir string) string {
	t.Helper()
	// Type, mode, owner and content, but neither inode nor time: worlds must look alike.
	cmd := exec.Command("sh", "-c", `find . -printf '%y %m %u %p\n' | sort; find . -type f | sort | xargs -r tail -v -n +1`)
	cmd.Dir = dir
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return string(text)
}

func waitCases() []testenv.Case {
	world := func(w wait.Wait) func(testing.TB) testenv.Subject {
		return func(testing.TB) testenv.Subject {
			return testenv.Subject{Step: func() step.Step { copied := w; return &copied }, Probe: nothing}
		}
	}
	return []testenv.Case{
		{Kind: "wait", Name: "for", New: world(wait.Wait{For: 50 * time.Millisecond})},
		{Kind: "wait", Name: "until", New: world(wait.Wait{Until: time.Now().Add(time.Second).Format(time.RFC3339)})},
	}
}

// nothing is the probe of a kind that can change nothing to be seen.
func nothing(testing.TB) any { return nil }

// announceCases count a message once however often it came: at least once is
// the promise.
func announceCases() []testenv.Case {
	return []testenv.Case{{Kind: "announce", New: func(t testing.TB) testenv.Subject {
		var mu sync.Mutex
		said := map[string]bool{}
		s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			defer mu.Unlock()
			said[string(body)] = true
		}))
		t.Cleanup(s.Close)
		return testenv.Subject{
			Step: func() step.Step { return &announce.Announce{URL: secret.New(s.URL), Text: "begun"} },
			Probe: func(testing.TB) any {
				mu.Lock()
				defer mu.Unlock()
				var all []string
				for body := range said {
					all = append(all, body)
				}
				return all
			},
		}
	}}}
}

func probeCases() []testenv.Case {
	return []testenv.Case{
		{Kind: "probe_http", New: func(t testing.TB) testenv.Subject {
			s := httptest.NewServer(http.NotFoundHandler())
			t.Cleanup(s.Close)
			return testenv.Subject{Probe: nothing, Step: func() step.Step {
				return &probe.HTTP{URL: s.URL, Status: 404, Times: 2, Every: time.Millisecond, Patience: time.Second}
			}}
		}},
		{Kind: "probe_tcp", New: func(t testing.TB) testenv.Subject {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return testenv.Subject{Probe: nothing, Step: func() step.Step {
				return &probe.TCP{Address: l.Addr().String(), Times: 1, Every: time.Millisecond, Patience: time.Second}
			}}
		}},
	}
}

func pageCases() []testenv.Case {
	world := func(prepare string) func(testing.TB) testenv.Subject {
		return func(t testing.TB) testenv.Subject {
			root := t.TempDir()
			cmd := exec.Command("sh", "-ec", prepare)
			cmd.Dir = root
			var said bytes.Buffer
			cmd.Stderr = &said
			if err := cmd.Run(); err != nil {
				t.Fatalf("%v: %s", err, said.String())
			}
			return testenv.Subject{
				Step: func() step.Step {
					return &page.Publish{To: filepath.Join(root, "down"), Until: "2026-11-22T06:00:00+09:00"}
				},
				Probe: func(t testing.TB) any { return listing(t, root) },
			}
		}
	}
	return []testenv.Case{
		{Kind: "page_publish", Name: "nothing there", New: world("")},
		{Kind: "page_publish", Name: "a site there", New: world("mkdir down; echo shop > down/index.html; chmod 640 down/index.html; echo x > down/shop.css")},
	}
}
