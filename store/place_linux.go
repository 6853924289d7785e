package store

import (
	"fmt"

	sys "golang.org/x/sys/unix"
)

// fileHome names a file, not its path: the inode and when it was born. It
// stays with the file when that is renamed, and over restarts and new host
// names; a copy, on whatever machine, has another. "" where the file system
// keeps no such thing. A clone of a whole disk is not told from the original.
func fileHome(path string) string {
	var st sys.Statx_t
	const want = sys.STATX_INO | sys.STATX_BTIME
	if err := sys.Statx(sys.AT_FDCWD, path, 0, want, &st); err != nil || st.Mask&want != want {
		return ""
	}
	return fmt.Sprintf("%d/%d.%09d", st.Ino, st.Btime.Sec, st.Btime.Nsec)
}

// diskOf is what is free for us, and all there is, on a directory's file
// system; zero where it does not tell.
func diskOf(dir string) Disk {
	var st sys.Statfs_t
	if err := sys.Statfs(dir, &st); err != nil {
		return Disk{}
	}
	return Disk{Free: int64(st.Bavail) * st.Bsize, Total: int64(st.Blocks) * st.Bsize}
}
