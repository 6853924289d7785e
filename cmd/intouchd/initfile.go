package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
)

// How init writes files: whole or not at all, and readable for whoever runs
// the daemon.

// writeSettings writes a settings file, in place of one that has nothing but
// what the new one begins with.
func writeSettings(file, text string) error {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return writeNew(file, []byte(text))
	}
	if err != nil {
		return err
	}
	return writeBeside(file, []byte(text), func(f *os.File) error {
		if err := f.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
		return likeOwner(f, info)
	}, os.Rename)
}

// writeNew makes a file that only its owner reads, and the group of its
// directory where root has given the directory one. A file that is there
// already stays, and is an error.
func writeNew(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	err := writeBeside(file, text, shareWithGroup, os.Link)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already, and is not overwritten", file)
	}
	return err
}

// writeBeside writes a file under another name first; put gives it its own.
func writeBeside(file string, text []byte, allow func(*os.File) error, put func(from, to string) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	err = errors.Join(err, allow(f), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return put(f.Name(), file)
}

// tryAsOwner checks the settings online. Root does it as the user who owns the
// database's directory: that one will have to read the files, and owns the
// database that the check makes.
func (p *program) tryAsOwner(ctx context.Context, file string, cfg *Config) error {
	owner := otherOwner(cfg.StateDir)
	if owner == nil {
		return p.checkOnline(ctx, cfg)
	}
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program, to try the settings: %w", err)
	}
	cmd := exec.CommandContext(ctx, self, "--config", file, "check", "--online")
	cmd.SysProcAttr = owner
	cmd.Stdout, cmd.Stderr = p.out, p.err
	if err := cmd.Run(); err != nil {
		var ended *exec.ExitError
		if errors.As(err, &ended) {
			return errReported
		}
		return fmt.Errorf("try the settings: %w", err)
	}
	return nil
}
