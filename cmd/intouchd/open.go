package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"intouch/caldav"
	"intouch/store"
)

// config loads the settings that the command line names.
func (p *program) config() (*Config, error) {
	return LoadConfig(configFileName(p.configFile))
}

// open loads the settings and opens the database for a command that ends by
// itself. The caller closes the store.
func (p *program) open(ctx context.Context) (*Config, *store.Store, error) {
	cfg, err := p.config()
	if err != nil {
		return nil, nil, err
	}
	st, err := openStore(ctx, cfg, newLog(cfg.Log, p.err))
	if err != nil {
		return nil, nil, err
	}
	return cfg, st, nil
}

// clock is what the records take for now; nil: the store knows whose clock
// counts. The daemon that a test starts may be ahead of its time, or have a host
// whose clock is wrong.
var clock, hostClock func() time.Time

// openStore opens the database with the calendar's renderer, and tells it who
// we are, since a changed list of own domains changes what is internal mail.
func openStore(ctx context.Context, cfg *Config, log *slog.Logger) (*store.Store, error) {
	if err := os.MkdirAll(cfg.StateDir, 0o700); err != nil {
		return nil, fmt.Errorf("make the state directory: %w", err)
	}
	opt := storeOptions(cfg, log)
	var err error
	if opt.TokenKeys, err = tokenKeys(cfg); err != nil {
		return nil, err
	}
	st, err := store.Open(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	if err := st.SetCompany(ctx, cfg.Company.Domains, cfg.Mail.Blocked); err != nil {
		st.Close()
		return nil, fmt.Errorf("note the company's domains: %w", err)
	}
	if err := saveManagers(ctx, st, cfg.Managers); err != nil {
		st.Close()
		return nil, err
	}
	return st, nil
}

func storeOptions(cfg *Config, log *slog.Logger) store.Options {
	return store.Options{
		URL:              cfg.StoreURL,
		Connections:      cfg.StoreConnections,
		Render:           caldav.NewRenderer(cfg.Server.PublicURL),
		Alarms:           caldav.NextAlarm,
		Reminders:        &cfg.Reminders,
		WorkHours:        cfg.WorkHours,
		Log:              log,
		MinutesPerLetter: cfg.MinutesPerLetter,
		Currency:         cfg.Currency,
		Holidays:         cfg.Holidays,
		Now:              clock,
		Host:             hostClock,
	}
}

// saveManagers writes the managers of the settings: what the settings say wins
// over what was changed elsewhere, and of those who are known already nothing
// else is touched. Their passwords are set by serve alone
// (hashing costs time that a quick command should not spend).
func saveManagers(ctx context.Context, st *store.Store, managers []ManagerConfig) error {
	if len(managers) == 0 {
		return nil
	}
	saved, err := st.Managers(ctx)
	if err != nil {
		return fmt.Errorf("read the managers: %w", err)
	}
	known := make(map[string]bool, len(saved))
	for _, m := range saved {
		known[m.Login] = true
	}
	rows := make([]store.ManagerRow, len(managers))
	for i, m := range managers {
		row := m.Row
		if known[strings.ToLower(strings.TrimSpace(row.Login))] {
			for key, value := range map[string]*string{"time_zone": &row.TimeZone, "language": &row.Language, "work_hours": &row.WorkHours} {
				if !m.Own[key] {
					*value = "" // kept as it is
				}
			}
		}
		rows[i] = row
	}
	return st.SaveManagers(ctx, store.Actor{Origin: store.FromImport}, rows)
}
