package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/evac-io/evac/internal/fault"
	"github.com/evac-io/evac/internal/runbook"
	"github.com/evac-io/evac/internal/view"
)

func (a *app) fmtCommand() *cobra.Command {
	var check bool
	cmd := &cobra.Command{
		Use: "fmt RUNBOOK…", GroupID: groupRun, Args: cobra.MinimumNArgs(1),
		Short: "Write runbooks in the one canonical form",
		RunE: func(_ *cobra.Command, args []string) error {
			var errs []error
			var written []string
			for _, file := range args {
				changed, err := a.format(file, check)
				if changed {
					written = append(written, file)
				}
				errs = append(errs, err)
			}
			if len(written) > 0 {
				a.result = view.Result{Sentence: "wrote " + strings.Join(written, ", "), Data: map[string]any{"files": written}}
			}
			return errors.Join(errs...)
		},
	}
	cmd.Flags().BoolVar(&check, "check", false, "write nothing; fail if a file is not in that form")
	return cmd
}

// format tells whether it wrote the file.
func (a *app) format(file string, check bool) (bool, error) {
	src, err := readSource(file)
	if err != nil {
		return false, err
	}
	text, diags := runbook.Format(file, src.text)
	if err := a.diagnose(file, diags); err != nil {
		return false, err
	}
	if bytes.Equal(text, src.text) {
		return false, nil
	}
	if check {
		return false, fault.New(fault.Invalid, fmt.Sprintf("%q is not in canonical form", file), "evac fmt "+file)
	}
	if err := replaceFile(file, text); err != nil {
		return false, fmt.Errorf("write %q: %w", file, err)
	}
	return true, nil
}

// replaceFile writes beside the file and renames, so that a full disk or a
// crash leaves the old text.
func replaceFile(file string, text []byte) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(file), ".evac-fmt-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name()) // gone already after a rename
	_, err = temp.Write(text)
	if err := errors.Join(err, temp.Chmod(info.Mode().Perm()), temp.Sync(), temp.Close()); err != nil {
		return err
	}
	return os.Rename(temp.Name(), file)
}
