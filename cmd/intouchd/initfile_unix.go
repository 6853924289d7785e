//go:build unix

package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// shareWithGroup lets the group of a file's directory read the file, where
// root makes it in a directory that another group may read: the one that the
// daemon runs in, in /etc/intouch.
func shareWithGroup(f *os.File) error {
	info, err := os.Stat(filepath.Dir(f.Name()))
	if err != nil {
		return err
	}
	dir, ok := info.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 || dir.Gid == 0 || info.Mode()&0o040 == 0 {
		return nil
	}
	if err := f.Chown(-1, int(dir.Gid)); err != nil {
		return err
	}
	return f.Chmod(0o640)
}

// likeOwner gives a file the owner and group of another one.
func likeOwner(f *os.File, other fs.FileInfo) error {
	of, ok := other.Sys().(*syscall.Stat_t)
	if !ok || os.Geteuid() != 0 {
		return nil
	}
	return f.Chown(int(of.Uid), int(of.Gid))
}

// otherOwner is how root starts a program as the owner of a directory; nil for
// everybody else, and where root owns it or it is not there.
func otherOwner(dir string) *syscall.SysProcAttr {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return nil
	}
	of, ok := info.Sys().(*syscall.Stat_t)
	if !ok || of.Uid == 0 {
		return nil
	}
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: of.Uid, Gid: of.Gid}}
}
