package store

import (
	"fmt"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The driver opens each connection with SQLITE_OPEN_FULLMUTEX, so SQLite locks
// and unlocks the connection's mutex three times for each column of each row: a
// fifth of all processor time of a long list. database/sql gives a connection to
// one goroutine at a time, and the driver relies on that beside the mutex, which
// so guards nothing. It does nothing here, as with SQLITE_OPEN_NOMUTEX
// (https://sqlite.org/threadsafe.html, "multi-thread"); the mutexes of what
// connections share stay the library's. sqlite3_interrupt, the one call from
// another goroutine, takes none.
//
// Mutexes are chosen before the first connection opens, and for the process.
func init() {
	tls := libc.NewTLS()
	defer tls.Close()
	configure := func(option int32, methods *sqlite3.Tsqlite3_mutex_methods) int32 {
		args := libc.NewVaList(uintptr(unsafe.Pointer(methods)))
		defer libc.Xfree(tls, args)
		return sqlite3.Xsqlite3_config(tls, option, args)
	}
	for _, step := range []struct {
		name string
		call func() int32
	}{
		{"initialize", func() int32 { return sqlite3.Xsqlite3_initialize(tls) }}, // chooses the library's own
		{"shutdown", func() int32 { return sqlite3.Xsqlite3_shutdown(tls) }},
		{"config GETMUTEX", func() int32 { return configure(sqlite3.SQLITE_CONFIG_GETMUTEX, &libraryMutexes) }},
		{"config MUTEX", func() int32 {
			ours := libraryMutexes
			ours.FxMutexAlloc = *(*uintptr)(unsafe.Pointer(&struct {
				f func(*libc.TLS, int32) uintptr
			}{mutexAlloc}))
			ours.FxMutexFree = *(*uintptr)(unsafe.Pointer(&struct{ f func(*libc.TLS, uintptr) }{mutexFree}))
			ours.FxMutexEnter = *(*uintptr)(unsafe.Pointer(&struct{ f func(*libc.TLS, uintptr) }{mutexEnter}))
			ours.FxMutexTry = *(*uintptr)(unsafe.Pointer(&struct {
				f func(*libc.TLS, uintptr) int32
			}{mutexTry}))
			ours.FxMutexLeave = *(*uintptr)(unsafe.Pointer(&struct{ f func(*libc.TLS, uintptr) }{mutexLeave}))
			return configure(sqlite3.SQLITE_CONFIG_MUTEX, &ours)
		}},
	} {
		if rc := step.call(); rc != sqlite3.SQLITE_OK {
			panic(fmt.Sprintf("store: sqlite3 %s: error %d", step.name, rc))
		}
	}
}

var (
	libraryMutexes sqlite3.Tsqlite3_mutex_methods
	// connectionMutex stands for that of any connection, the only recursive ones
	// of SQLite (openDatabase in main.c).
	connectionMutex = new(uint64)
)

func ofConnection(mutex uintptr) bool { return mutex == uintptr(unsafe.Pointer(connectionMutex)) }

func mutexAlloc(tls *libc.TLS, kind int32) uintptr {
	if kind == sqlite3.SQLITE_MUTEX_RECURSIVE {
		return uintptr(unsafe.Pointer(connectionMutex))
	}
	return (*(*func(*libc.TLS, int32) uintptr)(unsafe.Pointer(&libraryMutexes.FxMutexAlloc)))(tls, kind)
}

func mutexFree(tls *libc.TLS, mutex uintptr) {
	if !ofConnection(mutex) {
		(*(*func(*libc.TLS, uintptr))(unsafe.Pointer(&libraryMutexes.FxMutexFree)))(tls, mutex)
	}
}

func mutexEnter(tls *libc.TLS, mutex uintptr) {
	if !ofConnection(mutex) {
		(*(*func(*libc.TLS, uintptr))(unsafe.Pointer(&libraryMutexes.FxMutexEnter)))(tls, mutex)
	}
}

func mutexTry(tls *libc.TLS, mutex uintptr) int32 {
	if ofConnection(mutex) {
		return sqlite3.SQLITE_OK
	}
	return (*(*func(*libc.TLS, uintptr) int32)(unsafe.Pointer(&libraryMutexes.FxMutexTry)))(tls, mutex)
}

func mutexLeave(tls *libc.TLS, mutex uintptr) {
	if !ofConnection(mutex) {
		(*(*func(*libc.TLS, uintptr))(unsafe.Pointer(&libraryMutexes.FxMutexLeave)))(tls, mutex)
	}
}
