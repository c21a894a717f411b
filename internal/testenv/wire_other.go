//go:build !linux

package testenv

import (
	"errors"
	"syscall"
)

func swallow(syscall.Conn) error { return errors.New("only Linux can lose packets of one socket") }

func hear(syscall.Conn) error { return nil }
