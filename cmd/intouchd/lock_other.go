//go:build !unix

package main

// lockStore cannot keep a second daemon away where there is no flock.
func lockStore(string) (unlock func(), err error) { return func() {}, nil }
