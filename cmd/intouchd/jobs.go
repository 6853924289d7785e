package main

import (
	"context"
	"log/slog"

	"intouch/scheduler"
	"intouch/store"
)

func newScheduler(st *store.Store, cfg *Config, log *slog.Logger) (*scheduler.Scheduler, error) {
	return scheduler.New(st, scheduler.Options{})
}

func runDigest(ctx context.Context, st *store.Store, cfg *Config) error { return nil }
