//go:build !unix

package main

// Where there is no flock, nothing keeps a second daemon away.

func lockStore(string) (unlock func(), err error) { return func() {}, nil }

func lock(string) (unlock func(), err error) { return func() {}, nil }
