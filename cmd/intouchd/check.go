package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"intouch/mailsync"
	"intouch/store"
)

func (p *program) checkCommand() *cobra.Command {
	online := false
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Name all faults of the settings; --online also logs in everywhere",
		Args:  takes(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := p.config()
			if err != nil {
				return err
			}
			fmt.Fprintf(p.err, "%s: the settings are in order\n", configFileName(p.configFile))
			if err := checkDescriptors(cfg); err != nil {
				fmt.Fprintln(p.err, "warning:", err)
			}
			if !online {
				return nil
			}
			return p.checkOnline(cmd.Context(), cfg)
		},
	}
	cmd.Flags().BoolVar(&online, "online", false, "open the database and log in to every mailbox, address book and the mail server")
	return cmd
}

// loginTime bounds one login of check --online.
const loginTime = time.Minute

// probe is one thing that check --online tries.
type probe struct {
	name string
	try  func(context.Context) error
}

// checkOnline tries everything that the settings name, at once, and prints a
// line for each, in the order of the settings.
func (p *program) checkOnline(ctx context.Context, cfg *Config) error {
	// Open meanwhile: the tokens of some mailboxes are in it.
	opening, cancel := context.WithTimeout(ctx, loginTime)
	st, openErr := openStore(opening, cfg, newLog(cfg.Log, p.err))
	cancel()
	if openErr == nil {
		defer st.Close()
	}
	probes := []probe{{"database", func(ctx context.Context) error {
		if openErr != nil {
			return openErr
		}
		return checkDatabase(ctx, cfg, st)
	}}}
	for _, m := range mailboxes(cfg, st) {
		probes = append(probes, probe{"mailbox " + m.Name, func(ctx context.Context) error { return mailsync.CheckLogin(ctx, m) }})
	}
	for _, b := range cfg.AddressBooks {
		probes = append(probes, probe{"addressbook " + b.Name, b.check})
	}
	if cfg.SMTP != nil {
		probes = append(probes, probe{"smtp " + cfg.SMTP.Server.Addr, mailServer(cfg.SMTP, st).CheckLogin})
	}
	errs := make([]error, len(probes))
	var all sync.WaitGroup
	for i, one := range probes {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, loginTime)
			defer cancel()
			errs[i] = one.try(ctx)
		})
	}
	all.Wait()
	failed := false
	for i, one := range probes {
		if errs[i] != nil {
			failed = true
			fmt.Fprintf(p.out, "%s: %v\n", one.name, errs[i])
			continue
		}
		fmt.Fprintf(p.out, "%s: ok\n", one.name)
	}
	if failed {
		return errReported
	}
	return nil
}

// checkDatabase looks whether the mailboxes' managers are in the database.
func checkDatabase(ctx context.Context, cfg *Config, st *store.Store) error {
	var errs []error
	for _, m := range cfg.Mailboxes {
		if m.Manager == "" {
			continue
		}
		if _, err := st.ManagerByLogin(ctx, m.Manager); errors.Is(err, store.ErrNotFound) {
			errs = append(errs, fmt.Errorf("mailbox %s: there is no manager %q", m.Name, m.Manager))
		} else if err != nil {
			errs = append(errs, err)
		}
	}
	for _, b := range cfg.AddressBooks {
		if _, err := b.options(ctx, st); err != nil {
			errs = append(errs, fmt.Errorf("addressbook %s: %w", b.Name, err))
		}
	}
	return errors.Join(errs...)
}
