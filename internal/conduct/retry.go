package conduct

import (
	"errors"
	"time"

	retry "github.com/cenkalti/backoff/v5"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/journal"
	"github.com/evac-io/evac/internal/runbook"
)

// mayRetry tells whether a failed attempt is followed by another by itself.
// What a person must decide (differences, refusals, usage) is not repeated,
// and neither is a step that may run at most once and has begun to.
func mayRetry(n *runbook.Node, attempt int, phase string, err error) bool {
	if attempt >= n.Retry.Attempts || errors.Is(err, errInjected) {
		return false
	}
	if !n.Repeatable && phase != "check" {
		return false
	}
	switch fault.KindOf(err) {
	case fault.Failed:
		return true
	default:
		return false
	}
}

// backoff is the wait after the given attempt: exponential from Wait to Max,
// half of it random, so that steps that failed together do not come back
// together.
func backoff(r runbook.Retry, attempt int) time.Duration {
	b := &retry.ExponentialBackOff{
		InitialInterval: r.Wait, MaxInterval: max(r.Max, r.Wait), Multiplier: 2, RandomizationFactor: 0.5,
	}
	b.Reset()
	wait := b.NextBackOff()
	for range attempt - 1 {
		wait = b.NextBackOff()
	}
	return wait
}

// retryAt is when a step that waits between two tries may begin again.
func retryAt(n *journal.NodeState) time.Time {
	if n.Phase != journal.Waiting || n.Fail == nil {
		return time.Time{}
	}
	return n.Ended.Add(time.Duration(n.Fail.RetryInMS) * time.Millisecond)
}

// retryDue tells whether a step that waits between two tries may begin again:
// its time has come, or the clock has gone back behind its failure and tells
// nothing any more.
func retryDue(n *journal.NodeState, now time.Time) bool {
	return !now.Before(retryAt(n)) || now.Before(n.Ended)
}
