package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// some are n tasks, each of a cost of its own.
func some(n int) (tasks []Task) {
	for i := range n {
		tasks = append(tasks, Task{ID: i, Cost: int64(1) << i, Body: json.RawMessage(strconv.Itoa(i * i))})
	}
	return tasks
}

// body gives a task's body back.
func body(_ context.Context, t Task) (json.RawMessage, error) { return t.Body, nil }

// notes is a ledger in memory.
type notes struct {
	mu   sync.Mutex
	done map[int]string
	err  error
}

func (n *notes) Done(_ context.Context, t Task) (json.RawMessage, bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, ok := n.done[t.ID]
	return json.RawMessage(r), ok, nil
}

func (n *notes) Add(t Task, r json.RawMessage) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.done[t.ID] = string(r)
	return n.err
}

func TestResultsAreInTheOrderOfTheTasks(t *testing.T) {
	for _, workers := range []int{0, 1, 2, 7, 100} {
		sum := int64(0)
		got, err := Local{Workers: workers, Standing: func(t Task) { sum += t.Cost }}.Run(t.Context(), some(30), body)
		if err != nil || sum != 1<<30-1 {
			t.Fatal(workers, sum, err)
		}
		for i, r := range got {
			if string(r) != strconv.Itoa(i*i) {
				t.Errorf("%d workers: task %d has result %s", workers, i, r)
			}
		}
	}
}

func TestTasksBeginInTheirOrder(t *testing.T) {
	var order []int
	_, err := Local{Workers: 1}.Run(t.Context(), some(20), func(_ context.Context, t Task) (json.RawMessage, error) {
		order = append(order, t.ID)
		return nil, nil
	})
	for i, id := range order {
		if id != i {
			t.Fatal(order)
		}
	}
	if err != nil || len(order) != 20 {
		t.Error(err, order)
	}
}

// TestWorkersAreBounded lets all workers meet in a task, and no more.
func TestWorkersAreBounded(t *testing.T) {
	const workers = 3
	var now, most atomic.Int64
	all := make(chan struct{})
	_, err := Local{Workers: workers}.Run(t.Context(), some(12), func(context.Context, Task) (json.RawMessage, error) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		if n == workers && most.Load() == workers {
			select {
			case <-all:
			default:
				close(all)
			}
		}
		<-all
		return nil, nil
	})
	if err != nil || most.Load() != workers {
		t.Error(most.Load(), err)
	}
}

func TestFirstErrorCancels(t *testing.T) {
	broken := errors.New("broken")
	var begun atomic.Int64
	waits := make(chan struct{})
	got, err := Local{Workers: 2}.Run(t.Context(), some(30), func(ctx context.Context, t Task) (json.RawMessage, error) {
		begun.Add(1)
		if t.ID == 0 {
			close(waits)
			<-ctx.Done() // of the other's error
			return nil, ctx.Err()
		}
		<-waits
		return nil, fmt.Errorf("task %d: %w", t.ID, broken)
	})
	if !errors.Is(err, broken) || got != nil || begun.Load() > 3 {
		t.Error(got, err, begun.Load())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (Local{}).Run(ctx, some(3), body); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestLedger(t *testing.T) {
	n := &notes{done: map[int]string{1: `"before"`, 3: `"before"`}}
	var did, stood []int
	got, err := Local{Workers: 1, Ledger: n, Standing: func(t Task) { stood = append(stood, t.ID) }}.Run(t.Context(), some(5),
		func(ctx context.Context, t Task) (json.RawMessage, error) {
			did = append(did, t.ID)
			return body(ctx, t)
		})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]json.RawMessage{[]byte("0"), []byte(`"before"`), []byte("4"), []byte(`"before"`), []byte("16")}, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]int{0, 2, 4}, did); diff != "" {
		t.Error("tasks that were done are done again:", diff)
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3, 4}, stood); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[int]string{0: "0", 1: `"before"`, 2: "4", 3: `"before"`, 4: "16"}, n.done); diff != "" {
		t.Error(diff)
	}
	n = &notes{done: map[int]string{}, err: errors.New("disk full")}
	if _, err := (Local{Ledger: n}).Run(t.Context(), some(5), body); !errors.Is(err, n.err) {
		t.Error(err)
	}
}
