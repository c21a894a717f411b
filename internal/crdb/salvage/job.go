package salvage

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"

	tasks "github.com/evac-io/evac/internal/engine"
)

// Job is one salvage: its stores are open and its work is planned. Any number of
// processes may have the same one open and do its tasks; one of them splits it and
// merges the results.
type Job struct {
	*Cluster
	*Plan
	dir string
	opt Options
}

// Begin opens the stores and plans the salvage into the folder dir, in which nothing
// is written yet but what archives hold.
func Begin(ctx context.Context, stores []string, dir string, opt Options) (*Job, error) {
	if err := Refuse(stores, dir, opt); err != nil {
		return nil, err
	}
	opt.Work = cmp.Or(opt.Work, filepath.Join(dir, storesName))
	c, err := Open(ctx, stores, opt)
	if err != nil {
		return nil, err
	}
	p, err := c.Plan(ctx, opt.Tables)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return &Job{Cluster: c, Plan: p, dir: dir, opt: opt}, nil
}

// Split gives the tasks, in the order of keys: tasks that lie beside each other
// read the same files.
func (j *Job) Split() ([]tasks.Task, error) {
	out := make([]tasks.Task, len(j.Tasks))
	for i, t := range j.Tasks {
		body, err := json.Marshal(t)
		if err != nil {
			return nil, err
		}
		out[i] = tasks.Task{ID: t.ID, Cost: t.Bytes, Body: body}
	}
	return out, nil
}

// Do does one of them: its files stand in the folder, and the result tells of them.
func (j *Job) Do(ctx context.Context, t tasks.Task) (json.RawMessage, error) {
	var own Task
	if err := json.Unmarshal(t.Body, &own); err != nil {
		return nil, fmt.Errorf("read task %d: %w", t.ID, err)
	}
	r, err := j.Cluster.Do(ctx, j.Plan, own, j.dir, j.opt.Null)
	if err != nil {
		return nil, noRoom(j.dir, err)
	}
	return json.Marshal(r)
}

// Merge ends the salvage with the results of all its tasks.
func (j *Job) Merge(ctx context.Context, list []json.RawMessage) (*Report, error) {
	if len(list) != len(j.Tasks) {
		return nil, fmt.Errorf("%d results of %d tasks", len(list), len(j.Tasks))
	}
	results := make([]Result, len(list))
	for i, r := range list {
		if err := json.Unmarshal(r, &results[i]); err != nil {
			return nil, fmt.Errorf("read the result of task %d: %w", i, err)
		}
	}
	rep, err := j.Cluster.Merge(ctx, j.Plan, results, j.dir, j.opt)
	return rep, noRoom(j.dir, err)
}
