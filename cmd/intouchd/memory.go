package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// The collector's pace. A daemon that reads a mailbox makes much garbage on
// little live memory, and with Go's default of collecting at twice that it
// spent a tenth of its processor time collecting. So it collects when it has
// grown to steadyMemory, however little of it lives; where more lives, at
// half as much again: thousands of idle mailboxes are live memory, and make
// little garbage.
const steadyMemory = 28 << 20 // bytes, all of the runtime's

// tuneCollector sets the pace, and again after each collection.
func tuneCollector() {
	if os.Getenv("GOGC") != "" || os.Getenv("GOMEMLIMIT") != "" {
		return // somebody knows better
	}
	debug.SetGCPercent(-1) // the limit decides
	debug.SetMemoryLimit(steadyMemory)
	rearm(&collected{})
}

// collected is garbage: its finalizer runs after each collection.
type collected struct{ _ [16]byte }

func rearm(c *collected) {
	runtime.SetFinalizer(c, func(c *collected) {
		debug.SetMemoryLimit(max(steadyMemory, use("/gc/heap/live:bytes")*3/2+besideHeap()))
		rearm(c)
	})
}

// besideHeap is what stacks and tables of the runtime take.
func besideHeap() int64 {
	return use("/memory/classes/total:bytes") - use("/memory/classes/heap/objects:bytes", "/memory/classes/heap/unused:bytes",
		"/memory/classes/heap/free:bytes", "/memory/classes/heap/released:bytes")
}

// use sums figures of the runtime.
func use(names ...string) (sum int64) {
	for _, name := range names {
		sample := []metrics.Sample{{Name: name}}
		metrics.Read(sample)
		sum += int64(sample[0].Value.Uint64())
	}
	return sum
}
