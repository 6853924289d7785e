package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// slowSync makes fsync and fdatasync of a process slow, whatever it is linked
// with: a filter of system calls (seccomp_unotify(2)) stops each of them until
// this side lets it go on.
type slowSync struct {
	delay  atomic.Int64 // nanoseconds
	slowed atomic.Int64 // calls
}

// slowSyncVariable names the program that a process of the tests becomes when
// it has put the filter on; its descriptor 3 is where the listener goes to.
const slowSyncVariable = "INTOUCHD_SLOW_SYNC"

// start starts the command with its program under the filter.
func (s *slowSync) start(cmd *exec.Cmd) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	theirs := os.NewFile(uintptr(pair[1]), "seccomp")
	defer theirs.Close()
	cmd.Env = append(cmd.Env, slowSyncVariable+"="+cmd.Path)
	cmd.Path, cmd.ExtraFiles = os.Args[0], []*os.File{theirs}
	go s.supervise(pair[0]) // until theirs is closed everywhere, if nothing comes
	return cmd.Start()
}

// supervise gets the listener from the socket, and answers it until its
// processes are gone.
func (s *slowSync) supervise(socket int) {
	rights := make([]byte, unix.CmsgSpace(4))
	_, n, _, _, err := unix.Recvmsg(socket, make([]byte, 1), rights, unix.MSG_CMSG_CLOEXEC)
	unix.Close(socket)
	if err != nil || n == 0 {
		return // it was killed before
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil {
		return
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil {
		return
	}
	listener := fds[0]
	defer unix.Close(listener)
	var held sync.WaitGroup
	defer held.Wait() // another file may get the descriptor's number
	for {
		ready := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(ready, -1); err != nil && err != unix.EINTR || ready[0].Revents&unix.POLLHUP != 0 {
			return
		}
		if ready[0].Revents&unix.POLLIN == 0 {
			continue
		}
		var call seccompNotif
		if control(listener, unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)) != nil {
			continue // it was killed meanwhile
		}
		delay := time.Duration(s.delay.Load())
		if delay > 0 {
			s.slowed.Add(1)
		}
		held.Go(func() {
			time.Sleep(delay)
			control(listener, unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&seccompAnswer{ID: call.ID, Flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE}))
		})
	}
}

func control(fd int, request uintptr, what unsafe.Pointer) error {
	if _, _, e := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), request, uintptr(what)); e != 0 {
		return e
	}
	return nil
}

// seccompNotif and seccompAnswer are struct seccomp_notif and seccomp_notif_resp
// of linux/seccomp.h.
type seccompNotif struct {
	ID         uint64
	PID, Flags uint32
	Data       [64]byte
}

type seccompAnswer struct {
	ID    uint64
	Value int64
	Error int32
	Flags uint32
}

// becomeSlow puts the filter on this process and becomes the program.
func becomeSlow(program string) {
	runtime.LockOSThread() // a filter is a thread's, and the one that calls exec is left
	fatal := func(err error) {
		if err != nil {
			os.Stderr.WriteString("slow fsync: " + err.Error() + "\n")
			os.Exit(exitFailed)
		}
	}
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 2, K: unix.SYS_FSYNC},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: unix.SYS_FDATASYNC},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
	}
	fatal(unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	listener, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		uintptr(unsafe.Pointer(&unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]})))
	if e != 0 {
		fatal(e)
	}
	fatal(unix.Sendmsg(3, []byte{0}, unix.UnixRights(int(listener)), nil, 0))
	unix.Close(3)
	os.Unsetenv(slowSyncVariable)
	fatal(syscall.Exec(program, os.Args, os.Environ()))
}

// A slow fsync is felt by the program, and one that is not slow any more is not.
func TestSlowSync(t *testing.T) {
	s := &slowSync{}
	file := t.TempDir() + "/intouch.db"
	add := func(login string) time.Duration {
		cmd := exec.Command(os.Args[0], "--config", write(t, t.TempDir(), "intouch.toml", "[store]\nurl = \"sqlite:"+file+"\"\n"), "manager", "add", login, "--email", login+"@vector.test")
		cmd.Env = append(os.Environ(), "INTOUCHD_RUN_MAIN=1")
		began := time.Now()
		if err := errors.Join(s.start(cmd), cmd.Wait()); err != nil {
			t.Fatal(err)
		}
		return time.Since(began)
	}
	add("anna") // makes the database
	s.delay.Store(int64(time.Second))
	if took := add("boris"); took < time.Second || s.slowed.Load() == 0 {
		t.Errorf("%v with %d slow calls", took, s.slowed.Load())
	}
	s.delay.Store(0)
	before := s.slowed.Load()
	add("clara")
	if s.slowed.Load() != before {
		t.Error("it is still slow")
	}
}
