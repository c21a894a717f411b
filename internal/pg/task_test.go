package pg

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
)

// TestTasks lets workers do work that waits for other work, and looks whether
// any began too early or beside what it must not meet.
func TestTasks(t *testing.T) {
	var mu sync.Mutex
	at := map[uint32]int{} // how many work on a relation now; alone counts 100
	ended := map[int]bool{}
	var order, opened []int
	make1 := func(n int, cost int64, alone, among []uint32, before ...int) *task[int] {
		return &task[int]{cost: cost, alone: alone, among: among, do: func(context.Context, int, bool) error {
			mu.Lock()
			order = append(order, n)
			for _, b := range before {
				if !ended[b] {
					t.Errorf("task %d began before %d had ended", n, b)
				}
			}
			for _, r := range alone {
				if at[r] != 0 {
					t.Errorf("task %d is not alone on %d", n, r)
				}
				at[r] += 100
			}
			for _, r := range among {
				if at[r] >= 100 {
					t.Errorf("task %d came to %d while another was alone there", n, r)
				}
				at[r]++
			}
			mu.Unlock()
			mu.Lock()
			defer mu.Unlock()
			for _, r := range alone {
				at[r] -= 100
			}
			for _, r := range among {
				at[r]--
			}
			ended[n] = true
			return nil
		}}
	}
	short := make1(0, 5, nil, nil)
	long := make1(1, 1, nil, []uint32{7})
	then := make1(2, 100, []uint32{7}, nil, 1)
	tasks := []*task[int]{short, long, then}
	then.after(long)
	for i := range 50 {
		n := make1(3+i, 1, nil, []uint32{7}, 0, 2)
		n.after(short, then)
		tasks = append(tasks, n, make1(100+i, 1, []uint32{7}, nil))
	}
	err := runTasks(t.Context(), 3, tasks, nil, func(context.Context) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		opened = append(opened, len(opened))
		return len(opened), nil
	}, func(int) error { return nil })
	if err != nil || len(order) != len(tasks) || len(opened) != 3 {
		t.Fatalf("error %v, %d of %d tasks done by %d workers", err, len(order), len(tasks), len(opened))
	}
}

func TestTheLongestChainIsFirst(t *testing.T) {
	var order []string
	add := func(name string, cost int64) *task[int] {
		return &task[int]{cost: cost, do: func(context.Context, int, bool) error { order = append(order, name); return nil }}
	}
	single, first, second := add("single", 10), add("first", 1), add("second", 12)
	second.after(first)
	hurried := add("hurried", 0)
	hurried.soon = true
	hurried.after(first)
	open := func(context.Context) (int, error) { return 0, nil }
	if err := runTasks(t.Context(), 1, []*task[int]{single, first, second, hurried}, nil, open, func(int) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if want := []string{"first", "hurried", "second", "single"}; !slices.Equal(order, want) {
		t.Errorf("order is %v, want %v", order, want)
	}
}

func TestTasksThatFail(t *testing.T) {
	broken := errors.New("broken")
	closed := 0
	open := func(context.Context) (int, error) { return 0, nil }
	shut := func(int) error { closed++; return nil }
	tasks := []*task[int]{{do: func(context.Context, int, bool) error { return broken }}}
	after := &task[int]{do: func(context.Context, int, bool) error { t.Error("went on after a failure"); return nil }}
	after.after(tasks[0])
	if err := runTasks(t.Context(), 1, append(tasks, after), nil, open, shut); !errors.Is(err, broken) || closed != 1 {
		t.Errorf("error is %v, %d workers closed", err, closed)
	}
	a, b := &task[int]{}, &task[int]{}
	a.after(b)
	b.after(a)
	if err := runTasks(t.Context(), 1, []*task[int]{a, b}, nil, open, shut); err == nil {
		t.Error("work that waits for itself was begun")
	}
}
