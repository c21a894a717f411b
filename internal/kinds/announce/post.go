package announce

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/step"
)

const (
	// tryTime bounds one request.
	tryTime = 30 * time.Second
	// answerLimit is how much of an answer is read, in bytes.
	answerLimit = 4 << 10
	// usualWait is for a 429 that does not say how long.
	usualWait = 5 * time.Second
)

// message is what Slack's incoming webhooks take
// (https://api.slack.com/messaging/webhooks).
type message struct {
	Text    string `json:"text"`
	Channel string `json:"channel,omitempty"`
}

// post sends a message, with patience for a webhook that asks for it.
func post(ctx context.Context, env *step.Env, address string, m message) (status int, err error) {
	body, err := json.Marshal(m)
	if err != nil {
		return 0, err
	}
	// A redirected post would arrive as a get, without the message.
	client := &http.Client{Timeout: tryTime, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	for {
		status, wait, err := try(ctx, client, env, address, body)
		if err != nil || wait == 0 {
			return status, err
		}
		env.Progress.Note(fmt.Sprintf("the webhook asks to wait %s", wait))
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return 0, fault.Wrap(fault.KindOf(ctx.Err()), "send message: wait for the webhook", context.Cause(ctx), "")
		case <-timer.C:
		}
	}
}

// try sends once; wait > 0 means not now.
func try(ctx context.Context, client *http.Client, env *step.Env, address string, body []byte) (status int, wait time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, 0, withoutURL(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Idempotency-Key", env.Token) // for receivers that know it
	resp, err := client.Do(req)
	if err != nil {
		return 0, 0, withoutURL(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	switch {
	case resp.StatusCode == http.StatusTooManyRequests:
		return resp.StatusCode, retryAfter(resp.Header.Get("Retry-After"), time.Now()), nil
	case err != nil:
		return 0, 0, fmt.Errorf("send message: read answer: %w", err)
	}
	return resp.StatusCode, 0, refusal(resp, env.Redact.Text(string(answer)))
}

// withoutURL says what went wrong with a request without its address, which
// net/http puts into every error.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return fmt.Errorf("send message: %w", err)
}

// retryAfter reads the header of that name: seconds or a date (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return max(time.Second, time.Duration(seconds)*time.Second)
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(time.Second, at.Sub(now))
	}
	return usualWait
}

// refusal is nil if the message was taken. Slack's Web API refuses with a 200
// and "ok": false.
func refusal(resp *http.Response, answer string) error {
	var said struct {
		OK    *bool  `json:"ok"`
		Error string `json:"error"`
	}
	if err := json.Unmarshal([]byte(answer), &said); err == nil && said.OK != nil && !*said.OK {
		return fmt.Errorf("send message: the webhook refused it: %s", said.Error)
	}
	if resp.StatusCode >= 200 && resp.StatusCode < 300 {
		return nil
	}
	kind := fault.Failed
	if resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden {
		kind = fault.Denied
	}
	line, _, _ := strings.Cut(strings.TrimSpace(answer), "\n")
	return fault.New(kind, strings.TrimSuffix(fmt.Sprintf("send message: the webhook answered %s: %.200s", resp.Status, line), ": "), "")
}
