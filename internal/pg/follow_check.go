package pg

import (
	"context"
	"errors"
	"fmt"
)

// FollowSurvey is what a check before a follow saw.
type FollowSurvey struct {
	Copy CopySurvey
	// Followed counts the tables whose changes are carried.
	Followed int
	// Identities are the tables whose replica identity would be changed.
	Identities []string
	// Caught tells that the target follows already.
	Caught   bool
	Warnings []string
}

// PlanFollow looks whether Follow can work, and leaves both sides as they
// are. Everything that is wrong is in the error at once. It makes the target's
// server connect to the source, in a transaction that is rolled back.
func PlanFollow(ctx context.Context, o FollowOptions) (s FollowSurvey, err error) {
	o.CopyOptions.State = o.State.Copy
	f, err := openFollower(ctx, o)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	source, target := f.stream.publisher, f.stream.subscriber
	var wrong []error
	switch {
	case o.State.Name == "":
		s.Copy, err = CheckFollow(ctx, f.CopyOptions)
		wrong = append(wrong, err, target.needOwner(ctx))
		wrong = append(wrong, source.needTables(ctx, o.FullIdentity)...)
		if errors.Join(wrong...) == nil {
			wrong = append(wrong, f.stream.tryReach(ctx))
		}
	case !o.State.Caught:
		s.Copy, err = CheckCopy(ctx, f.CopyOptions)
		wrong = append(wrong, err)
	}
	if err := errors.Join(wrong...); err != nil {
		s.Warnings = s.Copy.Warnings
		return s, err
	}
	s.Caught = o.State.Caught
	return s, f.survey(ctx, &s)
}

// survey gathers what an operator should know.
func (f *follower) survey(ctx context.Context, s *FollowSurvey) error {
	tables, err := f.stream.publisher.tables(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		switch {
		case !t.Owned:
			s.Warnings = append(s.Warnings, fmt.Sprintf("table %q of an extension is copied and not followed, for the user does not own it", t))
			continue
		case !t.Keyed:
			s.Identities = append(s.Identities, t.String())
		}
		s.Followed++
	}
	rest, err := f.stream.publisher.rest(ctx)
	if err != nil {
		return err
	}
	s.Warnings = append(append(s.Warnings, s.Copy.Warnings...), rest.warnings(nil)...)
	return nil
}

// VerifyFollow proves from outside that the target follows: it waits, at most
// as long as ctx lasts, until it is less than MaxLag behind, and
// wants the schema unchanged since the copy.
func VerifyFollow(ctx context.Context, o FollowOptions) (lag Lag, err error) {
	f, err := openFollower(ctx, o)
	if err != nil {
		return lag, err
	}
	defer func() { err = errors.Join(err, f.close(ctx)) }()
	if err := f.stream.whole(ctx); err != nil {
		return lag, err
	}
	note, err := f.stream.note(ctx)
	if err != nil {
		return lag, err
	}
	change, err := f.stream.changedSince(ctx, note.Schema)
	if err != nil {
		return lag, err
	}
	if err := change.refusal(Source, Target); err != nil {
		return lag, err
	}
	return f.catchUp(ctx)
}
